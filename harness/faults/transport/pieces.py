"""The same bytes in other packets, and at other times: nothing a client may notice."""

from __future__ import annotations

from collections.abc import Sequence

from harness.faults.transport.events import blocks, joined
from harness.faults.transport.recorded import Recorded
from harness.faults.transport.sent import Sent

ONCE: Sequence[int] = (0,)
NEVER: Sequence[int] = ()


def once(recorded: Recorded) -> Sequence[int]:
    """One place: the whole answer."""
    return ONCE


def once_in_streams(recorded: Recorded) -> Sequence[int]:
    """One place in a stream, none in a document."""
    return ONCE if recorded.is_stream else NEVER


def between_bytes(recorded: Recorded) -> Sequence[int]:
    """Every offset with a byte before it and one behind it."""
    return range(1, len(recorded.body))


def inside_characters(recorded: Recorded) -> Sequence[int]:
    """Every offset inside a character of several bytes."""
    return recorded.insides


def line_ends(recorded: Recorded) -> Sequence[int]:
    """Every line of a stream, counted from 0."""
    return range(_by_crlf(recorded.body).count(b"\r\n")) if recorded.is_stream else NEVER


def between_events(recorded: Recorded) -> Sequence[int]:
    """Every place between two events of a stream, by how many come before it; 0 is the start."""
    return range(len(recorded.boundaries)) if recorded.is_stream else NEVER


def byte_by_byte(recorded: Recorded, spot: int) -> Sent:
    """Each byte comes in a packet of its own."""
    sizes = (1,) * len(recorded.body)
    return Sent("every byte in a packet of its own", recorded.response(), sizes)


def split_anywhere(recorded: Recorded, spot: int) -> Sent:
    """The body comes in two packets."""
    return _halved(recorded.body, spot, recorded, f"two packets, the second from byte {spot}")


def split_inside_a_character(recorded: Recorded, spot: int) -> Sent:
    """The body comes in two packets, with half a character at the end of the first."""
    what = f"two packets, the second from byte {spot}, inside a character"
    return _halved(recorded.body, spot, recorded, what)


def split_inside_a_line_end(recorded: Recorded, spot: int) -> Sent:
    """Lines end in CRLF, and one of these pairs comes in two packets."""
    body = _by_crlf(recorded.body)
    at = -1
    for _ in range(spot + 1):
        at = body.find(b"\r\n", at + 1)
    what = f"lines end in CRLF, two packets, the second from byte {at + 1}, before a LF"
    return _halved(body, at + 1, recorded, what)


def _by_crlf(body: bytes) -> bytes:
    return joined(blocks(body), b"\r\n")


def _halved(body: bytes, at: int, recorded: Recorded, what: str) -> Sent:
    return Sent(what, recorded.response(body), (at, len(body) - at))


def merged_into_one_packet(recorded: Recorded, spot: int) -> Sent:
    """All events come in one packet."""
    return Sent("everything in one packet", recorded.response(), (len(recorded.body),))


def slow_first_byte(recorded: Recorded, spot: int) -> Sent:
    """Nothing comes for half of the client's timeout, then everything."""
    return Sent("the first byte after half the timeout", recorded.response(), wait=0.5)


def packed_in_gzip(recorded: Recorded, spot: int) -> Sent:
    """The body is compressed, for a client that says it takes that."""
    sizes = recorded.exchange.chunks
    return Sent("compressed with gzip", recorded.response(), sizes, packed=True)
