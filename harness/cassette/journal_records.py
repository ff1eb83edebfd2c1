"""The records of a journal: each has its length and a checksum.

The first line of a record is a YAML comment, its body is a cassette: without exchanges in the head,
with one exchange in every other record. So a journal can hold all that a cassette can, and can be
read by people.
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
    """The first record: the provenance of the recording, and the seed of its requests."""

    provenance: Provenance
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One exchange: the number of its request in the recording, and the record's byte offset."""

    number: int
    exchange: Exchange
    start: int


@dataclass(frozen=True, slots=True)
class JournalContent:
    """The complete records of a journal; `head` is None in an empty one, `end` is in bytes."""

    head: Head | None = None
    records: tuple[Record, ...] = ()
    end: int = 0

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges in the order of their requests."""
        ordered = sorted(self.records, key=lambda record: record.number)
        return tuple(record.exchange for record in ordered)


def head_record(head: Head) -> bytes:
    """Return the bytes of a journal's first record."""
    return _record(b"head", head.seed, Cassette((), head.provenance))


def exchange_record(number: int, exchange: Exchange) -> bytes:
    """Return the bytes of the record of one exchange."""
    return _record(b"exchange", number, Cassette((exchange,)))


def _record(kind: bytes, number: int, cassette: Cassette) -> bytes:
    body = dumps(cassette).encode()
    fields = b"%b %d %d" % (kind, number, len(body))
    return b"#: %b %b\n%b" % (fields, _checksum(fields, body), body)


def _checksum(fields: bytes, body: bytes) -> bytes:
    return hashlib.sha256(fields + b"\n" + body).hexdigest().encode()


_FIRST_LINE = re.compile(rb"^#: ((head|exchange) (\d{1,12}) (\d{1,12})) ([0-9a-f]{64})\n", re.M)


def read_journal(content: bytes, source: str = "") -> JournalContent:
    """Return the complete records of a journal; a truncated last one is ignored.

    Raises:
        BadCassette: Complete records follow a damaged one. A crash does not cause that, and
            ignoring them would lose responses.
    """
    head, records, end = None, [], 0
    for start, first_line, body in _complete_records(content):
        cassette = loads(body, source)
        if first_line[2] == b"head":
            head = Head(cassette.provenance, int(first_line[3]))
        else:
            records.append(Record(int(first_line[3]), cassette.exchanges[0], start))
        end = start + len(first_line[0]) + len(body)
    if any(_complete_body(match) is not None for match in _FIRST_LINE.finditer(content, end)):
        line = content.count(b"\n", 0, end) + 1
        raise BadCassette("the journal is damaged here, with whole answers behind", source, line)
    return JournalContent(head, tuple(records), end)


def _complete_records(content: bytes) -> Iterator[tuple[int, re.Match[bytes], bytes]]:
    """Yield offset, first line and body of each record up to the first incomplete one."""
    at = 0
    while first_line := _FIRST_LINE.match(content, at):
        body = _complete_body(first_line)
        if body is None or (first_line[2] == b"head") != (at == 0):
            return
        yield at, first_line, body
        at = first_line.end() + len(body)


def _complete_body(first_line: re.Match[bytes]) -> bytes | None:
    """Return the body after a first line, or None if it is truncated or damaged."""
    start = first_line.end()
    body = first_line.string[start : start + int(first_line[4])]
    return body if _checksum(first_line[1], body) == first_line[5] else None
