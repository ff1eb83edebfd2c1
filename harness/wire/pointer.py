"""JSON pointers (RFC 6901), and patterns: pointers in which `[]` matches every array item.

The `jsonpointer` library has no wildcard, and raises an exception if the value does not exist,
which is the common case here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from harness.types import Json

ITEMS = "[]"
"""The token of a pattern that matches every item of an array."""


class Missing:
    """The type of `MISSING`, the result of a pointer to nothing; its truth value is False."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "absent"

    def __reduce__(self) -> str:
        return "MISSING"  # pickle gives the one instance


MISSING = Missing()
"""The result of resolving a pointer to a value that does not exist; different from null."""


@lru_cache(maxsize=4096)
def tokens(pointer: str) -> tuple[str, ...]:
    """Return the unescaped tokens of *pointer*, whose leading slash is optional.

    >>> tokens("/choices/0/a~1b")
    ('choices', '0', 'a/b')
    """
    if not pointer:
        return ()
    # In this order: "~01" is an escaped tilde and a 1, not a slash.
    parts = pointer.removeprefix("/").split("/")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def escape(key: object) -> str:
    """Return *key* escaped for use as one token of a JSON pointer: `a/b` becomes `a~1b`."""
    return str(key).replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=4096)
def member_path(path: str, key: str) -> str:
    """Return the pointer or path of the member *key* of the object at *path*."""
    return f"{path}/{escape(key)}"


def resolve(value: Json, pointer: str) -> Json | Missing:
    """Return the value at *pointer*; `MISSING` if there is none."""
    found: Any = value
    for key, index in _steps(pointer):
        if isinstance(found, dict):
            if key not in found:
                return MISSING
            found = found[key]
        elif isinstance(found, list) and index < len(found):
            found = found[index]
        else:
            return MISSING
    return found  # type: ignore[no-any-return]  # what is in JSON is JSON


def text_at(value: Json, pointer: str) -> str | None:
    """Return the string at *pointer*; None if there is no value, or one of another type."""
    found = resolve(value, pointer)
    return found if isinstance(found, str) else None


_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_TOO_LARGE = sys.maxsize
_Steps = tuple[tuple[str, int], ...]
"""The tokens of a pointer, each with its value as an index of an array, which may be too large."""


@lru_cache(maxsize=4096)
def _steps(pointer: str) -> _Steps:
    return tuple((key, _index(key)) for key in tokens(pointer))


def _index(key: str) -> int:
    return int(key) if _INDEX.fullmatch(key) else _TOO_LARGE


def query(value: Json, pattern: str) -> list[tuple[str, Json]]:
    """Return (pointer, value) of every value that matches *pattern*; `[]` matches any array item.

    >>> query({"a": [{"b": 1}, {"c": 2}]}, "/a/[]/b")
    [('/a/0/b', 1)]
    """
    runs = _runs(pattern)
    if len(runs) == 1:  # the common case, without `[]`
        found = resolve(value, pattern)
        return [] if found is MISSING else [(runs[0], found)]  # type: ignore[list-item]
    matches: list[tuple[str, Json]] = []
    _collect(value, runs, "", matches)
    return matches


_Runs = tuple[str, ...]


@lru_cache(maxsize=1024)
def _runs(pattern: str) -> _Runs:
    """Return the pointers before, between and after the `[]` of *pattern*."""
    runs: list[list[str]] = [[]]
    for key in tokens(pattern):
        if key == ITEMS:
            runs.append([])
        else:
            runs[-1].append(key)
    paths = ("".join(f"/{escape(key)}" for key in keys) for keys in runs)
    return tuple(paths)


def _collect(node: Any, runs: _Runs, pointer: str, matches: list[tuple[str, Json]]) -> None:
    """Append (pointer, value) of every match below *node* to *matches*.

    Args:
        node: The value at *pointer*.
        runs: The remaining runs of the pattern, at least one.
        pointer: The pointer to *node*.
        matches: The list to append to.
    """
    path = runs[0]
    node = resolve(node, path) if path else node
    if node is MISSING:
        return
    if len(runs) == 1:
        matches.append((pointer + path, node))
    elif isinstance(node, list):
        for position, item in enumerate(node):
            _collect(item, runs[1:], f"{pointer}{path}/{position}", matches)


class Patterns:
    """Several patterns, which are searched in a value together, by one walk over it.

    Attributes:
        all: The patterns.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.all = frozenset(patterns)
        self._root = _Node()
        for pattern in self.all:
            node = self._root
            for key in tokens(pattern):
                node = node.inner(key)
            node.patterns.append(pattern)

    def found_in(self, value: Json) -> dict[str, Json]:
        """Return by pattern the first value that matches it and is not null.

        Patterns without such a value are left out.

        >>> Patterns(["/a/[]/b", "/c"]).found_in({"a": [{"b": None}, {"b": 1}, {"b": 2}]})
        {'/a/[]/b': 1}
        """
        found: dict[str, Json] = {}
        if value is not None and self._root.patterns:
            found.update(dict.fromkeys(self._root.patterns, value))
        _find(value, self._root, found)
        return found

    def all_in(self, value: Json) -> dict[str, list[Json]]:
        """Return by pattern all values that match it, also nulls.

        >>> Patterns(["/a/[]/b", "/c"]).all_in({"a": [{"b": None}, {"b": 1}]})
        {'/a/[]/b': [None, 1]}
        """
        found: dict[str, list[Json]] = {}
        _find_all(value, self._root, found)
        return found


class _Node:
    """The patterns that begin with the same tokens.

    Attributes:
        patterns: The pattern that ends here, if there is one.
        members: The longer patterns by the next token, as the name of a member.
        indices: Those whose next token is an index of an array, with it.
        items: Those whose next token is `[]`.
    """

    __slots__ = ("indices", "items", "members", "patterns")

    def __init__(self) -> None:
        self.patterns: list[str] = []
        self.members: dict[str, _Node] = {}
        self.indices: list[tuple[int, _Node]] = []
        self.items: _Node | None = None

    def inner(self, key: str) -> _Node:
        """Return the node for the next token *key*; if there is none yet, add it."""
        if key == ITEMS:
            self.items = self.items or _Node()
            return self.items
        if key not in self.members:
            self.members[key] = _Node()
            if (index := _index(key)) != _TOO_LARGE:
                self.indices.append((index, self.members[key]))
        return self.members[key]


def _find(value: Any, node: _Node, found: dict[str, Json]) -> None:
    """Add the first value of each pattern of *node* below *value* to *found*, by pattern."""
    inner: _Node | None
    if isinstance(value, dict):
        members = node.members
        for key in value:
            if key in members and (item := value[key]) is not None:
                inner = members[key]
                for pattern in inner.patterns:
                    if pattern not in found:
                        found[pattern] = item
                if type(item) is dict or type(item) is list:
                    _find(item, inner, found)
    elif isinstance(value, list):
        for index, inner in node.indices:
            if index < len(value) and (item := value[index]) is not None:
                _add(item, inner, found)
        inner = node.items
        for item in value if inner else ():
            if inner and item is not None:
                _add(item, inner, found)


def _add(item: Any, node: _Node, found: dict[str, Json]) -> None:
    for pattern in node.patterns:
        if pattern not in found:
            found[pattern] = item
    if type(item) is dict or type(item) is list:
        _find(item, node, found)


def _find_all(value: Any, node: _Node, found: dict[str, list[Json]]) -> None:
    """Add *value* by each pattern of *node*, and what is below it by the longer patterns."""
    for pattern in node.patterns:
        found.setdefault(pattern, []).append(value)
    if isinstance(value, dict):
        for key, inner in node.members.items():
            if key in value:
                _find_all(value[key], inner, found)
    elif isinstance(value, list):
        for index, inner in node.indices:
            if index < len(value):
                _find_all(value[index], inner, found)
        for item in value if node.items else ():
            _find_all(item, node.items, found)  # type: ignore[arg-type]  # it is not None here


def walk(value: Json, pointer: str = "") -> Iterator[tuple[str, Json]]:
    """Yield (pointer, value) of *value* and of every value inside it, parents first.

    Args:
        value: The JSON value.
        pointer: The pointer to *value*, a prefix of all others.
    """
    stack = [(pointer, value)]
    while stack:
        here, node = stack.pop()
        yield here, node
        if isinstance(node, dict):
            stack.extend((f"{here}/{escape(k)}", v) for k, v in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend((f"{here}/{i}", node[i]) for i in range(len(node) - 1, -1, -1))
