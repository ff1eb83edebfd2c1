"""What may happen to an answer on its way; this is the table of contents."""

from __future__ import annotations

from harness.changes import breaks, lines, members, pieces, refusals
from harness.changes.recorded import Recorded, told
from harness.changes.sent import Ending, Sent
from harness.changes.torture import Torture, Verdict

HARMLESS = (
    Torture(pieces.byte_by_byte, pieces.once),
    Torture(pieces.split_anywhere, pieces.between_bytes),
    Torture(pieces.split_inside_a_character, pieces.inside_characters),
    Torture(pieces.split_inside_a_line_end, pieces.line_ends),
    Torture(pieces.merged_into_one_packet, pieces.once_in_streams),
    Torture(pieces.slow_first_byte, pieces.once),
    Torture(pieces.packed_in_gzip, pieces.once),
    Torture(lines.lines_end_in_lf, lines.without_lf),
    Torture(lines.lines_end_in_crlf, lines.without_crlf),
    Torture(lines.lines_end_in_cr, lines.without_cr),
    Torture(lines.space_after_colon, pieces.once_in_streams),
    Torture(lines.data_on_many_lines, pieces.once_in_streams),
    Torture(lines.byte_order_mark, pieces.once_in_streams),
    Torture(lines.comments_between_events, pieces.between_events),
    Torture(lines.long_comment, pieces.between_events),
    Torture(lines.unknown_fields, pieces.once_in_streams),
    Torture(lines.unknown_event, pieces.between_events),
    Torture(members.respelled, pieces.once),
    Torture(members.unknown_members, pieces.once),
    Torture(members.long_line, pieces.once),
    Torture(members.separators_in_text, pieces.once),
    Torture(members.huge_counts, members.with_counts),
    Torture(members.optional_left_out, members.optional_members),
)

HARMFUL = (
    Torture(breaks.ended_between_events, breaks.at_events, harmful=True),
    Torture(breaks.ended_inside_an_event, breaks.inside_events, harmful=True),
    Torture(breaks.closed_between_events, breaks.at_events, harmful=True),
    Torture(breaks.closed_inside_an_event, breaks.inside_events, harmful=True),
    Torture(breaks.connection_reset, breaks.anywhere, harmful=True),
    Torture(breaks.silence, breaks.anywhere, harmful=True),
    Torture(breaks.shorter_than_declared, breaks.anywhere_or_at_the_end, harmful=True),
    Torture(breaks.truncated_json, breaks.inside_documents, harmful=True),
    Torture(refusals.truncated_event, refusals.with_data_cut, harmful=True),
    Torture(refusals.not_utf8, refusals.texts, harmful=True),
    Torture(members.required_left_out, members.required_members, harmful=True),
    Torture(refusals.error_event, breaks.at_events, harmful=True),
    Torture(refusals.refused_with_status_200, pieces.once, harmful=True),
    Torture(refusals.too_many_requests, pieces.once, harmful=True),
    Torture(refusals.fault_in_html, refusals.fault_pages, harmful=True),
    Torture(refusals.wrong_content_type, refusals.kinds_of_content, harmful=True),
)

TORTURES: tuple[Torture, ...] = HARMLESS + HARMFUL
"""Every kind of change, harmless ones first."""

__all__ = [
    "HARMFUL",
    "HARMLESS",
    "TORTURES",
    "Ending",
    "Recorded",
    "Sent",
    "Torture",
    "Verdict",
    "told",
]
