"""YAML for cassettes: a safe loader with limits, and a dumper for readable diffs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    import yaml

T = TypeVar("T")


class FlowList(list[Any]):
    """A list that `dump` writes on one line, such as `[1, 2]`."""


class FlowDict(dict[str, Any]):
    """A mapping that `dump` writes on one line, such as `{a: 1}`."""


def dump(document: dict[str, Any]) -> str:
    """Return *document* as YAML; Chinese is not escaped, and keys keep their order."""
    import yaml

    from harness.cassette.yaml_dialect import Dumper

    # A width that no line reaches: folded lines would make a one-word change a diff of many lines.
    return str(
        yaml.dump(document, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=2**31 - 1)
    )


def load(text: str | bytes) -> Any:
    """Return the document in a YAML or JSON text.

    Raises yaml.YAMLError, ValueError, RecursionError or OverflowError if the text is invalid.
    """
    start = b"{" if isinstance(text, bytes) else "{"
    if text[:1] == start and (document := _json(text)) is not None:
        return document
    from harness.cassette.yaml_dialect import NotPlain, document, plain_document

    try:
        return plain_document(text, MAX_DEPTH)
    except NotPlain:
        _refuse_bombs(text)
        return document(text)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _json(text: str | bytes) -> Any:
    """Return the document in a JSON text; None if the text is not valid JSON.

    vcrpy can write cassettes as JSON. A YAML loader rejects JSON's escapes of characters beyond
    16 bits, such as emoji.
    """
    try:
        document = json.loads(text, object_pairs_hook=_members)
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return document


MAX_DEPTH = 100
"""The greatest depth of nested collections."""
MAX_REPEATED = 2**22
"""The greatest number of characters and nodes that the aliases of one file may repeat."""


@dataclass(slots=True)
class _Nest:
    """The size and depth of a YAML collection, counted with its aliases expanded.

    Attributes:
        anchor: The name of the collection's anchor, if it has one.
        size: The number of its nodes and characters.
        depth: The number of nested collections, from 1.
    """

    anchor: str | None
    size: int = 1
    depth: int = 1

    def add(self, size: int, depth: int) -> None:
        """Add the size and depth of a child."""
        self.size += size
        self.depth = max(self.depth, depth + 1)


def _refuse_bombs(text: str | bytes) -> None:
    """Raise ValueError for a document that is too deep or too large to build.

    Deep nesting overflows the C stack of PyYAML's fast loader, which ends the process. Aliases that
    refer to other aliases can fill the memory.
    """
    import yaml

    from harness.cassette.yaml_dialect import Loader

    nests = [_Nest(None)]
    known: dict[str, tuple[int, int]] = {}
    repeated = 0
    loader = Loader(text)
    while (event := loader.get_event()) is not None:
        if isinstance(event, yaml.ScalarEvent):
            size, _ = _measured(known, event.anchor, 1 + len(event.value), 0)
            nests[-1].size += size
            continue
        if isinstance(event, yaml.CollectionStartEvent):
            nests.append(_Nest(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = nests.pop()
            nests[-1].add(*_measured(known, done.anchor, done.size, done.depth))
        elif isinstance(event, yaml.AliasEvent):
            if any(nest.anchor == event.anchor for nest in nests):
                raise ValueError(f"the anchor {event.anchor} stands inside itself")
            size, depth = known.get(str(event.anchor), (0, 0))
            nests[-1].add(size, depth)
            repeated += size
        if len(nests) + nests[-1].depth - 1 > MAX_DEPTH + 1:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if repeated > MAX_REPEATED:
            raise ValueError("aliases make it too large")


def _measured(
    known: dict[str, tuple[int, int]], anchor: str | None, size: int, depth: int
) -> tuple[int, int]:
    """Store *size* and *depth* in *known* under *anchor*, if there is one, and return them."""
    if anchor is not None:
        known[anchor] = size, depth
    return size, depth


KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and indices that lead from the top of a document to a value."""


class Invalid(Exception):
    """An invalid value in a YAML file.

    Attributes:
        path: The keys and indices that lead to the value.
        problem: What is wrong with it.
    """

    def __init__(self, path: KeyPath, problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem


_NAMES: Mapping[type, str] = {
    dict: "a mapping",
    list: "a list",
    int: "a number",
    bytes: "text",
    str: "text",
}


def expect(value: object, kind: type[T], path: KeyPath) -> T:
    """Return *value* if it is an instance of *kind*; a boolean is never accepted.

    *path* leads to the value in the file. Raises Invalid, with *path*, for any other value.
    """
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Invalid(path, f"expected {_NAMES[kind]}, actual {type(value).__name__}")
    return value


def problem_of(error: yaml.YAMLError) -> str:
    """Return the problem that *error* reports, in one line."""
    return getattr(error, "problem", None) or str(error).splitlines()[0]


def line_of(error: yaml.YAMLError) -> int | None:
    """Return the line of the text to which *error* refers, from 1; None if it is not known."""
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else None


def line_at(text: str | bytes, path: KeyPath) -> int | None:
    """Return the line, from 1, in the YAML *text* of the key or index that ends *path*.

    If there is no such value, return the line of the last key of *path* that exists; None if not
    even the first one does.
    """
    import yaml

    from harness.cassette.yaml_dialect import Loader

    node = yaml.compose(text, Loader=Loader)
    number = None
    for key in path:
        child = _child(node, key)
        if child is None:
            break
        node, number = child
    return number


def _child(node: Any, key: str | int) -> tuple[Any, int] | None:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child = node.value[key]
        return child, child.start_mark.line + 1
    return None
