"""What may happen to an answer on its way; this is the table of contents."""

from __future__ import annotations

from harness.faults.transport import breaks, lines, members, pieces, refusals
from harness.faults.transport.recorded import Recorded, told
from harness.faults.transport.sent import Ending, Sent
from harness.faults.transport.torture import Fault, Verdict

HARMLESS = (
    Fault(pieces.byte_by_byte, pieces.once),
    Fault(pieces.split_anywhere, pieces.between_bytes),
    Fault(pieces.split_inside_a_character, pieces.inside_characters),
    Fault(pieces.split_inside_a_line_end, pieces.line_ends),
    Fault(pieces.merged_into_one_packet, pieces.once_in_streams),
    Fault(pieces.slow_first_byte, pieces.once),
    Fault(pieces.packed_in_gzip, pieces.once),
    Fault(lines.lines_end_in_lf, lines.without_lf),
    Fault(lines.lines_end_in_crlf, lines.without_crlf),
    Fault(lines.lines_end_in_cr, lines.without_cr),
    Fault(lines.space_after_colon, pieces.once_in_streams),
    Fault(lines.data_on_many_lines, pieces.once_in_streams),
    Fault(lines.byte_order_mark, pieces.once_in_streams),
    Fault(lines.comments_between_events, pieces.between_events),
    Fault(lines.long_comment, pieces.between_events),
    Fault(lines.unknown_fields, pieces.once_in_streams),
    Fault(lines.unknown_event, pieces.between_events),
    Fault(members.respelled, pieces.once),
    Fault(members.unknown_members, pieces.once),
    Fault(members.long_line, pieces.once),
    Fault(members.separators_in_text, pieces.once),
    Fault(members.huge_counts, members.with_counts),
    Fault(members.optional_left_out, members.optional_members),
)

HARMFUL = (
    Fault(breaks.ended_between_events, breaks.at_events, harmful=True),
    Fault(breaks.ended_inside_an_event, breaks.inside_events, harmful=True),
    Fault(breaks.closed_between_events, breaks.at_events, harmful=True),
    Fault(breaks.closed_inside_an_event, breaks.inside_events, harmful=True),
    Fault(breaks.connection_reset, breaks.anywhere, harmful=True),
    Fault(breaks.silence, breaks.anywhere, harmful=True),
    Fault(breaks.shorter_than_declared, breaks.anywhere_or_at_the_end, harmful=True),
    Fault(breaks.truncated_json, breaks.inside_documents, harmful=True),
    Fault(refusals.truncated_event, refusals.with_data_cut, harmful=True),
    Fault(refusals.not_utf8, refusals.texts, harmful=True),
    Fault(members.required_left_out, members.required_members, harmful=True),
    Fault(refusals.error_event, breaks.at_events, harmful=True),
    Fault(refusals.refused_with_status_200, pieces.once, harmful=True),
    Fault(refusals.too_many_requests, pieces.once, harmful=True),
    Fault(refusals.fault_in_html, refusals.fault_pages, harmful=True),
    Fault(refusals.wrong_content_type, refusals.kinds_of_content, harmful=True),
)

TORTURES: tuple[Fault, ...] = HARMLESS + HARMFUL
"""Every kind of change, harmless ones first."""

__all__ = [
    "HARMFUL",
    "HARMLESS",
    "TORTURES",
    "Ending",
    "Fault",
    "Recorded",
    "Sent",
    "Verdict",
    "told",
]
