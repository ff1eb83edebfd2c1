"""A journal as bytes: records that each say how long they are, and a checksum of what they are.

A record's first line is a YAML comment, its body a cassette: the head's with no exchange, every
other's with one. So whatever a cassette has room for is in a journal too, and people can read it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.cassette.reader import loads
from harness.cassette.writer import dumps
from harness.errors import BadCassette
from harness.types import Cassette, Exchange, Provenance


@dataclass(frozen=True, slots=True)
class Head:
    """What a journal's recording is of, and the seed of the requests it makes."""

    provenance: Provenance
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A finished exchange in a journal: which request of its recording, and where it begins."""

    number: int
    exchange: Exchange
    start: int


@dataclass(frozen=True, slots=True)
class Journaled:
    """What a journal holds: no head where not even that was written whole; `end` in bytes."""

    head: Head | None = None
    records: tuple[Record, ...] = ()
    end: int = 0

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The finished exchanges, in the order their requests began."""
        ordered = sorted(self.records, key=lambda record: record.number)
        return tuple(record.exchange for record in ordered)


def of_head(head: Head) -> bytes:
    """The first record."""
    return _framed(b"head", head.seed, Cassette((), head.provenance))


def of_exchange(number: int, exchange: Exchange) -> bytes:
    """The record of one exchange."""
    return _framed(b"exchange", number, Cassette((exchange,)))


def _framed(kind: bytes, number: int, cassette: Cassette) -> bytes:
    body = dumps(cassette).encode()
    said = b"%b %d %d" % (kind, number, len(body))
    return b"#: %b %b\n%b" % (said, _checksum(said, body), body)


def _checksum(said: bytes, body: bytes) -> bytes:
    return hashlib.sha256(said + b"\n" + body).hexdigest().encode()


_FIRST_LINE = re.compile(rb"^#: ((head|exchange) (\d{1,12}) (\d{1,12})) ([0-9a-f]{64})\n", re.M)


def read_journal(content: bytes, source: str = "") -> Journaled:
    """What a journal's bytes hold; a record cut off at the end is left out.

    Raises BadCassette where whole records stand behind something that is none: a crash does not
    do that, and leaving them out would throw away answers.
    """
    head, records, end = None, [], 0
    for start, frame, body in _frames(content):
        told = loads(body, source)
        if frame[2] == b"head":
            head = Head(told.provenance, int(frame[3]))
        else:
            records.append(Record(int(frame[3]), told.exchanges[0], start))
        end = start + len(frame[0]) + len(body)
    if any(_whole(frame) is not None for frame in _FIRST_LINE.finditer(content, end)):
        line = content.count(b"\n", 0, end) + 1
        raise BadCassette("the journal is damaged here, with whole answers behind", source, line)
    return Journaled(head, tuple(records), end)


def _frames(content: bytes) -> Iterator[tuple[int, re.Match[bytes], bytes]]:
    """Whole records from the beginning on: where each begins, its first line, its body."""
    at = 0
    while frame := _FIRST_LINE.match(content, at):
        body = _whole(frame)
        if body is None or (frame[2] == b"head") != (at == 0):
            return
        yield at, frame, body
        at = frame.end() + len(body)


def _whole(frame: re.Match[bytes]) -> bytes | None:
    """The body behind a first line, if it is all there and what it was."""
    body = frame.string[frame.end() : frame.end() + int(frame[4])]
    return body if _checksum(frame[1], body) == frame[5] else None
