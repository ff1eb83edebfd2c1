"""A reader of server-sent events (WHATWG grammar) that keeps byte offsets in the body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from harness.wire.json import Document, read_json


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event.

    Attributes:
        number: The position in the stream, from 1.
        data: The values of its `data:` lines, joined by line feeds.
        event: The value of its `event:` line, "" if it has none.
        id: The value of its `id:` line, "" if it has none.
        comments: The texts of its comment lines, without the leading colon.
        offset: The byte offset of its first line in the body.
        data_offset: The byte offset of the value of its first `data:` line in the body.
        complete: False for a last event without its closing blank line.
        lines: The byte offsets of the values of its `data:` lines in the body, if it has several.
    """

    number: int
    data: str
    event: str = ""
    id: str = ""
    comments: tuple[str, ...] = ()
    offset: int = 0
    data_offset: int = 0
    complete: bool = True
    lines: tuple[int, ...] = field(default=(), compare=False, repr=False)
    _json: Document | None = field(init=False, default=None, compare=False, repr=False)

    @property
    def json(self) -> Document:
        """The data, parsed as strict JSON (see `read_json`) when this property is first used.

        Events with equal data have the same document: half of the events of long streams say what
        an earlier one did, such as a frequent word. It must not be changed.
        """
        if self._json is None:
            read = _short_json if len(self.data) < _SHORT else _json
            object.__setattr__(self, "_json", read(self.data))
        return self._json  # type: ignore[return-value]  # set above

    def byte(self, offset: int) -> int:
        """Convert a byte offset in `data`, which may span several lines, to its offset in the body.

        Returns `data_offset` for an offset beyond the data.
        """
        if not self.lines and offset <= len(self.data):  # each character has a byte
            return self.data_offset + offset
        starts = self.lines or (self.data_offset,)
        for start, line in zip(starts, self.data.encode().split(b"\n"), strict=False):
            if offset <= len(line):
                return start + offset
            offset -= len(line) + 1
        return self.data_offset


def _json(data: str) -> Document:
    return read_json(data.encode())


_short_json = lru_cache(maxsize=1024)(_json)
_SHORT = 1000
"""The length of data below which its document is kept for events with equal data."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A body read as server-sent events.

    Attributes:
        events: The events, in order.
        problems: (byte offset in the body, description) of each deviation from the grammar.
    """

    events: tuple[Event, ...]
    problems: tuple[tuple[int, str], ...] = ()


_KNOWN_FIELDS = frozenset({"event", "id", "retry"})
"""The field names of the WHATWG grammar, without `data`."""


class _Reader:
    """Builds `events` and `problems` from the lines of a stream."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.problems: list[tuple[int, str]] = []
        self._comments: list[str] = []
        self._clear()

    def _clear(self) -> None:
        self._fields: dict[str, str] = {}
        self._data: list[str] = []
        self._lines: list[int] = []
        self._start: int | None = None

    def event(self, match: re.Match[bytes]) -> bool:
        """Append the event that a match of `_ONE_LINE` is, as most are; return whether it is one.

        It is none if lines before belong to it, or if it is not UTF-8.
        """
        if self._start is not None or self._comments:
            return False
        try:
            data = match[1].decode()
        except UnicodeDecodeError:
            return False
        number, offset = len(self.events) + 1, match.start()
        self.events.append(Event(number, data, offset=offset, data_offset=match.start(1)))
        return True

    def line(self, offset: int, raw: bytes) -> None:
        """Add a line that is not blank to the current event.

        Args:
            offset: The byte offset of the line in the body.
            raw: The line without its line end.
        """
        if self._start is None:
            self._start = offset
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self.problems.append((offset + error.start, "a line is not UTF-8"))
            line = raw.decode("utf-8", "replace")
        name, colon, value = line.partition(":")
        if colon and not name:
            self._comments.append(value)
        elif name == "data":
            space = value.startswith(" ")
            self._lines.append(offset + len(name) + len(colon) + space)
            self._data.append(value[space:])
        elif name in _KNOWN_FIELDS:
            self._fields[name] = value.removeprefix(" ")
        else:
            self.problems.append((offset, f"unknown field {name[:40]!r}"))

    def close(self, complete: bool) -> None:
        """Append the current event to `events`, if it has data or another field.

        Comments without fields are kept for the next event.

        Args:
            complete: Whether a blank line closed the event.
        """
        if self._start is not None and (self._data or self._fields):
            if not complete:
                problem = "the last event is not closed by a blank line"
                self.problems.append((self._start, problem))
            event = Event(
                number=len(self.events) + 1,
                data="\n".join(self._data),
                event=self._fields.get("event", ""),
                id=self._fields.get("id", ""),
                comments=tuple(self._comments),
                offset=self._start,
                data_offset=self._lines[0] if self._lines else 0,
                complete=complete,
                lines=tuple(self._lines) if len(self._lines) > 1 else (),
            )
            self.events.append(event)
            self._comments.clear()
        self._clear()


def read_events(body: bytes) -> Stream:
    """Return *body* read as server-sent events. Never raises.

    Deviations that a client would ignore (unknown fields, bytes that are not UTF-8, an unfinished
    event at the end) are listed in `Stream.problems`.
    """
    return (_recent_events if len(body) < _SMALL else _last_events)(body)


_SMALL = 2**17
"""The size in bytes below which several streams are kept, as secrets and rules both read them."""


def _read_events(body: bytes) -> Stream:
    reader, at = _Reader(), _start(body)
    while at < len(body):
        one = _ONE_LINE.match(body, at)
        if one and reader.event(one):
            at = one.end()
            continue
        end = _LINE_END.search(body, at)
        raw = body[at : end.start()] if end else body[at:]
        if not end:
            reader.problems.append((at, "the stream ends in the middle of a line"))
        if raw:
            reader.line(at, raw)
        else:
            reader.close(complete=True)
        at = end.end() if end else len(body)
    reader.close(complete=False)
    return Stream(tuple(reader.events), tuple(reader.problems))


_recent_events = lru_cache(maxsize=16)(_read_events)
_last_events = lru_cache(maxsize=1)(_read_events)


def read_lines(body: bytes) -> Stream:
    """Return *body*, in which each line is a JSON value (JSON Lines), as a stream of events.

    Each line that is not blank is the `data` of one event. Never raises.
    """
    events: list[Event] = []
    problems: list[tuple[int, str]] = []
    for offset, raw, _ in _lines(body):
        if raw.strip():
            text, number = raw.decode("utf-8", "replace"), len(events) + 1
            if text.encode() != raw:
                problems.append((offset, "a line is not UTF-8"))
            events.append(Event(number, text, offset=offset, data_offset=offset))
    return Stream(tuple(events), tuple(problems))


_LINE_END = re.compile(rb"\r\n|\n|\r")
_ONE_LINE = re.compile(rb"data: ?+([^\r\n]*+)\n\n")
_BOM = b"\xef\xbb\xbf"
"""The UTF-8 byte order mark; at the start of a stream it is skipped."""


def _start(body: bytes) -> int:
    """Return where the first line begins: behind a byte order mark."""
    return len(_BOM) if body.startswith(_BOM) else 0


def _lines(body: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (byte offset, line without its line end, whether it has a line end).

    A byte order mark at the start of *body* is skipped.
    """
    start = _start(body)
    for end in _LINE_END.finditer(body, start):
        yield start, body[start : end.start()], True
        start = end.end()
    if start < len(body):
        yield start, body[start:], False
