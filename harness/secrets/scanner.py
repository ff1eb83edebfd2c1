"""Detection of secrets in files of any tool: cassettes, HAR, JSON, `.env`, any text.

A file is searched as text and, if it is YAML or JSON, value by value, with the pieces of streams
joined. A `Leak` has the location of a secret and its first and last letters, never the secret.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from harness.secrets.leaves import Leaf, leaves_of, pointer_at
from harness.secrets.search import Found, Search
from harness.secrets.shapes import MIN_LENGTH, PLACEHOLDER, Hit
from harness.secrets.texts import base64_bytes, from_latin, latin, readable
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


_MIN_SHOWN = 16
"""Length in characters from which the first and last letters of a secret are shown."""


_STREAM = re.compile("^data:", re.MULTILINE)


def _ignore(part: float) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Scanner:
    """Finds given secrets in any encoding, and everything that has the shape of a secret.

    Attributes:
        secrets: The known keys; those shorter than `MIN_LENGTH` are ignored.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    _search: Search = field(init=False, repr=False, default_factory=Search)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_search", Search(self.secrets))

    def scan(self, content: bytes, progress: Callable[[float], None] = _ignore) -> list[Leak]:
        """Return every secret in the bytes of a file, sorted by line.

        *progress* is called with the part of the file that is done, from 0 to 1.
        """
        text = readable(_inflated(content))
        lines = _Lines(text)
        leaves = leaves_of(text)
        leaks: dict[tuple[int, str], Leak] = {}
        in_text = [*self._in_text(text, lines, bool(leaves))]
        lines_of = _lines_by_secret(in_text)
        done, total = len(text), len(text) + sum(len(leaf.text) for leaf in leaves)
        clean: set[tuple[str, str]] = set()
        for leaf in leaves:
            if (leaf.text, leaf.name) in clean or len(leaf.text) < MIN_LENGTH:
                continue
            span = range(leaf.first, leaf.last + 1)
            hits = [*self._in_leaf(leaf)]
            if not hits and not leaf.is_binary:
                clean.add((leaf.text, leaf.name))
            for hit, where in hits:
                secret = unquote(hit.secret)
                known = {line for line in lines_of.get(secret, ()) if line in span}
                for line in known | lines.containing(hit.secret, span) or {leaf.first}:
                    leaks.setdefault((line, secret), self._leak(line, hit, where))
            done += len(leaf.text)
            if len(leaf.text) > 1000:
                progress(done / total)
        for line, hit, where in in_text:
            leaks.setdefault((line, unquote(hit.secret)), self._leak(line, hit, where))
        return sorted(set(leaks.values()), key=lambda leak: (leak.line, leak.where, leak.kind))

    def hide(self, text: str) -> str:
        """Return a text for display with a placeholder for each secret.

        Returns only a placeholder if an encoded secret would still be in the text.
        """
        masked = self._search.mask(latin(text))
        plain = masked.encode("latin-1").decode("utf-8", "replace")
        return PLACEHOLDER if self._search.find(latin(plain)) else plain

    def _leak(self, line: int, hit: Hit, where: str) -> Leak:
        name = "" if where.endswith(f"/{hit.name}") else hit.name
        place = self.hide(" ".join(filter(None, (where, name))))
        return Leak(line, hit.kind, place, _fingerprint(hit.secret))

    def _in_text(
        self, text: str, lines: _Lines, has_leaves: bool
    ) -> Iterator[tuple[int, Hit, str]]:
        """Yield (line, hit, location) for each secret in the text of a file.

        If the file has values (*has_leaves*), encoded data and streams are searched in these, by
        `_in_leaf`; in the text only what has the form of a stream is.
        """
        found = self._search.in_readings(text) if has_leaves else self._search.find(text)
        for part in found:
            yield from ((lines.at(part.start), hit, "") for hit in part.hits)
        if not has_leaves or _STREAM.search(text):
            yield from ((1, hit, where) for hit, where in self._in_streams(text, ""))

    def _in_leaf(self, leaf: Leaf) -> Iterator[tuple[Hit, str]]:
        """Yield (hit, location) for each secret in a value, and in data encoded in the value."""
        text, where = latin(leaf.text), _pointer(leaf.path)
        if leaf.is_binary:
            raw = base64_bytes(text)
            text = text if raw is None else _inflated(raw).decode("latin-1")
        seen: set[str] = set()
        for part in self._search.find(text, leaf.name):
            for hit in part.hits:
                if unquote(hit.secret) not in seen:
                    seen.add(unquote(hit.secret))
                    yield hit, _inner(where, text, part)
        for hit, place in self._in_streams(text, where):
            if unquote(hit.secret) not in seen:
                yield hit, place

    def _in_streams(self, text: str, where: str) -> Iterator[tuple[Hit, str]]:
        """Yield (hit, location) for each secret in the joined pieces of a stream."""
        if len(text) >= MIN_LENGTH:
            for pieces, found in self._search.find_in_streams(text.encode("latin-1", "replace")):
                place = f"{where} stream {pieces.place}".strip()
                yield from ((hit, place) for part in found for hit in part.hits)


def _inner(where: str, text: str, part: Found) -> str:
    """Return the location of a secret in a value: if that is JSON, with its place in it."""
    pointer = pointer_at(text, part.start)
    return f"{where} > {_pointer(pointer)}" if pointer is not None and where else where


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
