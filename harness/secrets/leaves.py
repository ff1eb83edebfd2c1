"""Texts in YAML and JSON files: strings and member names, each with its path and lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import yaml

from harness.secrets.texts import from_latin


@dataclass(frozen=True, slots=True)
class Leaf:
    """A text in a file: a scalar value, or the name of a member.

    Attributes:
        path: The member names and item indexes that lead to it.
        text: The text.
        first: The number of its first line, from 1.
        last: The number of its last line.
        is_binary: Whether it is base64, by YAML's tag `!!binary`.
        is_name: Whether it is the name of a member.
    """

    path: tuple[str | int, ...]
    text: str
    first: int
    last: int
    is_binary: bool = False
    is_name: bool = False

    @property
    def name(self) -> str:
        """The name of the nearest member around the text; empty if the text is a name."""
        if self.is_name:
            return ""
        return next((str(key) for key in reversed(self.path) if isinstance(key, str)), "")


def leaves_of(text: str) -> list[Leaf]:
    """Return the texts in a YAML or JSON file; empty for any other file."""
    leaves = json_leaves(text) if text.lstrip()[:1] in ("{", "[") else []
    return _with_har_names(leaves or _yaml_leaves(text))


def pointer_at(text: str, offset: int) -> tuple[str | int, ...] | None:
    """Return where in JSON the string or name is that holds *offset*; None if *text* is no JSON."""
    if text.lstrip()[:1] not in ("{", "[") or not _is_json(text):
        return None
    path: _Path = []
    for token in _TOKEN.finditer(text):
        text_here = _step(token[0], path)
        if text_here is not None and token.end() > offset:
            break
    return _keys(path)


_Path = list[str | int | None]
"""The name or index in each collection that is being read; None if a name comes next."""


def _keys(path: _Path) -> tuple[str | int, ...]:
    return tuple(step for step in path if step is not None)


def _advance(path: _Path) -> None:
    """Change the last step of a path to the next member or item, in place."""
    if path:
        last = path[-1]
        path[-1] = last + 1 if isinstance(last, int) else None


# Possessive repeats: a plain repeat of a group keeps memory for each repetition.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]|[^\s\[\]{},:"]+')


def json_leaves(text: str) -> list[Leaf]:
    """Return the strings and names in JSON, or in JSON lines; empty if the text is neither."""
    if not _is_json(text):
        return []
    leaves: list[Leaf] = []
    path: _Path = []
    line, counted = 1, 0
    for token in _TOKEN.finditer(text):
        is_name = path[-1:] == [None]
        value = _step(token[0], path)
        if value is not None:
            line += text.count("\n", counted, token.start())
            counted = token.start()
            leaves.append(Leaf(_keys(path), value, line, line, is_name=is_name))
    return leaves


def _step(sign: str, path: _Path) -> str | None:
    """Change the path for one sign of JSON, in place; return its text if it is a string."""
    if sign in "{[":
        path.append(None if sign == "{" else 0)
    elif sign in "}]":
        del path[-1:]
    elif sign == ",":
        _advance(path)
    elif sign[0] == '"':
        value = str(json.loads(from_latin(sign), strict=False))
        if path[-1:] == [None]:
            path[-1] = value
        return value
    return None


def _is_json(text: str) -> bool:
    for candidate in (text, text.lstrip().partition("\n")[0]):
        try:
            json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        return True
    return False


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BINARY = "tag:yaml.org,2002:binary"
_MAX_DEPTH = 100


def _yaml_leaves(text: str) -> list[Leaf]:
    """Return the scalars and names in YAML; empty if it is invalid or a single scalar.

    It is read event by event, so that aliases are never expanded.
    """
    leaves: list[Leaf] = []
    path: _Path = []
    try:
        for event in yaml.parse(text.encode("latin-1"), Loader=_LOADER):
            if isinstance(event, yaml.NodeEvent):
                leaves.extend(_enter(event, path))
            elif isinstance(event, yaml.CollectionEndEvent):
                path.pop()
                _advance(path)
    except (yaml.YAMLError, ValueError):
        return []
    return leaves if any(leaf.path for leaf in leaves) else []


def _enter(event: yaml.NodeEvent, path: _Path) -> Iterator[Leaf]:
    """Update the path for one YAML node, in place, and yield a leaf if the node is a scalar.

    Raises ValueError if a collection is used as a name, or is nested too deep.
    """
    is_name = path[-1:] == [None]
    if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
        value = event.value if isinstance(event, yaml.ScalarEvent) else ""
        if is_name:
            path[-1] = value
        if isinstance(event, yaml.ScalarEvent):
            start, end = event.start_mark, event.end_mark
            first = start.line + 1 if start else 1
            last = end.line + (1 if end.column else 0) if end else first
            binary = event.tag == _BINARY
            yield Leaf(_keys(path), value, first, max(first, last), binary, is_name)
        if not is_name:
            _advance(path)
    elif is_name:
        raise ValueError("a collection for a name")
    elif len(path) >= _MAX_DEPTH:
        raise ValueError("nested too deep")
    else:
        path.append(None if isinstance(event, yaml.MappingStartEvent) else 0)


def _with_har_names(leaves: Sequence[Leaf]) -> list[Leaf]:
    """Return the leaves, with the `name` in the same object as the name of each HAR `value`."""
    names = {
        leaf.path[:-1]: leaf.text
        for leaf in leaves
        if leaf.path[-1:] == ("name",) and not leaf.is_name
    }
    return [
        replace(leaf, path=(*leaf.path[:-1], names[leaf.path[:-1]][:80]))
        if leaf.path[-1:] == ("value",) and not leaf.is_name and leaf.path[:-1] in names
        else leaf
        for leaf in leaves
    ]
