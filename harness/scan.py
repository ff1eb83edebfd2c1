"""Secrets found in what was already written, by any tool: cassettes, HAR, JSON, `.env`, any text.

A file is read twice: as the text it is, and, where it is YAML or JSON, value by value, with what is
packed inside them (JSON in bodies, streams told in pieces, base64, gzip). What is found is told
by its place and its first and last letters, never by itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

import yaml

from harness.redact import (
    SCHEME,
    SHORTEST,
    SIGNED,
    keys,
    made_up,
    readings,
    stands_in,
    streamed,
    written,
)
from harness.wire import escape


@dataclass(frozen=True, slots=True)
class Leak:
    """One secret in a file; `where` is a JSON pointer or a name, where one is known."""

    line: int
    kind: str
    where: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Hit:
    """A secret in a text, and what names it there, such as a parameter."""

    start: int
    end: int
    kind: str
    secret: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A text that a file holds: the keys that lead to it, and its first and last line."""

    path: tuple[str | int, ...]
    text: str
    first: int
    last: int
    packed: bool = False
    is_name: bool = False

    @property
    def name(self) -> str:
        """The nearest name above it; a name itself has none."""
        if self.is_name:
            return ""
        return next((str(key) for key in reversed(self.path) if isinstance(key, str)), "")


KNOWN = "a known key"
_SHOWN_FROM = 16
"""Of shorter secrets no letter is told."""
_DEEPEST = 4
"""So many times may one thing be packed in another."""
_LARGEST = 2**26
"""No more than this is unpacked, in bytes."""


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
        text = _text(_unpacked(content))
        lines = _Lines(text)
        leaves = _leaves(text)
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
        latin = _latin(text)
        for hit in sorted(self._hits(latin, ""), key=lambda hit: -hit.start):
            latin = f"{latin[: hit.start]}REDACTED{latin[hit.end :]}"
        readable = latin.encode("latin-1").decode("utf-8", "replace")
        return "REDACTED" if list(self._found(_latin(readable), "")) else readable

    def _leak(self, line: int, hit: _Hit, where: str) -> Leak:
        place = self.hide(" ".join(filter(None, (where, hit.name))))
        return Leak(line, hit.kind, place, _fingerprint(hit.secret))

    def _plainly(
        self, text: str, lines: _Lines, has_leaves: bool
    ) -> Iterator[tuple[int, _Hit, str]]:
        """In the text as it stands; names are looked for only where no structure tells them."""
        for hit in self._hits(text, ""):
            yield lines.at(hit.start), hit, ""
        for number, line in enumerate(text.split("\n"), start=1):
            if "%" in line or "\\" in line:
                yield from ((number, hit, "") for hit in self._found(line, ""))
            if not has_leaves or "#" in line:
                for name, value in _told(line):
                    yield from ((number, hit, name) for hit in _named(value, name))
        if not has_leaves or _STREAM.search(text):
            for hit, where in self._packed(text, "", 1):
                yield 1, hit, where

    def _inside(
        self, text: str, name: str, where: str, packed: bool = False, depth: int = 0
    ) -> Iterator[tuple[_Hit, str]]:
        """In a value, and in whatever is packed in it."""
        text = _latin(text)
        if not packed:
            yield from ((hit, where) for hit in self._found(text, name))
        if depth < _DEEPEST:
            yield from self._packed(text, where, depth + 1)

    def _packed(self, text: str, where: str, depth: int) -> Iterator[tuple[_Hit, str]]:
        """In the JSON, the stream or the base64 that a text is."""
        if len(text) < SHORTEST:
            return
        for pointer, joined in streamed(text.encode("latin-1", "replace")):
            hits = self._found(_latin(joined), "")
            yield from ((hit, f"{where} stream {pointer}".strip()) for hit in hits)
        for told in _json_texts(text):
            for leaf in _json_leaves(told):
                inner = f"{where} > {_pointer(leaf.path)}" if where else _pointer(leaf.path)
                yield from self._inside(leaf.text, leaf.name, inner, depth=depth)
        raw = _decoded(text)
        if raw is not None:
            plain = _unpacked(raw).decode("latin-1")
            yield from ((hit, where) for hit in self._found(plain, ""))
            if depth < _DEEPEST:
                yield from self._packed(plain, where, depth + 1)

    def _found(self, text: str, name: str) -> Iterator[_Hit]:
        """In every reading of a text, each secret once: as a known one, if in any."""
        hits = [hit for reading in readings(text) for hit in self._hits(reading, name)]
        seen: set[str] = set()
        for hit in sorted(hits, key=lambda hit: hit.kind != KNOWN):
            if unquote(hit.secret) not in seen:
                seen.add(unquote(hit.secret))
                yield hit

    def _hits(self, text: str, name: str) -> list[_Hit]:
        """In one text, no two on top of each other: known keys before forms before names."""
        taken: list[_Hit] = []
        if len(text) < SHORTEST:
            return taken
        for hit in (*self._known(text), *_shaped(text), *_signed(text), *_named(text, name)):
            if not any(hit.start < other.end and other.start < hit.end for other in taken):
                taken.append(hit)
        return taken

    def _known(self, text: str) -> Iterator[_Hit]:
        for form, secret in self._forms:
            start = text.find(form)
            while start >= 0:
                yield _Hit(start, start + len(form), KNOWN, secret)
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
        start = self._starts[span.start - 1]
        end = self._starts[span.stop - 1] if span.stop <= len(self._starts) else len(self._text)
        found = re.finditer(re.escape(secret), self._text[start:end])
        return {self.at(start + one.start()) for one in found}


def _by_secret(hits: Iterable[tuple[int, _Hit, str]]) -> dict[str, list[int]]:
    """The lines each secret stands on."""
    lines: dict[str, list[int]] = {}
    for line, hit, _ in hits:
        lines.setdefault(unquote(hit.secret), []).append(line)
    return lines


def _shaped(text: str) -> Iterator[_Hit]:
    for key in keys(text):
        yield _Hit(key.start, key.end, key.kind, text[key.start : key.end])


_LINK = re.compile(r"(?:[?&;]|%26|%3F|\\u0026|\\u003F)$", re.IGNORECASE)


_MAY_SIGN = re.compile(r"=|%3D|u003D", re.IGNORECASE)


def _signed(text: str) -> Iterator[_Hit]:
    """Parameters that sign a link; the same words in prose or in a program are none."""
    for found in SIGNED.finditer(text) if _MAY_SIGN.search(text) else ():
        name = found["name"] or found["inner"]
        value = found[0][len(name) :]
        in_link = _LINK.search(text[max(0, found.start() - 6) : found.start()])
        if in_link and len(value) >= SHORTEST and not made_up(unquote(value)):
            told = re.sub(r"=|%3D|\\u003D", "", name, flags=re.IGNORECASE)
            yield _Hit(found.start() + len(name), found.end(), "a signed link", value, told)


_HEADER = re.compile(r"(?:proxy-)?authorization", re.IGNORECASE)
_COOKIE = re.compile(r"(?:set-)?cookie2?", re.IGNORECASE)
_TELLING = re.compile(
    r"(?:api|access|secret|private|auth)_?key(?:_?(?:id|secret))?$|secret$|token$|passw(?:or)?d$"
    r"|credentials?$",
)
_WORDS = re.compile(r"[\w-]+")
_SIGNING = re.compile(r"ossaccesskeyid|signature|security-token|x-(?:amz|oss)-\w+(?:-token)?")


def _named(text: str, name: str) -> Iterator[_Hit]:
    """What its name says is a secret, unless it stands for one."""
    name = (_WORDS.findall(name) or [""])[-1]
    if _HEADER.fullmatch(name):
        yield from _credentials(text)
    elif _COOKIE.fullmatch(name):
        yield from _cookies(text, only_first=name.lower().startswith("set"))
    elif _TELLING.search(re.sub(r"[-.\s]", "_", name).lower()) or _SIGNING.fullmatch(name.lower()):
        value = text.strip()
        if _is_random(value) and not made_up(value):
            yield _Hit(0, len(text), "a secret by its name", value)


def _credentials(text: str) -> Iterator[_Hit]:
    scheme = SCHEME.match(text)
    start = scheme.end() - 1 if scheme else 0
    value = text[start:].strip(" \t\r\n'\"")
    if len(value) >= SHORTEST and not made_up(value):
        yield _Hit(start, len(text), "credentials", value)


_PAIR = re.compile(r"\s*([^=;\s]+)=([^;]*)")


def _cookies(text: str, *, only_first: bool) -> Iterator[_Hit]:
    for pair in _PAIR.finditer(text):
        value = pair[2].strip()
        if len(value) >= SHORTEST and not stands_in(value):
            yield _Hit(pair.start(2), pair.end(2), "a cookie", value, pair[1])
        if only_first:
            return


_KEY_LETTERS = re.compile(r"[A-Za-z0-9_+/=.~-]{16,}")
_LEAST = 3.0
"""Bits per letter: a random text of sixteen hexadecimal digits has more."""
_CHANGES = 4


def _is_random(text: str) -> bool:
    """Whether nobody would have thought of it: letters and digits mixed, and hardly any twice."""
    if not _KEY_LETTERS.fullmatch(text):
        return False
    counts = Counter(text).values()
    bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    changes = len(re.findall(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])", text))
    return bits >= _LEAST and changes >= _CHANGES


_ASSIGNED = re.compile(
    r"(?<![\w.-])[\"']?(?P<name>[A-Za-z][\w.-]{2,80})[\"']?\s*(?::|=>|=)\s*(?P<value>\S.*)"
)


def _told(line: str) -> Iterator[tuple[str, str]]:
    """(name, value) of the headers and assignments in a line."""
    for found in _ASSIGNED.finditer(line):
        name, value = found["name"], found["value"]
        if _HEADER.fullmatch(name) or _COOKIE.fullmatch(name):
            yield name, re.split(r"[\"'\r]", value.lstrip("\"'"), maxsplit=1)[0]
            return
        yield name, re.split(r"[\"'\s,;&]", value.lstrip("\"'"), maxsplit=1)[0]
        inner = line.find("=", found.start("value"))
        if inner > 0:
            yield from _told(line[found.start("value") :])


def _fingerprint(secret: str) -> str:
    if len(secret) < _SHOWN_FROM:
        return f"{len(secret)} characters"
    ends = _from_latin(secret)
    return f"{ends[:2]}...{ends[-2:]}, {len(ends)} characters"


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{escape(key)[:80]}" for key in path)


def _latin(text: str) -> str:
    """A text's UTF-8 bytes as one character each, as all that is searched stands."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _from_latin(text: str) -> str:
    return (
        text.encode("latin-1", "replace")
        .decode("utf-8", "surrogateescape")
        .encode("utf-8", "replace")
        .decode("utf-8")
    )


# ------------------------------------------------------------------------------- what is packed


def _text(content: bytes) -> str:
    """A file's bytes as one character each; UTF-16 as UTF-8 first."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


def _unpacked(raw: bytes) -> bytes:
    """Bytes with gzip or deflate undone, as far as it goes."""
    if raw[:2] == b"\x1f\x8b" or (
        raw[:1] == b"\x78" and len(raw) > 2 and (raw[0] * 256 + raw[1]) % 31 == 0
    ):
        undo = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            return undo.decompress(raw, _LARGEST)
        except zlib.error:
            return raw
    return raw


_STREAM = re.compile("^data:", re.MULTILINE)
_BASE64 = re.compile(r"(?:data:[^,]{1,80};base64,)?([A-Za-z0-9+/_-]{16,}={0,2})")


def _decoded(text: str) -> bytes | None:
    """The bytes of a text that is base64 from end to end; None for any other."""
    found = _BASE64.fullmatch(re.sub(r"\s", "", text)) if len(text) < _LARGEST else None
    if found is None:
        return None
    try:
        whole = found[1].rstrip("=").replace("-", "+").replace("_", "/")
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return None


def _json_texts(text: str) -> Iterator[str]:
    """The JSON in a text: all of it, or the events of a stream."""
    if text.lstrip()[:1] in ("{", "["):
        yield text
    elif "data:" in text:
        yield from (data for data in re.findall(r"^data: ?([{\[].*)$", text, re.MULTILINE))


def _leaves(text: str) -> list[_Leaf]:
    """The values of a YAML or JSON file; none for other files."""
    found = [*_json_leaves(text)] if text.lstrip()[:1] in ("{", "[") else []
    return _renamed(found or _yaml_leaves(text))


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


def _json_leaves(text: str) -> list[_Leaf]:
    """The texts and names in JSON, or in JSON lines; nothing where it is neither."""
    if not _is_json(text):
        return []
    leaves: list[_Leaf] = []
    path: list[str | int | None] = []
    line, counted = 1, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "{[":
            path.append(None if sign == "{" else 0)
        elif sign in "}]" and path:
            path.pop()
        elif sign == "," and path:
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif sign[0] == '"':
            line += text.count("\n", counted, token.start())
            counted = token.start()
            value = str(json.loads(_from_latin(sign), strict=False))
            is_name = bool(path) and path[-1] is None
            if is_name:
                path[-1] = value
            here = tuple(key for key in path if key is not None)
            leaves.append(_Leaf(here, value, line, line, is_name=is_name))
    return leaves


def _is_json(text: str) -> bool:
    for whole in (text, text.lstrip().partition("\n")[0]):
        try:
            json.loads(whole, strict=False)
        except (ValueError, RecursionError):
            continue
        return True
    return False


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BINARY = "tag:yaml.org,2002:binary"
_MAX_DEPTH = 100


def _yaml_leaves(text: str) -> list[_Leaf]:
    """The texts and names in YAML, read event by event: aliases are never put in."""
    leaves: list[_Leaf] = []
    path: list[str | int | None] = []
    try:
        for event in yaml.parse(text.encode("latin-1"), Loader=_LOADER):
            if isinstance(event, yaml.NodeEvent):
                _enter(event, path, leaves)
            elif isinstance(event, yaml.CollectionEndEvent):
                path.pop()
                _next(path)
    except (yaml.YAMLError, ValueError):
        return []
    return leaves if any(leaf.path for leaf in leaves) else []


def _enter(event: yaml.NodeEvent, path: list[str | int | None], leaves: list[_Leaf]) -> None:
    """One node of YAML: a name, a value, or a collection of them."""
    is_name = bool(path) and path[-1] is None
    if isinstance(event, yaml.ScalarEvent):
        if is_name:
            path[-1] = event.value
        begin, end = event.start_mark, event.end_mark
        first = begin.line + 1 if begin else 1
        last = end.line + (1 if end.column else 0) if end else first
        here = tuple(key for key in path if key is not None)
        packed = event.tag == _BINARY
        leaves.append(_Leaf(here, event.value, first, max(first, last), packed, is_name))
        if not is_name:
            _next(path)
    elif isinstance(event, yaml.AliasEvent):
        if is_name:
            path[-1] = ""
        else:
            _next(path)
    else:
        if is_name:
            raise ValueError("a collection for a name")
        if len(path) >= _MAX_DEPTH:
            raise ValueError("nested too deep")
        path.append(None if isinstance(event, yaml.MappingStartEvent) else 0)


def _next(path: list[str | int | None]) -> None:
    if path:
        last = path[-1]
        path[-1] = last + 1 if isinstance(last, int) else None


def _renamed(leaves: Sequence[_Leaf]) -> list[_Leaf]:
    """HAR has names as values: what stands beside `name` as `value` goes by that name."""
    names = {
        leaf.path[:-1]: leaf.text
        for leaf in leaves
        if leaf.path[-1:] == ("name",) and not leaf.is_name
    }
    return [
        replace(leaf, path=(*leaf.path[:-1], names[leaf.path[:-1]][:80]))
        if leaf.path[-1:] == ("value",) and not leaf.is_name and leaf.path[:-1] in names
        else leaf
        for leaf in leaves
    ]
