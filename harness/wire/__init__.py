"""Bytes as they travel, read: JSON bodies, server-sent events, JSON pointers and shapes.

Nothing here knows a provider. Reading never raises on any bytes: what is wrong with them comes
back as data (`Document.problem`, `Stream.problems`), for rules to report.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from harness.types import LooseJson

MAX_DEPTH = 200
"""Deeper JSON than this is refused: no answer of an LLM API comes near it."""


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes read as JSON: a value, or the problem that prevented it and its byte offset."""

    value: LooseJson = None
    problem: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event.

    `number` counts from 1; `offset` is the byte offset of its first line in the body, and
    `data_offset` that of its first data line's value; `lines` are those of all its data lines.
    `complete` is False for a last event that the closing blank line never ended. `comments` are
    the lines that began with a colon.
    """

    number: int
    data: str
    event: str = ""
    id: str = ""
    comments: tuple[str, ...] = ()
    offset: int = 0
    data_offset: int = 0
    complete: bool = True
    lines: tuple[int, ...] = field(default=(), compare=False, repr=False)

    @property
    def json(self) -> Document:
        """The data read as JSON."""
        return read_json(self.data.encode())

    def byte(self, offset: int) -> int:
        """The offset in the body of a byte of the data, which may stand on several lines."""
        for start, line in zip(self.lines, self.data.encode().split(b"\n"), strict=False):
            if offset <= len(line):
                return start + offset
            offset -= len(line) + 1
        return self.data_offset


@dataclass(frozen=True, slots=True)
class Stream:
    """A body read as server-sent events; `problems` are (byte offset, text) pairs."""

    events: tuple[Event, ...]
    problems: tuple[tuple[int, str], ...] = ()


class _Refused(ValueError):
    """Something Python's json accepts and JSON does not."""


def _refuse_constant(text: str) -> LooseJson:
    raise _Refused(f"{text} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, LooseJson]]) -> dict[str, LooseJson]:
    found = dict(pairs)
    if len(found) != len(pairs):
        count = Counter(name for name, _ in pairs)
        twice = next(name for name in count if count[name] > 1)
        raise _Refused(f"the key {twice!r} stands twice in one object")
    return found


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
_BOM = "\ufeff"
"""`json.loads` refuses it in plain words, a decoder by itself does not."""


def read_json(body: bytes) -> Document:
    """Read bytes as strict JSON in UTF-8: no NaN, no key twice, bounded depth."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return Document(problem=f"not UTF-8: {error.reason}", offset=error.start)
    try:
        value = _STRICT.decode(text) if text[:1] != _BOM else json.loads(text)
        if text.count("[") + text.count("{") > MAX_DEPTH and _too_deep(value):
            return Document(problem=f"nested deeper than {MAX_DEPTH}")
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        return Document(problem=f"invalid JSON ({error.msg})", offset=offset)
    except (_Refused, RecursionError, ValueError) as error:
        problem = "nested too deep" if isinstance(error, RecursionError) else str(error)
        return Document(problem=problem)
    return Document(value=value)


def _too_deep(value: LooseJson) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in children(node)]
        if not level:
            return False
    return True


def children(value: LooseJson) -> list[LooseJson]:
    """The members of an object or array; nothing for anything else."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


_LINE_END = re.compile(rb"\r\n|\n|\r")


_MARK = b"\xef\xbb\xbf"
"""The byte order mark, which a stream may begin with."""


def _lines(body: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """(offset, line without its end, whether an end was there); without a byte order mark."""
    start = len(_MARK) if body.startswith(_MARK) else 0
    for end in _LINE_END.finditer(body, start):
        yield start, body[start : end.start()], True
        start = end.end()
    if start < len(body):
        yield start, body[start:], False


def read_events(body: bytes) -> Stream:
    """Read a body by the WHATWG grammar of server-sent events.

    Deviations that a client would pass over in silence (unknown fields, bytes that are not
    UTF-8, an event the stream broke off in) are kept as problems.
    """
    events: list[Event] = []
    problems: list[tuple[int, str]] = []
    fields: dict[str, str] = {}
    data: list[str] = []
    comments: list[str] = []
    began: int | None = None
    lines: list[int] = []

    def close(complete: bool) -> None:
        nonlocal began
        if began is not None and (data or fields):
            events.append(
                Event(
                    number=len(events) + 1,
                    data="\n".join(data),
                    event=fields.get("event", ""),
                    id=fields.get("id", ""),
                    comments=tuple(comments),
                    offset=began,
                    data_offset=lines[0] if lines else 0,
                    complete=complete,
                    lines=tuple(lines),
                )
            )
            comments.clear()
        fields.clear()
        data.clear()
        lines.clear()
        began = None

    for offset, raw, ended in _lines(body):
        if not raw:
            close(complete=True)
            continue
        if not ended:
            problems.append((offset, "the stream ends in the middle of a line"))
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.append((offset + error.start, "a line is not UTF-8"))
            line = raw.decode("utf-8", "replace")
        if line.startswith(":"):
            comments.append(line[1:])
            began = offset if began is None else began
            continue
        name, colon, value = line.partition(":")
        skipped = len(name.encode()) + len(colon) + (1 if value.startswith(" ") else 0)
        value = value.removeprefix(" ")
        began = offset if began is None else began
        if name == "data":
            lines.append(offset + skipped)
            data.append(value)
        elif name in ("event", "id", "retry"):
            fields[name] = value
        else:
            problems.append((offset, f"unknown field {name[:40]!r}"))
    if began is not None and (data or fields):
        problems.append((began, "the last event is not closed by a blank line"))
        close(complete=False)
    return Stream(tuple(events), tuple(problems))


class Missing:
    """What a pointer finds where there is nothing; its truth is False."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "absent"


MISSING = Missing()


_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def at(value: LooseJson, pointer: str) -> LooseJson | Missing:
    """The value a JSON pointer (RFC 6901) leads to, or `ABSENT`."""
    if not pointer:
        return value
    for token in pointer.removeprefix("/").split("/"):
        value = _member(value, token.replace("~1", "/").replace("~0", "~"))
    return value


def _member(value: LooseJson | Missing, key: str) -> LooseJson | Missing:
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
        return value[int(key)]
    return MISSING


def find(value: LooseJson, pattern: str) -> list[tuple[str, LooseJson]]:
    """Every (pointer, value) that a JSON pointer leads to, where `[]` is each item of an array.

    >>> find({"a": [{"b": 1}, {"c": 2}]}, "/a/[]/b")
    [('/a/0/b', 1)]
    """
    found: list[tuple[str, LooseJson]] = []
    _collect(value, _steps(pattern), "", found)
    return found


def _collect(node: LooseJson, steps: _Steps, here: str, found: list[tuple[str, LooseJson]]) -> None:
    """Go down, and keep what is at the end; most ways end where an answer is of another form."""
    for number, (step, key) in enumerate(steps, start=1):
        if step == "[]":
            for position, item in enumerate(node if isinstance(node, list) else ()):
                _collect(item, steps[number:], f"{here}/{position}", found)
            return
        node = node.get(key, MISSING) if type(node) is dict else _member(node, key)
        if node is MISSING:
            return
        here = f"{here}/{step}"
    found.append((here, node))


_Steps = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def _steps(pattern: str) -> _Steps:
    """A pattern's steps, as they are spelled and as the keys they mean; patterns are few."""
    steps = pattern.split("/")[1:]
    return tuple((step, step.replace("~1", "/").replace("~0", "~")) for step in steps)


def escape(key: object) -> str:
    """A key as one token of a JSON pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")


def walk(value: LooseJson, pointer: str = "") -> Iterator[tuple[str, LooseJson]]:
    """Every (pointer, value) in a JSON value, itself included, parents first."""
    stack = [(pointer, value)]
    while stack:
        here, node = stack.pop()
        yield here, node
        if isinstance(node, dict):
            stack.extend((f"{here}/{escape(k)}", v) for k, v in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend((f"{here}/{i}", node[i]) for i in range(len(node) - 1, -1, -1))


_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def type_name(value: LooseJson) -> str:
    """The JSON Schema name of a value's type."""
    return _TYPES.get(type(value), type(value).__name__)


def shape(value: LooseJson) -> dict[str, frozenset[str]]:
    """Which paths exist in a JSON value, and with which types; array items share the path `[]`.

    >>> shape({"a": [1, None]})
    {'': frozenset({'object'}), '/a': frozenset({'array'}), '/a/[]': frozenset({'integer', 'null'})}
    """
    found: dict[str, set[str]] = {}
    stack = [("", value)]
    while stack:
        here, node = stack.pop()
        found.setdefault(here, set()).add(type_name(node))
        if isinstance(node, dict):
            stack.extend((f"{here}/{escape(k)}", v) for k, v in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend((f"{here}/[]", v) for v in reversed(node))
    return {path: frozenset(types) for path, types in found.items()}
