"""The first turn in which two conversations part."""

from __future__ import annotations

from typing import Any

import pytest

from harness.comparison.pairs import compare, embedded_json
from harness.comparison.types import Layer

from .exchanges import json_answer, one_answer, transcript_of

SAME = {"text": "今天天气很好，适合出门", "finish": "stop"}


def part(left: Any, right: Any, status: int = 200) -> tuple[int, str, str] | None:
    """The divergence of two conversations that begin alike; turn, why, path."""
    ours = transcript_of([json_answer(SAME)], [json_answer(left)])
    theirs = transcript_of([json_answer(SAME)], [json_answer(right, status=status)])
    result = compare(ours, theirs).divergence
    return (result.turn, result.reason, result.difference.where) if result else None


@pytest.mark.parametrize(
    ("right", "why", "path"),
    [
        ({"tools": [["g", "{}"]], "text": "x"}, "tool call", "/tool_calls/0/name"),
        ({"text": "完全不同"}, "tool call", "/tool_calls"),
        ({"tools": [["f", '{"a": 1}']], "finish": "length"}, "finish reason", "/finish_reason"),
        ({"tools": [["f", '{"a": 1}']], "text": "完全不同"}, "text", "/content"),
        ({"tools": [["f", '{"a": 1}']], "images": ["u"]}, "images", "/images"),
    ],
    ids=["other call", "no call", "finish", "text", "images"],
)
def test_what_weighs_most_is_told(right: Any, why: str, path: str) -> None:
    """The first turn that parts, by what weighs most in it, whatever else differs there."""
    left = {"tools": [["f", '{"a": 1}']], **SAME}
    assert part(left, {**SAME, **right} if "tools" in right else right) == (2, why, path)


def test_a_failure_weighs_most() -> None:
    """One side answered, the other refused."""
    assert part(SAME, {"code": "Busy"}, status=429) == (2, "failure", "/outcome")


def test_other_words_are_no_divergence() -> None:
    """Nor are counts, and an empty text instead of none."""
    left = {"text": "今天天气很好，适合出门", "usage": [1, 2, 3]}
    assert part(left, {"text": "今天的天气很好，很适合出门", "usage": [1, 3, 4]}) is None
    assert part({"tools": [["f", "{}"]]}, {"tools": [["f", "{}"]], "text": ""}) is None


@pytest.mark.parametrize(
    ("ours", "theirs"), [("stop", "end_turn"), ("tool_calls", "tool_use"), ("length", "max_tokens")]
)
def test_finish_reasons_of_other_formats_are_no_divergence(ours: str, theirs: str) -> None:
    """Anthropic's format has other words for the same."""
    assert part({"finish": ours}, {"finish": theirs}) is None


def test_a_missing_turn_is_one() -> None:
    """A conversation that ends sooner parts where the other goes on."""
    result = compare(
        transcript_of([json_answer(SAME)]), transcript_of([json_answer(SAME)], [json_answer(SAME)])
    ).divergence
    assert result is not None
    assert (result.turn, result.reason) == (2, "turn")


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "```\n{}\n```\n"])
def test_json_is_compared_as_json(fence: str) -> None:
    """Order and space do not matter, values do; a code fence is no part of it."""
    left = {"text": '{"name": "茶", "price": [1, 2]}'}
    same, other = '{"price":[1,2],"name":"茶"}', '{"price":[1,3],"name":"茶"}'
    assert (
        compare(one_answer(left), one_answer({"text": fence.replace("{}", same)})).of(Layer.ANSWER)
        == ()
    )
    (result,) = compare(one_answer(left), one_answer({"text": fence.replace("{}", other)})).of(
        Layer.ANSWER
    )
    assert (result.where, result.before, result.after) == ("/content/price/1", 2, 3)
    assert part(left, {"text": other}) == (2, "JSON", "/content/price/1")


@pytest.mark.parametrize("text", ["1", '"a"', "null", "{", "{} or so", "", None, "```\n1\n```"])
def test_what_is_not_taken_for_json(text: str | None) -> None:
    """Only an object or a list that is the whole text."""
    assert embedded_json(text) is None


def test_how_alike_the_texts_of_each_turn_are() -> None:
    """Between 0 and 1; None where a side has no text."""
    left = transcript_of(
        [json_answer({"text": "你好吗"})], [json_answer({"text": "x"})], [json_answer({})]
    )
    right = transcript_of(
        [json_answer({"text": "你好"})], [json_answer({"text": "x"})], [json_answer({"text": "y"})]
    )
    assert [turn.similarity for turn in compare(left, right).turns] == [0.571, 1.0, None]
