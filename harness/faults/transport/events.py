"""Server-sent events taken apart into lines, and put together again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from harness.faults.transport.recorded import Recorded
from harness.types import LooseJson
from harness.wire import compact_bytes, read_json

Block: TypeAlias = tuple[bytes, ...]
"""The lines of one event, without their ends."""

MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


def blocks(body: bytes) -> list[Block]:
    """The events of a stream."""
    found: list[Block] = []
    lines: list[bytes] = []
    for line in (*_LINE_END.split(body.removeprefix(MARK)), b""):
        if line:
            lines.append(line)
        elif lines:
            found.append(tuple(lines))
            lines = []
    return found


def joined(events: Iterable[Sequence[bytes]], end: bytes = b"\n") -> bytes:
    """Events as a stream whose lines have this end."""
    return b"".join(b"".join(line + end for line in block) + end for block in events)


def data_of(block: Block) -> bytes:
    """An event's data."""
    return b"\n".join(_value(line) for line in block if _is_data(line))


def with_data(block: Block, data: bytes) -> Block:
    """The event with other data, each of whose lines stands on a line of its own."""
    place = next(at for at, line in enumerate(block) if _is_data(line))
    prefix = b"data: " if block[place].startswith(b"data: ") else b"data:"
    rest = [line for line in block[place:] if not _is_data(line)]
    return (*block[:place], *(prefix + line for line in data.split(b"\n")), *rest)


def _is_data(line: bytes) -> bool:
    return line == b"data" or line.startswith(b"data:")


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].removeprefix(b" ")


def spread(value: LooseJson) -> bytes:
    """JSON on as many lines as it has members."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=1).encode()
    except UnicodeEncodeError:  # half a character, which JSON can only escape
        return json.dumps(value).encode()


def reworded(
    recorded: Recorded,
    change: Callable[[LooseJson], LooseJson],
    write: Callable[[LooseJson], bytes] = compact_bytes,
) -> bytes:
    """The body with each JSON value of it, a document or an event's data, changed."""
    if not recorded.is_stream:
        return _reworded(recorded.body, change, write)
    events = blocks(recorded.body)
    return joined(
        with_data(block, _reworded(data_of(block), change, write)) if data_of(block) else block
        for block in events
    )


def reworded_once(recorded: Recorded, change: Callable[[LooseJson], LooseJson]) -> bytes:
    """The same, with the first JSON object alone changed."""
    left = [change]

    def first(value: LooseJson) -> LooseJson:
        return left.pop()(value) if left and isinstance(value, dict) else value

    return reworded(recorded, first)


def _reworded(
    text: bytes, change: Callable[[LooseJson], LooseJson], write: Callable[[LooseJson], bytes]
) -> bytes:
    document = read_json(text)
    return text if document.problem else write(change(document.value))
