"""A recorded body as pieces of text; the bytes that findings point at are marked.

JSON is indented: only the whitespace between its tokens is not as recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup, escape

from harness.types import Place
from harness.wire import Document, read_json
from harness.wire.spans import span
from harness.wire.text import count, plain

MAX_BODY = 30_000
"""Bytes of a body; of a longer one only the beginning and the context of each mark are shown."""

AROUND = 300
"""Bytes that are shown before and after a mark in the part of a body that is left out."""

MAX_MARK = 400
"""Bytes; the largest length of a mark."""

MAX_DEPTH = 30
"""The deepest level of JSON that is indented further."""

_LINES = ["\n" + "  " * depth for depth in range(MAX_DEPTH + 1)]

_TOKEN = re.compile(
    r'\s*+(?:("[^"\\]*+(?:\\.[^"\\]*+)*+")|([^\s{}\[\],:"]++))?+\s*+([{}\[\],:]?)', re.DOTALL
)
"""A string or another value of JSON, if there is one, and the sign after it."""
_HERE = re.compile(rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|[-+.\w]+(?::[^\n]*)?|[^\n]')


@dataclass(frozen=True, slots=True)
class Mark:
    """The bytes that a finding points at.

    Attributes:
        finding: the number of the finding on the page.
        start: the offset of the first byte.
        end: the offset after the last byte.
    """

    finding: int
    start: int
    end: int


class Piece(NamedTuple):
    """A part of a body.

    Attributes:
        kind: the kind of JSON token, `key`, `string` or `value`; `gap` for a note that text is left
            out; else empty.
        findings: the numbers of the findings that point at the piece.
    """

    text: str
    kind: str = ""
    findings: tuple[int, ...] = ()


def mark(number: int, place: Place, body: bytes) -> Mark | None:
    """Return the bytes of *body* at *place*, at which finding *number* points.

    None if *place* has no offset, or one beyond the end of *body*.
    """
    start = place.offset
    if start is None or start >= len(body):
        return None
    found = span(body, place.pointer) if place.pointer else None
    if found is not None and found.start == start and found.end - start <= MAX_MARK:
        return Mark(number, start, found.end)
    token = _HERE.match(body, start)
    return Mark(number, start, min(token.end(), start + MAX_MARK) if token else start + 1)


def pieces(
    body: bytes, marks: Sequence[Mark], parsed: Callable[[], Document] | None = None
) -> tuple[Piece, ...]:
    """Return a body as pieces, split so that a mark always covers whole pieces.

    *parsed* returns the body parsed as JSON, if that may have been done already.
    """
    if _is_short_json(body, parsed or partial(read_json, body)):
        return tuple(_indented(_text(body), [_in_text(one, body) for one in marks]))
    return tuple(_unchanged(body, marks))


def _is_short_json(body: bytes, parsed: Callable[[], Document]) -> bool:
    if len(body) > MAX_BODY or not body.startswith((b"{", b"[")):
        return False
    return not parsed().problem


def html(found: Sequence[Piece]) -> Markup:
    """Return *found*, the pieces of a body, as HTML: tokens as elements, marks as links.

    A mark links to the first finding that points at it.
    """
    texts = str(escape("\0".join(piece.text for piece in found))).split("\0")
    return Markup("".join(map(_element, found, texts)))  # noqa: S704 - the texts are escaped


def _element(piece: Piece, text: str) -> str:
    if piece.findings:
        title = ", ".join(f"#{number}" for number in piece.findings)
        link = f'<a href="#f-{piece.findings[0]}" title="{title}">{text}</a>'
        return f'<mark class="offending">{link}</mark>'
    return text if piece.kind in ("", "gap") else f'<span class="{piece.kind}">{text}</span>'


def _in_text(mark: Mark, body: bytes) -> Mark:
    """Return *mark* with offsets in the text of *body*."""
    return Mark(mark.finding, len(_text(body[: mark.start])), len(_text(body[: mark.end])))


def _indented(text: str, marks: Sequence[Mark]) -> Iterator[Piece]:
    """Yield each key, string and value, and what is marked; and all signs between two of these."""
    depth, signs, was_opened = 0, "", False
    for token in _TOKEN.finditer(text):
        string, value, sign = token.groups()
        part = value if string is None else string
        if was_opened and (part or sign not in "}]"):
            signs += _LINES[min(depth, MAX_DEPTH)]
            was_opened = False
        if part:
            if signs:
                yield Piece(signs)
            kind = "value" if string is None else "key" if sign == ":" else "string"
            found = _of(marks, *token.span(2 if string is None else 1)) if marks else ()
            yield Piece(part, kind, found)
            signs = ""
        if not sign:
            continue
        if sign in "}]":
            depth -= 1
            signs += "" if was_opened else _LINES[min(depth, MAX_DEPTH)]
        if marks and (found := _of(marks, *token.span(3))):
            if signs:
                yield Piece(signs)
            yield Piece(sign, "", found)
            signs = ""
        else:
            signs += sign
        was_opened = sign in "{["
        if was_opened:
            depth += 1
        elif sign == ",":
            signs += _LINES[min(depth, MAX_DEPTH)]
        elif sign == ":":
            signs += " "
    yield Piece(signs)


def _of(marks: Iterable[Mark], start: int, end: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(m.finding for m in marks if m.start < end and m.end > start))


def _unchanged(body: bytes, marks: Sequence[Mark]) -> Iterator[Piece]:
    at = 0
    for start, end in _windows(body, marks):
        if start > at:
            yield Piece(f"\n… {count(start - at, 'byte')} …\n", "gap")
        edges = {edge for m in marks for edge in (m.start, m.end) if start < edge < end}
        cuts = [start, *sorted(edges), end]
        for left, right in pairwise(cuts):
            yield Piece(_text(body[left:right]), "", _of(marks, left, right))
        at = end
    if at < len(body):
        yield Piece(f"\n… {count(len(body) - at, 'byte')} …", "gap")


def _windows(body: bytes, marks: Sequence[Mark]) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each part of a body that is shown, in order."""
    at = min(MAX_BODY, len(body))
    yield 0, at
    for m in sorted(marks, key=lambda m: m.start):
        start, end = max(at, m.start - AROUND), min(len(body), m.end + AROUND)
        if m.end > at:
            yield start, end
            at = end


def _text(part: bytes) -> str:
    return plain(part.decode("utf-8", "replace"))
