"""The matching of actual requests with recorded ones, and the text about the closest mismatch."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple
from urllib.parse import urlsplit

from harness.secrets.names import is_secret_name
from harness.secrets.shapes import PLACEHOLDER, without_keys
from harness.types import Exchange, Json, Request
from harness.wire import MISSING, Missing, compact, read_json, tokens, walk
from harness.wire.codings import undo_coding
from harness.wire.http import read_form
from harness.wire.patterns import lazy_pattern
from harness.wire.pointer import ITEMS

Key = tuple[str, str, str]
"""Method, path with query, and canonical body: equal for requests that match."""


class RequestDifference(NamedTuple):
    """One difference between two requests.

    Attributes:
        location: `method`, `path`, `query`, `body` or a JSON pointer into the body.
        recorded: The recorded value.
        actual: The actual value.
    """

    location: str
    recorded: Json | Missing
    actual: Json | Missing


def key_of(request: Request, volatile: Sequence[str]) -> Key:
    """Return the key of *request*: a recorded request answers those that have the same key.

    *volatile* names the values that the key leaves out, by JSON pointers into the body, or as
    `?NAME` for a parameter of the query. The key has no host, so that a recording from one address
    answers requests to another.
    """
    path, query = path_and_query(request, volatile)
    target = f"{path}?{query}" if query else path
    return request.method.upper(), target, canonical(request.body, volatile)


def masked_places(requests: Iterable[Request]) -> Iterator[str]:
    """Yield the places in recorded *requests* where only a placeholder for a secret is left.

    They are parameters of the query, as `?NAME`, and members that have the name of a secret, as
    JSON pointers. A replay has other secrets there, or none.
    """
    for request in requests:
        yield from (f"?{name}" for name in _MASKED.findall(request.uri))
        if PLACEHOLDER.encode() in request.body:
            value = _stable(request.body, ())
            for pointer, text in () if isinstance(value, Missing) else walk(value):
                if text == PLACEHOLDER and is_secret_name(pointer.rpartition("/")[2]):
                    yield pointer


_MASKED = lazy_pattern(rf"[?&]([^?&#=]+)={PLACEHOLDER}(?=[&#]|$)")


def path_and_query(request: Request, volatile: Sequence[str] = ()) -> tuple[str, str]:
    """Return the path and the query of a request's URI; an invalid URI counts as the path.

    The values of *volatile* parameters, `?NAME`, are replaced.
    """
    try:
        parts = urlsplit(request.uri)
    except ValueError:
        return request.uri, ""
    query = parts.query
    for name in (place[1:] for place in volatile if place.startswith("?")):
        query = re.sub(rf"((?:^|(?<=&)){re.escape(name)}=)[^&]*", rf"\1{PLACEHOLDER}", query)
    return parts.path, query


def canonical(body: bytes, volatile: Sequence[str] = ()) -> str:
    """Return the text of *body* that is compared in matching.

    JSON is written compactly with sorted keys, and the values at *volatile* JSON pointers are
    replaced. A multipart body is written as its fields, without the boundary, which clients choose
    at random. Any other body is unchanged.
    """
    value = _stable(body, volatile)
    return body.decode("latin-1") if isinstance(value, Missing) else compact(value, sort_keys=True)


def _stable(body: bytes, volatile: Sequence[str]) -> Json | Missing:
    """Return the value of a JSON or multipart body with volatile values replaced; else MISSING.

    A body that a client compressed with gzip is read as what it holds.
    """
    if body.startswith(_GZIP):
        body = undo_coding(body, "gzip") or body
    document = read_json(body)
    value = read_form(body) if document.problem else document.value
    if document.problem and value is None:
        return MISSING
    for pointer in volatile:
        if not pointer.startswith("?"):
            _blank(value, tokens(pointer))
    return value


_GZIP = b"\x1f\x8b"


def _blank(value: Json, path: Sequence[str]) -> None:
    """Replace the values at *path* by "(volatile)"; do nothing if there are none.

    A `*` in the path is every member of an object and every item of an array, `[]` every item.
    """
    if not path:
        return
    first, *rest = path
    if isinstance(value, list):
        every = range(len(value)) if first in ("*", ITEMS) else _index(first, len(value))
        for number in every:
            value[number] = _blanked(value[number], rest)
    elif isinstance(value, dict):
        for name in [*value] if first == "*" and first not in value else [first]:
            if name in value:
                value[name] = _blanked(value[name], rest)


def _blanked(value: Json, path: Sequence[str]) -> Json:
    _blank(value, path)
    return value if path else "(volatile)"


def _index(token: str, length: int) -> Sequence[int]:
    is_index = token.isascii() and token.isdigit() and str(int(token)) == token
    return [int(token)] if is_index and int(token) < length else []


class Distance(NamedTuple):
    """The distance of two requests; it is compared attribute by attribute.

    Attributes:
        other_method: Whether their methods differ.
        other_path: Whether their paths differ.
        differences: The number of all differences.
    """

    other_method: bool
    other_path: bool
    differences: int


EQUAL = Distance(other_method=False, other_path=False, differences=0)


def closest(actual: Request, recorded: Sequence[Exchange], volatile: Sequence[str] = ()) -> str:
    """Return a text that names the recorded request most similar to *actual* by its number.

    The text lists the differences, without values at *volatile* JSON pointers. If *recorded* is
    empty, it says that the cassette is empty.
    """
    return nearest(actual, recorded, volatile)[1]


def nearest(
    actual: Request,
    recorded: Sequence[Exchange],
    volatile: Sequence[str] = (),
    names: Sequence[str] = (),
) -> tuple[Distance, str]:
    """Return the distance of *actual* to the most similar recorded request, and a text about it.

    The text lists the differences, without values at *volatile* JSON pointers. It calls the
    recorded request by its name in *names*, which has one for each item of *recorded*, or by its
    number if *names* is empty.
    """
    if not recorded:
        return Distance(True, True, 0), "the cassette is empty"
    value = _stable(actual.body, volatile)
    values = {} if isinstance(value, Missing) else dict(walk(value))
    all_differences = [
        _differences(exchange.request, actual, volatile, values) for exchange in recorded
    ]
    distances = [_distance(differences) for differences in all_differences]
    best = min(range(len(recorded)), key=distances.__getitem__)
    lines = [
        f"\n  {place}: expected (cassette) {shown[0]}, actual (your request) {shown[1]}"
        for place, old, new in all_differences[best]
        for shown in [_parted(old, new)]
    ]
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"\n  and {len(lines) - _SHOWN} more"]
    name = names[best] if names else f"exchange {best + 1}"
    text = f"the closest recorded request is {name}, which differs in{''.join(lines)}"
    return distances[best], text


_SHOWN = 8


def _distance(differences: Sequence[RequestDifference]) -> Distance:
    places = {one.location for one in differences}
    return Distance("method" in places, "path" in places, len(differences))


_Values = dict[str, Json]
"""The values in a body by their JSON pointers; empty if it has no such values."""


def _differences(
    expected: Request, actual: Request, volatile: Sequence[str], values: _Values
) -> list[RequestDifference]:
    """Return the differences of two requests, without values at *volatile* JSON pointers.

    *values* are those of the actual body.
    """
    (path, query), (old_path, old_query) = (
        path_and_query(actual, volatile),
        path_and_query(expected, volatile),
    )
    parts = [
        RequestDifference("method", expected.method.upper(), actual.method.upper()),
        RequestDifference("path", old_path, path),
        RequestDifference("query", old_query, query),
    ]
    differences = [part for part in parts if part.recorded != part.actual]
    if expected.body == actual.body:
        return differences
    old = _stable(expected.body, volatile) if values else MISSING
    if not isinstance(old, Missing):
        return differences + _value_differences(dict(walk(old)), values)
    body = RequestDifference("body", _text(expected.body), _text(actual.body))
    return [*differences, body]


def _text(body: bytes) -> Json | Missing:
    return body.decode("utf-8", "replace") if body else MISSING


def _value_differences(old_values: _Values, new_values: _Values) -> list[RequestDifference]:
    differences: dict[str, RequestDifference] = {}
    for pointer in old_values | new_values:
        old, new = old_values.get(pointer, MISSING), new_values.get(pointer, MISSING)
        if not _is_equal(old, new) and not _is_below(pointer, differences):
            differences[pointer] = RequestDifference(pointer or "/", old, new)
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


def _parted(old: Json | Missing, new: Json | Missing) -> tuple[str, str]:
    """Return two different values as short texts; long ones begin shortly before they part."""
    if isinstance(old, str) and isinstance(new, str) and old[:_ENOUGH] != new[:_ENOUGH]:
        old, new = old[:_ENOUGH], new[:_ENOUGH]
    expected, actual = _printable(old), _printable(new)
    pairs = zip(expected, actual, strict=False)
    equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    is_long = max(len(expected), len(actual)) > _LONGEST
    start = equal - _BEFORE if is_long and equal > _BEFORE else 0
    first, second = (_cut(text, start) for text in (expected, actual))
    return first, f"{second} (from character {start + 1})" if start else second


_LONGEST = 60
_ENOUGH = 10_000
"""Characters of texts that are made printable, if the texts part in them."""
_BEFORE = 20
"""Characters that are shown before the place where two texts part."""


def _cut(text: str, start: int) -> str:
    part = text[start:]
    shown = part if len(part) <= _LONGEST else f"{part[: _LONGEST - 3]}..."
    return f"...{shown}" if start else shown


def _printable(value: Json | Missing) -> str:
    text = repr(value) if isinstance(value, Missing) else json.dumps(value, ensure_ascii=False)
    text = without_keys(text)  # it may hold keys that the redactor does not know
    return text.encode("utf-8", "backslashreplace").decode()
