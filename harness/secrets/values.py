"""What a file holds: its values, and whatever is packed in them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import yaml


@dataclass(frozen=True, slots=True)
class Leaf:
    """A text that a file holds: the keys that lead to it, and its first and last line."""

    path: tuple[str | int, ...]
    text: str
    first: int
    last: int
    packed: bool = False
    is_name: bool = False

    @property
    def name(self) -> str:
        """The nearest name above it; a name itself has none."""
        if self.is_name:
            return ""
        return next((str(key) for key in reversed(self.path) if isinstance(key, str)), "")


_LARGEST = 2**26
"""No more than this is unpacked, in bytes."""


def latin_of(text: str) -> str:
    """A text's UTF-8 bytes as one character each, as all that is searched stands."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def from_latin(text: str) -> str:
    """The text again that stands as one character a byte, as far as it is one."""
    return (
        text.encode("latin-1", "replace")
        .decode("utf-8", "surrogateescape")
        .encode("utf-8", "replace")
        .decode("utf-8")
    )


def readable(content: bytes) -> str:
    """A file's bytes as one character each; UTF-16 as UTF-8 first."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


STREAM = re.compile("^data:", re.MULTILINE)
_BASE64 = re.compile(r"(?:data:[^,]{1,80};base64,)?([A-Za-z0-9+/_-]{16,}={0,2})")


def decoded(text: str) -> bytes | None:
    """The bytes of a text that is base64 from end to end; None for any other."""
    found = _BASE64.fullmatch(re.sub(r"\s", "", text)) if len(text) < _LARGEST else None
    if found is None:
        return None
    try:
        whole = found[1].rstrip("=").replace("-", "+").replace("_", "/")
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return None


def json_texts(text: str) -> Iterator[str]:
    """The JSON in a text: all of it, or the events of a stream."""
    if text.lstrip()[:1] in ("{", "["):
        yield text
    elif "data:" in text:
        yield from (data for data in re.findall(r"^data: ?([{\[].*)$", text, re.MULTILINE))


def leaves_of(text: str) -> list[Leaf]:
    """The values of a YAML or JSON file; none for other files."""
    found = [*json_leaves(text)] if text.lstrip()[:1] in ("{", "[") else []
    return _renamed(found or _yaml_leaves(text))


_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]|[^\s\[\]{},:"]+')


def json_leaves(text: str) -> list[Leaf]:
    """The texts and names in JSON, or in JSON lines; nothing where it is neither."""
    if not _is_json(text):
        return []
    leaves: list[Leaf] = []
    path: list[str | int | None] = []
    line, counted = 1, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "{[":
            path.append(None if sign == "{" else 0)
        elif sign in "}]" and path:
            path.pop()
        elif sign == "," and path:
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif sign[0] == '"':
            line += text.count("\n", counted, token.start())
            counted = token.start()
            value = str(json.loads(from_latin(sign), strict=False))
            is_name = bool(path) and path[-1] is None
            if is_name:
                path[-1] = value
            here = tuple(key for key in path if key is not None)
            leaves.append(Leaf(here, value, line, line, is_name=is_name))
    return leaves


def _is_json(text: str) -> bool:
    for whole in (text, text.lstrip().partition("\n")[0]):
        try:
            json.loads(whole, strict=False)
        except (ValueError, RecursionError):
            continue
        return True
    return False


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BINARY = "tag:yaml.org,2002:binary"
_MAX_DEPTH = 100


def _yaml_leaves(text: str) -> list[Leaf]:
    """The texts and names in YAML, read event by event: aliases are never put in."""
    leaves: list[Leaf] = []
    path: list[str | int | None] = []
    try:
        for event in yaml.parse(text.encode("latin-1"), Loader=_LOADER):
            if isinstance(event, yaml.NodeEvent):
                _enter(event, path, leaves)
            elif isinstance(event, yaml.CollectionEndEvent):
                path.pop()
                _next(path)
    except (yaml.YAMLError, ValueError):
        return []
    return leaves if any(leaf.path for leaf in leaves) else []


def _enter(event: yaml.NodeEvent, path: list[str | int | None], leaves: list[Leaf]) -> None:
    """One node of YAML: a name, a value, or a collection of them."""
    is_name = bool(path) and path[-1] is None
    if isinstance(event, yaml.ScalarEvent):
        if is_name:
            path[-1] = event.value
        begin, end = event.start_mark, event.end_mark
        first = begin.line + 1 if begin else 1
        last = end.line + (1 if end.column else 0) if end else first
        here = tuple(key for key in path if key is not None)
        packed = event.tag == _BINARY
        leaves.append(Leaf(here, event.value, first, max(first, last), packed, is_name))
        if not is_name:
            _next(path)
    elif isinstance(event, yaml.AliasEvent):
        if is_name:
            path[-1] = ""
        else:
            _next(path)
    else:
        if is_name:
            raise ValueError("a collection for a name")
        if len(path) >= _MAX_DEPTH:
            raise ValueError("nested too deep")
        path.append(None if isinstance(event, yaml.MappingStartEvent) else 0)


def _next(path: list[str | int | None]) -> None:
    if path:
        last = path[-1]
        path[-1] = last + 1 if isinstance(last, int) else None


def _renamed(leaves: Sequence[Leaf]) -> list[Leaf]:
    """HAR has names as values: what stands beside `name` as `value` goes by that name."""
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
