"""What varies between repeats is no difference between models."""

from __future__ import annotations

from typing import Any

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.matrix import matrix
from harness.comparison.pairs import compare, repeats_among
from harness.comparison.types import Layer

from .exchanges import json_answer, transcript_of

ONE = {"text": "今天天气很好", "finish": "stop", "more": {"a": 1, "b": 1}}


def ours(*answers: Any) -> AnalyzedTranscript:
    """A conversation of ours."""
    return transcript_of(*([json_answer(answer)] for answer in answers))


def theirs(*answers: Any) -> AnalyzedTranscript:
    """The same one with another target."""
    return transcript_of(*([json_answer(answer)] for answer in answers), target="theirs/two")


def test_what_repeats_differ_in_is_put_aside() -> None:
    """Text that one model never says twice alike is no news; its finish reason is."""
    left = ours(ONE)
    right = theirs({**ONE, "text": "完全不同", "finish": "length", "more": {"a": 2, "b": 2}})
    again = ours({**ONE, "text": "又是别的", "more": {"a": 3, "b": 1}})
    plain, result = compare(left, right), compare(left, right, [again])
    assert [d.where for d in plain.differences] == [
        *("/content", "/finish_reason", "/finish", "/more/a", "/more/b", "/text"),
    ]
    assert [d.where for d in result.differences] == ["/finish_reason", "/finish", "/more/b"]
    aside = [(d.layer, d.where, d.varies) for d in result.all_differences if d.varies]
    assert aside == [(Layer.VOLATILE, p, True) for p in ("/content", "/more/a", "/text")]
    assert result.divergence is not None
    assert result.divergence.reason == "finish reason"


def test_repeats_of_either_side_count_and_of_no_other() -> None:
    """A third target's repeats say nothing about these two."""
    left, right = ours(ONE), theirs({**ONE, "text": "完全不同"})
    again, other = (
        theirs({**ONE, "text": "又是别的"}),
        transcript_of([json_answer(ONE)], target="third/one"),
    )
    assert compare(left, right, [again]).differences == ()
    assert compare(left, right, [other, left, right]).differences != ()
    assert repeats_among(right, [left, again, right, other]) == (again,)


def test_noise_is_noise_in_its_own_turn_only() -> None:
    """Formats are never noise: that they vary is worth knowing."""
    left, right = ours(ONE, ONE), theirs({**ONE, "text": "x"}, {**ONE, "text": "y", "new": 1})
    again = ours({**ONE, "text": "z", "new": 1}, ONE)
    result = compare(left, right, [again]).differences
    assert [d.location for d in result] == [
        "turn 2 answer /new",
        "turn 2 reply /content",
        "turn 2 answer /text",
    ]


def test_what_is_within_something_that_varies_varies() -> None:
    """JSON that repeats is no JSON once takes all of its values with it."""
    left, right = ours({"text": '{"a": 1}'}), theirs({"text": '{"a": 2}'})
    assert compare(left, right, [ours({"text": "没有"})]).of(Layer.ANSWER) == ()


def test_a_matrix_knows_repeats() -> None:
    """They are no targets of their own."""
    left, right = ours(ONE), theirs({**ONE, "text": "完全不同"})
    result = matrix([left, right], repeats=[ours({"text": "x"})])
    assert (result.targets, result.pairs[0].answer) == (("ours/one", "theirs/two"), 0)
