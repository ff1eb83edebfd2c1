"""Which recorded request a new one is, and what is told when it is none of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from harness.types import Exchange, Json, Request
from harness.wire import ABSENT, at, read_json, walk

Key = tuple[str, str, str]
"""Method, path with query, and canonical body: equal for requests that ask the same."""


def key_of(request: Request, volatile: Sequence[str]) -> Key:
    """What a request is looked up by; values at `volatile` JSON pointers do not count.

    The host does not count either: a recording from one address answers at another.
    """
    parts = urlsplit(request.uri)
    where = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return request.method.upper(), where, canonical(request.body, volatile)


def canonical(body: bytes, volatile: Sequence[str] = ()) -> str:
    """A JSON body in one spelling, whatever its key order and spacing; other bodies as they are."""
    document = read_json(body)
    if document.problem or not body:
        return body.decode("latin-1")
    value = document.value
    for pointer in volatile:
        _blank(value, pointer)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _blank(value: Json, pointer: str) -> None:
    """Put the same word in place of whatever stands at `pointer`, if anything does."""
    parent, _, last = pointer.rpartition("/")
    holder: Json = at(value, parent)
    if at(value, pointer) is ABSENT:
        return
    if isinstance(holder, list):
        holder[int(last)] = "(volatile)"
    elif isinstance(holder, dict):
        holder[last.replace("~1", "/").replace("~0", "~")] = "(volatile)"


def closest(asked: Request, recorded: Sequence[Exchange]) -> str:
    """The recorded request most like the one asked, and where they differ, in words."""
    if not recorded:
        return "the cassette is empty"
    best = min(recorded, key=lambda exchange: _distance(asked, exchange.request))
    told = "".join(f"\n  {line}" for line in _differences(asked, best.request))
    return (
        f"the closest recorded one is exchange {recorded.index(best) + 1}, which differs in{told}"
    )


def _distance(asked: Request, recorded: Request) -> tuple[bool, bool, int]:
    paths = urlsplit(asked.uri).path != urlsplit(recorded.uri).path
    return asked.method != recorded.method, paths, len(_differences(asked, recorded))


_SHOWN = 8


def _differences(asked: Request, recorded: Request) -> list[str]:
    """Where two requests differ: the path and both values of each difference, cut to be read."""
    one, other = urlsplit(asked.uri), urlsplit(recorded.uri)
    told = [
        f"{name}: recorded {_short(old)}, asked {_short(new)}"
        for name, new, old in (
            ("method", asked.method, recorded.method),
            ("path", one.path, other.path),
            ("query", one.query, other.query),
        )
        if new != old
    ]
    told += _body_differences(read_json(asked.body).value, read_json(recorded.body).value)
    return told if len(told) <= _SHOWN else [*told[:_SHOWN], f"and {len(told) - _SHOWN} more"]


def _body_differences(asked: Json, recorded: Json) -> list[str]:
    new, old = dict(walk(asked)), dict(walk(recorded))
    told: list[str] = []
    for pointer in [*old, *(p for p in new if p not in old)]:
        was, now = old.get(pointer, ABSENT), new.get(pointer, ABSENT)
        inner = isinstance(was, dict | list) and isinstance(now, dict | list)
        if not inner and was != now and not _inside_told(pointer, told):
            told.append(f"{pointer or '/'}: recorded {_short(was)}, asked {_short(now)}")
    return told


def _inside_told(pointer: str, told: list[str]) -> bool:
    return any(pointer.startswith(line.partition(": ")[0] + "/") for line in told)


def _short(value: object) -> str:
    text = repr(value) if value is ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
