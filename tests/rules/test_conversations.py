"""The rules for the messages of requests hold in Anthropic's and the Responses format, too."""

from __future__ import annotations

import pytest
from exchanges import post

from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.providers.rules import check
from harness.rules.conversations import may_continue
from harness.types import Exchange, Json, Message, Transcript

from .making import asking, foreign, talked

ANTHROPIC = "https://api.anthropic.com/v1/messages"
ZHIPU = "https://open.bigmodel.cn/api/paas/v4/chat/completions"
OPENAI = "https://api.openai.com/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}}
THINKING: Json = {"type": "thinking", "thinking": "I call it.", "signature": "c2ln"}


def text(said: str) -> Json:
    """Return a block of text."""
    return {"type": "text", "text": said}


def use(call_id: str) -> Json:
    """Return a block that calls the tool."""
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": {"city": "Beijing"}}


def result(call_id: str) -> Json:
    """Return a block with the result of a call."""
    return {"type": "tool_result", "tool_use_id": call_id, "content": "sunny"}


def message(sent: list[Json], answer: list[Json], reason: str = "end_turn") -> Exchange:
    """Return an exchange in Anthropic's format; *sent* are contents, the user's first."""
    roles = ("user", "assistant")
    asked: Json = {
        "model": "m",
        "max_tokens": 99,
        "system": "Be brief.",
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
        "messages": [
            {"role": roles[number % 2], "content": content} for number, content in enumerate(sent)
        ],
    }
    whole: Json = {
        **{"id": "msg_1", "type": "message", "role": "assistant", "model": "m"},
        **{"content": answer, "stop_reason": reason, "stop_sequence": None},
        "usage": {"input_tokens": 8, "output_tokens": 4},
    }
    return post(ANTHROPIC, asked, whole)


ASKED: Json = [text("The weather?")]
CALLING: list[Json] = [THINKING, text("I look."), use("t1"), use("t2")]
RESULTS: Json = [result("t1"), result("t2"), text("Well?")]
MESSAGES = (
    message([ASKED], CALLING, "tool_use"),
    message([ASKED, CALLING, RESULTS], [text("Sunny.")]),
    message([ASKED, CALLING, RESULTS, [text("Sunny.")], [text("Thanks")]], [text("Bye.")]),
)


def said(what: str) -> Json:
    """Return an item with a text of the assistant."""
    content: Json = [{"type": "output_text", "text": what, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": content}


def call(call_id: str) -> Json:
    """Return an item that calls the function."""
    arguments = '{"city":"Beijing"}'
    return {
        **{"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id},
        **{"name": "weather", "arguments": arguments},
    }


def output(call_id: str) -> Json:
    """Return an item with the result of a call."""
    return {"type": "function_call_output", "call_id": call_id, "output": "sunny"}


def response(sent: list[Json], answer: list[Json], **more: Json) -> Exchange:
    """Return an exchange in the Responses format."""
    asked: Json = {
        **{"model": "m", "input": sent, "instructions": "Be brief."},
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
        **more,
    }
    whole: Json = {
        **{"id": "resp_1", "object": "response", "created_at": 1, "model": "m"},
        **{"status": "completed", "output": answer},
        "usage": {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12},
    }
    return post(RESPONSES, asked, whole)


QUESTION: Json = {"role": "user", "content": "The weather?"}
CALLS: list[Json] = [said("I look."), call("t1"), call("t2")]
RESPONSE = (
    response([QUESTION], CALLS),
    response([QUESTION, *CALLS, output("t1"), output("t2")], [said("Sunny.")]),
)


def found(*exchanges: Exchange) -> list[tuple[str, str]]:
    """Return the rule and the JSON pointer of each finding."""
    return [(one.rule, one.place.pointer) for one in check(foreign(*exchanges))]


def test_a_history_that_the_service_compacted_is_its_own() -> None:
    """A request with a compaction need not repeat what was before it."""
    asked = (Message("user", "The weather?"), Message("assistant", "Sunny."))
    calls = (asked[:1], (*asked, Message("user", "Well?")))
    compacted: list[Json] = [{"type": "compaction", "encrypted_content": "x"}, QUESTION]
    exchanges = (response([QUESTION], [said("Sunny.")]), response(compacted, [said("Bye.")]))
    transcript = talked(*zip(calls, exchanges, strict=True))
    assert "history_is_carried" not in {finding.rule for finding in check(transcript)}


def test_conversations_that_are_carried() -> None:
    """Tool loops in both formats, and calls that each stand before their own result."""
    assert found(*MESSAGES) == []
    assert found(*RESPONSE) == []
    apart = [QUESTION, CALLS[0], CALLS[1], output("t1"), CALLS[2], output("t2")]
    assert found(RESPONSE[0], response(apart, [said("Sunny.")])) == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "place"),
    [
        ("Sunny.", "Rainy.", "history_is_carried", "/messages/3"),
        ("Be brief.", "It is 10:42.", "prefix_is_stable", "/system"),
        ('"tool_use_id": "t2"', '"tool_use_id": "t3"', "tool_results_answer_calls", "/messages/1"),
        ("I call it.", "I call.", "thinking_goes_back_unchanged", "/messages/1/content/0/thinking"),
        ('"role": "user"', '"role": "human"', "messages_are_well_formed", "/messages/0"),
    ],
)
def test_a_change_in_anthropics_messages_is_found(
    old: str, new: str, rule: str, place: str
) -> None:
    """Each is found at its place in the request."""
    assert (rule, place) in found(*MESSAGES[:2], asking(MESSAGES[2], old, new))


@pytest.mark.parametrize(
    ("old", "new", "rule", "place"),
    [
        ("I look.", "I see.", "history_is_carried", "/input/1"),
        ("Be brief.", "It is 10:42.", "prefix_is_stable", "/instructions"),
        ('"function_call_output", "call_id": "t2"', '"x"', "tool_results_answer_calls", "/input/1"),
        ('"role": "user"', '"role": "human"', "messages_are_well_formed", "/input/0"),
    ],
)
def test_a_change_in_a_response_is_found(old: str, new: str, rule: str, place: str) -> None:
    """Each is found at its place in the request."""
    assert (rule, place) in found(RESPONSE[0], asking(RESPONSE[1], old, new))


def test_what_the_service_remembers_is_not_missed() -> None:
    """The request names the earlier response, and has only what is new."""
    further = response([output("t1"), output("t2")], [said("Sunny.")], previous_response_id="r")
    assert found(RESPONSE[0], further) == []


def test_thinking_before_a_call_goes_back_with_the_result() -> None:
    """The service refuses the result otherwise, where thinking is enabled."""
    left_out = message([ASKED, CALLING[1:], RESULTS], [text("Sunny.")])
    assert found(MESSAGES[0], left_out) == [
        ("thinking_goes_back_unchanged", "/messages/1/content"),
    ]
    adaptive = asking(left_out, '"enabled", "budget_tokens": 1024', '"adaptive"')
    assert found(MESSAGES[0], adaptive) == []


def test_a_pause_is_no_answer_to_be_carried() -> None:
    """The service goes on where it paused, and both parts become one message."""
    search: Json = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    begun, rest = text("I search."), text(" Sunny.")
    paused = message([ASKED], [begun, search], "pause_turn")
    resumed = message([ASKED, [begun, search]], [rest])
    further = message([ASKED, [begun, search, rest], [text("Thanks")]], [text("Bye.")])
    assert found(paused, resumed, further) == []


@pytest.mark.parametrize(
    ("reason", "blocks"), [("end_turn", []), ("end_turn", [THINKING]), ("refusal", [])]
)
def test_an_answer_that_ended_says_something(reason: str, blocks: list[Json]) -> None:
    """Thinking is nothing; a refusal may be."""
    expected = [] if reason == "refusal" else ["answer_says_something"]
    assert [rule for rule, _ in found(message([ASKED], blocks, reason))] == expected


def test_the_same_answer_to_another_conversation_is_no_change() -> None:
    """Two conversations have the answer 4; the second one goes on."""
    other: Json = [text("2 + 2?")]
    four: list[Json] = [text("4")]
    conversations = (
        message([ASKED], four),
        message([other], four),
        message([other, four, [text("And 3?")]], [text("5")]),
    )
    assert found(*conversations) == []


def test_what_a_client_writes_after_a_stop_word_is_its_own() -> None:
    """An agent adds the result to the assistant's message and lets the model go on from there."""
    uri = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"

    def chat(said: str, *earlier: Json, stop: str = "\nObservation:") -> Exchange:
        choice: Json = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": said},
        }
        usage: Json = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}
        head: dict[str, Json] = {"id": "c", "object": "chat.completion", "created": 1}
        asked: Json = {"model": "m", "stop": [stop], "messages": [QUESTION, *earlier]}
        return post(uri, asked, {**head, "model": "m", "choices": [choice], "usage": usage})

    acted: Json = {"role": "assistant", "content": "Action: look\nObservation: sunny"}
    asked = chat("Action: look")
    assert found(asked, chat("Sunny.", acted)) == []
    other = chat("Action: wait", stop="\nObservation:")
    assert ("history_is_carried", "/messages/1") in found(other, chat("Sunny.", acted))
    assert found(asked, chat("Sunny.", acted, stop="END")) == [
        ("messages_are_well_formed", "/messages/1"),
        ("history_is_carried", "/messages/1"),
    ]
    ended: dict[str, Json] = {"role": "assistant", "content": "I look. So I choose.\nAction: "}
    cut = chat("I look.", stop="Action:")
    assert found(cut, chat("Sunny.", ended, stop="Action:")) == []
    called: Json = {**ended, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
    assert "history_is_carried" in {r for r, _ in found(cut, chat("1", called, stop="Action:"))}
    unlike = chat("I see.", stop="Action:")
    assert ("history_is_carried", "/messages/1") in found(unlike, chat("1", ended, stop="Action:"))


def whole_chat(asked: list[Json], said: Json, *calls: Json) -> Exchange:
    """Return a chat at OpenAI."""
    message: dict[str, Json] = {"role": "assistant", "content": said}
    if calls:
        message = {**message, "tool_calls": list(calls)}
    choice: Json = {
        **{"index": 0, "message": message},
        "finish_reason": "tool_calls" if calls else "stop",
    }
    usage: Json = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}
    head: dict[str, Json] = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    tools: Json = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    request: Json = {"model": "m", "messages": asked, "tools": tools}
    return post(OPENAI, request, {**head, "choices": [choice], "usage": usage})


def chat_call(call_id: str) -> Json:
    """Return a call of the weather in a chat."""
    function: Json = {"name": "weather", "arguments": '{"city": "Beijing"}'}
    return {"id": call_id, "type": "function", "function": function}


ACTION = "Thought: I look.\nAction: look\nAction Input: {}"
MORE: Json = {"role": "user", "content": "And?"}
RESULT: dict[str, Json] = {"role": "tool", "content": "sunny"}
REWRITTEN: dict[str, tuple[Json, list[Json], list[Json]]] = {
    "other ids, with which the results are sent, too": (
        None,
        [chat_call("call_1")],
        [
            {"role": "assistant", "content": "", "tool_calls": [chat_call("fc_1")]},
            {**RESULT, "tool_call_id": "fc_1"},
        ],
    ),
    "JSON with other spaces": ('{"a": 1}\n', [], [{"role": "assistant", "content": '{"a":1}'}]),
    "blank parts left out": (
        "It is:\n\nsunny",
        [],
        [{"role": "assistant", "content": [text("It is:"), text("sunny")]}],
    ),
    "what an agent observed": (
        f"{ACTION}\nObservation: I guess rain.",
        [],
        [{"role": "assistant", "content": f"{ACTION}\nObservation: sunny"}],
    ),
    "what an agent observed, after a mark of code": (
        f"```\n{ACTION}\n```",
        [],
        [{"role": "assistant", "content": f"```\n{ACTION}\nObservation: sunny"}],
    ),
    "reasoning that the client wrote into the text": (
        "Sunny.",
        [],
        [
            {
                "role": "assistant",
                "content": "<thinking>One.</thinking>\n<think>Two.</think>\n\nSunny.",
            }
        ],
    ),
    "after a message of the client's own": (
        "Sunny.",
        [],
        [{"role": "assistant", "content": "42"}, {"role": "assistant", "content": "Sunny."}],
    ),
}


@pytest.mark.parametrize(("said", "calls", "sent"), REWRITTEN.values(), ids=REWRITTEN)
def test_an_answer_may_be_rewritten_as_clients_do(
    said: Json, calls: list[Json], sent: list[Json]
) -> None:
    """As real clients do."""
    asked = whole_chat([QUESTION], said, *calls)
    assert found(asked, whole_chat([QUESTION, *sent, MORE], "Sunny.")) == []


@pytest.mark.parametrize(("old", "new"), [('d": "fc_1"}', 'd": "fc_2"}'), ("Beijing", "Paris")])
def test_a_call_with_another_id_keeps_its_arguments_and_its_result(old: str, new: str) -> None:
    """A result by yet another id, or other arguments, are a change."""
    said, calls, sent = REWRITTEN["other ids, with which the results are sent, too"]
    further = whole_chat([QUESTION, sent[0], {**RESULT, "tool_call_id": "fc_1"}, MORE], "Sunny.")
    asked = whole_chat([QUESTION], said, *calls)
    assert ("history_is_carried", "/messages/1") in found(asked, asking(further, old, new))


def test_an_answer_that_says_nothing_may_be_sent_as_any_text() -> None:
    """Anthropic refuses an empty one, so that clients write something."""
    stood_in: Json = {"role": "assistant", "content": "[empty string]"}
    further = whole_chat([QUESTION, stood_in, MORE], "Sunny.")
    assert found(whole_chat([QUESTION], ""), further) == [
        ("answer_says_something", "/choices/0/message/content")
    ]


def test_what_an_agent_did_before_it_observed_is_the_answer() -> None:
    """Another action is a change."""
    said, _, sent = REWRITTEN["what an agent observed"]
    further = asking(whole_chat([QUESTION, *sent, MORE], "Sunny."), "Action: look", "Action: wait")
    assert found(whole_chat([QUESTION], said), further) == [("history_is_carried", "/messages/1")]


def test_a_question_may_be_sent_as_a_part_and_as_a_text() -> None:
    """A client marks the last message for the cache, which then has to be a part."""
    mark: Json = {"type": "ephemeral"}
    marked: Json = [{"type": "text", "text": "2 + 2?", "cache_control": mark}]
    asked = message([marked], [text("4")])
    further = message(["2 + 2?", [text("4")], [text("And 3?")]], [text("5")])
    assert found(asked, further) == []
    other = message(["2 + 3?", [text("4")], [text("And 3?")]], [text("5")])
    assert ("prefix_is_stable", "/messages/0") in found(asked, other)


def test_a_conversation_that_ends_with_an_answer_in_parts_is_a_finding() -> None:
    """As one that ends with an answer as text."""
    parts: list[Json] = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "!"}]
    contents: tuple[Json, ...] = ("Hi!", parts)
    for content in contents:
        answer: Json = {"role": "assistant", "content": content}
        asked: Json = {"model": "glm-4", "messages": [{"role": "user", "content": "?"}, answer]}
        findings = check(foreign(post(ZHIPU, asked, {})))
        assert "messages_are_well_formed" in {finding.rule for finding in findings}


def test_requests_of_one_message_each_continue_none() -> None:
    """Their transcript is not compared, unless a scenario made the calls."""

    def subjects(transcript: Transcript) -> int:
        return len(may_continue(analyze(transcript, recognise)))

    answer: Json = {"role": "assistant", "content": "Sunny."}
    asked = whole_chat([QUESTION], "Sunny.")
    further = whole_chat([QUESTION, answer, MORE], "Bye.")
    user = (Message(role="user", content="The weather?"),)
    assert (subjects(foreign(asked, asked)), subjects(foreign(further))) == (0, 0)
    assert subjects(foreign(asked, further)) == 1
    assert subjects(talked((user, asked), (user, asked))) == 1


def test_a_conversation_that_begins_with_a_later_message_is_another() -> None:
    """The end of the messages that were sent before is not the same request."""
    both = whole_chat([QUESTION, MORE], "Sunny.")
    end = whole_chat([MORE, {"role": "assistant", "content": "No."}, QUESTION], "Rain.")
    assert "history_is_carried" not in {rule for rule, _ in found(both, end)}
