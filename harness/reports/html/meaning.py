"""Where each provider keeps what: what a reader of answers looks for, and the paths it stood at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare import FIELDS
from harness.reading import Read, Reading
from harness.reports.html.fields import Form, form
from harness.wire import find


@dataclass(frozen=True, slots=True)
class Meaning:
    """A field of `compare.FIELDS` and, form by form, the paths where it really stood."""

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
    forms = found.values()
    rows = [Meaning(f.name, tuple(_paths(stood, f.name) for stood in forms)) for f in FIELDS]
    return tuple(found), tuple(row for row in rows if any(row.paths))


def _paths(stood: dict[tuple[str, str], None], name: str) -> tuple[str, ...]:
    return tuple(path for known, path in stood if known == name)


def _stood(reading: Reading) -> list[tuple[str, str]]:
    if reading.endpoint is None:
        return []
    known = reading.endpoint.fields
    told = [(field.name, path) for field in FIELDS for path in field.pointers(known)]
    return [(name, path) for name, path in told if _is_there(reading, path)]


def _is_there(reading: Reading, path: str) -> bool:
    values = (value for part in reading.parts for _, value in find(part.value, path))
    return any(value not in (None, "", [], {}) for value in values)
