"""All targets of one scenario side by side: which differ, which format each has, and how fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.compare.nouns import Comparison, Layer
from harness.compare.pairs import compare, name
from harness.compare.portrait import PARTS, Portrait, delivery, events, portrait
from harness.reading import Read, ReadTurn
from harness.types import Failure, Json, Reply


@dataclass(frozen=True, slots=True)
class Pair:
    """Two targets, by their position in the matrix, and how they differ."""

    left: int
    right: int
    comparison: Comparison

    @property
    def shape(self) -> int:
        """How many spots of their formats part."""
        return len(self.comparison.of(Layer.SHAPE))

    @property
    def answer(self) -> int:
        """How many spots of their answers, in neutral terms, part."""
        return len(self.comparison.of(Layer.ANSWER))


@dataclass(frozen=True, slots=True)
class Row:
    """One path, and which types each target has there; an empty text where it has none."""

    path: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The format of one kind of part, target by target; `present` tells who has such a part."""

    part: str
    present: tuple[bool, ...]
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The paths where the targets that have such a part do not have the same types."""
        return tuple(row for row in self.rows if len(set(self._known(row))) > 1)

    def _known(self, row: Row) -> list[str]:
        return [types for types, there in zip(row.types, self.present, strict=True) if there]


@dataclass(frozen=True, slots=True)
class Facts:
    """What one turn of one target came to, in numbers; None where it cannot be told.

    `first_byte` and `total` are seconds: of the answer, and of the turn's exchanges together.
    """

    target: str
    turn: int
    outcome: str
    delivery: str
    content_length: int | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_byte: float | None = None
    total: float | None = None
    events: int = 0
    exchanges: int = 0


@dataclass(frozen=True, slots=True)
class Matrix:
    """All targets of one scenario, each pair compared, their formats and facts side by side."""

    scenario: str
    targets: tuple[str, ...]
    pairs: tuple[Pair, ...]
    tables: tuple[Table, ...]
    facts: tuple[Facts, ...]


def matrix(reads: Sequence[Read]) -> Matrix:
    """Put all targets of one scenario side by side."""
    portraits = [[portrait(turn) for turn in read.turns] for read in reads]
    sides = combinations(range(len(reads)), 2)
    return Matrix(
        scenario=reads[0].transcript.scenario if reads else "",
        targets=tuple(name(read) for read in reads),
        pairs=tuple(Pair(i, j, compare(reads[i], reads[j])) for i, j in sides),
        tables=tuple(_tables(portraits)),
        facts=tuple(facts(read, turn) for read in reads for turn in read.turns),
    )


def _tables(portraits: Sequence[Sequence[Portrait]]) -> Iterator[Table]:
    for part in PARTS:
        formats = [_format(turns, part) for turns in portraits]
        if any(formats):
            paths = sorted({path for known in formats for path in known})
            rows = (Row(path, tuple(_cell(known, path) for known in formats)) for path in paths)
            yield Table(part, tuple(bool(known) for known in formats), tuple(rows))


def _cell(known: Mapping[str, set[str]], path: str) -> str:
    return "|".join(sorted(known.get(path, ())))


def _format(turns: Sequence[Portrait], part: str) -> dict[str, set[str]]:
    """The union of one kind of part over all turns."""
    found: dict[str, set[str]] = {}
    for turn in turns:
        for path, types in turn.shapes.get(part, {}).items():
            found.setdefault(path, set()).update(types.split("|"))
    return found


def facts(read: Read, turn: ReadTurn) -> Facts:
    """What one turn came to, in numbers."""
    timings = [r.exchange.timing for r in turn.readings if r.exchange.timing]
    answered = turn.answered.exchange.timing if turn.answered else None
    return Facts(
        target=name(read),
        turn=turn.turn.number,
        outcome=_outcome(turn),
        delivery=delivery(turn),
        first_byte=answered.first_byte if answered else None,
        total=sum(timing.total for timing in timings) if timings else None,
        events=events(turn),
        exchanges=len(turn.readings),
        **_said(turn.outcome),
    )


def _outcome(turn: ReadTurn) -> str:
    outcome = turn.outcome
    if isinstance(outcome, Failure):
        return f"failure {outcome.status} {outcome.code}".rstrip()
    return "reply" if isinstance(outcome, Reply) else "unknown"


def _said(outcome: object) -> dict[str, Json]:
    if not isinstance(outcome, Reply):
        return {}
    usage = outcome.usage
    return {
        "content_length": None if outcome.content is None else len(outcome.content),
        "finish_reason": outcome.finish_reason,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
    }
