"""The few words of JSON Schema (draft 2020-12) that the dialects are written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.analysis.endpoint import Schema
from harness.types import NOTHING

STRING: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}


def record(required: Mapping[str, Any], optional: Mapping[str, Any] = NOTHING) -> Schema:
    """An object with these members; unknown further ones are welcome."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
    }


def array(items: Schema, at_least: int = 0) -> Schema:
    """An array of such items."""
    return {"type": "array", "items": items, "minItems": at_least}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def either(meaning: str, *schemas: Schema) -> Schema:
    """One of several forms; `meaning` says in words what they have in common."""
    return {"anyOf": list(schemas), "description": meaning}


def both(*schemas: Schema) -> Schema:
    """All of these at once."""
    return {"allOf": list(schemas)}


def having(*names: str) -> Schema:
    """An object in which these members are there and not null."""
    return {
        "required": list(names),
        "properties": {name: {"not": {"type": "null"}} for name in names},
    }
