"""Comparison of two transcripts, turn by turn, and the first turn at which they diverge.

Values that vary from one recording of a target to the next are marked as noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace

from harness.analysis.change import ChangeKind
from harness.analysis.transcript import AnalyzedTranscript
from harness.compare.summary import common_scenario, names, summarize
from harness.compare.turns import compare_turns
from harness.compare.types import Comparison, Difference, Divergence, Layer, TurnComparison


def compare(
    left: AnalyzedTranscript, right: AnalyzedTranscript, repeats: Sequence[AnalyzedTranscript] = ()
) -> Comparison:
    """Compare two transcripts; turns are matched by their number.

    Args:
        left: One transcript.
        right: The other one.
        repeats: Further recordings of either target; others are ignored. Where a value varies
            between a transcript and its repeats, a difference gets the layer `volatile`.
    """
    noise = {place for side in (left, right) for place in _noise(side, repeats)}
    turns = tuple(_without_noise(turn, noise) for turn in _turns(left, right))
    sides = names([left, right])
    scenario = common_scenario([left, right])
    return Comparison(sides[0], sides[1], turns, scenario, find_divergence(turns))


def _turns(left: AnalyzedTranscript, right: AnalyzedTranscript) -> Iterator[TurnComparison]:
    sides = [{t.turn.number: summarize(t) for t in side.turns} for side in (left, right)]
    for number in sorted({*sides[0], *sides[1]}):
        yield compare_turns(number, *(side.get(number) for side in sides))


# ------------------------------------------------------------------------ noise of repeats

_Place = tuple[int | None, str, str]
"""Number of the turn, part of the difference, and JSON pointer."""

_VALUES = (Layer.ANSWER, Layer.CONTENT)


def repeats_of(
    transcript: AnalyzedTranscript, candidates: Iterable[AnalyzedTranscript]
) -> tuple[AnalyzedTranscript, ...]:
    """Return the *candidates* with the same scenario and target as *transcript*, except itself."""
    own = _scenario_and_target(transcript)
    return tuple(c for c in candidates if c is not transcript and _scenario_and_target(c) == own)


def _scenario_and_target(transcript: AnalyzedTranscript) -> tuple[str, str]:
    recorded = transcript.transcript
    return recorded.scenario, recorded.provenance.target or recorded.target


def _noise(
    transcript: AnalyzedTranscript, repeats: Iterable[AnalyzedTranscript]
) -> Iterator[_Place]:
    """Yield the places at which a value differs between a transcript and one of its repeats."""
    for repeat in repeats_of(transcript, repeats):
        for turn in _turns(transcript, repeat):
            yield from (_place(d) for d in turn.differences if d.layer in _VALUES)


def _place(difference: Difference) -> _Place:
    return difference.turn, difference.part, difference.pointer


def _without_noise(turn: TurnComparison, noise: Set[_Place]) -> TurnComparison:
    """Return *turn* with the layer `volatile` for differences at the places in *noise*."""
    marked = (
        replace(d, layer=Layer.VOLATILE, varies=True) if _is_noise(d, noise) else d
        for d in turn.differences
    )
    return replace(turn, differences=tuple(marked))


def _is_noise(difference: Difference, noise: Set[_Place]) -> bool:
    if difference.layer not in _VALUES:
        return False
    return any(
        (difference.turn, difference.part) == (turn, part)
        and (difference.pointer == pointer or difference.pointer.startswith(f"{pointer}/"))
        for turn, part, pointer in noise
    )


# ------------------------------------------------------------------------------ divergence

SIMILAR = 0.2
"""Texts with a lower `analysis.difference.similarity` count as different answers. The answers of
five real models to the same five questions had similarities from 0.19 to 0.98."""

REASONS: Sequence[tuple[str, str]] = (
    ("/outcome", "failure"),
    ("/status", "failure"),
    ("/tool_calls", "tool call"),
    ("/finish_reason", "finish reason"),
    ("/content/", "JSON"),
    ("/images", "images"),
    ("/content", "text"),
)
"""Pointers into an answer, each with the reason of a divergence there; the most important first."""


def find_divergence(turns: Iterable[TurnComparison]) -> Divergence | None:
    """Return the first turn that differs by more than wording, counts and times; None if none does.

    Later differences may follow from this one, as the conversations differ from there on.
    """
    divergences = (_divergence(turn.number, turn.differences) for turn in turns)
    return next((divergence for divergence in divergences if divergence is not None), None)


def _divergence(turn: int, differences: Sequence[Difference]) -> Divergence | None:
    for difference in differences:
        if difference.kind is ChangeKind.MISSING_TURN:
            return Divergence(turn, "turn", difference)
    answers = [d for d in differences if d.layer is Layer.ANSWER and not _is_wording(d)]
    for pointer, reason in REASONS:
        there = [d for d in answers if _is_within(d.pointer, pointer)]
        if there:
            return Divergence(turn, reason, min(there, key=lambda d: "/arguments" in d.pointer))
    return None


def _is_within(pointer: str, holder: str) -> bool:
    if holder.endswith("/"):
        return pointer.startswith(holder)
    return pointer == holder or pointer.startswith(holder + "/")


def _is_wording(difference: Difference) -> bool:
    """Return whether a difference of texts is one of wording.

    It is if both texts are similar, or if one is empty and the other is missing.
    """
    if difference.pointer != "/content":
        return False
    if difference.similarity is not None:
        return difference.similarity >= SIMILAR
    return not difference.before and not difference.after
