"""JSON: a strict reader that never raises, the compact writer, and the names of the types."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from harness.types import Json

MAX_DEPTH = 200
"""Deeper JSON is refused: no answer of an LLM API comes near this depth."""


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes read as JSON: a value, or the problem that prevented it and its byte offset."""

    value: Json = None
    problem: str = ""
    offset: int = 0


class _Refused(ValueError):
    """Raised for text that Python's json accepts although it is not JSON."""


def _refuse_constant(text: str) -> NoReturn:
    raise _Refused(f"{text} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        name = next(name for name in counts if counts[name] > 1)
        raise _Refused(f"duplicate key {name!r} in one object")
    return members


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
_BOM = "\ufeff"
"""`json.loads` refuses it with a clear message, a decoder by itself does not."""


def read_json(body: bytes) -> Document:
    """Read bytes as strict JSON in UTF-8: no NaN, no duplicate key, bounded depth."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return Document(problem=f"not UTF-8: {error.reason}", offset=error.start)
    try:
        value: Json = _STRICT.decode(text) if text[:1] != _BOM else json.loads(text)
        if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(value):
            return Document(problem=f"nested deeper than {MAX_DEPTH}")
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        return Document(problem=f"invalid JSON ({error.msg})", offset=offset)
    except RecursionError:
        return Document(problem="nested too deep")
    except ValueError as error:
        return Document(problem=str(error))
    return Document(value=value)


def _is_too_deep(value: Json) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in children(node)]
        if not level:
            return False
    return True


def children(value: Json) -> Iterable[Json]:
    """Return the members of an object or array; nothing for any other value."""
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
    """Write JSON as the services do: no spaces, Chinese as Chinese.

    `default` converts a value that is not JSON. Raises ValueError for NaN and infinities unless
    `allow_nan`, and TypeError for values that are not JSON and not converted.
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
    """Write compact JSON in UTF-8; a lone surrogate, which UTF-8 cannot hold, is escaped."""
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
    """Return the JSON Schema name of a value's type."""
    return _TYPES.get(type(value), type(value).__name__)
