"""Which members of an answer its dialect's schema promises, and which it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.analysis.endpoint import Schema
from harness.types import LooseJson
from harness.wire import escape


@dataclass(frozen=True, slots=True)
class Member:
    """A member that is there. `path` is a JSON pointer in which `[]` is every item of an array."""

    path: str
    required: bool
    optional: bool
    nullable: bool


def members(schema: Schema, value: LooseJson, path: str = "") -> Iterator[Member]:
    """Every member of a JSON value that a schema speaks of, or leaves open; parents first.

    A member is neither required nor optional where it is one of several forms.
    """
    layers = list(_layers(schema))
    if isinstance(value, list):
        items = [layer["items"] for layer in layers if isinstance(layer.get("items"), Mapping)]
        for item in value:
            yield from members({"allOf": items}, item, f"{path}/[]")
    if not isinstance(value, dict):
        return
    required = {name for layer in layers for name in layer.get("required", ())}
    alternative = {name for layer in layers for name in _of_one_form(layer)}
    for name, child in value.items():
        own = [layer["properties"][name] for layer in layers if name in layer.get("properties", {})]
        here = f"{path}/{escape(name)}"
        yield Member(
            here,
            required=name in required,
            optional=name not in required | alternative,
            nullable=bool(own) and all("null" in _types(one) for one in own),
        )
        yield from members({"allOf": own}, child, here)


def _layers(schema: Schema) -> Iterator[Schema]:
    """A schema and all that it takes in by `allOf`, or by `else`: what is so but for one case."""
    yield schema
    for part in (*schema.get("allOf", ()), *filter(None, [schema.get("else")])):
        yield from _layers(part)


def _of_one_form(schema: Schema) -> Iterator[str]:
    for form in schema.get("anyOf", ()):
        yield from form.get("required", ())


def _types(schema: Schema) -> list[str]:
    told = schema.get("type", [])
    return [told] if isinstance(told, str) else list(told)


def without(value: LooseJson, path: str) -> LooseJson:
    """A JSON value without the members at a path."""
    return _changed(value, path.split("/")[1:], drop=True)


def nulled(value: LooseJson, path: str) -> LooseJson:
    """A JSON value with null for the members at a path."""
    return _changed(value, path.split("/")[1:], drop=False)


def _changed(value: LooseJson, steps: list[str], *, drop: bool) -> LooseJson:
    step, rest = steps[0], steps[1:]
    if step == "[]" and isinstance(value, list):
        return [_changed(item, rest, drop=drop) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, child in value.items():
        if escape(name) != step:
            changed[name] = child
        elif rest:
            changed[name] = _changed(child, rest, drop=drop)
        elif not drop:
            changed[name] = None
    return changed
