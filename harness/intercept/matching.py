"""Which recorded request a new one is, and what is told when it is none of them."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Sequence
from urllib.parse import urlsplit

from harness.secrets.shapes import without_keys
from harness.types import Exchange, LooseJson, Request
from harness.wire import MISSING, compact, read_json, resolve, tokens, walk

Key = tuple[str, str, str]
"""Method, path with query, and canonical body: equal for requests that ask the same."""


def key_of(request: Request, volatile: Sequence[str]) -> Key:
    """What a request is looked up by; values at `volatile` JSON pointers do not count.

    The host does not count either: a recording from one address answers at another.
    """
    path, query = _path(request)
    where = f"{path}?{query}" if query else path
    return request.method.upper(), where, canonical(request.body, volatile)


def _path(request: Request) -> tuple[str, str]:
    """Path and query; of an address that is none, all of it."""
    try:
        parts = urlsplit(request.uri)
    except ValueError:
        return request.uri, ""
    return parts.path, parts.query


def canonical(body: bytes, volatile: Sequence[str] = ()) -> str:
    """A JSON body in one spelling, whatever its key order and spacing; other bodies as they are.

    Of a form in parts, the line between them does not count: whoever sends one makes it up anew.
    """
    value = _steady(body, volatile)
    return _parted(body).decode("latin-1") if value is MISSING else _spelled(value)


def _parted(body: bytes) -> bytes:
    """A form in parts (multipart/form-data) with one line between them, always the same."""
    line = body.partition(b"\r\n")[0]
    if not _BOUNDARY.fullmatch(line) or not body.rstrip().endswith(b"\r\n" + line + b"--"):
        return body
    return b"\r\n".join(_line(part, line) for part in body.split(b"\r\n"))


def _line(part: bytes, line: bytes) -> bytes:
    """A line of a form, in other words where it is one between parts."""
    return b"--(boundary)" + part[len(line) :] if part in (line, line + b"--") else part


_BOUNDARY = re.compile(rb"--[\x20-\x7e]{1,70}")


def _spelled(value: LooseJson) -> str:
    return compact(value, sort_keys=True)


def _steady(body: bytes, volatile: Sequence[str]) -> LooseJson:
    """A body's JSON value without what is volatile; ABSENT for a body that is not JSON."""
    document = read_json(body)
    if document.problem:
        return MISSING
    for pointer in volatile:
        _blank(document.value, pointer)
    return document.value


def _blank(value: LooseJson, pointer: str) -> None:
    """Put the same word in place of whatever stands at `pointer`, if anything does."""
    if not pointer or resolve(value, pointer) is MISSING:
        return
    holder: LooseJson = resolve(value, pointer.rpartition("/")[0])
    last = tokens(pointer)[-1]
    if isinstance(holder, list):
        holder[int(last)] = "(volatile)"
    elif isinstance(holder, dict):
        holder[last] = "(volatile)"


def closest(asked: Request, recorded: Sequence[Exchange], volatile: Sequence[str] = ()) -> str:
    """The recorded request most like the one asked, and where they differ, in words."""
    if not recorded:
        return "the cassette is empty"
    differ = [_differences(asked, exchange.request, volatile) for exchange in recorded]
    best = min(range(len(recorded)), key=lambda i: _distance(differ[i]))
    lines = [
        f"{where}: recorded {_short(was)}, asked {_short(now)}" for where, was, now in differ[best]
    ]
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"and {len(lines) - _SHOWN} more"]
    told = "".join(f"\n  {line}" for line in lines)
    return f"the closest recorded one is exchange {best + 1}, which differs in{told}"


_SHOWN = 8

Difference = tuple[str, LooseJson, LooseJson]
"""Where, what was recorded there, and what is asked now."""


def _distance(differences: Sequence[Difference]) -> tuple[bool, bool, int]:
    where = {place for place, _, _ in differences}
    return "method" in where, "path" in where, len(differences)


def _differences(asked: Request, recorded: Request, volatile: Sequence[str]) -> list[Difference]:
    """Where two requests differ in what counts."""
    (path, query), (old_path, old_query) = _path(asked), _path(recorded)
    found: list[Difference] = [
        (where, was, now)
        for where, was, now in (
            ("method", recorded.method.upper(), asked.method.upper()),
            ("path", old_path, path),
            ("query", old_query, query),
        )
        if was != now
    ]
    return found + _body_differences(asked.body, recorded.body, volatile)


def _body_differences(asked: bytes, recorded: bytes, volatile: Sequence[str]) -> list[Difference]:
    now, was = _steady(asked, volatile), _steady(recorded, volatile)
    if now is MISSING or was is MISSING:
        new, old = _parted(asked), _parted(recorded)
        return [("body", _readable(old), _readable(new))] if new != old else []
    return _value_differences(now, was)


def _readable(body: bytes) -> LooseJson:
    return body.decode("utf-8", "replace") if body else MISSING


def _value_differences(asked: LooseJson, recorded: LooseJson) -> list[Difference]:
    new, old = dict(walk(asked)), dict(walk(recorded))
    found: dict[str, Difference] = {}
    for pointer in [*old, *(p for p in new if p not in old)]:
        was, now = old.get(pointer, MISSING), new.get(pointer, MISSING)
        if not _same(was, now) and not _inside(pointer, found):
            found[pointer] = (pointer or "/", was, now)
    return list(found.values())


def _same(was: LooseJson, now: LooseJson) -> bool:
    """Whether nothing is to be told of two values; what is inside them is told on its own."""
    for kind in (dict, list):
        if isinstance(was, kind) and isinstance(now, kind):
            return True
    return type(was) is type(now) and bool(was == now)


def _inside(pointer: str, found: Container[str]) -> bool:
    """Whether a pointer leads into something that is told already."""
    ends = (i for i, character in enumerate(pointer) if character == "/")
    return any(pointer[:end] in found for end in ends)


def _short(value: LooseJson) -> str:
    text = repr(value) if value is MISSING else json.dumps(value, ensure_ascii=False)
    text = without_keys(text)  # nobody may have told us of it
    printable = text.encode("utf-8", "backslashreplace").decode()
    return printable if len(printable) <= 60 else f"{printable[:57]}..."
