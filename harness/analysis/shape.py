"""The shape of JSON values: the paths that exist in them, with the types of their values."""

from __future__ import annotations

from harness.types import Json
from harness.wire.json import type_name
from harness.wire.pointer import ITEMS, escape

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
    stack = [("", value) for value in reversed(values)]
    while stack:
        path, node = stack.pop()
        types.setdefault(path, set()).add(type_name(node))
        if isinstance(node, dict):
            stack.extend((f"{path}/{escape(k)}", v) for k, v in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend((f"{path}/{ITEMS}", v) for v in reversed(node))
    return {path: frozenset(names) for path, names in types.items()}
