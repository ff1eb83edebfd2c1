"""Two transcripts, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare.divergence import divergence
from harness.compare.names import names
from harness.compare.noise import repeats_of, settled, varying
from harness.compare.summary import TurnSummary, portrait
from harness.compare.turns import alike, differences
from harness.compare.types import Comparison, Spot, TurnComparison


def compare(
    left: AnalyzedTranscript, right: AnalyzedTranscript, repeats: Sequence[AnalyzedTranscript] = ()
) -> Comparison:
    """Where two transcripts part. Turns are matched by their number.

    Where the values of a side differ from those of its own `repeats`, it is no news that they
    differ from the other side's: such differences are volatile.
    """
    noise = {spot for side in (left, right) for spot in _noise(side, repeats)}
    turns = tuple(settled(turn, noise) for turn in _turns(left, right))
    called = names([left, right])
    return Comparison(
        called[0], called[1], turns, common_scenario([left, right]), divergence(turns)
    )


def _noise(side: AnalyzedTranscript, repeats: Sequence[AnalyzedTranscript]) -> Iterator[Spot]:
    for other in repeats_of(side, repeats):
        yield from varying(d for turn in _turns(side, other) for d in turn.differences)


def _turns(left: AnalyzedTranscript, right: AnalyzedTranscript) -> Iterator[TurnComparison]:
    ours = {turn.turn.number: portrait(turn) for turn in left.turns}
    theirs = {turn.turn.number: portrait(turn) for turn in right.turns}
    for number in sorted({*ours, *theirs}):
        yield _turn(number, ours.get(number), theirs.get(number))


def _turn(number: int, left: TurnSummary | None, right: TurnSummary | None) -> TurnComparison:
    return TurnComparison(number, tuple(differences(left, right)), alike(left, right))


def common_scenario(reads: Sequence[AnalyzedTranscript]) -> str:
    """The one scenario that is compared; nothing where there are several."""
    told = {read.transcript.scenario for read in reads} - {""}
    return told.pop() if len(told) == 1 else ""
