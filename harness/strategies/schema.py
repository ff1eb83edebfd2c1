"""Strategies for texts and links, and for JSON values that fit the schemas of endpoints.

`write_answer` puts values where an endpoint's `Fields` locate them; `completed` adds the members
that the schema requires. Only the keywords that `analysis.json_schema` and the tools' parameters
use are supported. `hypothesis-jsonschema` is not used: its last release (0.23.1, early 2024) does
not support draft 2020-12, and fails with current versions of Hypothesis.

Ordinary values are first in each list, because Hypothesis shrinks towards the first; so failing
examples are readable.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.json_schema import layers, types_of
from harness.providers.operation import Values
from harness.types import Json
from harness.wire import as_list, as_object

Text = TypeVar("Text", str, bytes)

_LONG = "".join(f"{number}，" for number in range(300))

_PIECES = (
    "It is sunny.",
    "北京今天晴。",
    "👨‍👩‍👧🏽𠮷",
    'She said: "yes" \\ {"json": [',
    "one\ntwo\r\n\n",
    "a\u2028b\u2029c\x85d",  # str.splitlines() splits at these
    "data: [DONE]\n\n",
    "null",
    "\t\0\x1b e\u0301 \u202eabc\ufeff",
    _LONG,
)

_CHARACTERS = st.characters(exclude_categories=["Cs"])
"""All characters except surrogates, which UTF-8 cannot encode."""


def texts() -> SearchStrategy[str]:
    """Generate texts: ordinary, empty, long, or with characters that are hard to parse."""
    piece = st.sampled_from(_PIECES) | st.text(_CHARACTERS, max_size=6)
    return st.lists(piece, max_size=3).map("".join)


def sentences() -> SearchStrategy[str]:
    """Generate texts that are not empty."""
    return st.builds("".join, st.tuples(st.sampled_from(_PIECES), texts()))


def hexadecimal(digits: int) -> SearchStrategy[str]:
    """Generate strings of *digits* hexadecimal digits."""
    return st.integers(0, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


def links(extension: str) -> SearchStrategy[str]:
    """Generate URLs of files, with an *extension*, an expiry time and a signature."""
    return st.builds(
        "https://files.example/{}/{}.{}?Expires={}&Signature={}%3D".format,
        hexadecimal(2),
        hexadecimal(8),
        st.just(extension),
        st.integers(1_700_000_000, 1_800_000_000),
        hexadecimal(20),
    )


def sounds() -> SearchStrategy[bytes]:
    """Generate small WAV files."""

    def wav(samples: bytes) -> bytes:
        file = BytesIO()
        with wave.open(file, "wb") as written:
            written.setparams((1, 1, 8000, 0, "NONE", "NONE"))
            written.writeframes(samples)
        return file.getvalue()

    return st.binary(min_size=1, max_size=64).map(wav)


@st.composite
def splits(draw: st.DrawFn, whole: Text) -> tuple[Text, ...]:
    """Generate the pieces of *whole*, a text or a body, cut anywhere; some may be empty.

    Bytes are often cut inside a character; random cuts would rarely do so.
    """
    cut = st.integers(0, len(whole))
    if isinstance(whole, bytes):
        inside = [offset for offset, byte in enumerate(whole) if byte & 0xC0 == 0x80]
        cut = st.one_of(cut, st.sampled_from(inside)) if inside else cut
    drawn: list[int] = draw(st.lists(cut, max_size=4))
    cuts = [0, *sorted(drawn), len(whole)]
    return tuple(whole[start:end] for start, end in pairwise(cuts))


@st.composite
def deltas(draw: st.DrawFn, whole: str) -> tuple[str, ...]:
    """Generate the pieces of *whole*, cut so that they do not look like a cumulative stream.

    In a cumulative stream each text begins with the text before it.
    """
    pieces = draw(splits(whole))
    return (whole,) if _seem_cumulative(pieces) else pieces


def _seem_cumulative(pieces: Sequence[str]) -> bool:
    kept = [piece for piece in pieces if piece]
    return len(kept) > 2 and all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(kept))


# ---------------------------------------------------------------------------- reading a schema


def _properties(schema: Schema) -> dict[str, Schema]:
    return {n: s for part in layers(schema) for n, s in part.get("properties", {}).items()}


def _required(schema: Schema) -> set[str]:
    return {name for part in layers(schema) for name in part.get("required", ())}


def _items(schema: Schema) -> Schema:
    return next((part["items"] for part in layers(schema) if "items" in part), {})


def _is_index(step: str) -> bool:
    return step == "[]" or step.isdigit()


def _subschema(schema: Schema, pointer: str) -> Schema | None:
    """Return the schema of the value at *pointer*; None if *schema* does not describe one.

    A schema of an object without `properties` describes any member; the result is {} then.
    """
    for step in pointer.split("/")[1:]:
        if _is_index(step):
            schema = _items(schema)
            continue
        properties, types = _properties(schema), types_of(schema)
        is_open = not properties and (not types or "object" in types)
        if step not in properties and not is_open:
            return None
        schema = properties.get(step, {})
    return schema


def describes(schema: Schema, pointer: str) -> bool:
    """Return whether *schema* has a subschema for the JSON *pointer*, or allows any value there."""
    return _subschema(schema, pointer) is not None


def requires(schema: Schema, pointer: str) -> bool:
    """Return whether *schema*, or an alternative (`anyOf`) in it, requires the member *pointer*."""
    parent, _, name = pointer.rpartition("/")
    subschema = _subschema(schema, parent) or {}
    return any(name in _required(form) for form in (subschema, *subschema.get("anyOf", ())))


def field_pointer(
    endpoint: Endpoint, schema: Schema, field: str, without: tuple[str, ...] = ()
) -> str:
    """Return the first JSON pointer of *field* that *schema* describes; "" if there is none.

    Args:
        endpoint: The endpoint.
        schema: The schema of its answers or events.
        field: The name of an attribute of `Fields`.
        without: Pointers that start with one of these are skipped.
    """
    pointers: tuple[str, ...] = getattr(endpoint.fields, field)
    known = (p for p in pointers if describes(schema, p) and not p.startswith(without or ("\0",)))
    return next(known, "")


# ------------------------------------------------------------------------------ writing values


def with_value(value: Json, pointer: str, new: Json) -> Json:
    """Return *value* with *new* at *pointer*, creating missing objects and arrays.

    If the pointer has `[]`, *new* is a list, and each of its items is written to one array item.
    """
    return _write(value, pointer.split("/")[1:], new)


def _write(value: Json, steps: list[str], new: Json) -> Json:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if not _is_index(step):
        members = as_object(value)
        return {**members, step: _write(members.get(step), rest, new)}
    items = as_list(value)
    news = new if step == "[]" and isinstance(new, list) else [new]
    olds = [*items, *[None] * (len(news) - len(items))]
    return [_write(old, rest, item) for old, item in zip(olds, news, strict=True)]


def write_answer(
    endpoint: Endpoint, schema: Schema, values: Values, without: tuple[str, ...] = ()
) -> Json:
    """Return the JSON of an answer or event that has *values*.

    Args:
        endpoint: The endpoint, whose `Fields` locate the values.
        schema: The schema of the answer or event. A value that it does not describe is left out.
        values: The values, by field (the name of an attribute of `Fields`) or by JSON pointer.
        without: Pointers that start with one of these are not used.
    """
    answer: Json = {}
    for name, new in values.items():
        pointer = name if name.startswith("/") else field_pointer(endpoint, schema, name, without)
        if pointer and not isinstance(new, list):
            pointer = pointer.replace("[]", "0")
        answer = with_value(answer, pointer, new) if pointer else answer
    return answer


@st.composite
def completed(draw: st.DrawFn, schema: Schema, value: Json) -> Json:
    """Generate *value*, JSON of an answer or event, with all other members that *schema* requires.

    The added members have values that fit, null if allowed. Optional members that may be null are
    null in some examples, and absent in others.
    """
    return _complete(draw, schema, value, draw(st.booleans()))


def _complete(draw: st.DrawFn, schema: Schema, value: Json, nulls: bool) -> Json:
    if isinstance(value, list):
        return [_complete(draw, _items(schema), item, nulls) for item in value]
    if not isinstance(value, dict):
        return value
    properties, required = _properties(schema), _required(schema)
    members = {n: _complete(draw, properties.get(n, {}), v, nulls) for n, v in value.items()}
    for name in (name for name in properties if name not in value):
        is_nullable = "null" in types_of(properties[name])
        if is_nullable and (nulls or name in required):
            members[name] = None
        elif name in required:
            members[name] = draw(fitting(properties[name]))
    return members


def fitting(schema: Schema) -> SearchStrategy[Json]:
    """Generate values that fit *schema*, with as few members and items as it allows.

    Supported keywords: `type`, `properties`, `required`, `items`, `minItems`, `minLength`,
    `minimum`, `maximum`, `enum` and `const`.
    """
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    return st.one_of([_of_type(schema, type) for type in types_of(schema) or ["object"]])


def _of_type(schema: Schema, type: str) -> SearchStrategy[Json]:
    match type:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "string":
            return sentences() if schema.get("minLength") else texts()
        case "integer" | "number":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 10**6))
        case "array":
            length = schema.get("minItems", 0)
            return st.lists(fitting(_items(schema)), min_size=length, max_size=length)
    properties = _properties(schema)
    members = {name: fitting(properties.get(name, {})) for name in sorted(_required(schema))}
    return st.fixed_dictionaries(members)
