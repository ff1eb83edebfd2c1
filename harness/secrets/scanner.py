"""The scanner: a file, read as the text it is and value by value."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from harness.secrets.redactor import SHORTEST, readings, streamed, written
from harness.secrets.shapes import Hit, assigned, named, shaped, signed
from harness.secrets.values import (
    STREAM,
    decoded,
    from_latin,
    json_leaves,
    json_texts,
    latin_of,
    leaves_of,
    readable,
)
from harness.wire import escape
from harness.wire.codings import inflate


@dataclass(frozen=True, slots=True)
class Leak:
    """One secret in a file; `where` is a JSON pointer or a name, where one is known."""

    line: int
    kind: str
    where: str
    fingerprint: str


KNOWN = "a known key"
_SHOWN_FROM = 16
"""Of shorter secrets no letter is told."""
_DEEPEST = 4
"""So many times may one thing be packed in another."""


@dataclass(frozen=True)
class Scanner:
    """Finds the given secrets in any form, and what looks like one."""

    secrets: tuple[str, ...] = field(repr=False, default=())
    _forms: tuple[tuple[str, str], ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        found = {
            form.encode().decode("latin-1"): secret
            for secret in sorted(self.secrets, key=len)
            if len(secret) >= SHORTEST
            for form in written(secret)
        }
        longest_first = sorted(found.items(), key=lambda pair: (-len(pair[0]), pair[0]))
        object.__setattr__(self, "_forms", tuple(longest_first))

    def scan(self, content: bytes) -> list[Leak]:
        """Every secret in a file, by line."""
        packed = inflate(content)
        text = readable(packed.data if packed else content)
        lines = _Lines(text)
        leaves = leaves_of(text)
        found: dict[tuple[int, str], Leak] = {}
        plainly = [*self._plainly(text, lines, bool(leaves))]
        seen = _by_secret(plainly)
        for leaf in leaves:
            span = range(leaf.first, leaf.last + 1)
            for hit, where in self._inside(leaf.text, leaf.name, _pointer(leaf.path), leaf.packed):
                secret = unquote(hit.secret)
                stands = {line for line in seen.get(secret, ()) if line in span}
                for line in stands | lines.of(hit.secret, span) or {leaf.first}:
                    found.setdefault((line, secret), self._leak(line, hit, where))
        for line, hit, where in plainly:
            found.setdefault((line, unquote(hit.secret)), self._leak(line, hit, where))
        return sorted(set(found.values()), key=lambda leak: (leak.line, leak.where, leak.kind))

    def hide(self, text: str) -> str:
        """A text for people to read, without any secret."""
        latin = latin_of(text)
        for hit in sorted(self._hits(latin, ""), key=lambda hit: -hit.start):
            latin = f"{latin[: hit.start]}REDACTED{latin[hit.end :]}"
        plain = latin.encode("latin-1").decode("utf-8", "replace")
        return "REDACTED" if list(self._found(latin_of(plain), "")) else plain

    def _leak(self, line: int, hit: Hit, where: str) -> Leak:
        place = self.hide(" ".join(filter(None, (where, hit.name))))
        return Leak(line, hit.kind, place, _fingerprint(hit.secret))

    def _plainly(
        self, text: str, lines: _Lines, has_leaves: bool
    ) -> Iterator[tuple[int, Hit, str]]:
        """In the text as it stands; names are looked for only where no structure tells them."""
        for hit in self._hits(text, ""):
            yield lines.at(hit.start), hit, ""
        for number, line in enumerate(text.split("\n"), start=1):
            if "%" in line or "\\" in line:
                yield from ((number, hit, "") for hit in self._found(line, ""))
            if not has_leaves or "#" in line:
                for name, value in assigned(line):
                    yield from ((number, hit, name) for hit in named(value, name))
        if not has_leaves or STREAM.search(text):
            for hit, where in self._packed(text, "", 1):
                yield 1, hit, where

    def _inside(
        self, text: str, name: str, where: str, packed: bool = False, depth: int = 0
    ) -> Iterator[tuple[Hit, str]]:
        """In a value, and in whatever is packed in it."""
        text = latin_of(text)
        if not packed:
            yield from ((hit, where) for hit in self._found(text, name))
        if depth < _DEEPEST:
            yield from self._packed(text, where, depth + 1)

    def _packed(self, text: str, where: str, depth: int) -> Iterator[tuple[Hit, str]]:
        """In the JSON, the stream or the base64 that a text is."""
        if len(text) < SHORTEST:
            return
        for pointer, joined in streamed(text.encode("latin-1", "replace")):
            hits = self._found(latin_of(joined), "")
            yield from ((hit, f"{where} stream {pointer}".strip()) for hit in hits)
        for told in json_texts(text):
            for leaf in json_leaves(told):
                inner = f"{where} > {_pointer(leaf.path)}" if where else _pointer(leaf.path)
                yield from self._inside(leaf.text, leaf.name, inner, depth=depth)
        raw = decoded(text)
        if raw is not None:
            packed = inflate(raw)
            plain = (packed.data if packed else raw).decode("latin-1")
            yield from ((hit, where) for hit in self._found(plain, ""))
            if depth < _DEEPEST:
                yield from self._packed(plain, where, depth + 1)

    def _found(self, text: str, name: str) -> Iterator[Hit]:
        """In every reading of a text, each secret once: as a known one, if in any."""
        hits = [hit for reading in readings(text) for hit in self._hits(reading, name)]
        seen: set[str] = set()
        for hit in sorted(hits, key=lambda hit: hit.kind != KNOWN):
            if unquote(hit.secret) not in seen:
                seen.add(unquote(hit.secret))
                yield hit

    def _hits(self, text: str, name: str) -> list[Hit]:
        """In one text, no two on top of each other: known keys before forms before names."""
        taken: list[Hit] = []
        if len(text) < SHORTEST:
            return taken
        for hit in (*self._known(text), *shaped(text), *signed(text), *named(text, name)):
            if not any(hit.start < other.end and other.start < hit.end for other in taken):
                taken.append(hit)
        return taken

    def _known(self, text: str) -> Iterator[Hit]:
        for form, secret in self._forms:
            start = text.find(form)
            while start >= 0:
                yield Hit(start, start + len(form), KNOWN, secret)
                start = text.find(form, start + len(form))


class _Lines:
    """The lines of a text: which one a place is on, and on which ones a secret stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(end.end() for end in re.finditer("\n", text))]

    def at(self, offset: int) -> int:
        """The line of a place."""
        return bisect_right(self._starts, offset)

    def of(self, secret: str, span: range) -> set[int]:
        """The lines of these where the secret stands as it is."""
        # YAML knows more ends of a line than these, so that it may have counted further.
        start = self._starts[min(span.start, len(self._starts)) - 1]
        end = self._starts[span.stop - 1] if span.stop <= len(self._starts) else len(self._text)
        found = re.finditer(re.escape(secret), self._text[start:end])
        return {self.at(start + one.start()) for one in found}


def _by_secret(hits: Iterable[tuple[int, Hit, str]]) -> dict[str, list[int]]:
    """The lines each secret stands on."""
    lines: dict[str, list[int]] = {}
    for line, hit, _ in hits:
        lines.setdefault(unquote(hit.secret), []).append(line)
    return lines


def _fingerprint(secret: str) -> str:
    if len(secret) < _SHOWN_FROM:
        return f"{len(secret)} characters"
    ends = from_latin(secret)
    return f"{ends[:2]}...{ends[-2:]}, {len(ends)} characters"


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{escape(key)[:80]}" for key in path)
