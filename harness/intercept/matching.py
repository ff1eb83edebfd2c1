"""The matching of actual requests with recorded ones, and the text about the closest mismatch."""

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
"""One difference between two requests: its location, the recorded value and the actual value.

The location is `method`, `path`, `query`, `body` or a JSON pointer into the body.
"""


def key_of(request: Request, volatile: Sequence[str]) -> Key:
    """Return the key by which *request* is matched, without values at *volatile* JSON pointers.

    The key has no host, so that a recording from one address answers requests to another.
    """
    path, query = _path(request)
    target = f"{path}?{query}" if query else path
    return request.method.upper(), target, canonical(request.body, volatile)


def _path(request: Request) -> tuple[str, str]:
    """Return the path and the query of a request's URI; an invalid URI counts as the path."""
    try:
        parts = urlsplit(request.uri)
    except ValueError:
        return request.uri, ""
    return parts.path, parts.query


def canonical(body: bytes, volatile: Sequence[str] = ()) -> str:
    """Return the text of *body* that is compared in matching.

    JSON is written compactly with sorted keys, and the values at *volatile* JSON pointers are
    replaced. In a multipart body the boundary, which clients choose at random, is replaced. Any
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
    """Replace the value at *pointer* by "(volatile)"; do nothing if there is no such value."""
    if not pointer or resolve(value, pointer) is MISSING:
        return
    container = resolve(value, pointer.rpartition("/")[0])
    last = tokens(pointer)[-1]
    if isinstance(container, list):
        container[int(last)] = "(volatile)"
    elif isinstance(container, dict):
        container[last] = "(volatile)"


def closest(actual: Request, recorded: Sequence[Exchange], volatile: Sequence[str] = ()) -> str:
    """Return a text with the number of the recorded request most similar to *actual*.

    The text lists the differences. If *recorded* is empty, it says that the cassette is empty.
    """
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
    """Return the differences of two requests, without values at *volatile* JSON pointers."""
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
    """Return whether two values are equal.

    Two objects, or two arrays, count as equal, because their members are compared one by one.
    """
    if type(old) is not type(new):
        return False
    return isinstance(old, dict | list) or old == new


def _is_below(pointer: str, reported: Container[str]) -> bool:
    """Return whether *pointer* leads into a value whose own pointer is in *reported*."""
    ends = (i for i, character in enumerate(pointer) if character == "/")
    return any(pointer[:end] in reported for end in ends)


def _short(value: Json | Missing) -> str:
    text = repr(value) if isinstance(value, Missing) else json.dumps(value, ensure_ascii=False)
    text = without_keys(text)  # it may hold keys that the redactor does not know
    printable = text.encode("utf-8", "backslashreplace").decode()
    return printable if len(printable) <= 60 else f"{printable[:57]}..."
