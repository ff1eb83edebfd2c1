"""Two transcripts, turn by turn."""

from __future__ import annotations

from harness.compare.divergence import divergence
from harness.compare.names import names
from harness.compare.nouns import Comparison, TurnComparison
from harness.compare.portrait import Portrait, portrait
from harness.compare.turns import alike, differences
from harness.reading import Read


def compare(left: Read, right: Read) -> Comparison:
    """Where two transcripts part. Turns are matched by their number."""
    ours = {turn.turn.number: portrait(turn) for turn in left.turns}
    theirs = {turn.turn.number: portrait(turn) for turn in right.turns}
    numbers = sorted({*ours, *theirs})
    turns = tuple(_turn(number, ours.get(number), theirs.get(number)) for number in numbers)
    called = names([left, right])
    return Comparison(called[0], called[1], turns, _scenario(left, right), divergence(turns))


def _turn(number: int, left: Portrait | None, right: Portrait | None) -> TurnComparison:
    return TurnComparison(number, tuple(differences(left, right)), alike(left, right))


def _scenario(left: Read, right: Read) -> str:
    """The one scenario that is compared; nothing where there are two."""
    told = {read.transcript.scenario for read in (left, right)} - {""}
    return told.pop() if len(told) == 1 else ""
