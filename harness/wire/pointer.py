"""JSON pointers (RFC 6901): split, escape, resolve, and query with `[]` for every array item.

The `jsonpointer` library has no wildcard and raises for a value that does not exist, which is the
common case here: most pointers of an endpoint lead to nothing in most answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from harness.types import Json

ITEMS = "[]"
"""The token of a pattern that stands for every item of an array."""


class Missing:
    """The type of `MISSING`; its truth value is False."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "absent"


MISSING = Missing()
"""What a pointer resolves to where nothing exists, which is not the same as null."""


@lru_cache(maxsize=4096)
def tokens(pointer: str) -> tuple[str, ...]:
    """Return the unescaped tokens of *pointer*; the leading slash may be left out."""
    if not pointer:
        return ()
    # In this order: "~01" is an escaped tilde and a 1, not a slash.
    parts = pointer.removeprefix("/").split("/")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def escape(key: object) -> str:
    """Return *key* as one token of a JSON pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")


def resolve(value: Json, pointer: str) -> Json | Missing:
    """Return the value at *pointer*, or `MISSING`."""
    node: Json | Missing = value
    for key in tokens(pointer):
        node = _member(node, key)
    return node


_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def _member(value: Json | Missing, key: str) -> Json | Missing:
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
        return value[int(key)]
    return MISSING


def query(value: Json, pattern: str) -> list[tuple[str, Json]]:
    """Return every (pointer, value) that *pattern* leads to.

    >>> query({"a": [{"b": 1}, {"c": 2}]}, "/a/[]/b")
    [('/a/0/b', 1)]
    """
    matches: list[tuple[str, Json]] = []
    _collect(value, _steps(pattern), "", matches)
    return matches


_Steps = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def _steps(pattern: str) -> _Steps:
    """Return a pattern's tokens, each as escaped and unescaped."""
    return tuple((escape(key), key) for key in tokens(pattern))


def _collect(node: Json, steps: _Steps, pointer: str, matches: list[tuple[str, Json]]) -> None:
    """Add the matches below *node*; most patterns end early, in an answer of another form."""
    for depth, (step, key) in enumerate(steps, start=1):
        if step == ITEMS:
            for position, item in enumerate(node if isinstance(node, list) else ()):
                _collect(item, steps[depth:], f"{pointer}/{position}", matches)
            return
        member = node.get(key, MISSING) if type(node) is dict else _member(node, key)
        if isinstance(member, Missing):
            return
        node = member
        pointer = f"{pointer}/{step}"
    matches.append((pointer, node))


def walk(value: Json, pointer: str = "") -> Iterator[tuple[str, Json]]:
    """Yield every (pointer, value) in a JSON value, itself included, parents first."""
    stack = [(pointer, value)]
    while stack:
        here, node = stack.pop()
        yield here, node
        if isinstance(node, dict):
            stack.extend((f"{here}/{escape(k)}", v) for k, v in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend((f"{here}/{i}", node[i]) for i in range(len(node) - 1, -1, -1))
