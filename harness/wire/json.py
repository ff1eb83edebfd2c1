"""JSON: a strict reader that never raises, a compact writer, and the names of types."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from harness.types import Json

MAX_DEPTH = 200
"""JSON with more nested levels is refused; answers of LLM APIs have far fewer."""


@dataclass(frozen=True, slots=True)
class Document:
    """The result of reading bytes as JSON.

    Attributes:
        value: The value; None also if there is a problem.
        problem: Why the bytes are not valid JSON; "" if they are.
        offset: The byte offset of the problem, 0 if it has none.
    """

    value: Json = None
    problem: str = ""
    offset: int = 0


class _Refused(ValueError):
    """Raised for text that Python's json accepts although it is not JSON."""


def _refuse_constant(text: str) -> NoReturn:
    raise _Refused(f"{text} is not JSON")


_MAX_SHARED = 64


@lru_cache(maxsize=4096)
def _shared(text: str) -> str:
    """Return *text*, or an equal one that was read before: a stream repeats ids and models."""
    return text


def _refuse_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = {
        sys.intern(name): _shared(value)
        if type(value) is str and len(value) < _MAX_SHARED
        else value
        for name, value in pairs
    }
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        name = next(name for name in counts if counts[name] > 1)
        raise _Refused(f"duplicate key {name!r} in one object")
    return members


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
_BOM = "\ufeff"
"""The byte order mark; `json.loads` has a clear error message for it, `JSONDecoder` has not."""


def read_json(body: bytes) -> Document:
    """Return *body* read as strict JSON in UTF-8. Never raises.

    NaN, infinities, duplicate keys and more than `MAX_DEPTH` (200) nested levels are errors; an
    error is returned as `Document.problem`.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return Document(problem=f"not UTF-8: {error.reason}", offset=error.start)
    try:
        value: Json = _STRICT.decode(text) if text[:1] != _BOM else json.loads(text)
        if _has_many(text, "[{", MAX_DEPTH) and _is_too_deep(value):
            return Document(problem=f"nested deeper than {MAX_DEPTH}")
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        return Document(problem=f"invalid JSON ({error.msg})", offset=offset)
    except RecursionError:
        return Document(problem="nested too deep")
    except ValueError as error:
        return Document(problem=str(error))
    return Document(value=value)


_LONG = 2**16


def _has_many(text: str, signs: str, most: int) -> bool:
    """Return whether more than *most* of the *signs* are in *text*."""
    if len(text) < _LONG:
        return sum(map(text.count, signs)) > most
    count = 0  # one by one: to the end of a long text in a tenth of the time that a count takes
    for sign in signs:
        at = text.find(sign)
        while at >= 0 and count <= most:
            count += 1
            at = text.find(sign, at + 1)
    return count > most


def _is_too_deep(value: Json) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in children(node)]
        if not level:
            return False
    return True


def as_text(value: object) -> str | None:
    """Return *value* if it is a string, else None."""
    return value if isinstance(value, str) else None


def as_list(value: object) -> list[Json]:
    """Return *value* if it is an array, else an empty list."""
    return value if isinstance(value, list) else []


def objects_in(value: object) -> list[dict[str, Json]]:
    """Return the items of the array *value* that are objects; empty if *value* is no array."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def as_object(value: object) -> dict[str, Json]:
    """Return *value* if it is an object, else an empty dictionary."""
    return value if isinstance(value, dict) else {}


def children(value: Json) -> Iterable[Json]:
    """Return the values in an object or array; empty for any other value."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def compact(
    value: object,
    *,
    sort_keys: bool = False,
    allow_nan: bool = True,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """Return *value* as JSON text in the style of the services: no spaces, no Unicode escapes.

    Args:
        value: The value.
        sort_keys: Whether to sort the keys of objects.
        allow_nan: Whether to write NaN and infinities, which are not valid JSON.
        default: Converts a value of a type that JSON does not have.

    Raises:
        ValueError: The value has NaN or an infinity, and *allow_nan* is False.
        TypeError: The value has a type that JSON does not have, and there is no *default*.
    """
    return json.dumps(
        value,
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=sort_keys,
        allow_nan=allow_nan,
        default=default,
    )


def compact_bytes(value: object) -> bytes:
    """Return *value* as compact JSON in UTF-8.

    If a text has a lone surrogate, which UTF-8 cannot encode, all non-ASCII characters are escaped.
    """
    try:
        return compact(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def type_name(value: object) -> str:
    """Return the JSON Schema name of the type of *value*, such as `integer` or `null`.

    For a value that JSON does not have, return the name of its Python class.
    """
    return _TYPES.get(type(value), type(value).__name__)
