"""Detection of secrets in files of any tool: cassettes, HAR, JSON, `.env`, any text.

A file is searched as text and, if it is YAML or JSON, value by value, with the data inside values
(JSON in bodies, streams in pieces, base64, gzip). A `Leak` has the location of a secret and its
first and last letters, never the secret.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from harness.secrets.leaves import embedded_json, json_leaves, leaves_of
from harness.secrets.shapes import MIN_LENGTH, PLACEHOLDER, Hit, assigned, keys, named, signed
from harness.secrets.texts import (
    base64_bytes,
    from_latin,
    joined_pieces,
    latin,
    readable,
    readings,
    written_forms,
)
from harness.wire import escape
from harness.wire.codings import inflate


@dataclass(frozen=True, slots=True)
class Leak:
    """One secret in a file.

    Attributes:
        line: The number of the line, from 1.
        kind: The kind of secret, for messages.
        where: A JSON pointer or a name; empty if there is none.
        fingerprint: The first and last letters, and the length; of a short secret, only the length.
    """

    line: int
    kind: str
    where: str
    fingerprint: str


KNOWN = "a known key"
_MIN_SHOWN = 16
"""Length in characters from which the first and last letters of a secret are shown."""
_MAX_NESTING = 4
"""Largest number of encodings, one inside the other, that are undone."""
_STREAM = re.compile("^data:", re.MULTILINE)


@dataclass(frozen=True)
class Scanner:
    """Finds given secrets in any encoding, and everything that has the shape of a secret.

    Attributes:
        secrets: The known keys; those shorter than `MIN_LENGTH` are ignored.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    _forms: tuple[tuple[str, str], ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        secrets_by_form = {
            form.encode().decode("latin-1"): secret
            for secret in sorted(self.secrets, key=len)
            if len(secret) >= MIN_LENGTH
            for form in written_forms(secret)
        }
        longest_first = sorted(secrets_by_form.items(), key=lambda pair: (-len(pair[0]), pair[0]))
        object.__setattr__(self, "_forms", tuple(longest_first))

    def scan(self, content: bytes) -> list[Leak]:
        """Return every secret in the bytes of a file, sorted by line."""
        text = readable(_inflated(content))
        lines = _Lines(text)
        leaves = leaves_of(text)
        leaks: dict[tuple[int, str], Leak] = {}
        in_text = [*self._in_text(text, lines, bool(leaves))]
        lines_of = _lines_by_secret(in_text)
        for leaf in leaves:
            span = range(leaf.first, leaf.last + 1)
            pointer = _pointer(leaf.path)
            for hit, where in self._in_value(leaf.text, leaf.name, pointer, leaf.is_binary):
                secret = unquote(hit.secret)
                known = {line for line in lines_of.get(secret, ()) if line in span}
                for line in known | lines.containing(hit.secret, span) or {leaf.first}:
                    leaks.setdefault((line, secret), self._leak(line, hit, where))
        for line, hit, where in in_text:
            leaks.setdefault((line, unquote(hit.secret)), self._leak(line, hit, where))
        return sorted(set(leaks.values()), key=lambda leak: (leak.line, leak.where, leak.kind))

    def hide(self, text: str) -> str:
        """Return a text for display with a placeholder for each secret.

        Returns only a placeholder if an encoded secret would still be in the text.
        """
        masked = latin(text)
        for hit in sorted(self._hits(masked, ""), key=lambda hit: -hit.start):
            masked = f"{masked[: hit.start]}{PLACEHOLDER}{masked[hit.end :]}"
        plain = masked.encode("latin-1").decode("utf-8", "replace")
        return PLACEHOLDER if list(self._distinct(latin(plain), "")) else plain

    def _leak(self, line: int, hit: Hit, where: str) -> Leak:
        place = self.hide(" ".join(filter(None, (where, hit.name))))
        return Leak(line, hit.kind, place, _fingerprint(hit.secret))

    def _in_text(
        self, text: str, lines: _Lines, has_leaves: bool
    ) -> Iterator[tuple[int, Hit, str]]:
        """Yield (line, hit, name) for each secret in the text of a file.

        Names in a line are only used if the file has no structure that gives names, and in
        comments.
        """
        for hit in self._hits(text, ""):
            yield lines.at(hit.start), hit, ""
        for number, line in enumerate(text.split("\n"), start=1):
            if "%" in line or "\\" in line:
                yield from ((number, hit, "") for hit in self._distinct(line, ""))
            if not has_leaves or "#" in line:
                for name, value in assigned(line):
                    yield from ((number, hit, name) for hit in named(value, name))
        if not has_leaves or _STREAM.search(text):
            for hit, where in self._packed(text, "", 1):
                yield 1, hit, where

    def _in_value(
        self, text: str, name: str, where: str, is_binary: bool = False, depth: int = 0
    ) -> Iterator[tuple[Hit, str]]:
        """Yield (hit, location) for each secret in a value, and in data encoded in the value."""
        text = latin(text)
        if not is_binary:
            yield from ((hit, where) for hit in self._distinct(text, name))
        if depth < _MAX_NESTING:
            yield from self._packed(text, where, depth + 1)

    def _packed(self, text: str, where: str, depth: int) -> Iterator[tuple[Hit, str]]:
        """Yield (hit, location) for each secret in the JSON, stream or base64 data of a text."""
        if len(text) < MIN_LENGTH:
            return
        for pointer, joined in joined_pieces(text.encode("latin-1", "replace")):
            hits = self._distinct(latin(joined), "")
            yield from ((hit, f"{where} stream {pointer}".strip()) for hit in hits)
        for json_text in embedded_json(text):
            for leaf in json_leaves(json_text):
                pointer = _pointer(leaf.path)
                inner = f"{where} > {pointer}" if where else pointer
                yield from self._in_value(leaf.text, leaf.name, inner, depth=depth)
        raw = base64_bytes(text)
        if raw is not None:
            plain = _inflated(raw).decode("latin-1")
            yield from ((hit, where) for hit in self._distinct(plain, ""))
            if depth < _MAX_NESTING:
                yield from self._packed(plain, where, depth + 1)

    def _distinct(self, text: str, name: str) -> Iterator[Hit]:
        """Yield each secret in a text and in its unescaped readings once, known keys first."""
        hits = [hit for reading in readings(text) for hit in self._hits(reading, name)]
        seen: set[str] = set()
        for hit in sorted(hits, key=lambda hit: hit.kind != KNOWN):
            if unquote(hit.secret) not in seen:
                seen.add(unquote(hit.secret))
                yield hit

    def _hits(self, text: str, name: str) -> list[Hit]:
        """Return the secrets in *text*: known keys, key shapes, signed links, named values.

        *name* is the name beside the text, which may mark it as secret. Of overlapping hits the
        first one is kept.
        """
        accepted: list[Hit] = []
        if len(text) < MIN_LENGTH:
            return accepted
        for hit in (*self._known(text), *keys(text), *signed(text), *named(text, name)):
            if not any(hit.start < other.end and other.start < hit.end for other in accepted):
                accepted.append(hit)
        return accepted

    def _known(self, text: str) -> Iterator[Hit]:
        for form, secret in self._forms:
            start = text.find(form)
            while start >= 0:
                yield Hit(start, start + len(form), KNOWN, secret)
                start = text.find(form, start + len(form))


def _inflated(raw: bytes) -> bytes:
    """Return the bytes decompressed by gzip or deflate; unchanged if they are not compressed."""
    plain = inflate(raw)
    return plain.data if plain else raw


class _Lines:
    """The line numbers of a text, from 1, found by offset or by content."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(end.end() for end in re.finditer("\n", text))]

    def at(self, offset: int) -> int:
        """Return the number of the line that holds an offset."""
        return bisect_right(self._starts, offset)

    def containing(self, secret: str, span: range) -> set[int]:
        """Return the numbers of the lines in *span* that contain the secret unescaped."""
        # YAML knows more line ends than these, so that its numbers may be larger.
        start = self._starts[min(span.start, len(self._starts)) - 1]
        end = self._starts[span.stop - 1] if span.stop <= len(self._starts) else len(self._text)
        matches = re.finditer(re.escape(secret), self._text[start:end])
        return {self.at(start + match.start()) for match in matches}


def _lines_by_secret(hits: Iterable[tuple[int, Hit, str]]) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {}
    for line, hit, _ in hits:
        lines.setdefault(unquote(hit.secret), []).append(line)
    return lines


def _fingerprint(secret: str) -> str:
    if len(secret) < _MIN_SHOWN:
        return f"{len(secret)} characters"
    ends = from_latin(secret)
    return f"{ends[:2]}...{ends[-2:]}, {len(ends)} characters"


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{escape(key)[:80]}" for key in path)
