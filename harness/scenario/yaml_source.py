"""A YAML reader that returns JSON values, with the line of each value.

It accepts the subset of YAML that corresponds to JSON: no anchors, aliases, tags, dates or
duplicate keys. As in YAML 1.2, plain scalars are text unless they are `true`, `false`, `null` or a
number; `no` and `on` are text.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeAlias

import yaml
from yaml.composer import Composer

from harness.errors import BadScenario
from harness.types import Json
from harness.wire.text import ellipsized

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 50_000
MAX_DIGITS = 30

Loc: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead to a value, such as `("steps", 2, "expect", "failure")`."""


@dataclass(frozen=True, slots=True)
class YamlSource:
    """The value of a YAML text, with the lines of its parts.

    Attributes:
        value: The value of the whole text.
        path: The path of the file; None if the text was not read from a file.
        lines: The line of each part, from 1, by the keys and indices that lead to the part.
        digest: The SHA-256 of the text, by which a change of the file is noticed.
    """

    value: Json = None
    path: Path | None = None
    lines: Mapping[Loc, int] = field(default_factory=dict)
    digest: str = ""

    def known(self, loc: Loc) -> Loc:
        """Return *loc* if the text has this part, else the location of its nearest ancestor.

        A location is the keys and indices that lead to a part, such as `("steps", 2, "user")`.
        """
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return loc

    def line(self, loc: Loc) -> int | None:
        """Return the line of the part at *loc* or of its nearest ancestor; None if unknown."""
        return self.lines.get(self.known(loc))


def where(loc: Loc) -> str:
    """Return *loc*, the keys and indices of a part, as text, such as `steps[2].expect.failure`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part[:60]}" for part in loc)
    return "".join(parts).removeprefix(".")


def shown(value: Json) -> str:
    """Return *value* as a short text for error messages.

    It is "a mapping" or "a list" for these types, else at most 60 characters of the value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return ellipsized(repr(value), 60)


def read(text: str | bytes, path: Path | None = None) -> YamlSource:
    """Return the value of a YAML text, with its lines.

    Raises BadScenario, which names *path*, if the text is not in the accepted subset of YAML or is
    no mapping.
    """
    node = _compose(_decoded(text, path), path)
    if node is None:
        raise BadScenario("the file is empty; a scenario begins with 'name:'", path or "")
    if not isinstance(node, yaml.MappingNode):
        message = "a scenario is a mapping that begins with 'name:', not " + _kind(node)
        message += wide_colon(_decoded(text, path))
        raise BadScenario(message, path or "", _line(node))
    reader = _Reader(path, {(): _line(node)})
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    digest = hashlib.sha256(content).hexdigest()
    return YamlSource(reader.value(node, ()), path, reader.lines, digest)


def _decoded(text: str | bytes, path: Path | None) -> str:
    if len(text) > MAX_BYTES:
        raise BadScenario(f"larger than {MAX_BYTES} bytes", path or "")
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise BadScenario(f"not UTF-8: {error.reason}", path or "", line) from None


def _compose(text: str, path: Path | None) -> yaml.Node | None:
    try:
        with suppress(yaml.YAMLError, ValueError):  # the other parser says more about an error
            return _node(_FastLoader(text), path)
        return _node(_Loader(text), path)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"the character {chr(error.character)!r} is not allowed in YAML"
        raise BadScenario(message, path or "", line) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        problem = _syntax(error.problem or "unreadable", text)
        raise BadScenario(problem, path or "", line) from None
    except (ValueError, OverflowError):  # PyYAML, on escapes such as "\UFFFFFFFF"
        raise BadScenario("not valid YAML: an escape that is no character", path or "") from None


def _node(loader: _Composer, path: Path | None) -> yaml.Node | None:
    loader.path = path
    node: yaml.Node | None = loader.get_single_node()
    return node


_HINTS = {
    r"'\t'": "indent with spaces, YAML allows no tabs",
    "mapping values are not allowed here": "put quotes around a text that contains ': '",
    "another document": "one file holds one scenario, without '---' in between",
}


def _syntax(problem: str, text: str) -> str:
    hint = next((f"; {hint}" for part, hint in _HINTS.items() if part in problem), "")
    return f"not valid YAML: {problem.removeprefix('but ')}{wide_colon(text) or hint}"


_WIDE_COLON = re.compile("^ *(?:- +)?([A-Za-z_]+)：", re.MULTILINE)


def wide_colon(text: str) -> str:
    """Return a hint about the first full-width colon after a key of *text*; empty if there is none.

    The hint is the end of an error message: a full-width colon (`：`) does not end a key in YAML.
    """
    found = _WIDE_COLON.search(text)
    if not found:
        return ""
    line = f"line {text[: found.start(1)].count(chr(10)) + 1}" if "\n" in text else "it"
    return f"; {line} has a full-width colon, write '{found[1]}: '"


class _Composer(Composer):
    """PyYAML's composer, which refuses anchors, aliases, tags and too many or too deep values."""

    path: Path | None = None
    depth = 0
    count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node. Raises BadScenario if it is not accepted."""
        event: yaml.Event = self.peek_event()  # type: ignore[attr-defined]  # the parser's
        self._allow(event)
        self.depth += 1
        self.count += 1
        if self.count > MAX_VALUES:
            self._refuse(f"holds more than {MAX_VALUES} values", event)
        if self.depth > MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _allow(self, event: yaml.Event) -> None:
        if getattr(event, "anchor", None) is not None:
            self._refuse("anchors (&) and aliases (*) are not allowed; write it out", event)
        tag = getattr(event, "tag", None)
        if tag is not None:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(f"tags such as {short} are not allowed", event)

    def _refuse(self, message: str, event: yaml.Event) -> NoReturn:
        raise BadScenario(message, self.path or "", _line(event))


class _Loader(_Composer, yaml.SafeLoader):
    """The composer with PyYAML's own parser."""


_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _FastLoader(_Composer, _FAST):  # type: ignore[misc,valid-type]
    """The composer with the parser in C, where PyYAML has one."""

    def __init__(self, text: str) -> None:
        _FAST.__init__(self, text)
        Composer.__init__(self)


_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: Mapping[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class _Reader:
    """A converter of YAML nodes to JSON values, which stores the line of each value.

    Attributes:
        path: The path of the file, for errors.
        lines: The line of each part that was converted.
    """

    def __init__(self, path: Path | None, lines: dict[Loc, int]) -> None:
        self.path = path
        self.lines = lines

    def value(self, node: yaml.Node, loc: Loc) -> Json:
        """Return the value of *node*, and store the lines of its parts under *loc*."""
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*loc, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _item(self, node: yaml.Node, loc: Loc) -> Json:
        self.lines[loc] = _line(node)
        return self.value(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Json]:
        mapping: dict[str, Json] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            here = (*loc, key)
            if key in mapping:
                first = self.lines[here]
                self._refuse(f"duplicate key {where(here)!r}, first on line {first}", key_node)
            self.lines[here] = _line(key_node)
            mapping[key] = self.value(value_node, here)
        return mapping

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(f"a key must be text, not {_kind(node)}", node)
        key = self._scalar(node)
        if not isinstance(key, str):
            self._refuse(f'a key must be text; write "{node.value}" in quotes', node)
        return key

    def _scalar(self, node: yaml.Node) -> Json:
        if not isinstance(node, yaml.ScalarNode) or node.style:
            return self._text(node)
        text = str(node.value)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        return self._number(text, node) if _NUMBER.fullmatch(text) else text

    def _text(self, node: yaml.Node) -> str:
        """Return the text of a quoted scalar, with surrogate pairs (JSON's escapes) combined.

        Raises BadScenario for half a surrogate pair.
        """
        try:
            return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._refuse("half a surrogate pair is no text; write the character itself", node)

    def _number(self, text: str, node: yaml.Node) -> int | float:
        if len(text) > MAX_DIGITS:
            self._refuse(f"a number of more than {MAX_DIGITS} characters; quote it", node)
        number = int(text) if _INTEGER.fullmatch(text) else float(text)
        if math.isinf(number):
            self._refuse(f"the number {text} is too large", node)
        return number

    def _refuse(self, message: str, node: yaml.Node) -> NoReturn:
        raise BadScenario(message, self.path or "", _line(node))


def _line(item: yaml.Node | yaml.Event) -> int:
    mark = item.start_mark
    return mark.line + 1 if mark else 0


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else "text"
