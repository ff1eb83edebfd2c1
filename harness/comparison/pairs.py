"""Comparison of two transcripts, turn by turn, and the first turn at which they diverge.

Two turns are compared in several layers: paths and types of the JSON (shape), outcomes (answer),
and values (content). Values that vary between repeats of one recording get the layer `volatile`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, zip_longest
from typing import TypeAlias

from harness.analysis.difference import Change, ChangeKind, compare_json, similarity
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison import summary
from harness.comparison.types import Comparison, Difference, Divergence, Layer, TurnComparison
from harness.types import Json
from harness.wire import MISSING, Missing, read_json


def compare(
    left: AnalyzedTranscript, right: AnalyzedTranscript, repeats: Sequence[AnalyzedTranscript] = ()
) -> Comparison:
    """Compare two transcripts; turns are matched by their number.

    Args:
        left: One transcript.
        right: The other transcript.
        repeats: Further recordings of either target; others are ignored. Where a value varies
            between a transcript and its repeats, a difference gets the layer `volatile`.
    """
    return compare_all((left, right), tuple(map(summary.summarize_all, (left, right))), repeats)[0]


MAX_EACH = 20
"""The largest number of transcripts of which each is compared with each other one."""


def pairs_of(number: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs in which *number* transcripts are compared: (0, 1), (0, 2), ... (1, 2) ...

    Of more than `MAX_EACH`, each is compared with the first only.
    """
    if number > MAX_EACH:
        return ((0, other) for other in range(1, number))
    return combinations(range(number), 2)


def compare_all(
    transcripts: Sequence[AnalyzedTranscript],
    summaries: Sequence[Summaries],
    repeats: Sequence[AnalyzedTranscript] = (),
) -> list[Comparison]:
    """Compare each pair of transcripts that `pairs_of` names, as `compare` does.

    *summaries* has the summaries of the turns of each transcript.
    """
    noise = [[*_noise(one, own, repeats)] for one, own in zip(transcripts, summaries, strict=True)]
    comparisons = []
    for i, j in pairs_of(len(transcripts)):
        places = {*noise[i], *noise[j]}
        turns = _turns(summaries[i], summaries[j])
        found = tuple(_without_noise(turn, places) for turn in turns)
        pair = [transcripts[i], transcripts[j]]
        names, scenario = summary.names(pair), summary.common_scenario(pair)
        comparisons.append(Comparison(names[0], names[1], found, scenario, find_divergence(found)))
    return comparisons


Summaries: TypeAlias = Sequence[summary.TurnSummary]
"""The summaries of the turns of a transcript, in order."""


def _turns(left: Summaries, right: Summaries) -> Iterator[TurnComparison]:
    sides = [{one.number: one for one in side} for side in (left, right)]
    for number in sorted({*sides[0], *sides[1]}):
        yield compare_turns(number, *(side.get(number) for side in sides))


# ------------------------------------------------------------------------ noise of repeats

_Place = tuple[int | None, str, str]
"""Number of the turn, part of the difference, and JSON pointer."""

_VALUES = (Layer.ANSWER, Layer.CONTENT)


def repeats_among(
    transcript: AnalyzedTranscript, candidates: Iterable[AnalyzedTranscript]
) -> tuple[AnalyzedTranscript, ...]:
    """Return the *candidates* with the same scenario and target as *transcript*, except itself."""
    own = _scenario_and_target(transcript)
    return tuple(c for c in candidates if c is not transcript and _scenario_and_target(c) == own)


def _scenario_and_target(transcript: AnalyzedTranscript) -> tuple[str, str]:
    recorded = transcript.transcript
    return recorded.scenario, recorded.provenance.target or recorded.target


def _noise(
    transcript: AnalyzedTranscript, own: Summaries, repeats: Iterable[AnalyzedTranscript]
) -> Iterator[_Place]:
    """Yield the places at which a value differs between a transcript and one of its repeats."""
    for repeat in repeats_among(transcript, repeats):
        for turn in _turns(own, summary.summarize_all(repeat)):
            values = (d for d in turn.differences if d.layer in _VALUES)
            yield from ((d.turn, d.part, d.pointer) for d in values)


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
    ("/files", "files"),
    ("/vectors", "vectors"),
    ("/ranking", "ranking"),
    ("/content", "text"),
)
"""Pointers into an answer, each with the reason of a divergence there; the most important first."""


def find_divergence(turns: Iterable[TurnComparison]) -> Divergence | None:
    """Return the first turn that differs by more than wording, counts and times.

    None if no turn does. Differences in later turns may be consequences of this one, as the
    conversations are no longer the same.
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

    It is if both texts are similar, or if one is empty and the other is missing; and so are finish
    reasons that say the same in different formats.
    """
    if difference.pointer == "/finish_reason":
        return any({difference.before, difference.after} <= same for same in _SAME_REASONS)
    if difference.pointer != "/content":
        return False
    if difference.similarity is not None:
        return difference.similarity >= SIMILAR
    return not difference.before and not difference.after


_SAME_REASONS = (
    {"stop", "end_turn", "stop_sequence", "completed", "tool_calls", "function_call", "tool_use"},
    {"length", "max_tokens", "incomplete"},
)
"""Finish reasons of whole answers, with or without tool calls, which are compared by themselves,
and of answers that were cut off."""


# ---------------------------------------------------------------------------------- one turn


REPLY = "reply"
"""The `part` of a difference between the outcomes, which are read as `harness.types.Reply`."""

_PROSE = ("/content", "/reasoning")
_VALUE_PARTS = ("answer", "submit", "result", "refusal", "other")
"""The kinds of exchange whose bodies are compared by value. Events of streams and polls of running
tasks are not: their values depend on timing."""


def compare_turns(
    number: int, left: summary.TurnSummary | None, right: summary.TurnSummary | None
) -> TurnComparison:
    """Return the differences in the turn *number* of two transcripts.

    *left* or *right* is None if that transcript lacks the turn.
    """
    if left is None or right is None:
        return TurnComparison(number, (_missing_turn(number, is_left=left is None),))
    return _TurnPair(left, right).comparison()


def _missing_turn(number: int, is_left: bool) -> Difference:
    before, after = (MISSING, "present") if is_left else ("present", MISSING)
    kind = ChangeKind.MISSING_TURN
    return Difference(kind, before=before, after=after, turn=number, layer=Layer.SHAPE)


class _TurnPair:
    """The summaries of one turn in two transcripts, to be compared."""

    def __init__(self, left: summary.TurnSummary, right: summary.TurnSummary) -> None:
        self.left, self.right, self.number = left, right, left.number
        self.by_position: list[tuple[str, str]] = []

    def comparison(self) -> TurnComparison:
        differences = (*self._shapes(), *self._answers(), *self._contents())
        texts = self.left.answer.get("content"), self.right.answer.get("content")
        by_position = tuple(self.by_position)
        return TurnComparison(self.number, differences, _similarity(*texts), by_position)

    def _difference(self, part: str, layer: Layer, change: Change) -> Difference:
        prose = part == REPLY and change.pointer in _PROSE
        return Difference(
            kind=change.kind,
            path=change.path,
            pointer=change.pointer,
            before=change.before,
            after=change.after,
            turn=self.number,
            part=part,
            layer=layer,
            similarity=_similarity(change.before, change.after) if prose else None,
        )

    # --------------------------------------------------------------------------- shape

    def _shapes(self) -> Iterator[Difference]:
        for part in summary.PARTS:
            left, right = self.left.shapes.get(part), self.right.shapes.get(part)
            if left is not None and right is not None:
                for change in _type_changes(left, right):
                    yield self._difference(part, Layer.SHAPE, change)
            elif left is not None or right is not None:
                # whether a task is seen while it runs depends on the moment
                layer = Layer.VOLATILE if part == "poll" else Layer.SHAPE
                yield self._difference(part, layer, _missing_part(is_left=left is None))

    # -------------------------------------------------------------------------- answer

    def _answers(self) -> Iterator[Difference]:
        if self.left.answer["outcome"] != self.right.answer["outcome"]:
            before, after = (_outcome(side.answer) for side in (self.left, self.right))
            change = Change(ChangeKind.OUTCOME, "/outcome", "/outcome", before, after)
            yield self._difference(REPLY, Layer.ANSWER, change)
            return
        for change in self._changes(REPLY, *_parsed(self.left.answer, self.right.answer)):
            is_status = change.pointer == "/status"
            named = replace(change, kind=ChangeKind.STATUS) if is_status else change
            yield self._difference(REPLY, Layer.ANSWER, named)
        left, right = self.left.events, self.right.events
        if left and right and left != right:
            change = Change(ChangeKind.COUNT, "/events", "/events", left, right)
            yield self._difference(REPLY, Layer.VOLATILE, change)

    def _changes(self, part: str, left: Json, right: Json) -> Iterator[Change]:
        result = compare_json(left, right)
        self.by_position += [(part, pointer) for pointer in result.by_position]
        yield from result.changes
        if result.unlisted:
            count = result.unlisted
            yield Change(ChangeKind.UNLISTED, before=count, after=count)

    # ------------------------------------------------------------------------- content

    def _contents(self) -> Iterator[Difference]:
        for part in _VALUE_PARTS:
            bodies = zip_longest(self.left.bodies.get(part, ()), self.right.bodies.get(part, ()))
            for number, (left, right) in enumerate(bodies, start=1):
                if left is not None and right is not None and _are_of_one_endpoint(left, right):
                    name = part if number == 1 else f"{part} {number}"
                    yield from self._bodies(name, left, right)

    def _bodies(
        self, part: str, left: AnalyzedExchange, right: AnalyzedExchange
    ) -> Iterator[Difference]:
        """Yield the differences of values between two bodies, without those of paths and types.

        `_shapes` yields those.
        """
        volatile = left.endpoint.volatile if left.endpoint else frozenset()
        values = _value(left), _value(right)
        shapes: list[Mapping[str, frozenset[str]]] = []
        for change in self._changes(part, *values):
            if change.kind.is_type_change or MISSING in (change.before, change.after):
                shapes = shapes or [shape(value) for value in values]
                if _is_of_shape(change, *shapes):
                    continue
            yield self._difference(part, _layer(change.path, volatile), change)


def _type_changes(left: Mapping[str, str], right: Mapping[str, str]) -> Iterator[Change]:
    for path in sorted({**left, **right}):
        before: str | Missing = left.get(path, MISSING)
        after: str | Missing = right.get(path, MISSING)
        if before != after:
            added = ChangeKind.ADDED if before is MISSING else ChangeKind.RETYPED
            kind = ChangeKind.REMOVED if after is MISSING else added
            yield Change(kind, path, "", before, after)


def _missing_part(is_left: bool) -> Change:
    if is_left:
        return Change(ChangeKind.ADDED, after="present")
    return Change(ChangeKind.REMOVED, before="present")


def _outcome(answer: summary.AnswerJson) -> str:
    if answer["outcome"] == "failure":
        return f"failure {answer['status']} {answer['code']}".rstrip()
    return str(answer["outcome"])


def _parsed(
    left: summary.AnswerJson, right: summary.AnswerJson
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return copies of both answers, with `content` parsed if it is JSON in both."""
    answers = dict(left), dict(right)
    values = [embedded_json(answer.get("content")) for answer in answers]
    if None not in values:
        for answer, value in zip(answers, values, strict=True):
            answer["content"] = value
    return answers


_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)


def embedded_json(content: Json) -> Json:
    """Parse the text *content* as JSON, and return the object or array; None if it is neither.

    The text may be enclosed in a Markdown code fence.
    """
    text = content.strip() if isinstance(content, str) else ""
    fenced = _FENCE.fullmatch(text)
    text = fenced.group(1) if fenced else text
    if not text.startswith(("{", "[")):
        return None
    value: Json = read_json(text.encode("utf-8", "replace")).value
    return value


@lru_cache(8)
def _texts_similarity(left: str, right: str) -> float:
    return similarity(left, right)


def _similarity(left: Json | Missing, right: Json | Missing) -> float | None:
    """Return the similarity of two texts, from 0 to 1.

    None if a value is not a text, or if both texts are empty.
    """
    if isinstance(left, str) and isinstance(right, str) and (left or right):
        return _texts_similarity(left, right)
    return None


def _are_of_one_endpoint(left: AnalyzedExchange, right: AnalyzedExchange) -> bool:
    ours, theirs = (side.endpoint.name if side.endpoint else "" for side in (left, right))
    return ours == theirs


def _value(exchange: AnalyzedExchange) -> Json:
    if exchange.parts:
        value: Json = exchange.parts[0].value
        return value
    return exchange.exchange.response.body.decode("utf-8", "replace")


def _is_of_shape(
    change: Change, left: Mapping[str, frozenset[str]], right: Mapping[str, frozenset[str]]
) -> bool:
    """Return whether the types by path of the two bodies differ at this change's path, too."""
    types = left.get(change.path), right.get(change.path)
    return types[0] != types[1] if change.kind.is_type_change else None in types


def _layer(path: str, volatile: Set[str]) -> Layer:
    """Return `volatile` for a path in *volatile* or below one of them, else `content`."""
    while path:
        if path in volatile:
            return Layer.VOLATILE
        path = path.rpartition("/")[0]
    return Layer.CONTENT
