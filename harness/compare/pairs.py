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
        scenario=_scenario(left, right),
    )


def name(read: Read) -> str:
    """What a transcript is called in a comparison: its target, or else where it comes from."""
    told = read.transcript
    return told.target or told.source or "unknown"


def _scenario(left: Read, right: Read) -> str:
    """The one scenario that is compared; nothing where there are two."""
    names = {read.transcript.scenario for read in (left, right)} - {""}
    return names.pop() if len(names) == 1 else ""


def _names(left: Read, right: Read) -> tuple[str, str]:
    """Two recordings of one target are told apart by their scenario, or by where they are."""
    ours, theirs = name(left), name(right)
    if ours != theirs:
        return ours, theirs
    told = left.transcript, right.transcript
    for words in ([t.scenario for t in told], [t.source for t in told]):
        if all(words) and words[0] != words[1]:
            return f"{ours} ({words[0]})", f"{theirs} ({words[1]})"
    return ours, theirs
