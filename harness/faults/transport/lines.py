"""The same events in other lines, by the grammar of server-sent events (WHATWG)."""

from __future__ import annotations

from collections.abc import Sequence

from harness.faults.transport.events import MARK, Block, blocks, joined, reworded, spread
from harness.faults.transport.pieces import NEVER, ONCE
from harness.faults.transport.recorded import Recorded
from harness.faults.transport.sent import Sent


def other_line_ends(end: bytes, recorded: Recorded) -> Sequence[int]:
    """One place, if the stream's lines do not have this end already."""
    if not recorded.is_stream or recorded.body == joined(blocks(recorded.body), end):
        return NEVER
    return ONCE


def without_crlf(recorded: Recorded) -> Sequence[int]:
    """A stream whose lines do not all end in CRLF."""
    return other_line_ends(b"\r\n", recorded)


def without_cr(recorded: Recorded) -> Sequence[int]:
    """A stream whose lines do not all end in CR."""
    return other_line_ends(b"\r", recorded)


def without_lf(recorded: Recorded) -> Sequence[int]:
    """A stream whose lines do not all end in LF."""
    return other_line_ends(b"\n", recorded)


def lines_end_in_crlf(recorded: Recorded, spot: int) -> Sent:
    """Every line ends in CRLF."""
    return _sent("lines end in CRLF", recorded, joined(blocks(recorded.body), b"\r\n"))


def lines_end_in_cr(recorded: Recorded, spot: int) -> Sent:
    """Every line ends in CR alone."""
    return _sent("lines end in CR", recorded, joined(blocks(recorded.body), b"\r"))


def lines_end_in_lf(recorded: Recorded, spot: int) -> Sent:
    """Every line ends in LF."""
    return _sent("lines end in LF", recorded, joined(blocks(recorded.body)))


def comments_between_events(recorded: Recorded, spot: int) -> Sent:
    """A comment that keeps the connection alive comes before an event."""
    return _inserted(recorded, spot, (b": keep-alive",), "a comment")


def unknown_event(recorded: Recorded, spot: int) -> Sent:
    """An event of a kind that nobody knows comes before an event."""
    return _inserted(recorded, spot, (b"event: ping", b"data: {}"), "an event `ping`")


def unknown_fields(recorded: Recorded, spot: int) -> Sent:
    """Every event carries fields that clients are to pass over: `retry` and an unknown one."""
    body = joined((b"retry: 3000", b"x-trace: 1", *block) for block in blocks(recorded.body))
    return _sent("`retry: 3000` and `x-trace: 1` in every event", recorded, body)


def space_after_colon(recorded: Recorded, spot: int) -> Sent:
    """The space after a field's colon, which means nothing, goes where it was and else comes."""
    body = joined(tuple(map(_respaced, block)) for block in blocks(recorded.body))
    return _sent("the space after each field's colon gone or added", recorded, body)


def _respaced(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    if not name or not colon:
        return line
    return name + colon + (value[1:] if value.startswith(b" ") else b" " + value)


def data_on_many_lines(recorded: Recorded, spot: int) -> Sent:
    """The data of each event is spread over several `data` lines."""
    body = reworded(recorded, lambda value: value, spread)
    return _sent("each event's JSON on several data lines", recorded, body)


def byte_order_mark(recorded: Recorded, spot: int) -> Sent:
    """The stream begins with a byte order mark."""
    return _sent("a byte order mark first", recorded, MARK + recorded.body.removeprefix(MARK))


def long_comment(recorded: Recorded, spot: int) -> Sent:
    """A comment of 200 kB comes before an event."""
    return _inserted(recorded, spot, (b":" + b"x" * 200_000,), "a comment of 200 kB")


def _inserted(recorded: Recorded, spot: int, block: Block, what: str) -> Sent:
    at = (0, *recorded.boundaries)[spot]
    body = recorded.body[:at] + joined([block]) + recorded.body[at:]
    return _sent(f"{what} before event {spot + 1}", recorded, body)


def _sent(what: str, recorded: Recorded, body: bytes) -> Sent:
    return Sent(what, recorded.response(body))
