"""Two transcripts compared: turn by turn, less the noise of repeats, and where they diverge."""

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

    Values that differ between a side and its own `repeats` are noise: where they differ from the
    other side's, the difference is volatile.
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
"""Turn, part and pointer."""

_VALUES = (Layer.ANSWER, Layer.CONTENT)


def repeats_of(
    transcript: AnalyzedTranscript, candidates: Iterable[AnalyzedTranscript]
) -> tuple[AnalyzedTranscript, ...]:
    """Return the other recordings of the same scenario with the same target."""
    own = _scenario_and_target(transcript)
    return tuple(c for c in candidates if c is not transcript and _scenario_and_target(c) == own)


def _scenario_and_target(transcript: AnalyzedTranscript) -> tuple[str, str]:
    recorded = transcript.transcript
    return recorded.scenario, recorded.provenance.target or recorded.target


def _noise(
    transcript: AnalyzedTranscript, repeats: Iterable[AnalyzedTranscript]
) -> Iterator[_Place]:
    """Yield the places where the values of a transcript and of its repeats differ."""
    for repeat in repeats_of(transcript, repeats):
        for turn in _turns(transcript, repeat):
            yield from (_place(d) for d in turn.differences if d.layer in _VALUES)


def _place(difference: Difference) -> _Place:
    return difference.turn, difference.part, difference.pointer


def _without_noise(turn: TurnComparison, noise: Set[_Place]) -> TurnComparison:
    """Return the turn with differences in values volatile where repeats differ, too."""
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
"""Texts that are less similar, by `analysis.difference.similarity`, say something else. Five real
models that answered the same five questions reached 0.19 to 0.98."""

REASONS: Sequence[tuple[str, str]] = (
    ("/outcome", "failure"),
    ("/status", "failure"),
    ("/tool_calls", "tool call"),
    ("/finish_reason", "finish reason"),
    ("/content/", "JSON"),
    ("/images", "images"),
    ("/content", "text"),
)
"""Pointers into an answer, and what a difference there is called; the most important first."""


def find_divergence(turns: Iterable[TurnComparison]) -> Divergence | None:
    """Return the first turn that differs by more than wording, counts and times, or None.

    From there on these are two conversations: later differences follow from it.
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
    """Return whether two texts are similar, or one is empty where the other is missing."""
    if difference.pointer != "/content":
        return False
    if difference.similarity is not None:
        return difference.similarity >= SIMILAR
    return not difference.before and not difference.after
