"""Where each provider keeps what: what a reader of answers looks for, and the paths it stood at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reading import Fields, Pointers, Read, Reading
from harness.reports.html.fields import Form, form
from harness.wire import find

VALUES = (
    "id",
    "model",
    "content",
    "reasoning",
    "tool_calls",
    "finish_reason",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "images",
    "task_id",
    "state",
    "code",
    "message",
)
"""The names of `reading.Fields` that answers have, in the order they are told."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A value and, form by form, the paths where it really stood; none where it never did."""

    name: str
    paths: tuple[tuple[str, ...], ...]


def meanings(reads: Sequence[Read]) -> tuple[tuple[Form, ...], tuple[Meaning, ...]]:
    """Every form, and every value that any of them has."""
    known = {form(read, turn) for read in reads for turn in read.turns}
    found: dict[Form, dict[tuple[str, str], None]] = {asked: {} for asked in sorted(known)}
    for read in reads:
        for turn in read.turns:
            stood = found[form(read, turn)]
            for reading in turn.readings:
                stood.update(dict.fromkeys(_stood(reading)))
    rows = (
        Meaning(name, tuple(_paths(stood, name) for stood in found.values())) for name in VALUES
    )
    return tuple(found), tuple(row for row in rows if any(row.paths))


def _paths(stood: dict[tuple[str, str], None], name: str) -> tuple[str, ...]:
    return tuple(path for known, path in stood if known == name)


def _stood(reading: Reading) -> list[tuple[str, str]]:
    if reading.endpoint is None:
        return []
    told = [(name, path) for name in VALUES for path in _pointers(reading.endpoint.fields, name)]
    return [(name, path) for name, path in told if _is_there(reading, path)]


def _pointers(fields: Fields, name: str) -> Pointers:
    pointers: Pointers = getattr(fields, name)
    return pointers


def _is_there(reading: Reading, path: str) -> bool:
    values = (value for part in reading.parts for _, value in find(part.value, path))
    return any(value not in (None, "", [], {}) for value in values)
