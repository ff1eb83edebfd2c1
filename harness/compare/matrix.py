"""All targets of one scenario side by side: which differ, which format each has, and how fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare.facts import Facts, facts
from harness.compare.names import names
from harness.compare.pairs import common_scenario, compare
from harness.compare.summary import PARTS, TurnSummary, portrait
from harness.compare.types import Comparison, Layer
from harness.config.prices import NO_PRICES, Prices


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

    @property
    def alike(self) -> tuple[float, ...]:
        """How much the texts of each turn that has two have in common, from 0 to 1."""
        return tuple(turn.alike for turn in self.comparison.turns if turn.alike is not None)


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
class Matrix:
    """All targets of one scenario, each pair compared, their formats and facts side by side."""

    scenario: str
    targets: tuple[str, ...]
    pairs: tuple[Pair, ...]
    tables: tuple[Table, ...]
    facts: tuple[Facts, ...]


def matrix(
    reads: Sequence[AnalyzedTranscript],
    prices: Prices = NO_PRICES,
    repeats: Sequence[AnalyzedTranscript] = (),
) -> Matrix:
    """Put all targets of one scenario side by side; costs are by these prices.

    What varies between one of them and its `repeats` is no difference, see `compare`.
    """
    portraits = [[portrait(turn) for turn in read.turns] for read in reads]
    sides = combinations(range(len(reads)), 2)
    return replace(
        side_by_side(reads, prices),
        pairs=tuple(Pair(i, j, compare(reads[i], reads[j], repeats)) for i, j in sides),
        tables=tuple(_tables(portraits)),
    )


def side_by_side(reads: Sequence[AnalyzedTranscript], prices: Prices = NO_PRICES) -> Matrix:
    """A matrix of names and facts alone: nothing is compared yet."""
    called = names(reads)
    return Matrix(
        scenario=common_scenario(reads),
        targets=called,
        pairs=(),
        tables=(),
        facts=tuple(
            replace(facts(read, turn, prices), target=target)
            for target, read in zip(called, reads, strict=True)
            for turn in read.turns
        ),
    )


def _tables(portraits: Sequence[Sequence[TurnSummary]]) -> Iterator[Table]:
    for part in PARTS:
        formats = [_format(turns, part) for turns in portraits]
        if any(formats):
            paths = sorted({path for known in formats for path in known})
            rows = (Row(path, tuple(_cell(known, path) for known in formats)) for path in paths)
            yield Table(part, tuple(bool(known) for known in formats), tuple(rows))


def _cell(known: Mapping[str, set[str]], path: str) -> str:
    return "|".join(sorted(known.get(path, ())))


def _format(turns: Sequence[TurnSummary], part: str) -> dict[str, set[str]]:
    """The union of one kind of part over all turns."""
    found: dict[str, set[str]] = {}
    for turn in turns:
        for path, types in turn.shapes.get(part, {}).items():
            found.setdefault(path, set()).update(types.split("|"))
    return found
