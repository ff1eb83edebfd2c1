"""YAML for cassettes: a safe loader with limits, and a dumper for readable diffs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import yaml

T = TypeVar("T")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, which also accepts the harmless Python tags that vcrpy writes."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return the value of *node*. Raises ConstructorError if it does not fit the node's tag."""
        try:
            if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
                raise ValueError
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            tag = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"this cannot be read as {tag}", node.start_mark
            ) from None

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return the value of a mapping. Raises ConstructorError if a key occurs twice.

        PyYAML takes the last of the two; a careless merge would lose the exchanges of the first.
        """
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    problem = f"the key {key.value!r:.40} occurs twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
MAX_DIGITS = 1000
"""The greatest length of a number: Python takes minutes to convert some longer ones."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """PyYAML's safe dumper, without aliases, so that its output is easy to review as a diff."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True, so that equal headers are repeated instead of written as `*id001`."""
        return True


class FlowList(list[Any]):
    """A list that is written on one line."""


class FlowDict(dict[str, Any]):
    """A mapping that is written on one line."""


def _text(dumper: Any, text: str) -> Any:
    """Return the YAML node of a text: a literal block if it has several lines, such as a stream."""
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


def _flow_list(dumper: Any, items: FlowList) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


def _flow_dict(dumper: Any, members: FlowDict) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", members, flow_style=True)


def _file_body(loader: Any, node: Any) -> bytes:
    """Return the bytes of a request body that was a file, which vcrpy writes as a pickled buffer.

    Raises TypeError if the buffer holds anything else than text or bytes.
    """
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    content = state[0] if state else b""
    if not isinstance(content, str | bytes):
        raise TypeError
    return content.encode() if isinstance(content, str) else content


def _boolean(loader: Any, node: Any) -> bool | str:
    """Return true and false as booleans, and `yes`, `no`, `on`, `off` as text, as YAML 1.2 does."""
    text = node.value.lower()
    value = bool(loader.bool_values[text])
    return value if text in ("true", "false") else str(node.value)


def _binary(loader: Any, node: Any) -> bytes:
    """Return the bytes in base64. Raises ValueError for text that is not; PyYAML skips it."""
    return base64.b64decode("".join(loader.construct_scalar(node).split()), validate=True)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(FlowList, _flow_list)
_Dumper.add_representer(FlowDict, _flow_dict)
_Loader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node)
)
_Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)
_Loader.add_constructor("tag:yaml.org,2002:binary", _binary)
for _tag in ("python/str", "python/unicode"):
    _Loader.add_constructor(
        f"tag:yaml.org,2002:{_tag}", lambda loader, node: loader.construct_scalar(node)
    )
_Loader.add_constructor("tag:yaml.org,2002:python/object/new:_io.BytesIO", _file_body)


def dump(document: dict[str, Any]) -> str:
    """Return *document* as YAML; Chinese is not escaped, and keys keep their order."""
    # A width that no line reaches: folded lines would make a one-word change a diff of many lines.
    return str(
        yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=2**31 - 1)
    )


def load(text: str | bytes) -> Any:
    """Return the document in a YAML or JSON text.

    Raises yaml.YAMLError, ValueError, RecursionError or OverflowError if the text is invalid.
    """
    start = b"{" if isinstance(text, bytes) else "{"
    if text[:1] == start and (document := _json(text)) is not None:
        return document
    _refuse_bombs(text)
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe loader


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
    nests = [_Nest(None)]
    known: dict[str, tuple[int, int]] = {}
    repeated = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            nests.append(_Nest(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = nests.pop()
            nests[-1].add(*_measured(known, done.anchor, done.size, done.depth))
        elif isinstance(event, yaml.ScalarEvent):
            nests[-1].add(*_measured(known, event.anchor, 1 + len(event.value), 0))
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
    """Return *value* if it is a *kind*. Raises Invalid otherwise."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Invalid(path, f"expected {_NAMES[kind]}, actual {type(value).__name__}")
    return value


def problem_of(error: yaml.YAMLError) -> str:
    """Return why a text is not YAML, in one line."""
    return getattr(error, "problem", None) or str(error).splitlines()[0]


def line_of(error: yaml.YAMLError) -> int | None:
    """Return the line at which a text is not YAML, from 1; None if it is not known."""
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else None


def line(text: str | bytes, path: KeyPath) -> int | None:
    """Return the line of the deepest key of *path* in the document, from 1.

    Return None if not even the first key exists.
    """
    node = yaml.compose(text, Loader=_Loader)
    number = None
    for key in path:
        child = _child(node, key)
        if child is None:
            break
        node, number = child
    return number


def _child(node: Any, key: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child = node.value[key]
        return child, child.start_mark.line + 1
    return None
