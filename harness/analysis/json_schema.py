"""Builders of JSON Schemas (draft 2020-12), for the descriptions of endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.analysis.endpoint import Schema
from harness.types import EMPTY

STRING: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
"""A string that is not empty."""

INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
OBJECT: Schema = {"type": "object"}


def object_of(required: Mapping[str, Any], optional: Mapping[str, Any] = EMPTY) -> Schema:
    """Return the schema of an object with *required* and *optional* members.

    Both have the schemas of the members by name. Further members are allowed.
    """
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
    }


def array(items: Schema, at_least: int = 0) -> Schema:
    """Return the schema of an array of *items* with a minimum length of *at_least*."""
    return {"type": "array", "items": items, "minItems": at_least}


def nullable(schema: Schema) -> Schema:
    """Return *schema*, which must have one type, with null allowed too."""
    return {**schema, "type": [schema["type"], "null"]}


def either(meaning: str, *schemas: Schema) -> Schema:
    """Return the schema of a value that fits at least one of *schemas*.

    *meaning* describes these alternatives in reports.
    """
    return {"anyOf": list(schemas), "description": meaning}


def having(*names: str) -> Schema:
    """Return the schema of an object in which the members *names* are present and not null."""
    return {
        "type": "object",
        "required": list(names),
        "properties": {name: {"not": {"type": "null"}} for name in names},
    }


def layers(schema: Schema) -> Iterator[Schema]:
    """Yield *schema*, the schemas in its `allOf` and `else`, and those in theirs.

    These are all that describe a value to which no condition (`if`) applies.
    """
    yield schema
    for part in (*schema.get("allOf", ()), *filter(None, [schema.get("else")])):
        yield from layers(part)


def types_of(schema: Schema) -> list[str]:
    """Return the names of the JSON types that a schema allows; empty if it does not name any."""
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)
