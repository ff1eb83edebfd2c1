"""Answers that break off: ended too early, closed, reset, silent, shorter than they said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from harness.faults.transport.recorded import Recorded
from harness.faults.transport.sent import Ending, Sent

MORE = 64
"""Bytes that are declared and never come."""


def at_events(recorded: Recorded) -> Sequence[int]:
    """Every offset between two events of a stream, its beginning too, its end not."""
    if not recorded.is_stream:
        return ()
    return [at for at in (0, *recorded.boundaries) if at < len(recorded.body)]


def inside_events(recorded: Recorded) -> Sequence[int]:
    """Every offset of a stream at which no event has just ended."""
    if not recorded.is_stream:
        return ()
    ends = {0, *recorded.boundaries}
    return [at for at in range(len(recorded.body)) if at not in ends]


def anywhere(recorded: Recorded) -> Sequence[int]:
    """Every offset with something behind it."""
    return range(len(recorded.body))


def anywhere_or_at_the_end(recorded: Recorded) -> Sequence[int]:
    """Every offset, and the end."""
    return range(len(recorded.body) + 1)


def inside_documents(recorded: Recorded) -> Sequence[int]:
    """Every offset of a document with something behind it."""
    return () if recorded.is_stream else range(len(recorded.body))


def ended_between_events(recorded: Recorded, spot: int) -> Sent:
    """The stream ends, as HTTP says, after some of its events."""
    return _broken(recorded, spot, Ending.WHOLE, "ended between events")


def ended_inside_an_event(recorded: Recorded, spot: int) -> Sent:
    """The stream ends, as HTTP says, in the middle of an event."""
    return _broken(recorded, spot, Ending.WHOLE, "ended inside an event")


def closed_between_events(recorded: Recorded, spot: int) -> Sent:
    """The connection is closed after some of the events, without HTTP's end of the body."""
    return _broken(recorded, spot, Ending.CLOSED, "closed between events")


def closed_inside_an_event(recorded: Recorded, spot: int) -> Sent:
    """The connection is closed in the middle of an event, without HTTP's end of the body."""
    return _broken(recorded, spot, Ending.CLOSED, "closed inside an event")


def connection_reset(recorded: Recorded, spot: int) -> Sent:
    """The connection is reset while the answer is on its way."""
    return _broken(recorded, spot, Ending.RESET, "reset")


def silence(recorded: Recorded, spot: int) -> Sent:
    """Nothing more comes for longer than the client's timeout; at offset 0, nothing at all."""
    sent = _broken(recorded, spot, Ending.SILENT, "silent")
    return replace(sent, headless=spot == 0)


def truncated_json(recorded: Recorded, spot: int) -> Sent:
    """The document is only a part of one, of just the length that was declared."""
    return _broken(recorded, spot, Ending.WHOLE, "document cut")


def shorter_than_declared(recorded: Recorded, spot: int) -> Sent:
    """The connection is closed before as many bytes have come as Content-Length declared."""
    sent = _broken(recorded, spot, Ending.CLOSED, f"{MORE} more than all bytes declared, closed")
    return replace(sent, declared=len(recorded.body) + MORE)


def _broken(recorded: Recorded, at: int, ending: Ending, what: str) -> Sent:
    """The answer up to an offset. In whole packets: one for each event that came."""
    response = recorded.response(recorded.body[:at])
    ends = [end for end in (0, *recorded.boundaries) if end < at]
    sizes = tuple(b - a for a, b in pairwise((*ends, at)))
    told = f"{what} after {at} of {len(recorded.body)} bytes"
    return Sent(told, response, sizes, ending, keeps=recorded.keeps(response))
