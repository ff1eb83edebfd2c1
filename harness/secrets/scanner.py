"""Detection of secrets in files of any tool: cassettes, HAR, JSON, `.env`, any text.

A file is searched as text and, if it is YAML or JSON, value by value, with the pieces of streams
joined. A `Leak` has the location of a secret and its first and last letters, never the secret.
"""

from __future__ import annotations

import json
import os
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import attrgetter
from sys import intern
from typing import NamedTuple
from urllib.parse import unquote

import yaml

from harness.secrets.search import Found, Search
from harness.secrets.shapes import MIN_LENGTH, PLACEHOLDER, Hit
from harness.secrets.texts import MIN_PACKED, base64_bytes, from_latin, latin, readable
from harness.wire import escape
from harness.wire.codings import inflate
from harness.wire.text import has_only


class Leaf(NamedTuple):
    """A text in a file: a scalar value, or the name of a member.

    Attributes:
        path: The member names and item indexes that lead to it.
        text: The text.
        first: The number of its first line, from 1.
        last: The number of its last line.
        is_binary: Whether it is base64, by YAML's tag `!!binary`.
        is_name: Whether it is the name of a member.
    """

    path: tuple[str | int, ...]
    text: str
    first: int
    last: int
    is_binary: bool = False
    is_name: bool = False

    @property
    def name(self) -> str:
        """The name of the nearest member around the text; empty if the text is a name."""
        if not self.is_name:
            for key in reversed(self.path):
                if isinstance(key, str):
                    return key
        return ""


class NoLeaves(ValueError):
    """The file is neither YAML nor JSON, or is a single scalar."""


def leaves_of(text: str) -> Iterator[Leaf]:
    """Yield the values and member names in a YAML or JSON file.

    Most texts that are too short for a secret are left out. YAML is read while its leaves are
    taken, so that a long file needs no memory for all of them.

    Raises:
        NoLeaves: The file has no values, or is invalid; then those before the error were yielded.
    """
    leaves = json_leaves(text) if text.lstrip()[:1] in ("{", "[") else []
    named = _with_har_names(leaves or _yaml_leaves(text))
    while some := [*islice(named, _AT_ONCE)]:
        yield from some


_AT_ONCE = 10_000
"""The number of leaves that are read at once: to read and to search by turns takes more time."""


def pointer_at(text: str, offset: int) -> tuple[str | int, ...] | None:
    """Return the path of the string or member name at *offset* in the JSON *text*.

    The path has the member names and item indexes that lead to it, such as `("choices", 0)`. Return
    None if *text* is not JSON.
    """
    if text.lstrip()[:1] not in ("{", "[") or not _is_json(text):
        return None
    path: _Path = []
    with suppress(ValueError):  # one of several lines is not JSON
        for token in _TOKEN.finditer(text):
            text_here = _step(token[0], path)
            if text_here is not None and token.end() > offset:
                break
    return _keys(path)


_Path = list[str | int | None]
"""The name or index in each collection that is being read; None if a name comes next."""


class _Searched:
    """Tells which texts may hold a secret that is not found in the text of the file."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def __call__(self, path: _Path, text: str, is_name: bool) -> bool:
        """Return whether a text is to be searched, or names the value beside it, as in HAR."""
        if is_name and len(text) < MIN_PACKED:
            is_new = text not in self._names
            self._names.add(text)
            return is_new and len(text) >= MIN_LENGTH
        return len(text) >= MIN_LENGTH or path[-1:] == ["name"]


def _keys(path: _Path) -> tuple[str | int, ...]:
    return tuple([step for step in path if step is not None])


def _advance(path: _Path) -> None:
    """Change the last step of a path to the next member or item, in place."""
    if path:
        last = path[-1]
        path[-1] = last + 1 if isinstance(last, int) else None


# Possessive repeats: a plain repeat of a group keeps memory for each repetition.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]|[^\s\[\]{},:"]+')


def json_leaves(text: str) -> list[Leaf]:
    """Return the strings and member names in JSON or JSON lines; empty for any other text.

    Most texts that are too short for a secret are left out.
    """
    try:
        return [*_leaves_of_tokens(text)] if _is_json(text) else []
    except ValueError:  # one of several lines is not JSON
        return []


def _leaves_of_tokens(text: str) -> Iterator[Leaf]:
    """Yield a leaf for each string and name of JSON that is searched.

    Raises ValueError if a string is not valid JSON.
    """
    path: _Path = []
    line, counted, is_searched = 1, 0, _Searched()
    for token in _TOKEN.finditer(text):
        is_name = path[-1:] == [None]
        value = _step(token[0], path)
        if value is not None and is_searched(path, value, is_name):
            line += text.count("\n", counted, token.start())
            counted = token.start()
            yield Leaf(_keys(path), value, line, line, is_name=is_name)


def _step(sign: str, path: _Path) -> str | None:
    """Change the path for one sign of JSON, in place; return its text if it is a string."""
    if sign in "{[":
        path.append(None if sign == "{" else 0)
    elif sign in "}]":
        del path[-1:]
    elif sign == ",":
        _advance(path)
    elif sign[0] == '"':
        value = str(json.loads(from_latin(sign), strict=False))
        if path[-1:] == [None]:
            path[-1] = intern(value)
        return value
    return None


def _is_json(text: str) -> bool:
    for candidate in (text, text.lstrip().partition("\n")[0]):
        try:
            json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        return True
    return False


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BINARY = "tag:yaml.org,2002:binary"
_MAX_DEPTH = 100


def _yaml_leaves(text: str) -> Iterator[Leaf]:
    """Yield the scalars and names in YAML, without short ones.

    Raises NoLeaves if it is invalid or a single scalar.
    """
    values: dict[str, str] = {}
    short = _with_stand_ins(text, values)
    leaves: Iterator[Leaf] | None = None
    if values:
        with suppress(NoLeaves):
            leaves = iter([*_leaves_of_yaml(short, values)])
    if leaves is None or values:  # one of the values does not stand where it seemed to
        leaves = _leaves_of_yaml(text, {})
    for leaf in leaves:
        yield leaf
        if leaf.path:
            break
    else:
        raise NoLeaves
    yield from leaves


def _leaves_of_yaml(text: str, values: dict[str, str]) -> Iterator[Leaf]:
    """Yield the scalars and names in YAML. Raises NoLeaves if it is invalid.

    It is read event by event, so that aliases are never expanded. *values* are long values by the
    scalar that stands for each; those that are found are removed.
    """
    try:
        loader = _LOADER(_Latin(text))
        try:
            yield from _leaves_of_events(iter(loader.get_event, None), values)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError):
        raise NoLeaves from None


class _Latin:
    """A file whose bytes are the characters of a text, without a copy of all of it."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def read(self, size: int = 2**14, /) -> bytes:
        """Return the next bytes, at most *size*; none at the end."""
        part = self._text[self._at : self._at + size]
        self._at += size
        return part.encode("latin-1")


_LONG_VALUE = 2**20
"""Length of a value from which it is searched once, not in the text of the file too."""
_MEMBER = re.compile(r"[ -]*+[A-Za-z_]++: '")
_PRINTABLE = bytes(range(0x20, 0x7F))


def _with_stand_ins(text: str, values: dict[str, str]) -> str:
    """Return the text of YAML with a short scalar in place of each long value in single quotes.

    The values are added to *values*, by what stands for them. PyYAML's reader takes most of the
    time of a scan for such values, which can be read without it: they are on one line, in ASCII.
    """
    parts: list[str] = []
    done = 0
    for start, end in _long_lines(text):
        member = _MEMBER.match(text, start)
        if member and text[end - 1] == "'":
            value = text[member.end() : end - 1]
            plain = value.replace("''", "'")
            is_whole = "'" not in value or 2 * plain.count("'") == value.count("'")
            if is_whole and has_only(value, _PRINTABLE):
                name = os.urandom(16).hex()
                values[name] = plain
                parts += text[done : member.end()], name
                done = end - 1
    return "".join((*parts, text[done:]))


def _long_lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield the offsets of the start and the end of each line of at least `_LONG_VALUE`."""
    start = 0
    while len(text) - start >= _LONG_VALUE:
        # No line that ends before begins a long one.
        before = text.rfind("\n", start, start + _LONG_VALUE)
        if before >= 0:
            start = before + 1
            continue
        end = text.find("\n", start + _LONG_VALUE)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _leaves_of_events(events: Iterator[yaml.Event], values: dict[str, str]) -> Iterator[Leaf]:
    """Yield a leaf for each scalar of YAML that is searched.

    *values* are long values by the scalar that stands for each; those that are found are removed.
    Raises ValueError if a collection is used as a name, or is nested too deep.
    """
    path: _Path = []
    is_searched = _Searched()
    for event in events:
        kind = type(event)
        is_name = bool(path) and path[-1] is None
        if isinstance(event, yaml.ScalarEvent):
            value = event.value
            if value in values and event.style == "'" and not is_name:
                value = values.pop(value)
            if is_name:
                value = path[-1] = intern(value)
            if is_searched(path, value, is_name):
                first, last = _line_numbers(event)
                yield Leaf(_keys(path), value, first, last, event.tag == _BINARY, is_name)
            if not is_name:
                _advance(path)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            if is_name:
                raise ValueError("a collection for a name")
            if len(path) >= _MAX_DEPTH:
                raise ValueError("nested too deep")
            path.append(None if kind is yaml.MappingStartEvent else 0)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            path.pop()
            _advance(path)
        elif kind is yaml.AliasEvent and is_name:
            path[-1] = ""
        elif kind is yaml.AliasEvent:
            _advance(path)
        elif kind is yaml.StreamEndEvent:
            return


def _line_numbers(event: yaml.ScalarEvent) -> tuple[int, int]:
    """Return the numbers of the first and the last line of a scalar, from 1."""
    start, end = event.start_mark, event.end_mark
    first = start.line + 1 if start else 1
    last = end.line + (1 if end.column else 0) if end else first
    return first, max(first, last)


def _with_har_names(leaves: Iterable[Leaf]) -> Iterator[Leaf]:
    """Yield the leaves, with the `name` in the same object as the name of each HAR `value`.

    From a `value` whose object has had no `name` yet, leaves are kept until it has one or ends.
    """
    names: dict[tuple[str | int, ...], str] = {}
    kept: list[Leaf] = []
    for leaf in leaves:
        if not kept and leaf.path[-1:] not in _OF_HAR:
            yield leaf  # as most are
            continue
        inside, is_named = leaf.path[:-1], False
        if kept:
            around = kept[0].path[:-1]
            is_named = inside == around and _is_member(leaf, "name")
            if not is_named and leaf.path[: len(around)] == around:
                kept.append(leaf)
                continue
            yield _named(kept[0], leaf.text) if is_named else kept[0]
            yield from _with_har_names(kept[1:])
            kept = []
        if _is_member(leaf, "name") and not is_named:
            names[inside] = leaf.text
        if not _is_member(leaf, "value"):
            yield leaf
        elif inside in names:
            yield _named(leaf, names.pop(inside))
        else:
            kept = [leaf]
    yield from kept[:1]
    if kept:
        yield from _with_har_names(kept[1:])


_OF_HAR = {("name",), ("value",)}


def _is_member(leaf: Leaf, name: str) -> bool:
    """Return whether *leaf* is the value of a member called *name*."""
    return not leaf.is_name and leaf.path[-1:] == (name,)


def _named(leaf: Leaf, name: str) -> Leaf:
    """Return *leaf* with *name* in place of its own."""
    return leaf._replace(path=(*leaf.path[:-1], name[:80]))


@dataclass(frozen=True, slots=True)
class Leak:
    """One secret in a file.

    Attributes:
        line: The number of the line, from 1.
        kind: The kind of secret, for messages.
        where: The JSON pointer of the text with the secret, or the name beside the secret; empty if
            there is neither.
        fingerprint: The first and last letters, and the length; of a short secret, only the length.
    """

    line: int
    kind: str
    where: str
    fingerprint: str


_MIN_SHOWN = 16
"""Length in characters from which the first and last letters of a secret are shown."""


_MARGIN, _MANY_SPACES = 2**16, 64
"""More than the longest secret with its name has, and more spaces than are in one."""
_LIKE_LEAVES = re.compile(r"\s*+(?:[{\[]|[A-Za-z_]++:\s)")
"""The beginning of most files of JSON and YAML, and of few others."""


def _ignore(part: float) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Scanner:
    """The search of files for given secrets in any encoding, and for texts that look like secrets.

    Attributes:
        secrets: The known keys; those shorter than `MIN_LENGTH` are ignored.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    _search: Search = field(init=False, repr=False, default_factory=Search)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_search", Search(self.secrets))

    def scan(self, content: bytes, progress: Callable[[float], None] = _ignore) -> list[Leak]:
        """Return every secret in the bytes of a file, sorted by line.

        *progress* is called with the share of the file that has been searched, from 0 to 1.
        """
        text = readable(_inflated(content))
        del content  # so that it takes no memory, unless the caller keeps it
        lines = _Lines(text)
        clean: set[tuple[str, str]] = set()
        try:
            leaves: Iterable[Leaf] = leaves_of(text)
            if lines.longest < _LONG_VALUE and _LIKE_LEAVES.match(text):
                in_text = [*self._in_text(text, lines, True)]
            else:
                leaves = [*leaves]
                rest = self._without_clean(text, leaves, clean)
                in_text = [*self._in_text(rest, _Lines(rest), True)]
                del rest
            leaks = self._leaks(lines, in_text, leaves, clean, progress)
        except NoLeaves:
            in_text = [*self._in_text(text, lines, False)]
            leaks = self._leaks(lines, in_text, (), clean, progress)
        order = attrgetter("line", "where", "kind", "fingerprint")
        return sorted(leaks, key=order)

    def _leaks(
        self,
        lines: _Lines,
        in_text: Iterable[tuple[int, Hit, str]],
        leaves: Iterable[Leaf],
        clean: set[tuple[str, str]],
        progress: Callable[[float], None],
    ) -> set[Leak]:
        """Return the secrets *in_text*, which `_in_text` found in a file, and those in its leaves.

        *clean* has the text and the name of each leaf that is known to have none; more are added.
        """
        leaks: dict[tuple[int, str], Leak] = {}
        lines_of = _lines_by_secret(in_text)
        done, total = lines.size, 2 * lines.size
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
        return set(leaks.values())

    def _without_clean(self, text: str, leaves: Sequence[Leaf], clean: set[tuple[str, str]]) -> str:
        """Return the text of a file without most of each long value that has no secret.

        The text and the name of such a value are added to *clean*.
        """
        parts: list[str] = []
        end = 0
        for leaf in leaves:
            if len(leaf.text) > _LONG_VALUE and leaf.first == leaf.last and not leaf.is_binary:
                value = latin(leaf.text).replace("'", "''")  # as most are written in YAML
                start = text.find(value[:_MARGIN], end)
                if text.startswith(value, start, len(text)) and not any(self._in_leaf(leaf)):
                    clean.add((leaf.text, leaf.name))
                    parts += text[end : start + _MARGIN], " " * _MANY_SPACES
                    end = start + len(value) - _MARGIN
        return "".join((*parts, text[end:]))

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
        if not has_leaves or text.startswith("data:") or "\ndata:" in text:
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
    """The line numbers of a text, from 1, found by offset or by content.

    Attributes:
        size: The length of the text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.size = len(text)
        ends = (end.end() for end in re.finditer("\n", text))
        self._starts = array("Q", chain((0,), ends))  # a list takes five times the memory

    @property
    def longest(self) -> int:
        """The length of the longest line, with its line feed."""
        ends = chain(islice(self._starts, 1, None), (len(self._text),))
        return max(end - start for start, end in zip(self._starts, ends, strict=True))

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
