"""The rules check every choice of an answer (`n`), whole and streamed."""

from __future__ import annotations

import pytest
from exchanges import TOOL_CALL, TOOLS, USER, data_events, post, stream

from harness.providers.rules import check
from harness.types import Exchange, Json

from .dashscope_exchanges import COMPATIBLE
from .making import foreign

HEAD: dict[str, Json] = {"id": "chatcmpl-1", "created": 1, "model": "qwen-plus"}
COUNTS: Json = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}
ASKED: dict[str, Json] = {"model": "qwen-plus", "messages": [USER], "n": 2, "tools": TOOLS}
UNFINISHED: dict[str, Json] = {**TOOL_CALL, "function": {"name": "get_weather", "arguments": "{"}}
STRANGE: dict[str, Json] = {**TOOL_CALL, "function": {"name": "get_time", "arguments": "{}"}}


def choice(index: int, content: str, reason: Json = "stop", **more: Json) -> Json:
    """Return a choice of a whole answer."""
    message: Json = {"role": "assistant", "content": content, **more}
    return {"index": index, "finish_reason": reason, "message": message}


def whole(*choices: Json, messages: Json = None) -> Exchange:
    """Return an exchange with a whole answer."""
    asked: Json = {**ASKED, **({"messages": messages} if messages else {})}
    answer: Json = {
        **HEAD,
        **{"object": "chat.completion", "choices": list(choices), "usage": COUNTS},
    }
    return post(COMPATIBLE, asked, answer)


def piece(index: int, content: str, reason: Json = None, **more: Json) -> Json:
    """Return an event with a piece of one choice."""
    one: Json = {"index": index, "finish_reason": reason, "delta": {"content": content, **more}}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [one]}


def streamed(*pieces: Json) -> Exchange:
    """Return an exchange with a stream that begins with a piece of each of two choices."""
    body = data_events(piece(0, "Sunny.", role="assistant"), piece(1, "Dry."), *pieces)
    return stream(COMPATIBLE, {**ASKED, "stream": True}, body)


def found(*exchanges: Exchange) -> set[tuple[str, str]]:
    """Return the rule and the JSON pointer of each finding."""
    return {(one.rule, one.place.pointer) for one in check(foreign(*exchanges))}


FIRST = choice(0, "Sunny.")


def test_two_valid_choices_break_no_rule() -> None:
    """Whole; in a stream, the first one may end before the other goes on."""
    assert found(whole(FIRST, choice(1, "Dry."))) == set()
    assert (
        found(streamed(piece(0, "", "stop"), piece(1, " Mild."), piece(1, "", "length"))) == set()
    )


@pytest.mark.parametrize(
    ("second", "rule", "place"),
    [
        (choice(1, "Dry.", "bored"), "finish_reason_is_known", "finish_reason"),
        (choice(1, ""), "answer_says_something", "message/content"),
        (
            choice(1, "<think>a</think>Dry.", reasoning_content="a"),
            "reasoning_is_kept_apart",
            "message/content",
        ),
        (choice(1, "Dry.", "tool_calls"), "tool_finish_has_calls", "finish_reason"),
        (
            choice(1, "", "tool_calls", tool_calls=[UNFINISHED]),
            "tool_calls_are_complete",
            "message/tool_calls/0",
        ),
        (
            choice(1, "", "tool_calls", tool_calls=[STRANGE]),
            "tool_was_declared",
            "message/tool_calls/0",
        ),
        (choice(1, "", tool_calls=[TOOL_CALL]), "tool_calls_finish_as_such", "finish_reason"),
    ],
)
def test_a_fault_in_the_second_choice_is_found(second: Json, rule: str, place: str) -> None:
    """At its place in the answer."""
    assert found(whole(FIRST, second)) == {(rule, f"/choices/1/{place}")}


@pytest.mark.parametrize(
    ("pieces", "rule"),
    [
        ((piece(1, "", "bored"),), "finish_reason_is_known"),
        ((), "stream_finishes_once"),
        ((piece(1, "", "stop"), piece(1, "", "length")), "stream_finishes_once"),
        ((piece(1, "", "stop"), piece(1, "More.")), "nothing_after_finish"),
    ],
)
def test_a_fault_in_the_second_choice_of_a_stream_is_found(
    pieces: tuple[Json, ...], rule: str
) -> None:
    """The first choice ends as it should."""
    assert {name for name, _ in found(streamed(piece(0, "", "stop"), *pieces))} == {rule}


def test_a_choice_too_few_or_twice_is_found() -> None:
    """`n` was 2."""
    assert found(whole(FIRST)) == {("choices_are_as_requested", "/choices")}
    assert found(whole(FIRST, FIRST)) == {("choices_are_as_requested", "/choices")}


def test_a_conversation_goes_on_with_any_choice() -> None:
    """With one that was no choice, the history is not carried."""
    asked = whole(FIRST, choice(1, "Dry."))

    def goes_on(said: str) -> Exchange:
        answer: Json = {"role": "assistant", "content": said}
        return whole(FIRST, choice(1, "Mild."), messages=[USER, answer, USER])

    assert found(asked, goes_on("Sunny.")) == set()
    assert found(asked, goes_on("Dry.")) == set()
    assert found(asked, goes_on("Wet.")) == {("history_is_carried", "/messages/1")}
