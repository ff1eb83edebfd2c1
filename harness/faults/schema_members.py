"""Members of the JSON objects in an answer, and whether the endpoint's schema requires them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.analysis.endpoint import Schema
from harness.types import Json
from harness.wire import escape


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a JSON object in an answer.

    Attributes:
        path: A JSON pointer in which `[]` is every item of an array.
        required: Whether the schema requires it.
        optional: Whether it may be left out; False for one of several alternatives (`anyOf`).
        nullable: Whether it may be null.
    """

    path: str
    required: bool
    optional: bool
    nullable: bool

    def combined(self, other: Member) -> Member:
        """Return the member as described for two parts of an answer together.

        It is required if either part requires it, optional or nullable only if it is so in each
        part.
        """
        return Member(
            self.path,
            required=self.required or other.required,
            optional=self.optional and other.optional,
            nullable=self.nullable and other.nullable,
        )


def members(schema: Schema, value: Json, path: str = "") -> Iterator[Member]:
    """Yield a `Member` for every object member in a JSON value, outer objects first.

    *path* is the JSON pointer of *value*.
    """
    layers = list(_layers(schema))
    if isinstance(value, list):
        items = [layer["items"] for layer in layers if isinstance(layer.get("items"), Mapping)]
        for item in value:
            yield from members({"allOf": items}, item, f"{path}/[]")
    if not isinstance(value, dict):
        return
    required = {name for layer in layers for name in layer.get("required", ())}
    forms = [form for layer in layers for form in layer.get("anyOf", ())]
    alternative = {name for form in forms for name in form.get("required", ())}
    for name, child in value.items():
        own = [layer["properties"][name] for layer in layers if name in layer.get("properties", {})]
        here = f"{path}/{escape(name)}"
        yield Member(
            here,
            required=name in required,
            optional=name not in required | alternative,
            nullable=bool(own) and all("null" in _types(layer) for layer in own),
        )
        yield from members({"allOf": own}, child, here)


def _layers(schema: Schema) -> Iterator[Schema]:
    """Yield a schema and the schemas that it includes by `allOf` or `else` (the general case)."""
    yield schema
    for part in (*schema.get("allOf", ()), *filter(None, [schema.get("else")])):
        yield from _layers(part)


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)
