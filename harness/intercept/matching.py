"""Matching of requests with recorded ones, and the description of the closest mismatch."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Sequence
from urllib.parse import urlsplit

from harness.secrets.shapes import without_keys
from harness.types import Exchange, Json, Request
from harness.wire import MISSING, Missing, compact, read_json, resolve, tokens, walk

Key = tuple[str, str, str]
"""Method, path with query, and canonical body: equal for requests that match."""

Difference = tuple[str, "Json | Missing", "Json | Missing"]
"""A place in a request, with the value that was recorded there and the actual one."""


def key_of(request: Request, volatile: Sequence[str]) -> Key:
    """Return what *request* is looked up by, without the values at *volatile* JSON pointers.

    The host is left out: a recording from one address answers requests to another.
    """
    path, query = _path(request)
    target = f"{path}?{query}" if query else path
    return request.method.upper(), target, canonical(request.body, volatile)


def _path(request: Request) -> tuple[str, str]:
    """Return path and query; all of an address that cannot be split."""
    try:
        parts = urlsplit(request.uri)
    except ValueError:
        return request.uri, ""
    return parts.path, parts.query


def canonical(body: bytes, volatile: Sequence[str] = ()) -> str:
    """Return a body in the form in which it is compared.

    JSON is sorted and compact, multipart bodies have a fixed boundary (clients generate it), any
    other body is unchanged.
    """
    value = _stable(body, volatile)
    if isinstance(value, Missing):
        return _with_fixed_boundary(body).decode("latin-1")
    return compact(value, sort_keys=True)


def _with_fixed_boundary(body: bytes) -> bytes:
    boundary = body.partition(b"\r\n")[0]
    if not _BOUNDARY.fullmatch(boundary) or not body.rstrip().endswith(b"\r\n" + boundary + b"--"):
        return body
    fixed = {boundary: b"--(boundary)", boundary + b"--": b"--(boundary)--"}
    return b"\r\n".join(fixed.get(line, line) for line in body.split(b"\r\n"))


_BOUNDARY = re.compile(rb"--[\x20-\x7e]{1,70}")


def _stable(body: bytes, volatile: Sequence[str]) -> Json | Missing:
    """Return the JSON value of a body with volatile values replaced; MISSING if it is not JSON."""
    document = read_json(body)
    if document.problem:
        return MISSING
    value: Json = document.value
    for pointer in volatile:
        _blank(value, pointer)
    return value


def _blank(value: Json, pointer: str) -> None:
    """Replace the value at *pointer*, if there is one."""
    if not pointer or resolve(value, pointer) is MISSING:
        return
    container = resolve(value, pointer.rpartition("/")[0])
    last = tokens(pointer)[-1]
    if isinstance(container, list):
        container[int(last)] = "(volatile)"
    elif isinstance(container, dict):
        container[last] = "(volatile)"


def closest(actual: Request, recorded: Sequence[Exchange], volatile: Sequence[str] = ()) -> str:
    """Describe the recorded request that is most like *actual*, and how they differ."""
    if not recorded:
        return "the cassette is empty"
    all_differences = [_differences(exchange.request, actual, volatile) for exchange in recorded]
    best = min(range(len(recorded)), key=lambda i: _distance(all_differences[i]))
    lines = [
        f"\n  {place}: expected (cassette) {_short(old)}, actual (your request) {_short(new)}"
        for place, old, new in all_differences[best]
    ]
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"\n  and {len(lines) - _SHOWN} more"]
    return f"the closest recorded request is exchange {best + 1}, which differs in{''.join(lines)}"


_SHOWN = 8


def _distance(differences: Sequence[Difference]) -> tuple[bool, bool, int]:
    places = {place for place, _, _ in differences}
    return "method" in places, "path" in places, len(differences)


def _differences(expected: Request, actual: Request, volatile: Sequence[str]) -> list[Difference]:
    """Return where two requests differ, apart from volatile values."""
    (path, query), (old_path, old_query) = _path(actual), _path(expected)
    parts: list[Difference] = [
        ("method", expected.method.upper(), actual.method.upper()),
        ("path", old_path, path),
        ("query", old_query, query),
    ]
    differences = [part for part in parts if part[1] != part[2]]
    return differences + _body_differences(expected.body, actual.body, volatile)


def _body_differences(expected: bytes, actual: bytes, volatile: Sequence[str]) -> list[Difference]:
    old, new = _stable(expected, volatile), _stable(actual, volatile)
    if not isinstance(old, Missing) and not isinstance(new, Missing):
        return _value_differences(old, new)
    old_text, new_text = map(_with_fixed_boundary, (expected, actual))
    return [("body", _text(old_text), _text(new_text))] if old_text != new_text else []


def _text(body: bytes) -> Json | Missing:
    return body.decode("utf-8", "replace") if body else MISSING


def _value_differences(expected: Json, actual: Json) -> list[Difference]:
    old_values, new_values = dict(walk(expected)), dict(walk(actual))
    differences: dict[str, Difference] = {}
    for pointer in old_values | new_values:
        old, new = old_values.get(pointer, MISSING), new_values.get(pointer, MISSING)
        if not _is_equal(old, new) and not _is_below(pointer, differences):
            differences[pointer] = (pointer or "/", old, new)
    return list(differences.values())


def _is_equal(old: Json | Missing, new: Json | Missing) -> bool:
    """Return whether two values are equal; two containers are, as their members are compared."""
    if type(old) is not type(new):
        return False
    return isinstance(old, dict | list) or old == new


def _is_below(pointer: str, reported: Container[str]) -> bool:
    """Return whether *pointer* is inside of a value that is reported already."""
    ends = (i for i, character in enumerate(pointer) if character == "/")
    return any(pointer[:end] in reported for end in ends)


def _short(value: Json | Missing) -> str:
    text = repr(value) if isinstance(value, Missing) else json.dumps(value, ensure_ascii=False)
    text = without_keys(text)  # it may hold keys that the redactor does not know
    printable = text.encode("utf-8", "backslashreplace").decode()
    return printable if len(printable) <= 60 else f"{printable[:57]}..."
