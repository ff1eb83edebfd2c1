"""The shape of JSON values: the paths that exist in them, with the types of their values."""

from __future__ import annotations

from harness.types import Json
from harness.wire.json import type_name
from harness.wire.pointer import ITEMS, member_path

Shape = dict[str, frozenset[str]]
"""The JSON Schema type names at each path: a JSON pointer with `[]` for all items of an array."""


def shape(*values: Json) -> Shape:
    """Return the shape of *values*: at each path, the types of all values there.

    >>> list(shape({"a": [1, None]}))
    ['', '/a', '/a/[]']
    >>> shape({"a": [1, None]})["/a/[]"] == {"integer", "null"}
    True
    """
    types: dict[str, set[str]] = {}
    for value in values:
        _add(types, "", value)
    return {path: frozenset(names) for path, names in types.items()}


def _add(types: dict[str, set[str]], path: str, node: Json) -> None:
    """Add to *types* the type of *node*, which is at *path*, and those of all values inside it."""
    if path in types:
        types[path].add(type_name(node))
    else:
        types[path] = {type_name(node)}
    if isinstance(node, dict):
        for key, member in node.items():
            _add(types, member_path(path, key), member)
    elif isinstance(node, list) and node:
        items = f"{path}/{ITEMS}"
        if {*map(type, node)} <= _NUMBERS:  # a vector
            types.setdefault(items, set()).update(map(type_name, node))
            return
        for item in node:
            _add(types, items, item)


_NUMBERS = {int, float}
