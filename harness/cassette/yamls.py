"""YAML for cassettes: a safe loader that small files cannot overwhelm, and a dumper for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, and the harmless Python tags that vcrpy writes."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """PyYAML's own, but a value that does not fit its tag is an error of the file."""
        try:
            if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
                raise ValueError
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            tag = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"this cannot be read as {tag}", node.start_mark
            ) from None


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
MAX_DIGITS = 1000
"""Longer numbers are refused: Python takes minutes for some of them."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """PyYAML's safe dumper, writing for people who review a diff."""

    def ignore_aliases(self, data: object) -> bool:
        """Never write `&id001`: equal headers are repeated, as vcrpy's readers expect."""
        return True


class OneLine(list[float]):
    """A list written in one line."""


def _text(dumper: Any, text: str) -> Any:
    """Streams and other texts of several lines as literal blocks."""
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


def _one_line(dumper: Any, numbers: OneLine) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", numbers, flow_style=True)


def _file_body(loader: Any, node: Any) -> bytes:
    """A request body that was a file: vcrpy pickles the buffer and its position."""
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    content = state[0] if state else b""
    if not isinstance(content, str | bytes):
        raise TypeError
    return content.encode() if isinstance(content, str) else content


_Dumper.add_representer(str, _text)
_Dumper.add_representer(OneLine, _one_line)
_Loader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node)
)
for _tag in ("python/str", "python/unicode"):
    _Loader.add_constructor(
        f"tag:yaml.org,2002:{_tag}", lambda loader, node: loader.construct_scalar(node)
    )
_Loader.add_constructor("tag:yaml.org,2002:python/object/new:_io.BytesIO", _file_body)


def dump(document: dict[str, Any]) -> str:
    """A document as YAML; Chinese as Chinese, keys in the order they are given."""
    # A width that no line reaches: folded lines would make a one-word change a diff of many lines.
    return str(
        yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=2**31 - 1)
    )


def load(text: str | bytes) -> Any:
    """The one document of a YAML text.

    Raises yaml.YAMLError, ValueError, RecursionError or OverflowError for anything else.
    """
    start = b"{" if isinstance(text, bytes) else "{"
    if text[:1] == start and (told := _json(text)) is not None:
        return told
    _refuse_bombs(text)
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe loader


def _json(text: str | bytes) -> Any:
    """A document in JSON, as vcrpy's other serializer writes it; None where it is none.

    YAML takes JSON, but not what JSON writes for characters beyond 16 bits, such as emoji.
    """
    try:
        told = json.loads(text)
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return told


MAX_DEPTH = 100
MAX_REPEATED = 2**22
"""So many characters and nodes may stand in a file by aliases alone."""


@dataclass(slots=True)
class _Nest:
    """A collection while it is being measured: with its aliases put in, how large and deep."""

    anchor: str | None
    size: int = 1
    depth: int = 1

    def take(self, size: int, depth: int) -> None:
        self.size += size
        self.depth = max(self.depth, depth + 1)


def _refuse_bombs(text: str | bytes) -> None:
    """Refuse what is small to read and too large to build.

    Deep nesting overflows the C stack of PyYAML's fast loader and ends the process; aliases of
    aliases fill the memory.
    """
    nests = [_Nest(None)]
    known: dict[str, tuple[int, int]] = {}
    repeated = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            nests.append(_Nest(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = nests.pop()
            nests[-1].take(*_measured(known, done.anchor, done.size, done.depth))
        elif isinstance(event, yaml.ScalarEvent):
            nests[-1].take(*_measured(known, event.anchor, 1 + len(event.value), 0))
        elif isinstance(event, yaml.AliasEvent):
            if any(nest.anchor == event.anchor for nest in nests):
                raise ValueError(f"the anchor {event.anchor} stands inside itself")
            size, depth = known.get(str(event.anchor), (0, 0))
            nests[-1].take(size, depth)
            repeated += size
        if len(nests) + nests[-1].depth - 1 > MAX_DEPTH + 1:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if repeated > MAX_REPEATED:
            raise ValueError("aliases make it too large")


def _measured(
    known: dict[str, tuple[int, int]], anchor: str | None, size: int, depth: int
) -> tuple[int, int]:
    """Size and depth, remembered under the anchor."""
    if anchor is not None:
        known[anchor] = size, depth
    return size, depth


Where: TypeAlias = tuple[str | int, ...]
"""The keys that lead to a place in a cassette, from the top."""


def line(text: str | bytes, where: Where) -> int | None:
    """The line of the deepest key on the way to `where` that the file has."""
    node = yaml.compose(text, Loader=_Loader)
    found_at = None
    for key in where:
        found = _child(node, key)
        if found is None:
            break
        node, found_at = found
    return found_at


def _child(node: Any, key: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child = node.value[key]
        return child, child.start_mark.line + 1
    return None
