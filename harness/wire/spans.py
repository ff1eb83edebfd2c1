"""Where in the bytes of a JSON text a value stands: a JSON pointer as a span of bytes.

`json` tells what a text says and not where. A finding points at bytes, a page marks them, and a
mutation replaces them and leaves all others as they travelled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, and without, `end`."""

    start: int
    end: int


# Possessive repeats: a plain repeat of a group keeps memory for each time round.
_TOKEN = re.compile(rb'\s*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]++)', re.DOTALL)


def span(text: bytes, pointer: str) -> Span | None:
    """Where the value stands that a JSON pointer (RFC 6901) leads to; None where there is none.

    The text has to be JSON, as `wire.read_json` accepts it; of any other text the answer may be
    None or a span within it, and never an error.
    """
    here = _value(text, 0)
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        members = _members(text, here) if here else ()
        here = next((value for name, value in members if name == key), None)
    return here


def nearest(text: bytes, pointer: str) -> Span | None:
    """The same, or where the innermost value stands that should hold it."""
    found = span(text, pointer)
    while found is None and pointer:
        pointer = pointer.rpartition("/")[0]
        found = span(text, pointer)
    return found


def _value(text: bytes, at: int) -> Span | None:
    """The value that begins at or after `at`, brackets and all that is between them included."""
    token = _TOKEN.match(text, at)
    if token is None or token[1] in b"}],:":
        return None
    start, depth = token.start(1), 0
    while token is not None:
        depth += (token[1] in b"{[") - (token[1] in b"}]")
        if depth == 0:
            return Span(start, token.end())
        token = _TOKEN.match(text, token.end())
    return None


def _members(text: bytes, whole: Span) -> Iterator[tuple[str, Span]]:
    """The name (of an array's item: the number) and place of each member of a value."""
    opening = text[whole.start : whole.start + 1]
    at, number = whole.start + 1, 0
    while opening in (b"{", b"[") and at < whole.end:
        name = str(number)
        if opening == b"{":
            key = _TOKEN.match(text, at)
            colon = _TOKEN.match(text, key.end()) if key else None
            if key is None or colon is None or colon[1] != b":":
                return
            name, at = _text(key[1]), colon.end()
        value = _value(text, at)
        if value is None:
            return
        yield name, value
        comma = _TOKEN.match(text, value.end)
        if comma is None or comma[1] != b",":
            return
        at, number = comma.end(), number + 1


def _text(key: bytes) -> str:
    try:
        return str(json.loads(key))
    except ValueError:
        return ""
