"""Drift beside repeats: what varies between recordings of the same is no news."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from drift.changed_recordings import edited, events, recorded, with_exchanges
from harness.analysis.difference import ChangeKind, Verdict
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.drift.judge import find_drift
from harness.providers import endpoints
from harness.types import Exchange

ONE = recorded("slogan/zhipuai-glm-5.3-flash")
TOOL = recorded("weather-tool/zhipuai-glm-5.3-flash")


def says(**fields: Any) -> Callable[[Any], None]:
    """An edit that adds fields to every answer."""
    return lambda value: value.update(fields)


def ends(reason: str) -> Callable[[Any], None]:
    """An edit of the reason why an answer ended."""
    return lambda value: value["choices"][0].update(finish_reason=reason)


def worded(text: str) -> Callable[[Any], None]:
    """An edit of what was answered."""
    return lambda value: value["choices"][0]["message"].update(content=text)


def refused(recording: AnalyzedTranscript) -> AnalyzedTranscript:
    """The same recording, refused."""

    def changed(exchange: Exchange) -> Exchange:
        body = json.dumps({"error": {"code": "1301", "message": "no"}}).encode()
        return replace(exchange, response=replace(exchange.response, status=400, body=body))

    return with_exchanges(recording, changed)


def throttled(recording: AnalyzedTranscript) -> AnalyzedTranscript:
    """The same recording, whose first request was refused once and made again."""
    first, *others = recording.transcript.turns
    refusal = refused(recording).transcript.turns[0].exchanges[0]
    again = replace(first, exchanges=(refusal, *first.exchanges))
    transcript = replace(recording.transcript, turns=(again, *others))
    return analyze(transcript, endpoints.recognise)


def test_a_refusal_that_passed_in_a_repeat() -> None:
    """What was refused for good once, and once only at first, is answered now: no drift."""
    result = find_drift(refused(ONE), ONE, repeats=[throttled(ONE)])
    (change,) = [c for c in result.changes if c.kind is ChangeKind.ANSWER_REMOVED]
    assert (change.verdict, change.reason) == (Verdict.WORDING, "a refusal that passed")


def stretched(more: int, result: list[bytes]) -> list[bytes]:
    """Events of a stream, the second some more times."""
    return [*result[:2], *[result[1]] * more, *result[2:]]


@pytest.mark.parametrize(
    ("old", "repeat", "new", "verdict"),
    [
        (says(), says(extra=1), says(extra=1), Verdict.NEW_FIELD),
        (says(extra=1), says(), says(), Verdict.BREAKING),
        (says(extra=1), says(extra=None), says(extra=None), Verdict.BREAKING),
        (says(extra=1), says(extra="a"), says(extra="a"), Verdict.BREAKING),
        (ends("stop"), ends("odd"), ends("odd"), Verdict.NEW_FIELD),
        (worded("一"), worded("二"), worded("三"), Verdict.WORDING),
    ],
    ids=["new", "gone", "null", "retyped", "word", "wording"],
)
def test_what_any_of_them_had(
    old: Callable[[Any], None],
    repeat: Callable[[Any], None],
    new: Callable[[Any], None],
    verdict: Verdict,
) -> None:
    """Is no drift, and would be without the repeat; in whatever order they are."""
    first, second, now = edited(ONE, old), edited(ONE, repeat), edited(ONE, new)
    assert find_drift(first, now).verdict is verdict
    assert find_drift(first, now, repeats=[second]).verdict is Verdict.SAME
    assert find_drift(second, now, repeats=[first]).verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("now", "kind", "verdict"),
    [
        (says(other=1), ChangeKind.ADDED, Verdict.NEW_FIELD),
        (lambda value: value.pop("usage"), ChangeKind.REMOVED, Verdict.BREAKING),
        (says(usage="none"), ChangeKind.RETYPED, Verdict.BREAKING),
        (ends("satisfied"), ChangeKind.NEW_VALUE, Verdict.NEW_FIELD),
    ],
    ids=["new", "gone", "retyped", "word"],
)
def test_what_none_of_them_had(now: Any, kind: ChangeKind, verdict: Verdict) -> None:
    """Is drift, however many there are and however they vary elsewhere."""
    first, second = edited(ONE, says(extra=1)), edited(edited(ONE, worded("二")), ends("length"))

    def changed(value: Any) -> None:
        now(value)

    result = find_drift(first, edited(first, changed), repeats=[second])
    assert (result.verdict, {c.kind for c in result.of(verdict)}) == (verdict, {kind})


def test_how_many_events_a_stream_has() -> None:
    """Is told where it is the same every time, and not where it varies."""
    recording = recorded("streaming/zhipuai-glm-5.3-flash")
    longer, longest = (
        events(recording, partial(stretched, 1)),
        events(recording, partial(stretched, 2)),
    )
    assert ChangeKind.COUNT in {change.kind for change in find_drift(recording, longest).changes}
    result = find_drift(recording, longest, repeats=[longer])
    assert ChangeKind.COUNT not in {change.kind for change in result.changes}


def test_a_turn_that_was_refused_once() -> None:
    """Whoever refused it then may refuse it now; and may answer."""
    no = refused(ONE)
    assert find_drift(ONE, no).verdict is Verdict.BREAKING
    assert find_drift(ONE, no, repeats=[no]).verdict is Verdict.SAME
    assert find_drift(no, ONE, repeats=[ONE]).verdict is Verdict.SAME


def test_a_turn_that_one_of_them_lacks() -> None:
    """Is not gone where it is lacking again, and not new."""
    turns = TOOL.transcript.turns
    shorter = analyze(replace(TOOL.transcript, turns=turns[:3]), endpoints.recognise)
    assert find_drift(TOOL, shorter, repeats=[TOOL]).verdict is Verdict.BREAKING
    assert find_drift(TOOL, shorter, repeats=[shorter]).verdict is Verdict.SAME
    assert find_drift(shorter, TOOL, repeats=[TOOL]).verdict is Verdict.SAME


def test_a_refusal_is_told_in_its_words() -> None:
    """With the status; the answer that is gone is told beside it."""
    result = [str(change) for change in find_drift(ONE, refused(ONE)).of(Verdict.BREAKING)]
    assert "turn 1: status: 200 -> 400, code 1301: no" in result
