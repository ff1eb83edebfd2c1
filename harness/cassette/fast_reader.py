"""A fast reader for cassettes in the exact form that `writer` writes.

It exists for the start-up time of replays. Measured on the 18 shipped cassettes (130 kB) it takes
2 ms, PyYAML's C loader alone 59 ms, the complete reading by PyYAML 107 ms; for one cassette of
1.8 MB 37 ms, 0.95 s and 1.8 s. The form is a small subset of YAML with keys in a fixed order, which
regular expressions can read. For any other text NotCanonical is raised, and `reader` uses PyYAML.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias, TypeVar

from harness.cassette.artefacts import FILE_NAME
from harness.cassette.writer import LATEST, PROVENANCE_TEXTS
from harness.types import (
    Artefact,
    BrokenOff,
    Cassette,
    CodedBody,
    Exchange,
    NetworkError,
    Origin,
    Provenance,
    Request,
    Response,
    Sdk,
    Timing,
)
from harness.wire.http import is_address


class NotCanonical(Exception):
    """The text is not in the exact form that the harness writes; PyYAML may be able to read it."""


def load(text: str | bytes) -> Cassette:
    """Return the cassette in *text*, read without PyYAML; `reader.load_yaml` returns the same.

    Raises NotCanonical if the text is not in the exact form that the harness writes.
    """
    whole = _checked(text)
    head = _HEAD.match(whole)
    if head is None:
        raise NotCanonical
    entries = _Entries(whole, head.end())
    facts = deque(map(_facts, entries.of(_METADATA)))
    middle = _INTERACTIONS.match(whole, entries.end)
    if middle is None:
        raise NotCanonical
    entries = _Entries(whole, middle.end())
    exchanges: list[Exchange] = []
    for interaction in entries.of(_INTERACTION):
        if not facts:
            raise NotCanonical
        exchanges.append(_exchange(interaction, facts.popleft()))
    if facts or whole[entries.end :] not in _ENDS:
        raise NotCanonical
    return Cassette(tuple(exchanges), _provenance(head))


def load_provenance(first: bytes, last: bytes) -> Provenance:
    """Return the provenance of a cassette of which only the *first* and *last* bytes were read.

    The provenance is in the first bytes; the last bytes show that the file is complete. Raises
    NotCanonical if the file is not in the form that the harness writes, or if its provenance does
    not fit into *first*.
    """
    # The last line of the first bytes may be cut off, in the middle of a character.
    head = _HEAD.match(_checked(first[: first.rfind(b"\n") + 1]))
    if head is None or not last.endswith(_ENDS):
        raise NotCanonical
    return _provenance(head)


def has_provenance(content: bytes) -> bool:
    """Return whether *content*, the bytes of a cassette, may have a provenance.

    Return False for a file that vcrpy wrote: its only top-level keys are `interactions` and
    `version`.
    """
    is_whole = content.startswith(_OF_VCRPY[0]) and content.endswith(_OF_VCRPY[1])
    return (
        not is_whole or _OTHER_KEY.search(content, 0, len(content) - len(_OF_VCRPY[1])) is not None
    )


_OF_VCRPY = b"interactions:\n- request:\n", b"\nversion: 1\n"
_OTHER_KEY = re.compile(rb"\n(?:[^ \n-]|-[^ ])")

_ORDINARY = bytes([0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)])
_CONTROL = re.compile(b"\xc2[\x80-\x9f]")
_SPECIAL = "\u2028\u2029\ufeff\ufffe\uffff"
"""The line breaks, byte order mark and non-characters that YAML does not read as ordinary text."""
_SLICE = 2**20


def _checked(text: str | bytes) -> bytes:
    """Return *text* as UTF-8, the only form of it that is in memory while it is read.

    Raises NotCanonical if it is not UTF-8 or has special characters: those that YAML treats
    differently, such as tabs and control characters.
    """
    try:
        raw = text.encode() if isinstance(text, str) else text
        decoder = codecs.getincrementaldecoder("utf-8")()
        for start in range(0, 0 if raw.isascii() else len(raw), _SLICE):
            part = decoder.decode(raw[start : start + _SLICE])
            if any(map(part.__contains__, _SPECIAL)):  # much faster than in bytes
                raise NotCanonical
        decoder.decode(b"", final=True)
    except UnicodeError:
        raise NotCanonical from None
    if raw.translate(None, _ORDINARY) or (b"\xc2" in raw and _CONTROL.search(raw)):
        raise NotCanonical
    return raw


# --------------------------------------------------------------------------------- patterns

_SINGLE = r"'[^'\n]*+(?:''[^'\n]*+)*+'"
_DOUBLE = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_SCALAR = rf"{_SINGLE}|{_DOUBLE}|[A-Za-z0-9/.][^\n]*+"
_INT = r"0|[1-9][0-9]{0,15}"
_FLOAT = r"[0-9]{1,16}\.[0-9]{1,16}"


def _body(indent: int) -> str:
    """Return the regular expression of a body whose lines are indented by *indent* spaces."""
    line = " " * indent
    block = rf"\|[+-]?\n{line}[^ \n][^\n]*+\n(?:(?:{line}[^\n]*+)?\n)*+"
    binary = rf"!!binary \|\n(?:{line}[A-Za-z0-9+/=]++\n)++"
    # A long text is read much faster without a look at its quotes: `_content` has to do that.
    return rf"{block}|{binary}|['\"][^\n]*+\n|(?:{_SCALAR})\n"


def _compiled(pattern: str) -> re.Pattern[bytes]:
    """Return a compiled regular expression for a text in UTF-8."""
    return re.compile(pattern.encode())


def _sequence(name: str) -> str:
    return rf"(?:    {name}:\n(?P<{name}>(?:    - (?:{_SCALAR})\n)++))?"


_HEAD = _compiled(
    "metadata:\n  harness:\n    format: 1\n    recorded_from: (?P<recorded_from>[a-z]+)\n"
    + "".join(rf"(?:    {name}: (?P<{name}>{_SCALAR})\n)?" for name in PROVENANCE_TEXTS)
    + rf"(?:    sdk:\n      name: (?P<sdk>{_SCALAR})\n      version: (?P<version>{_SCALAR})\n)?"
    + _sequence("script")
    + _sequence("volatile")
    + r"    exchanges:(?: \[\])?\n"
)
_METADATA = _compiled(
    rf"    - (?:turn: ({_INT})\n      )?started_at: ({_SINGLE})\n"
    rf"      first_byte: ({_FLOAT})\n      total: ({_FLOAT})\n"
    rf"(?:      chunks: \[((?:{_INT})(?:, (?:{_INT}))*+)\]\n)?"
    rf"(?:      arrived: \[((?:{_FLOAT})(?:, (?:{_FLOAT}))*+)\]\n)?"
    rf"(?:      key: ({_SCALAR})\n)?"
    rf"(?:      coded:\n        coding: ({_SCALAR})\n"
    rf"(?:        chunks: \[((?:{_INT})(?:, (?:{_INT}))*+)\]\n)?"
    r"(?:        body: (!!binary \|\n(?:          [A-Za-z0-9+/=]++\n)++))?"
    rf"(?:        length: ({_INT})\n)?)?"
    rf"(?:      broken_off: ([A-Za-z ]+)\n      message: ({_SCALAR})\n)?"
)
_INTERACTIONS = _compiled(r"interactions:(?: \[\])?\n")
_ENDS = (b"version: 1\n", b"version: 1\n...\n")
"""The accepted ends of a cassette; libyaml writes three dots after some documents."""
_INTERACTION = _compiled(
    rf"- request:\n    method: ({_SCALAR})\n    uri: ({_SCALAR})\n    body: ({_body(6)})"
    r"    headers:( {}\n|\n(?:      [^\n]++\n)++)"
    rf"  response:\n    status:\n      code: ({_INT})\n      message: ({_SCALAR})\n"
    r"    headers:( {}\n|\n(?:      [^\n]++\n)++)"
    rf"    body:\n      string: ({_body(8)})"
    rf"(?:      artefact: ({FILE_NAME.pattern})\n      size: ({_INT})\n)?"
)
_HEADER = _compiled(
    rf"      ({_SINGLE}|[A-Za-z][\w-]*+):\n      - ({_SCALAR})\n((?:      - (?:{_SCALAR})\n)*+)"
)
_ITEM = _compiled(rf" +- ({_SCALAR})\n")

# ----------------------------------------------------------------------------------- values

T = TypeVar("T")


class _Entries:
    """The entries of a sequence, which begins at the byte *end* of *text*.

    Attributes:
        end: The byte after the last entry that was read.
    """

    def __init__(self, text: bytes, end: int) -> None:
        self._text = text
        self.end = end

    def of(self, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
        """Yield consecutive matches of *pattern*.

        Raises NotCanonical if an empty list (`[]`) precedes the matches, or if there are no matches
        and no empty list precedes.
        """
        is_empty = self._text.endswith(b"[]\n", 0, self.end)
        has_any = False
        while match := pattern.match(self._text, self.end):
            has_any, self.end = True, match.end()
            yield match
        if is_empty == has_any:
            raise NotCanonical


def _provenance(head: re.Match[bytes]) -> Provenance:
    recorded_from, *texts, sdk, version, script, volatile = head.groups()
    if recorded_from not in _ORIGINS:
        raise NotCanonical
    return Provenance(
        recorded_from=_ORIGINS[recorded_from],
        sdk=Sdk(_value(sdk), _value(version)) if sdk else None,
        script=_items(script),
        volatile=_items(volatile),
        **dict(zip(PROVENANCE_TEXTS, map(_value_if_any, texts), strict=True)),
    )


_ORIGINS = {origin.value.encode(): origin for origin in Origin}


def _value_if_any(text: bytes | None) -> str:
    return _value(text) if text else ""


class _Facts(NamedTuple):
    """What the metadata has about an exchange: the attributes of `Exchange` after its messages."""

    timing: Timing
    chunks: tuple[int, ...]
    turn: int | None
    key: str
    coded: CodedBody | None
    broken_off: BrokenOff | None


def _facts(metadata: re.Match[bytes]) -> _Facts:
    turn, started_at, first_byte, total, chunks, arrived, key, *coded, kind, text = (
        metadata.groups()
    )
    try:
        start = datetime.fromisoformat(started_at[1:-1].decode()).timestamp()
    except (ValueError, OverflowError):
        raise NotCanonical from None
    if not 0 <= start <= LATEST:
        raise NotCanonical
    return _Facts(
        Timing(start, float(first_byte), float(total), _numbers(float, arrived)),
        _numbers(int, chunks),
        int(turn) if turn else None,
        _word(key) if key else "",
        _coded_body(*coded) if coded[0] else None,
        _broken_off(kind, text) if kind else None,
    )


def _exchange(interaction: re.Match[bytes], facts: _Facts) -> Exchange:
    method, uri, headers, code, message, more_headers, name, size = interaction.group(
        1, 2, 4, 5, 6, 7, 9, 10
    )
    address = _word(uri)
    if not is_address(address):
        raise NotCanonical
    received = _content(interaction, 8, 8)
    if name is not None and interaction[8] != b"''\n":
        raise NotCanonical
    artefact = None if name is None else Artefact(name.decode(), int(size))
    return Exchange(
        Request(_word(method), address, _headers(headers), _content(interaction, 3, 6)),
        Response(int(code), _word(message), _headers(more_headers), received, artefact),
        *facts,
    )


def _coded_body(
    coding: bytes, chunks: bytes | None, body: bytes | None, length: bytes | None
) -> CodedBody:
    raw = _base64(body, body.index(b"\n"), len(body)) if body else b""
    return CodedBody(_value(coding), raw, _numbers(int, chunks), int(length) if length else None)


def _broken_off(kind: bytes, message: bytes) -> BrokenOff:
    if kind not in _NETWORK_ERRORS:
        raise NotCanonical
    return BrokenOff(_NETWORK_ERRORS[kind], _value(message))


_NETWORK_ERRORS = {error.value.encode(): error for error in NetworkError}


def _numbers(kind: Callable[[bytes], T], text: bytes | None) -> tuple[T, ...]:
    return tuple(map(kind, text.split(b", "))) if text else ()


_Headers: TypeAlias = tuple[tuple[str, str], ...]


def _headers(text: bytes) -> tuple[tuple[str, str], ...]:
    """Return the headers in *text*; short texts are cached, as many exchanges repeat them."""
    return _cached_headers(text) if len(text) < _LONGEST_CACHED else _parse_headers(text)


def _word(text: bytes) -> str:
    """Return what `_value` does; one object for short texts, as many exchanges repeat them."""
    return _cached_value(text) if len(text) < _LONGEST_WORD else _value(text)


_LONGEST_CACHED, _LONGEST_WORD = 1000, 200


def _parse_headers(text: bytes) -> tuple[tuple[str, str], ...]:
    if text == b" {}\n":
        return ()
    pairs: list[tuple[str, str]] = []
    names: list[str] = []
    at = 1
    while match := _HEADER.match(text, at):
        name, first, others = match.groups()
        name = _value(name)
        names.append(name)
        pairs.append((name, _value(first)))
        if others:
            pairs += [(name, value) for value in _items(others)]
        at = match.end()
    if at != len(text) or len(set(names)) != len(names):
        raise NotCanonical
    return tuple(pairs)


_cached_headers = lru_cache(maxsize=1024)(_parse_headers)


def _items(text: bytes | None) -> tuple[str, ...]:
    return tuple(map(_value, _ITEM.findall(text))) if text else ()


def _content(match: re.Match[bytes], group: int, indent: int) -> bytes:
    """Return the body that is a group of a match, and whose lines are indented by *indent*.

    It is taken out of the text that was matched, so that few copies of a large one are in memory.
    """
    text, (start, end) = match.string, match.span(group)
    first = text[start : start + 1]
    if first == b"|":
        return _block(text, start, end, indent)
    if first == b"!":
        return _base64(text, text.index(b"\n", start), end)
    if first == b'"':
        return _escaped(text[start:end]).encode()
    if first == b"'":
        return _quoted(text, start, end)
    plain = text[start : end - 1]
    return b"" if plain == b"null" else _value(plain).encode()


def _quoted(text: bytes, start: int, end: int) -> bytes:
    """Return what a line in single quotes has. Raises NotCanonical if it has other quotes."""
    inner = text[start + 1 : end - 2]
    if end - start < 3 or text[end - 2 : end - 1] != b"'":
        raise NotCanonical
    if b"'" not in inner:
        return inner
    if b"'" in inner.replace(b"''", b""):
        raise NotCanonical
    return inner.replace(b"''", b"'")


def _block(text: bytes, start: int, end: int, indent: int) -> bytes:
    first_line = text.index(b"\n", start)
    block = text[first_line:end].replace(b"\n" + b" " * indent, b"\n")[1:]
    if text.startswith(b"|+", start):
        return block
    return block.rstrip(b"\n") + b"\n" * (first_line == start + 1)


def _base64(text: bytes, start: int, end: int) -> bytes:
    try:
        return base64.decodebytes(text[start:end])
    except ValueError:
        raise NotCanonical from None


def _value(raw: bytes) -> str:
    """Return the text of a YAML scalar on one line, quoted or plain.

    Raises NotCanonical for a plain scalar that YAML reads as another type, such as a number.
    """
    if raw.startswith(b'"'):
        return _escaped(raw)
    text = raw.decode()
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    if ": " in text or " #" in text or text[-1] in ": ":
        raise NotCanonical
    if _MAY_BE_NO_TEXT.match(text):
        from yaml.resolver import Resolver  # PyYAML's patterns of plain scalars that are not text

        for _, pattern in Resolver.yaml_implicit_resolvers.get(text[0], ()):
            if pattern.match(text):
                raise NotCanonical
    return text


_cached_value = lru_cache(maxsize=1024)(_value)
_MAY_BE_NO_TEXT = re.compile(r"[-+.0-9~=<!&*]|(?:y|n|yes|no|on|off|true|false|null)$", re.I)
"""What every plain scalar begins with, or is, that YAML reads as another type than text."""
_ESCAPE = re.compile(r"\\(?:U([0-9A-F]{8})|x([0-9A-F]{2})|(.))")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_YAML_ESCAPES = {
    **{"0": "\\u0000", "a": "\\u0007", "v": "\\u000b", "e": "\\u001b", " ": " "},
    **{"N": "\\u0085", "_": "\\u00a0", "L": "\\u2028", "P": "\\u2029"},
}


def _escaped(raw: bytes) -> str:
    """Return the text of a double-quoted scalar, read as JSON after conversion of YAML's escapes.

    Raises NotCanonical if that is not possible.
    """
    if b"\\u" in raw and _SURROGATE.search(raw):
        raise NotCanonical
    text = raw.decode()
    try:
        return str(json.loads(text))
    except ValueError:
        pass
    try:
        return str(json.loads(_ESCAPE.sub(_for_json, text)))
    except (ValueError, OverflowError):
        raise NotCanonical from None


def _for_json(escape: re.Match[str]) -> str:
    wide, short, letter = escape.groups()
    if letter:
        return _YAML_ESCAPES.get(letter, escape[0])
    return chr(int(wide, 16)) if wide else f"\\u00{short}"
