"""The first turn in which two conversations part."""

from __future__ import annotations

import pytest

from harness.compare import Layer, compare
from harness.compare.turns import embedded_json
from harness.types import LooseJson

from .wires import answered, said, told

SAME = {"text": "今天天气很好，适合出门", "finish": "stop"}


def part(left: LooseJson, right: LooseJson, status: int = 200) -> tuple[int, str, str] | None:
    """The divergence of two conversations that begin alike; turn, why, path."""
    ours = told([answered(SAME)], [answered(left)])
    theirs = told([answered(SAME)], [answered(right, status=status)])
    found = compare(ours, theirs).divergence
    return (found.turn, found.reason, found.difference.where) if found else None


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
def test_what_weighs_most_is_told(right: LooseJson, why: str, path: str) -> None:
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


def test_a_missing_turn_is_one() -> None:
    """A conversation that ends sooner parts where the other goes on."""
    found = compare(told([answered(SAME)]), told([answered(SAME)], [answered(SAME)])).divergence
    assert found is not None
    assert (found.turn, found.reason) == (2, "turn")


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "```\n{}\n```\n"])
def test_json_is_compared_as_json(fence: str) -> None:
    """Order and space do not matter, values do; a code fence is no part of it."""
    left = {"text": '{"name": "茶", "price": [1, 2]}'}
    same, other = '{"price":[1,2],"name":"茶"}', '{"price":[1,3],"name":"茶"}'
    assert compare(said(left), said({"text": fence.replace("{}", same)})).of(Layer.ANSWER) == ()
    (found,) = compare(said(left), said({"text": fence.replace("{}", other)})).of(Layer.ANSWER)
    assert (found.where, found.before, found.after) == ("/content/price/1", 2, 3)
    assert part(left, {"text": other}) == (2, "JSON", "/content/price/1")


@pytest.mark.parametrize("text", ["1", '"a"', "null", "{", "{} or so", "", None, "```\n1\n```"])
def test_what_is_not_taken_for_json(text: str | None) -> None:
    """Only an object or a list that is the whole text."""
    assert embedded_json(text) is None


def test_how_alike_the_texts_of_each_turn_are() -> None:
    """Between 0 and 1; None where a side has no text."""
    left = told([answered({"text": "你好吗"})], [answered({"text": "x"})], [answered({})])
    right = told([answered({"text": "你好"})], [answered({"text": "x"})], [answered({"text": "y"})])
    assert [turn.similarity for turn in compare(left, right).turns] == [0.571, 1.0, None]
