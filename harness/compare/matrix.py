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
    """The comparison of two targets of a matrix.

    Attributes:
        left: The index of one target in `Matrix.targets`.
        right: The index of the other target.
        comparison: Their differences.
    """

    left: int
    right: int
    comparison: Comparison

    @property
    def shape(self) -> int:
        """The number of differences between the two formats, in paths and types."""
        return len(self.comparison.of(Layer.SHAPE))

    @property
    def answer(self) -> int:
        """The number of differences between the two answers, read into the common model."""
        return len(self.comparison.of(Layer.ANSWER))

    @property
    def similarities(self) -> tuple[float, ...]:
        """The similarity of the two texts, from 0 to 1, for each turn with a text on both sides."""
        turns = self.comparison.turns
        return tuple(turn.similarity for turn in turns if turn.similarity is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """One path in the answers, with the types of its values for each target.

    Attributes:
        path: A path as in `analysis.shape`.
        types: For each target, the types such as `integer|null`; empty if it lacks the path.
    """

    path: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The paths and types of one kind of exchange, compared between targets.

    Attributes:
        part: The kind of exchange, one of `summary.PARTS`.
        present: For each target, whether it has an exchange of this kind.
        rows: One row for each path.
    """

    part: str
    present: tuple[bool, ...]
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows in which the types differ between targets that have this kind of exchange."""
        return tuple(row for row in self.rows if len(self._variants(row)) > 1)

    def _variants(self, row: Row) -> set[str]:
        return {types for types, has in zip(row.types, self.present, strict=True) if has}


@dataclass(frozen=True, slots=True)
class Matrix:
    """All targets of one scenario, compared.

    Attributes:
        scenario: The scenario's name; empty if the transcripts have several.
        targets: The targets' names.
        pairs: A comparison for each pair of targets.
        tables: The formats of all targets, by kind of exchange.
        facts: The figures of every turn of every target.
    """

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
    """Compare all targets of one scenario, pair by pair.

    Args:
        transcripts: One transcript for each target.
        prices: The prices by which the costs are computed.
        repeats: Further recordings of the same targets. Values that vary between a target and its
            repeats do not count as differences, see `compare`.
    """
    turns = [[summarize(turn) for turn in transcript.turns] for transcript in transcripts]
    sides = combinations(range(len(transcripts)), 2)
    return replace(
        side_by_side(transcripts, prices),
        pairs=tuple(Pair(i, j, compare(transcripts[i], transcripts[j], repeats)) for i, j in sides),
        tables=tuple(_tables(turns)),
    )


def side_by_side(transcripts: Sequence[AnalyzedTranscript], prices: Prices = NO_PRICES) -> Matrix:
    """Return a matrix with the figures of every turn, without pairs and tables."""
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
    """Return the types by path of one kind of exchange, collected from all turns."""
    union: dict[str, set[str]] = {}
    for turn in turns:
        for path, types in turn.shapes.get(part, {}).items():
            union.setdefault(path, set()).update(types.split("|"))
    return union
