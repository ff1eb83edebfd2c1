"""Byte spans of JSON values: where the value at a JSON pointer begins and ends in the text.

Python's json module does not report offsets. They are needed to locate a finding, to mark it in a
report, and to replace one value without changing any other byte.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.wire.pointer import tokens


@dataclass(frozen=True, slots=True)
class Span:
    """A range of bytes.

    Attributes:
        start: The offset of the first byte.
        end: The offset after the last byte.
    """

    start: int
    end: int


# Possessive repeats: a plain repeat of a group keeps memory for each repetition.
_TOKEN = re.compile(rb'\s*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]++)', re.DOTALL)


def span(text: bytes, pointer: str) -> Span | None:
    """Return the span of the value at *pointer* in *text*; None if it does not exist.

    If *text* is not JSON that `read_json` accepts, the result is None or an arbitrary span. Never
    raises.
    """
    found = _value(text, 0)
    for key in tokens(pointer):
        members = _members(text, found.start) if found else ()
        found = next((value for name, value in members if name == key), None)
    return found


class Offsets:
    """The byte offsets of values in one JSON text, given as UTF-8 bytes.

    Each object and array is read only once, however many offsets in it are needed.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._of_members: dict[int, Mapping[str, int]] = {}
        self._of_items: dict[int, Sequence[int]] = {}

    def nearest(self, pointer: str) -> int | None:
        """Return the offset of the value at *pointer*, or of its nearest ancestor that exists.

        Returns None if the text does not begin with a JSON value.
        """
        token = _TOKEN.match(self._text)
        if token is None or _sign(token) in b"}],:":
            return None
        start = token.start(1)
        for key in tokens(pointer):
            inner = self._inner(start, key)
            if inner is None:
                break
            start = inner
        return start

    def _inner(self, start: int, key: str) -> int | None:
        """Return the offset of a member or item of the value at *start*; None if it has none."""
        if self._text[start : start + 1] == b"{":
            if start not in self._of_members:
                found = ((name, value.start) for name, value in _members(self._text, start))
                self._of_members[start] = dict(found)
            return self._of_members[start].get(key)
        if start not in self._of_items:
            items = (value.start for _, value in _members(self._text, start))
            self._of_items[start] = array("Q", items)
        offsets = self._of_items[start]
        is_index = key.isdecimal() and str(int(key)) == key and int(key) < len(offsets)
        return offsets[int(key)] if is_index else None


def _sign(token: re.Match[bytes]) -> bytes:
    """Return the first byte of a token, of which there is no copy: it may be a long string."""
    return token.string[token.start(1) : token.start(1) + 1]


def _value(text: bytes, start: int) -> Span | None:
    """Return the span of the first value at or after *start*; None if it is not complete."""
    token = _TOKEN.match(text, start)
    if token is None or _sign(token) in b"}],:":
        return None
    start, depth = token.start(1), 0
    while token is not None:
        sign = _sign(token)
        depth += (sign in b"{[") - (sign in b"}]")
        if depth == 0:
            return Span(start, token.end())
        token = _TOKEN.match(text, token.end())
    return None


def _members(text: bytes, start: int) -> Iterator[tuple[str, Span]]:
    """Yield (name, span) of each member of the object at *start*, or (index, span) of each item."""
    opening = text[start : start + 1]
    start, number = start + 1, 0
    while opening in (b"{", b"["):
        name = str(number)
        if opening == b"{":
            key = _TOKEN.match(text, start)
            colon = _TOKEN.match(text, key.end()) if key else None
            if key is None or colon is None or _sign(colon) != b":":
                return
            name, start = _text(key[1]), colon.end()
        value = _value(text, start)
        if value is None:
            return
        yield name, value
        comma = _TOKEN.match(text, value.end)
        if comma is None or _sign(comma) != b",":
            return
        start, number = comma.end(), number + 1


def _text(key: bytes) -> str:
    try:
        return str(json.loads(key))
    except ValueError:
        return ""
