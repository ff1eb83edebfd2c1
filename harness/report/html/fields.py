"""Which fields the requests and answers of each provider have, over all scenarios.

Columns are ways of asking: a provider's messages, its prompt, its pictures. Only what asks for the
same kind of thing stands in one table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare.summary import PARTS, summarize
from harness.report.api_forms import Way, way

MAX_FIELDS = 500
"""So many fields of one table are listed."""

Shape = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """A path and its types with each form; an empty text where a form has it never."""

    path: str
    types: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the forms do not all have the same types there."""
        return len(set(self.types)) > 1


@dataclass(frozen=True, slots=True)
class Fields:
    """All fields of one kind of part, for one topic."""

    topic: str
    part: str
    forms: tuple[Way, ...]
    fields: tuple[Field, ...]

    @property
    def differing(self) -> int:
        """How many fields differ."""
        return sum(field.differs for field in self.fields)


def fields(reads: Sequence[AnalyzedTranscript]) -> tuple[Fields, ...]:
    """A table for each topic and kind of part that at least two forms have."""
    found: dict[tuple[str, str], dict[Way, Shape]] = {}
    for read in reads:
        for turn in read.turns:
            asked = way(read, turn)
            for part, path, types in _paths(turn):
                by_form = found.setdefault((asked.topic, part), {})
                by_form.setdefault(asked, {}).setdefault(path, set()).update(types)
    order = [(topic, part) for topic in ("text", "image") for part in (*PARTS, "request")]
    return tuple(_table(*key, found[key]) for key in order if len(found.get(key, ())) > 1)


def _paths(turn: AnalyzedTurn) -> Iterator[tuple[str, str, set[str]]]:
    for part, paths in summarize(turn).shapes.items():
        yield from ((part, path, set(types.split("|"))) for path, types in paths.items())
    asked = turn.readings[0].request_json if turn.readings else None
    if asked is not None and not asked.problem:
        yield from (("request", path, set(types)) for path, types in shape(asked.value).items())


def _table(topic: str, part: str, found: dict[Way, Shape]) -> Fields:
    forms = tuple(sorted(found))
    paths = sorted({path for known in found.values() for path in known})[:MAX_FIELDS]
    rows = (Field(p, tuple("|".join(sorted(found[f].get(p, ()))) for f in forms)) for p in paths)
    return Fields(topic, part, forms, tuple(rows))
