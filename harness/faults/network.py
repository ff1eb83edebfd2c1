"""Faults of networks and servers: packets, line ends in streams, and broken connections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.edit import event_blocks, with_event_blocks
from harness.analysis.fault import Fault, faults_of
from harness.faults.delivery import (
    Delivery,
    DeliveryFault,
    Ending,
    RecordedAnswer,
    delivery_fault,
    once_in_streams,
    packets_of,
)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELD = re.compile(rb"(?<![^\r\n])([^:\r\n]+:)( ?)")

# -------------------------------------------------------------------- harmless: other packets


def _at_bytes(answer: RecordedAnswer) -> Sequence[int]:
    return range(1, len(answer.body))


def _inside_characters(answer: RecordedAnswer) -> Sequence[int]:
    return [place for place, byte in enumerate(answer.body) if 0x80 <= byte < 0xC0]


def _in_two(answer: RecordedAnswer, body: bytes, place: int, where: str = "") -> Delivery:
    description = f"two packets, the second from byte {place}{where}"
    return Delivery(description, answer.response(body), (place, len(body) - place))


@delivery_fault(harmful=False)
def byte_by_byte(answer: RecordedAnswer, place: int) -> Delivery:
    """Send each byte in a packet of its own.

    *place* is not used.
    """
    packets = (1,) * len(answer.body)
    return Delivery("every byte in a packet of its own", answer.response(), packets)


@delivery_fault(_at_bytes, harmful=False)
def split_anywhere(answer: RecordedAnswer, place: int) -> Delivery:
    """Send the body in two packets, split at any byte.

    *place* is the byte offset of the second packet.
    """
    return _in_two(answer, answer.body, place)


@delivery_fault(_inside_characters, harmful=False)
def split_inside_a_character(answer: RecordedAnswer, place: int) -> Delivery:
    """Send the body in two packets, split inside a character of several bytes.

    *place* is the byte offset of the second packet.
    """
    return _in_two(answer, answer.body, place, ", inside a character")


def _with_line_ends(body: bytes, end: bytes) -> bytes:
    return _LINE_END.sub(end, body)


def _at_lines(answer: RecordedAnswer) -> Sequence[int]:
    return range(len(_LINE_END.findall(answer.body))) if answer.is_stream else ()


@delivery_fault(_at_lines, harmful=False)
def split_inside_a_line_end(answer: RecordedAnswer, place: int) -> Delivery:
    """End all lines in CRLF, and send the body in two packets, split inside a CRLF.

    *place* is the index of the line end, from 0.
    """
    body = _with_line_ends(answer.body, b"\r\n")
    ends = [match.start() for match in re.finditer(b"\r\n", body)]
    return _in_two(answer, body, ends[place] + 1, ", before a LF; lines end in CRLF")


@delivery_fault(once_in_streams, harmful=False)
def merged_into_one_packet(answer: RecordedAnswer, place: int) -> Delivery:
    """Send all events in one packet.

    *place* is not used.
    """
    return Delivery("everything in one packet", answer.response(), (len(answer.body),))


@delivery_fault(harmful=False)
def slow_first_byte(answer: RecordedAnswer, place: int) -> Delivery:
    """Send nothing for half of the client's timeout, then the whole answer.

    *place* is not used.
    """
    return Delivery("the first byte after half the timeout", answer.response(), delay=0.5)


@delivery_fault(harmful=False)
def packed_in_gzip(answer: RecordedAnswer, place: int) -> Delivery:
    """Compress the body with gzip, if the client accepts it.

    *place* is not used.
    """
    return Delivery("compressed with gzip", answer.response(), answer.exchange.chunks, gzip=True)


# ------------------------------------- harmless: other lines, by the grammar of WHATWG


def _line_end_fault(name: str, end: bytes) -> DeliveryFault:
    """Return a fault that ends every line of a stream in *end*.

    It has no place in documents, nor in streams whose lines all end so already.
    """

    def apply(answer: RecordedAnswer, place: int) -> Delivery:
        body = _with_line_ends(answer.body, end)
        return Delivery(f"lines end in {name}", answer.response(body))

    def places(answer: RecordedAnswer) -> Sequence[int]:
        other = answer.is_stream and answer.body != _with_line_ends(answer.body, end)
        return (0,) if other else ()

    description = f"End every line with {name}."
    return Fault(f"lines_end_in_{name.lower()}", description, apply, harmful=False, places=places)


LINES_END_IN_LF = _line_end_fault("LF", b"\n")
LINES_END_IN_CRLF = _line_end_fault("CRLF", b"\r\n")
LINES_END_IN_CR = _line_end_fault("CR", b"\r")


@delivery_fault(once_in_streams, harmful=False)
def space_after_colon(answer: RecordedAnswer, place: int) -> Delivery:
    """Remove the optional space after each field's colon, or add it where it is missing.

    *place* is not used.
    """
    body = _FIELD.sub(lambda m: m[1] + (b"" if m[2] else b" "), answer.body)
    return Delivery("the space after each field's colon gone or added", answer.response(body))


@delivery_fault(once_in_streams, harmful=False)
def byte_order_mark(answer: RecordedAnswer, place: int) -> Delivery:
    """Begin the stream with a byte order mark.

    *place* is not used.
    """
    body = BYTE_ORDER_MARK + answer.body.removeprefix(BYTE_ORDER_MARK)
    return Delivery("a byte order mark first", answer.response(body))


@delivery_fault(once_in_streams, harmful=False)
def unknown_fields(answer: RecordedAnswer, place: int) -> Delivery:
    """Add the fields `retry` and `x-trace`, which clients ignore, to every event.

    *place* is not used.
    """
    blocks = [b"retry: 3000\nx-trace: 1\n" + block for block in event_blocks(answer)]
    body = with_event_blocks(answer, blocks).response.body
    return Delivery("`retry: 3000` and `x-trace: 1` in every event", answer.response(body))


def _between_events(answer: RecordedAnswer) -> Sequence[int]:
    return range(len(answer.event_ends)) if answer.is_stream else ()


def _inserted(answer: RecordedAnswer, place: int, block: bytes, what: str) -> Delivery:
    start = (0, *answer.event_ends)[place]
    body = answer.body[:start] + block + answer.body[start:]
    return Delivery(f"{what} before event {place + 1}", answer.response(body))


@delivery_fault(_between_events, harmful=False)
def comments_between_events(answer: RecordedAnswer, place: int) -> Delivery:
    """Insert a comment, which keeps the connection alive, before an event.

    *place* is the index of the event, from 0.
    """
    return _inserted(answer, place, b": keep-alive\n\n", "a comment")


@delivery_fault(_between_events, harmful=False)
def long_comment(answer: RecordedAnswer, place: int) -> Delivery:
    """Insert a comment of 200 kB before an event.

    *place* is the index of the event, from 0.
    """
    return _inserted(answer, place, b":" + b"x" * 200_000 + b"\n\n", "a comment of 200 kB")


@delivery_fault(_between_events, harmful=False)
def unknown_event(answer: RecordedAnswer, place: int) -> Delivery:
    """Insert an event of the unknown type `ping` before an event.

    *place* is the index of the event, from 0.
    """
    return _inserted(answer, place, b"event: ping\ndata: {}\n\n", "an event `ping`")


# -------------------------------------------------------- harmful: connections that break off

MORE = 64
"""Number of bytes by which a wrong Content-Length exceeds the body."""


def at_event_ends(answer: RecordedAnswer) -> Sequence[int]:
    """Return byte offset 0 and each offset between two events; empty for a document."""
    ends = (0, *answer.event_ends) if answer.is_stream else ()
    return [end for end in ends if end < len(answer.body)]


def _inside_events(answer: RecordedAnswer) -> Sequence[int]:
    ends = {0, *answer.event_ends}
    return [n for n in range(len(answer.body)) if n not in ends] if answer.is_stream else ()


def _anywhere(answer: RecordedAnswer) -> Sequence[int]:
    return range(len(answer.body))


def _anywhere_and_at_end(answer: RecordedAnswer) -> Sequence[int]:
    return range(len(answer.body) + 1)


def _inside_documents(answer: RecordedAnswer) -> Sequence[int]:
    return () if answer.is_stream else range(len(answer.body))


def _cut(answer: RecordedAnswer, place: int, ending: Ending, what: str) -> Delivery:
    """Return a delivery of the first *place* bytes, one packet for each event, with this ending."""
    response = answer.response(answer.body[:place])
    packets = packets_of(answer.body, place)
    description = f"{what} after {place} of {len(answer.body)} bytes"
    same = answer.says_the_same(response)
    return Delivery(description, response, packets, ending, may_be_same=same)


@delivery_fault(at_event_ends, harmful=True)
def ended_between_events(answer: RecordedAnswer, place: int) -> Delivery:
    """Send only some of the events, and end the HTTP body correctly.

    *place* is the number of bytes that are sent.
    """
    return _cut(answer, place, Ending.COMPLETE, "ended between events")


@delivery_fault(_inside_events, harmful=True)
def ended_inside_an_event(answer: RecordedAnswer, place: int) -> Delivery:
    """Send the stream up to the middle of an event, and end the HTTP body correctly.

    *place* is the number of bytes that are sent.
    """
    return _cut(answer, place, Ending.COMPLETE, "ended inside an event")


@delivery_fault(at_event_ends, harmful=True)
def closed_between_events(answer: RecordedAnswer, place: int) -> Delivery:
    """Send only some of the events, and close the connection before the end of the HTTP body.

    *place* is the number of bytes that are sent.
    """
    return _cut(answer, place, Ending.CLOSED, "closed between events")


@delivery_fault(_inside_events, harmful=True)
def closed_inside_an_event(answer: RecordedAnswer, place: int) -> Delivery:
    """Send the stream up to the middle of an event, and close the connection in the HTTP body.

    *place* is the number of bytes that are sent.
    """
    return _cut(answer, place, Ending.CLOSED, "closed inside an event")


@delivery_fault(_anywhere, harmful=True)
def connection_reset(answer: RecordedAnswer, place: int) -> Delivery:
    """Reset the connection before the answer is complete.

    *place* is the number of bytes that are sent.
    """
    return _cut(answer, place, Ending.RESET, "reset")


@delivery_fault(_anywhere, harmful=True)
def silence(answer: RecordedAnswer, place: int) -> Delivery:
    """Send the beginning of the answer, or nothing, then wait longer than the client's timeout.

    *place* is the number of bytes that are sent.
    """
    return replace(_cut(answer, place, Ending.SILENT, "silent"), without_head=place == 0)


@delivery_fault(_anywhere_and_at_end, harmful=True)
def shorter_than_declared(answer: RecordedAnswer, place: int) -> Delivery:
    """Send fewer bytes than Content-Length declares, and close the connection.

    *place* is the number of bytes that are sent.
    """
    what = f"{MORE} more than all bytes declared, closed"
    return replace(
        _cut(answer, place, Ending.CLOSED, what), declared_length=len(answer.body) + MORE
    )


@delivery_fault(_inside_documents, harmful=True)
def truncated_json(answer: RecordedAnswer, place: int) -> Delivery:
    """Send only the beginning of the document, with a Content-Length that fits it.

    *place* is the number of bytes that are sent.
    """
    return _cut(answer, place, Ending.COMPLETE, "document cut")


FAULTS: tuple[DeliveryFault, ...] = faults_of(vars())
