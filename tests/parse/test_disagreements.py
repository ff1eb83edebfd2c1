"""Each way in which an SDK's reading can part from the wire, once."""

from __future__ import annotations

import json
from typing import Any

from harness.analysis.exchange import AnalyzedExchange
from harness.parse.run import Disagreement, Kind, Level, Raised, disagreements, shown_value
from harness.providers.endpoints import endpoint
from harness.types import Choice, Exchange, Failure, Outcome, Reply, Request, Response, Usage, View
from harness.wire import MISSING

ANSWER: Any = {
    "output": {"text": "你好", "finish_reason": "stop"},
    "usage": {"input_tokens": 1, "output_tokens": 2},
    "request_id": "1",
}
REFUSAL: Any = {"code": "Throttling", "message": "slow", "request_id": "1"}
READ = Reply(id="1", content="你好", finish_reason="stop", usage=Usage(1, 2), views=(View(ANSWER),))


def reading(value: Any, status: int = 200) -> AnalyzedExchange:
    """Return an exchange with DashScope."""
    request = Request("POST", "https://host/api/v1/services/aigc/text-generation/generation")
    headers = (("content-type", "application/json"),)
    response = Response(status, "OK", headers, json.dumps(value).encode())
    return AnalyzedExchange(Exchange(request, response), endpoint("dashscope.generation"))


def found(theirs: Outcome | Raised, value: Any = ANSWER, status: int = 200) -> list[Disagreement]:
    """Return the disagreements of an SDK with a value."""
    return list(disagreements(reading(value, status), theirs))


def kinds(theirs: Outcome | Raised, value: Any = ANSWER, status: int = 200) -> list[str]:
    """Return the disagreements of an SDK with a value, as text."""
    return [f"{one.kind} {one.level} {one.path}".strip() for one in found(theirs, value, status)]


def seen(value: Any) -> Reply:
    """Return the right reply, by an SDK whose object dumps itself as this value."""
    return Reply(
        id="1", content="你好", finish_reason="stop", usage=Usage(1, 2), views=(View(value),)
    )


def test_nulls_and_empty_objects_make_no_difference() -> None:
    """Nulls and empty objects that an SDK adds make no difference."""
    assert found(READ) == []
    assert found(seen({**ANSWER, "status": None, "extra": {}})) == []


def test_a_member_that_is_gone_is_lost() -> None:
    """A member that the SDK's object does not have is lost."""
    without = {**ANSWER, "usage": {"input_tokens": 1}}
    told = Disagreement(
        Kind.LOST, Level.WIRE, "/usage/output_tokens", "/usage/output_tokens", 2, MISSING
    )
    assert found(seen(without)) == [told]


def test_a_member_that_never_came_is_invented() -> None:
    """A member that did not travel is invented, also if it is an empty list or zero."""
    assert kinds(seen({**ANSWER, "results": []})) == ["invented wire /results"]
    assert kinds(seen({**ANSWER, "count": 0})) == ["invented wire /count"]


def test_a_value_of_another_type_is_retyped() -> None:
    """A value of another type is retyped, even if Python calls the two equal."""
    floating = {**ANSWER, "usage": {"input_tokens": 1.0, "output_tokens": 2}}
    assert kinds(seen(floating)) == ["retyped wire /usage/input_tokens"]


def test_another_value_is_changed() -> None:
    """Another value is changed, in the SDK's object or in what it says."""
    assert kinds(seen({**ANSWER, "request_id": "2"})) == ["changed wire /request_id"]
    other = Reply(id="2", content="你好", finish_reason="stop", usage=Usage(1, 2), views=READ.views)
    assert kinds(other) == ["changed reply /id"]


def test_a_refusal_taken_for_an_answer_is_accepted() -> None:
    """A refusal of which an SDK makes an answer is accepted."""
    assert kinds(Reply(views=(View(REFUSAL),)), REFUSAL) == ["accepted though refused reply"]


def test_an_answer_taken_for_a_refusal_is_refused() -> None:
    """An answer for which an SDK fails or raises its own error is refused."""
    failure = Failure(400, "Unknown", "?")
    assert kinds(failure) == ["refused though accepted reply"]
    assert kinds(Raised("Refused: no", documented=True)) == ["refused though accepted reply"]


def test_an_answer_that_is_not_shown_is_hidden() -> None:
    """An answer of which an SDK shows nothing is hidden."""
    assert kinds(Reply(), REFUSAL) == ["hidden reply"]
    assert kinds(Reply()) == ["hidden reply"]


def test_any_other_error_is_a_crash() -> None:
    """An error that the SDK does not document is a crash, named after the error."""
    assert kinds(Raised("KeyError: 'x'", documented=False)) == ["crashed reply KeyError"]
    assert kinds(Raised("KeyError: 'x'", documented=False), [1]) == ["crashed reply KeyError"]
    assert kinds(Raised("Refused: no", documented=True), [1]) == []


def test_a_refusal_is_compared_too() -> None:
    """Refusals are compared by status, code, message and request id."""
    told = Failure(429, "Throttling", "slow", "1")
    assert kinds(told, REFUSAL, 429) == []
    assert kinds(Failure(400, "Throttling", "", "1"), REFUSAL, 429) == [
        "lost reply /message",
        "changed reply /status",
    ]


def test_a_value_is_shortened_to_a_line() -> None:
    """A value is shortened to a line with its type, without terminal control characters."""
    assert shown_value(MISSING) == "nothing"
    assert shown_value(1) == "integer 1"
    assert shown_value("\x1b[31m" + "x" * 200, 20) == r"string '\x1b[31mxxxxxxxxxx…"


def test_every_choice_is_compared() -> None:
    """A choice that an SDK loses is reported."""
    choices = [{"message": {"content": text}} for text in ("One", "Two")]
    value = {"output": {"choices": choices}, "request_id": "1"}
    assert found(Reply("1", content="One", views=(View(value),)), value) != []
    both = (Choice(1, "Two"),)
    assert found(Reply("1", content="One", views=(View(value),), other_choices=both), value) == []
