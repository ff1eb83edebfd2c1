"""A cassette in the very form that `writing` gives it, read by that form.

PyYAML takes most of the time of a replay. What the harness wrote itself is a small part of YAML,
with its keys in one order, so that a regular expression reads it. This is never more than a
shorter way: a text in any other form, however slightly, is not familiar, and PyYAML's to read.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from yaml.resolver import Resolver

from harness.cassette.artefacts import NAME
from harness.types import (
    Artefact,
    Cassette,
    Exchange,
    Origin,
    Provenance,
    Request,
    Response,
    Sdk,
    Timing,
)


class NotCanonical(Exception):
    """A text that the harness would not have written like this; it may still be a cassette."""


def load(text: str | bytes) -> Cassette:
    """The cassette in a familiar text, exactly as PyYAML would have it read. Raises Unfamiliar."""
    whole = _characters(text)
    head = _HEAD.match(whole)
    if head is None:
        raise NotCanonical
    travels, at = _entries(_TRAVEL, whole, head.end())
    middle = _INTERACTIONS.match(whole, at)
    if middle is None:
        raise NotCanonical
    interactions, at = _entries(_INTERACTION, whole, middle.end())
    if whole[at:] not in _ENDS or len(travels) != len(interactions):
        raise NotCanonical
    return Cassette(tuple(map(_exchange, interactions, travels)), _provenance(head))


_ORDINARY = bytes([0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)])
_CONTROL = re.compile("[\x80-\x9f]")
_SPECIAL = "\u2028\u2029\ufeff\ufffe\uffff"
"""What breaks lines or marks an order of bytes, and what no text holds."""


def _characters(text: str | bytes) -> str:
    """The text, if no character in it means anything special to YAML, as a tab does."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        whole = text if isinstance(text, str) else text.decode()
    except UnicodeError:
        raise NotCanonical from None
    if raw.translate(None, _ORDINARY) or (b"\xc2" in raw and _CONTROL.search(whole)):
        raise NotCanonical
    if not raw.isascii() and any(map(whole.__contains__, _SPECIAL)):
        raise NotCanonical
    return whole


# ---------------------------------------------------------------------------------- the form

_SINGLE = r"'[^'\n]*+(?:''[^'\n]*+)*+'"
_DOUBLE = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_ONE = rf"{_SINGLE}|{_DOUBLE}|[A-Za-z0-9/.][^\n]*+"
_INT = r"0|[1-9][0-9]{0,15}"
_FLOAT = r"[0-9]{1,16}\.[0-9]{1,16}"


def _body(indent: int) -> str:
    """A body whose key stands so far to the left of its lines."""
    line = " " * indent
    block = rf"\|[+-]?\n{line}[^ \n][^\n]*+\n(?:(?:{line}[^\n]*+)?\n)*+"
    binary = rf"!!binary \|\n(?:{line}[A-Za-z0-9+/=]++\n)++"
    return rf"{block}|{binary}|(?:{_ONE})\n"


def _listed(name: str) -> str:
    return rf"(?:    {name}:\n(?P<{name}>(?:    - (?:{_ONE})\n)++))?"


_HEAD = re.compile(
    "metadata:\n  harness:\n    format: 1\n    recorded_from: (?P<recorded_from>[a-z]+)\n"
    + "".join(
        rf"(?:    {name}: (?P<{name}>{_ONE})\n)?"
        for name in ("recorded_at", "scenario", "target", "address", "test", "note")
    )
    + rf"(?:    sdk:\n      name: (?P<sdk>{_ONE})\n      version: (?P<version>{_ONE})\n)?"
    + _listed("script")
    + _listed("volatile")
    + r"    exchanges:(?: \[\])?\n"
)
_TRAVEL = re.compile(
    rf"    - (?:turn: ({_INT})\n      )?started_at: ({_SINGLE})\n"
    rf"      first_byte: ({_FLOAT})\n      total: ({_FLOAT})\n"
    rf"(?:      chunks: \[((?:{_INT})(?:, (?:{_INT}))*+)\]\n)?"
    rf"(?:      arrived: \[((?:{_FLOAT})(?:, (?:{_FLOAT}))*+)\]\n)?"
    rf"(?:      key: ({_ONE})\n)?"
)
_INTERACTIONS = re.compile(r"interactions:(?: \[\])?\n")
_ENDS = ("version: 1\n", "version: 1\n...\n")
"""libyaml ends a document that holds a block with open end by three dots."""
_INTERACTION = re.compile(
    rf"- request:\n    method: ({_ONE})\n    uri: ({_ONE})\n    body: ({_body(6)})"
    r"    headers:( {}\n|\n(?:      [^\n]++\n)++)"
    rf"  response:\n    status:\n      code: ({_INT})\n      message: ({_ONE})\n"
    r"    headers:( {}\n|\n(?:      [^\n]++\n)++)"
    rf"    body:\n      string: ({_body(8)})"
    rf"(?:      artefact: ({NAME.pattern})\n      size: ({_INT})\n)?"
)
_HEADER = re.compile(
    rf"      ({_SINGLE}|[A-Za-z][\w-]*+):\n      - ({_ONE})\n((?:      - (?:{_ONE})\n)*+)"
)
_ITEM = re.compile(rf" +- ({_ONE})\n")

# -------------------------------------------------------------------------------- its values

Found: TypeAlias = "re.Match[str]"
T = TypeVar("T")
Groups: TypeAlias = tuple[Any, ...]
"""What stands in the brackets of a form: text each, or None."""


def _entries(form: re.Pattern[str], text: str, at: int) -> tuple[list[Groups], int]:
    """What stands in this form, one after the other, from `at`; and where it ends."""
    entries: list[Groups] = []
    empty = text.endswith("[]\n", 0, at)
    while found := form.match(text, at):
        entries.append(found.groups())
        at = found.end()
    if empty == bool(entries):
        raise NotCanonical
    return entries, at


def _provenance(head: Found) -> Provenance:
    recorded_from, *texts, sdk, version, script, volatile = head.groups()
    if recorded_from not in _ORIGINS:
        raise NotCanonical
    recorded_at, scenario, target, address, test, note = map(_value_if_any, texts)
    return Provenance(
        recorded_from=_ORIGINS[recorded_from],
        recorded_at=recorded_at,
        scenario=scenario,
        target=target,
        address=address,
        test=test,
        note=note,
        sdk=Sdk(_value(sdk), _value(version)) if sdk else None,
        script=_items(script),
        volatile=_items(volatile),
    )


_ORIGINS = {origin.value: origin for origin in Origin}


def _value_if_any(text: str | None) -> str:
    return _value(text) if text else ""


def _exchange(interaction: Groups, travel: Groups) -> Exchange:
    method, uri, asked, headers, code, message, more_headers, answered, *file = interaction
    turn, started_at, first_byte, total, chunks, arrived, key = travel
    try:
        start = datetime.fromisoformat(started_at[1:-1]).timestamp()
    except (ValueError, OverflowError):
        raise NotCanonical from None
    return Exchange(
        Request(_value(method), _value(uri), _headers(headers), _content(asked, 6)),
        _response(int(code), _value(message), _headers(more_headers), answered, *file),
        Timing(start, float(first_byte), float(total), _numbers(float, arrived)),
        _numbers(int, chunks),
        int(turn) if turn else None,
        _value_if_any(key),
    )


def _numbers(kind: Callable[[str], T], text: str | None) -> tuple[T, ...]:
    return tuple(map(kind, text.split(", "))) if text else ()


def _response(
    code: int, message: str, headers: _Headers, body: str, name: str | None, size: str | None
) -> Response:
    if name is None or size is None:
        return Response(code, message, headers, _content(body, 8))
    if body != "''\n":
        raise NotCanonical
    return Response(code, message, headers, b"", Artefact(name, int(size)))


_Headers: TypeAlias = tuple[tuple[str, str], ...]


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    """The headers in a text; many exchanges of a cassette have the same."""
    return _headers_again(text) if len(text) < _ORDINARY_HEADERS else _headers_in(text)


_ORDINARY_HEADERS = 1000


@lru_cache(maxsize=1024)
def _headers_again(text: str) -> tuple[tuple[str, str], ...]:
    return _headers_in(text)


def _headers_in(text: str) -> tuple[tuple[str, str], ...]:
    if text == " {}\n":
        return ()
    pairs: list[tuple[str, str]] = []
    names: list[str] = []
    at = 1
    while found := _HEADER.match(text, at):
        name, first, others = found.groups()
        name = _value(name)
        names.append(name)
        pairs.append((name, _value(first)))
        if others:
            pairs += [(name, value) for value in _items(others)]
        at = found.end()
    if at != len(text) or len(set(names)) != len(names):
        raise NotCanonical
    return tuple(pairs)


def _items(text: str | None) -> tuple[str, ...]:
    return tuple(map(_value, _ITEM.findall(text))) if text else ()


def _content(text: str, indent: int) -> bytes:
    if text[0] == "|":
        return _block(text, indent).encode()
    if text[0] == "!":
        return _bytes(text)
    return b"" if text == "null\n" else _value(text[:-1]).encode()


def _block(text: str, indent: int) -> str:
    first, _, lines = text.partition("\n")
    block = f"\n{lines}".replace("\n" + " " * indent, "\n")[1:]
    if first == "|+":
        return block
    return block.rstrip("\n") + ("\n" if first == "|" else "")


def _bytes(text: str) -> bytes:
    try:
        return base64.decodebytes(text.partition("\n")[2].encode())
    except ValueError:
        raise NotCanonical from None


def _value(text: str) -> str:
    """What stands in one line: in quotes, or plain and not to be taken for anything but text."""
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    if text[0] == '"':
        return _escaped(text)
    if ": " in text or " #" in text or text[-1] in ": ":
        raise NotCanonical
    for _, form in _WORDS.get(text[0], ()):
        if form.match(text):
            raise NotCanonical
    return text


_WORDS: dict[str, list[tuple[str, re.Pattern[str]]]] = Resolver.yaml_implicit_resolvers
"""What PyYAML takes for more than text, by its first character."""
_ESCAPE = re.compile(r"\\(?:U([0-9A-F]{8})|x([0-9A-F]{2})|(.))")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ONLY_YAML = {
    **{"0": "\\u0000", "a": "\\u0007", "v": "\\u000b", "e": "\\u001b", " ": " "},
    **{"N": "\\u0085", "_": "\\u00a0", "L": "\\u2028", "P": "\\u2029"},
}


def _escaped(text: str) -> str:
    """Most escapes are JSON's too, whose reader is quick; the others are put into its words."""
    if _SURROGATE.search(text):
        raise NotCanonical
    try:
        return str(json.loads(text))
    except ValueError:
        pass
    try:
        return str(json.loads(_ESCAPE.sub(_for_json, text)))
    except (ValueError, OverflowError):
        raise NotCanonical from None


def _for_json(escape: Found) -> str:
    wide, short, letter = escape.groups()
    if letter:
        return _ONLY_YAML.get(letter, escape[0])
    return chr(int(wide, 16)) if wide else f"\\u00{short}"
