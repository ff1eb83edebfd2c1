"""Who said what, turn by turn."""

from __future__ import annotations

from harness.report.conversation import conversation
from harness.types import ContentPart, Failure, Medium, Message, ToolCall

from .samples import called, exchange, told

HELLO = {"role": "user", "content": "你好"}
HI = {"role": "assistant", "content": "hi"}
BYE = {"role": "user", "content": [{"text": "再见"}, {"image": "x"}]}


def test_what_was_said_before_is_not_repeated() -> None:
    """Each turn shows only what is asked anew, wherever the provider puts its messages."""
    one, two = conversation(
        told(
            [exchange({"text": "hi"}, {"messages": [HELLO]})],
            [exchange({"text": "bye"}, {"input": {"messages": [HELLO, HI, BYE]}})],
        )
    )
    assert one.messages == (Message("user", "你好"),)
    parts = (ContentPart(Medium.TEXT, "再见"), ContentPart(Medium.IMAGE, "x"))
    assert two.messages == (Message("user", "再见", parts=parts),)
    assert two.messages[0].text == "再见\n[image: x]"


def test_another_past_is_shown_whole() -> None:
    """A turn that does not go on from the one before shows all of its messages."""
    _, two = conversation(
        told(
            [exchange({"text": "hi"}, {"messages": [HELLO]})],
            [exchange({"text": "bye"}, {"messages": [HI, HELLO]})],
        )
    )
    assert two.messages == (Message("assistant", "hi"), Message("user", "你好"))


def test_a_prompt_is_something_a_user_said() -> None:
    """A prompt is shown as a message."""
    (turn,) = conversation(told([exchange({}, {"input": {"prompt": "a cat"}})]))
    assert turn.messages == (Message("user", "a cat"),)


def test_the_call_is_believed_where_it_is_known() -> None:
    """Where the call is known, its messages are shown and not the request's."""
    (turn,) = conversation(called("你好"))
    assert turn.messages == (Message("user", "你好"),)


def test_tool_calls_of_the_past_are_shown() -> None:
    """A message that called a tool is shown with its call."""
    calls = [{"id": "1", "function": {"name": "add", "arguments": "{}"}}, None]
    asked = {"messages": [{"role": "assistant", "content": None, "tool_calls": calls}]}
    (turn,) = conversation(told([exchange({}, asked)]))
    assert turn.messages == (Message("assistant", "", (ToolCall("1", "add", "{}"),)),)


def test_polls_are_collapsed() -> None:
    """A task's states are shown once each, with how often they were seen in a row."""
    polls = [exchange({"states": [s]}, path="/tasks/1") for s in ("RUN", "RUN", "RUN", "DONE")]
    (turn,) = conversation(told([exchange({"states": ["WAIT"]}, path="/tasks"), *polls]))
    assert turn.states == (("WAIT", 1), ("RUN", 3), ("DONE", 1))


def test_a_refusal_is_part_of_the_conversation() -> None:
    """A refusal is shown as what came back."""
    (turn,) = conversation(told([exchange({"code": "Busy", "message": "later"}, status=429)]))
    assert (turn.failure, turn.reply) == (Failure(429, "Busy", "later"), None)


def test_a_request_that_is_no_json_asks_nothing_we_know() -> None:
    """Strange requests are no error."""
    (turn,) = conversation(told([exchange({}, {"messages": ["x", {"content": 3}]})]))
    assert turn.messages == (Message("", "3"),)
