"""Two transcripts, turn by turn."""

from __future__ import annotations

from harness.compare.nouns import Comparison, TurnComparison
from harness.compare.portrait import portrait
from harness.compare.turns import differences
from harness.reading import Read


def compare(left: Read, right: Read) -> Comparison:
    """Where two transcripts part. Turns are matched by their number."""
    ours = {turn.turn.number: portrait(turn) for turn in left.turns}
    theirs = {turn.turn.number: portrait(turn) for turn in right.turns}
    numbers = sorted({*ours, *theirs})
    names = _names(left, right)
    return Comparison(
        left=names[0],
        right=names[1],
        turns=tuple(
            TurnComparison(n, tuple(differences(ours.get(n), theirs.get(n)))) for n in numbers
        ),
        scenario=left.transcript.scenario or right.transcript.scenario,
    )


def name(read: Read) -> str:
    """What a transcript is called in a comparison: its target, or else where it comes from."""
    told = read.transcript
    return told.target or told.source or "unknown"


def _names(left: Read, right: Read) -> tuple[str, str]:
    """Two recordings of one target are told apart by where they come from."""
    ours, theirs = name(left), name(right)
    sources = left.transcript.source, right.transcript.source
    if ours == theirs and all(sources) and sources[0] != sources[1]:
        return f"{ours} ({sources[0]})", f"{theirs} ({sources[1]})"
    return ours, theirs
