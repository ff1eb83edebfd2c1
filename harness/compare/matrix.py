"""All targets of one scenario side by side: their differences, formats, times and costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare.facts import Facts, facts
from harness.compare.pairs import compare
from harness.compare.summary import PARTS, TurnSummary, common_scenario, names, summarize
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
        """The number of differences in their formats."""
        return len(self.comparison.of(Layer.SHAPE))

    @property
    def answer(self) -> int:
        """The number of differences in their answers, in neutral terms."""
        return len(self.comparison.of(Layer.ANSWER))

    @property
    def similarities(self) -> tuple[float, ...]:
        """The similarity, from 0 to 1, of the two texts of each turn that has two."""
        turns = self.comparison.turns
        return tuple(turn.similarity for turn in turns if turn.similarity is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """One path, and the types of each target there; an empty text where it has no such path."""

    path: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The format of one kind of part by target; `present` says which targets have the part."""

    part: str
    present: tuple[bool, ...]
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The paths where the targets that have the part do not have the same types."""
        return tuple(row for row in self.rows if len(self._variants(row)) > 1)

    def _variants(self, row: Row) -> set[str]:
        return {types for types, has in zip(row.types, self.present, strict=True) if has}


@dataclass(frozen=True, slots=True)
class Matrix:
    """All targets of one scenario, each pair compared, their formats and facts side by side."""

    scenario: str
    targets: tuple[str, ...]
    pairs: tuple[Pair, ...]
    tables: tuple[Table, ...]
    facts: tuple[Facts, ...]


def matrix(
    transcripts: Sequence[AnalyzedTranscript],
    prices: Prices = NO_PRICES,
    repeats: Sequence[AnalyzedTranscript] = (),
) -> Matrix:
    """Compare all targets of one scenario, pair by pair; costs are by *prices*.

    What varies between a target and its *repeats* is no difference, see `compare`.
    """
    turns = [[summarize(turn) for turn in transcript.turns] for transcript in transcripts]
    sides = combinations(range(len(transcripts)), 2)
    return replace(
        side_by_side(transcripts, prices),
        pairs=tuple(Pair(i, j, compare(transcripts[i], transcripts[j], repeats)) for i, j in sides),
        tables=tuple(_tables(turns)),
    )


def side_by_side(transcripts: Sequence[AnalyzedTranscript], prices: Prices = NO_PRICES) -> Matrix:
    """Return a matrix of names and facts alone, without comparisons."""
    targets = names(transcripts)
    return Matrix(
        scenario=common_scenario(transcripts),
        targets=targets,
        pairs=(),
        tables=(),
        facts=tuple(
            replace(facts(transcript, turn, prices), target=target)
            for target, transcript in zip(targets, transcripts, strict=True)
            for turn in transcript.turns
        ),
    )


def _tables(targets: Sequence[Sequence[TurnSummary]]) -> Iterator[Table]:
    for part in PARTS:
        formats = [_format(turns, part) for turns in targets]
        if any(formats):
            paths = sorted({path for types in formats for path in types})
            rows = (Row(path, tuple(_types(types, path) for types in formats)) for path in paths)
            yield Table(part, tuple(bool(types) for types in formats), tuple(rows))


def _types(types: Mapping[str, set[str]], path: str) -> str:
    return "|".join(sorted(types.get(path, ())))


def _format(turns: Sequence[TurnSummary], part: str) -> dict[str, set[str]]:
    """Return the union of the shapes of one kind of part over all turns."""
    union: dict[str, set[str]] = {}
    for turn in turns:
        for path, types in turn.shapes.get(part, {}).items():
            union.setdefault(path, set()).update(types.split("|"))
    return union
