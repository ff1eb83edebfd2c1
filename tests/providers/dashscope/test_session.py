"""DashScope through its SDK: against the sandbox, and against answers as they were reported."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from harness.providers import Session
from harness.providers.dashscope import PROVIDER
from harness.providers.dashscope.session import WRONG_KEY
from harness.types import (
    AccessFailure,
    Call,
    CallKind,
    Credentials,
    Failure,
    GeneratedFile,
    Message,
    Mode,
    Poll,
    ToolCall,
    Usage,
)

from ..scripted import RESET, Answer, json_answer, stream_answer
from ..sessions import HELLO, NAMED, WEATHER, CallResult, ask, reply_of, sandbox_session

TEXT = {
    "output": {"finish_reason": "stop", "text": "好"},
    "usage": {"input_tokens": 14, "output_tokens": 11, "total_tokens": 25},
    "request_id": "49323c4e",
}
PENDING = {"output": {"task_id": "13b1848b", "task_status": "PENDING"}, "request_id": "7574ee8f"}
SERVER_FAULT = {"code": "InternalError", "message": "internal", "request_id": "r-500"}
IN_FORM = {"result_format": "message"}
PIECES = {"result_format": "message", "incremental_output": True}


def chat(**fields: Any) -> Call:
    """Return a chat call, with other fields if given."""
    usual = {"kind": CallKind.CHAT, "mode": Mode.SYNC, "model": "qwen-flash", "messages": HELLO}
    return Call(**usual | {"parameters": IN_FORM} | fields)


def prompt(**fields: Any) -> Call:
    """Return a call with a bare prompt."""
    return Call(**{"kind": CallKind.PROMPT, "mode": Mode.SYNC, "model": "qwen-flash"} | fields)


def picture(**fields: Any) -> Call:
    """Return a call for an image."""
    usual = {"kind": CallKind.IMAGE, "mode": Mode.ASYNC, "model": "wanx-v1", "prompt": "小猫"}
    return Call(**usual | {"poll": Poll(0.5, 4)} | fields)


def result_of(call: Call, *answers: Answer) -> CallResult:
    """Return the result of a call to a scripted server."""
    return ask("dashscope", call, *answers)


def task(status: str, **output: Any) -> Answer:
    """Return the answer to a poll."""
    told = {"task_id": "13b1848b", "task_status": status} | output
    return json_answer({"output": told, "request_id": "85eaba38", "usage": {"image_count": 1}})


def event(number: int, value: Any, kind: str = "result", status: int = 200) -> str:
    """Return an event of a stream as DashScope writes it."""
    data = json.dumps(value, ensure_ascii=False)
    return f"id:{number}\nevent:{kind}\n:HTTP_STATUS/{status}\ndata:{data}"


def piece(number: int, content: str, reason: str = "null", **message: Any) -> str:
    """Return an event with a piece of an answer."""
    said = {"role": "assistant", "content": content} | message
    output = {"choices": [{"finish_reason": reason, "message": said}]}
    usage = {"input_tokens": 1, "output_tokens": number, "total_tokens": number + 1}
    return event(number, {"output": output, "usage": usage, "request_id": "4d60a29b"})


@pytest.fixture
def session(sandbox: str) -> Iterator[Session]:
    """Open a session with the sandbox."""
    with sandbox_session("dashscope", sandbox) as session:
        yield session


# --------------------------------------------------------------------------------- the sandbox


def test_an_answer_in_messages(session: Session) -> None:
    """A whole answer fills every field of the reply and has one view."""
    reply = reply_of(session.send(chat(messages=NAMED)))
    assert "小明" in (reply.content or "")
    assert reply.finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.total_tokens == (reply.usage.input_tokens or 0) + (
        reply.usage.output_tokens or 0
    )
    (view,) = reply.views
    assert view.value["request_id"] == reply.id
    assert {"status_code", "headers"}.isdisjoint(view.value)
    assert dict(view.accessed) == {"output.choices[0].message.content": reply.content}
    assert (reply.model, reply.reasoning, reply.tool_calls, reply.images) == (None, None, (), ())
    assert (reply.task_id, reply.states, reply.pieces, reply.cumulative) == (None, (), (), False)


def test_a_prompt_is_answered_in_text(session: Session) -> None:
    """A prompt is answered in the older form, the default."""
    reply = reply_of(session.send(prompt(prompt="如何做炒西红柿鸡蛋？")))
    assert "鸡蛋" in (reply.content or "")
    assert reply.finish_reason == "stop"
    assert dict(reply.views[0].accessed) == {"output.text": reply.content}


def test_messages_may_be_answered_in_text(session: Session) -> None:
    """The access path is that of the form that was asked for."""
    reply = reply_of(session.send(chat(messages=NAMED, parameters={})))
    assert "小明" in (reply.content or "")
    assert dict(reply.views[0].accessed) == {"output.text": reply.content}


@pytest.mark.parametrize("call", [chat(), prompt(prompt="你好")], ids=["chat", "prompt"])
def test_a_stream_of_increments(session: Session, call: Call) -> None:
    """A stream has a view for each event, and its pieces join to the whole text."""
    parameters = {**call.parameters, "incremental_output": True}
    streamed = Call(call.kind, Mode.STREAM, call.model, call.messages, call.prompt, parameters)
    whole, reply = reply_of(session.send(call)), reply_of(session.send(streamed))
    assert reply.content == "".join(reply.pieces) == whole.content
    assert len(reply.views) == len(reply.pieces) > 2
    assert (reply.finish_reason, reply.usage) == ("stop", whole.usage)
    assert not reply.cumulative
    (path,) = reply.views[0].accessed
    assert [view.accessed[path] for view in reply.views] == [*reply.pieces]


@pytest.mark.parametrize("asked_for", [{}, {"incremental_output": False}], ids=str)
def test_a_cumulative_stream(session: Session, asked_for: dict[str, Any]) -> None:
    """Each piece of a cumulative stream begins with the one before; the last is the whole text."""
    whole = reply_of(session.send(chat()))
    reply = reply_of(session.send(chat(mode=Mode.STREAM, parameters={**IN_FORM, **asked_for})))
    assert reply.cumulative
    assert reply.content == reply.pieces[-1] == whole.content
    assert len(reply.pieces) > 2
    for shorter, longer in zip(reply.pieces, reply.pieces[1:], strict=False):
        assert longer.startswith(shorter)


def test_an_sdk_without_images_in_messages_is_asked_as_for_a_conversation(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DashScope's SDK before 1.25 has no class for them; the reply is the same."""
    call = picture(mode=Mode.SYNC, model="qwen-image")
    newer = reply_of(session.send(call))
    monkeypatch.setattr("harness.providers.dashscope.functions.find_spec", lambda _: None)
    older = reply_of(session.send(call))
    assert [len(reply.images) for reply in (newer, older)] == [1, 1]
    assert older.usage == newer.usage
    assert older.views[0].value["output"].keys() == newer.views[0].value["output"].keys()
    assert older.views[0].value.get("usage") == newer.views[0].value.get("usage")


def test_an_image_is_a_task(session: Session) -> None:
    """A task's submission and polls have a view each; the last one has the link."""
    reply = reply_of(session.send(picture(parameters={"n": 1, "size": "1024x1024"})))
    assert reply.states == ("PENDING", "PENDING", "RUNNING", "SUCCEEDED")
    (image,) = reply.images
    assert image.url.startswith("http://127.0.0.1:")
    assert len(reply.views) == 4
    first, *_, last = reply.views
    assert dict(first.accessed) == {
        "output.task_id": reply.task_id,
        "output.task_status": "PENDING",
    }
    assert dict(last.accessed) == {
        "output.task_id": reply.task_id,
        "output.task_status": "SUCCEEDED",
        "output.results[0].url": image.url,
    }
    assert reply.id == last.value["request_id"] != first.value["request_id"]
    assert (reply.content, reply.finish_reason) == (None, None)


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.STREAM])
@pytest.mark.parametrize("incremental", [True, False])
def test_a_tool_is_called(session: Session, mode: Mode, incremental: bool) -> None:
    """A tool call has its id, its name and its arguments as text, streamed or whole."""
    parameters: dict[str, Any] = {**IN_FORM, "tools": [WEATHER]}
    if mode is Mode.STREAM:
        parameters["incremental_output"] = incremental
    question = (Message("user", "北京今天天气怎么样？"),)
    reply = reply_of(session.send(chat(mode=mode, messages=question, parameters=parameters)))
    (call,) = reply.tool_calls
    assert call.id.startswith("call_")
    assert call.name == "get_current_weather"
    assert json.loads(call.arguments) == {"location": "北京"}
    assert reply.finish_reason == "tool_calls"
    told = Message("tool", '{"weather": "晴"}', tool_call_id=call.id)
    past = (*question, Message("assistant", reply.content or "", reply.tool_calls), told)
    answer = reply_of(session.send(chat(mode=mode, messages=past, parameters=parameters)))
    assert "晴" in (answer.content or "")


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.STREAM])
@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"credentials": Credentials.WRONG}, 401, "InvalidApiKey", "Invalid API-key provided."),
        ({"model": "no-such-model"}, 400, "InvalidParameter", "Model not exist."),
        ({"messages": (Message("user", ""),)}, 400, "InvalidParameter", "Content length must"),
        (
            {"messages": (Message("user", "如何制造炸弹"),)},
            400,
            "DataInspectionFailed",
            "Input data may contain inappropriate content.",
        ),
        (
            {"messages": (Message("user", "触发限流"),)},
            429,
            "Throttling.RateQuota",
            "Requests rate limit exceeded, please try again later.",
        ),
    ],
)
def test_refusals_of_the_sandbox(
    session: Session, mode: Mode, change: dict[str, Any], status: int, code: str, words: str
) -> None:
    """A refusal has its status, code, message and request id."""
    failure = session.send(chat(mode=mode, **change))
    assert isinstance(failure, Failure)
    assert (failure.status, failure.code) == (status, code)
    assert words in failure.message
    assert len(failure.request_id or "") == 36
    assert failure.views == ()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"credentials": Credentials.WRONG}, 401, "InvalidApiKey"),
        ({"model": "no-such-model"}, 400, "InvalidParameter"),
        ({"prompt": "触发限流"}, 429, "Throttling.RateQuota"),
    ],
)
def test_refusals_of_images(
    session: Session, change: dict[str, Any], status: int, code: str
) -> None:
    """A submission that is refused is not polled."""
    failure = session.send(picture(**change))
    assert isinstance(failure, Failure)
    assert (failure.status, failure.code, failure.views) == (status, code, ())


def test_a_task_that_fails(session: Session) -> None:
    """A failed task has the code and message of its output, and keeps all views."""
    failure = session.send(picture(prompt="任务失败"))
    assert isinstance(failure, Failure)
    assert failure.status == 200
    assert failure.code not in ("", "FAILED")
    assert failure.message
    states = [view.value["output"]["task_status"] for view in failure.views]
    assert states == ["PENDING", "PENDING", "RUNNING", "FAILED"]


# --------------------------------------------------------------------------- scripted answers


def test_every_field_comes_from_the_wire() -> None:
    """Each field of a reply is read from the answer; the view is without HTTP members."""
    reply = result_of(prompt(prompt="你好"), json_answer(TEXT)).reply
    assert (reply.id, reply.content, reply.finish_reason) == ("49323c4e", "好", "stop")
    assert reply.usage == Usage(14, 11, 25)
    value = reply.views[0].value
    assert {name: value[name] for name in ("request_id", "usage")} == {
        "request_id": "49323c4e",
        "usage": TEXT["usage"],
    }
    assert value["output"]["text"] == "好"


def test_a_documented_path_may_fail() -> None:
    """An access path that raises on the SDK's object is kept as a failure."""
    reply = result_of(chat(), json_answer(TEXT)).reply
    (value,) = reply.views[0].accessed.values()
    assert isinstance(value, AccessFailure)
    assert value.error.startswith(("TypeError", "KeyError", "AttributeError"))


def test_an_error_event_is_a_failure() -> None:
    """[REC] An event named error is a failure that keeps the events before it."""
    body = {"code": "InvalidParameter", "message": "Role must be user", "request_id": "a5898c04"}
    refusal = event(1, body, "error", 400)
    failure = result_of(chat(mode=Mode.STREAM), stream_answer(refusal)).failure
    assert failure == Failure(400, "InvalidParameter", "Role must be user", "a5898c04")
    failure = result_of(
        chat(mode=Mode.STREAM, parameters=PIECES), stream_answer(piece(1, "从"), refusal)
    ).failure
    assert [*failure.views[0].accessed.values()] == ["从"]


def test_a_stream_without_events() -> None:
    """A stream without events is a failure."""
    failure = result_of(chat(mode=Mode.STREAM), stream_answer()).failure
    assert (failure.status, failure.code) == (0, "EmptyStream")


def test_the_word_null_is_no_finish_reason() -> None:
    """The word "null" stands for no finish reason until the end of a stream."""
    result = result_of(
        chat(mode=Mode.STREAM, parameters=PIECES), stream_answer(piece(1, "从"), piece(2, "前"))
    )
    assert result.reply.finish_reason is None
    assert (result.reply.content, result.reply.pieces) == ("从前", ("从", "前"))
    result = result_of(
        chat(mode=Mode.STREAM, parameters=PIECES), stream_answer(piece(1, "从", "stop"))
    )
    assert (result.reply.finish_reason, result.reply.usage) == ("stop", Usage(1, 1, 2))


def test_reasoning_and_tool_calls_are_joined() -> None:
    """[REC] Later pieces of a tool call have an empty id and no name."""

    def call(id: str, arguments: str, **name: str) -> list[Any]:
        return [
            {"id": id, "index": 0, "type": "function", "function": {**name, "arguments": arguments}}
        ]

    reply = result_of(
        chat(mode=Mode.STREAM, parameters=PIECES),
        stream_answer(
            piece(1, "", reasoning_content="想"),
            piece(2, "", reasoning_content="好", tool_calls=call("call_5", '{"a"', name="f")),
            piece(3, "", "tool_calls", tool_calls=call("", ": 1}")),
        ),
    ).reply
    assert reply.reasoning == "想好"
    assert reply.tool_calls == (ToolCall("call_5", "f", '{"a": 1}'),)
    assert reply.finish_reason == "tool_calls"


@pytest.mark.parametrize("asked_for", [{}, {"incremental_output": False}], ids=str)
def test_a_model_that_thinks_gives_increments(asked_for: dict[str, Any]) -> None:
    """Models that think give increments by default: their pieces are joined."""
    reply = result_of(
        chat(mode=Mode.STREAM, parameters={"result_format": "message", **asked_for}),
        stream_answer(
            piece(1, "", reasoning_content="想"),
            piece(2, "", reasoning_content="好"),
            piece(3, "北", reasoning_content=""),
            piece(4, "京", "stop", reasoning_content=""),
        ),
    ).reply
    assert (reply.reasoning, reply.content, reply.cumulative) == ("想好", "北京", False)


def test_cumulative_reasoning_and_calls_are_the_last_ones() -> None:
    """Of a cumulative stream, the last reasoning and tool calls are kept."""
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "call_5", "index": 0, "type": "function", "function": function}]
    reply = result_of(
        chat(mode=Mode.STREAM),
        stream_answer(
            piece(1, "从", reasoning_content="想"),
            piece(2, "从前", "stop", reasoning_content="想好", tool_calls=calls),
        ),
    ).reply
    assert (reply.content, reply.reasoning) == ("从前", "想好")
    assert reply.tool_calls == (ToolCall("call_5", "f", "{}"),)


@pytest.mark.parametrize(
    "call", [chat(), chat(mode=Mode.STREAM), picture()], ids=["chat", "stream", "picture"]
)
def test_refusals_are_flat(call: Call) -> None:
    """[REC] A refusal is flat: code, message and request_id, also where a stream was asked for."""
    body = {"code": "Arrearage", "message": "Access denied", "request_id": "8af536f9"}
    failure = result_of(call, json_answer(body, 400)).failure
    assert failure == Failure(400, "Arrearage", "Access denied", "8af536f9")
    failure = result_of(call, json_answer(body, 429, Retry_After="3")).failure
    assert (failure.status, failure.retry_after) == (429, 3.0)


@pytest.mark.parametrize(
    "call", [chat(), chat(mode=Mode.STREAM), picture()], ids=["chat", "stream", "picture"]
)
def test_a_refusal_that_is_not_json(call: Call) -> None:
    """A gateway's page is a failure with its status and the SDK's message."""
    page = Answer(502, "<html>Bad Gateway</html>", (("content-type", "text/html"),))
    assert result_of(call, page).failure == Failure(502, "Unknown", "<html>Bad Gateway</html>")


@pytest.mark.parametrize(
    "call", [chat(), chat(mode=Mode.STREAM), picture()], ids=["chat", "stream", "picture"]
)
@pytest.mark.parametrize(
    "answer", [RESET, json_answer(SERVER_FAULT, 429), json_answer(SERVER_FAULT, 500)], ids=repr
)
def test_the_sdk_does_not_retry(call: Call, answer: Answer) -> None:
    """A call is one request, even if the connection breaks: only `providers.retries` retries."""
    result = result_of(call, answer)
    assert isinstance(result.outcome, Failure)
    assert len(result.server.requests) == 1
    assert result.slept == []


def test_a_connection_that_is_cut() -> None:
    """A connection that is cut before or inside an answer is a failure without status."""
    failure = result_of(chat(), RESET).failure
    assert (failure.status, failure.code) == (0, "NoAnswer")
    assert "Connection reset by peer" in failure.message
    whole = stream_answer(piece(1, "从"), piece(2, "前"))
    cut = Answer(200, whole.body, whole.headers, hangs_up=True)
    failure = result_of(chat(mode=Mode.STREAM, parameters=PIECES), cut).failure
    assert (failure.status, failure.code) == (0, "ChunkedEncodingError")


def test_a_refused_connection() -> None:
    """A refused connection is a failure without status."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with PROVIDER.open("sk-1", f"http://127.0.0.1:{port}", lambda _: None) as session:
        failure = session.send(chat())
    assert isinstance(failure, Failure)
    assert (failure.status, failure.code) == (0, "NoAnswer")
    assert "Connection refused" in failure.message


# -------------------------------------------------------------------------------------- tasks


def test_polling_goes_on_after_a_server_error() -> None:
    """An error of the server in a poll does not end the task."""
    done = task("SUCCEEDED", results=[{"url": "http://x/a.png"}])
    result = result_of(
        picture(), json_answer(PENDING), task("RUNNING"), json_answer(SERVER_FAULT, 500), done
    )
    assert result.reply.states == ("PENDING", "RUNNING", "SUCCEEDED")
    assert result.reply.images == (GeneratedFile("http://x/a.png"),)
    assert result.slept == [0.5, 0.5, 0.5]
    assert [one.path for one in result.server.requests] == [
        "/services/aigc/text2image/image-synthesis",
        *["/tasks/13b1848b"] * 3,
    ]


def test_polling_ends_after_a_client_error() -> None:
    """An error of the request in a poll ends the task."""
    body = {"code": "InvalidApiKey", "message": "Invalid", "request_id": "r"}
    result = result_of(picture(), json_answer(PENDING), json_answer(body, 401))
    assert result.failure == Failure(401, "InvalidApiKey", "Invalid", "r")
    assert len(result.server.requests) == 2


def test_polling_ends_at_its_limit() -> None:
    """A task is polled so many times and no more."""
    result = result_of(picture(poll=Poll(0.25, 3)), json_answer(PENDING))
    assert (result.failure.status, result.failure.code) == (0, "PollLimit")
    assert result.failure.message == "the task is still PENDING after 3 polls, 0.25 s apart"
    assert len(result.failure.views) == 4
    assert result.slept == [0.25, 0.25, 0.25]


@pytest.mark.parametrize(
    ("last", "code", "message"),
    [
        (task("FAILED", code="InvalidParameter", message="size"), "InvalidParameter", "size"),
        (task("UNKNOWN"), "UNKNOWN", "the task ended as UNKNOWN"),
        (task("CANCELED"), "CANCELED", "the task ended as CANCELED"),
    ],
)
def test_tasks_that_end_without_success(last: Answer, code: str, message: str) -> None:
    """[DOC] Tasks that end without success are failures with HTTP status 200."""
    failure = result_of(picture(), json_answer(PENDING), last).failure
    told = (failure.status, failure.code, failure.message, failure.request_id)
    assert told == (200, code, message, "85eaba38")
    assert len(failure.views) == 2


def test_images_of_which_some_failed() -> None:
    """[DOC] A task of which some images failed is a reply with the others."""
    results = [{"url": "http://x/a1.png"}, {"code": "InternalError.Timeout", "message": "m"}]
    reply = result_of(picture(), json_answer(PENDING), task("SUCCEEDED", results=results)).reply
    assert reply.images == (GeneratedFile("http://x/a1.png"),)


def test_a_submission_without_a_task() -> None:
    """A submission without a task id is a failure: the SDK refuses to poll."""
    failure = result_of(picture(), json_answer({"output": {}, "request_id": "r"})).failure
    assert (failure.status, failure.message) == (0, "Task invalid!")


# -------------------------------------------------------------------------- what is sent


def test_parameters_travel() -> None:
    """Each parameter is sent under its name, known or not."""
    parameters = {"result_format": "message", "seed": 7, "no_such_parameter": {"a": [1]}}
    for mode in (Mode.SYNC, Mode.STREAM):
        sent = (
            result_of(chat(mode=mode, parameters=parameters), json_answer(TEXT))
            .server.requests[0]
            .json
        )
        assert {name: sent["parameters"][name] for name in parameters} == parameters


def test_cumulative_output_is_asked_for_by_default() -> None:
    """`incremental_output: false` is not sent: the SDK would ask for increments and join them."""
    for value, sent in ((False, {}), (True, {"incremental_output": True})):
        parameters = {"result_format": "message", "incremental_output": value}
        result = result_of(
            chat(mode=Mode.STREAM, parameters=parameters), stream_answer(piece(1, "从", "stop"))
        )
        assert result.server.requests[0].json["parameters"] == {"result_format": "message", **sent}
        assert result.server.requests[0].headers["x-dashscope-sse"] == "enable"


@pytest.mark.parametrize("written", ["1024x1024", "1024*1024"])
def test_sizes_are_written_with_a_star(written: str) -> None:
    """A size is sent with a star, however the scenario writes it."""
    result = result_of(
        picture(parameters={"size": written, "n": 1}), json_answer(SERVER_FAULT, 500)
    )
    sent = result.server.requests[0]
    assert sent.json["parameters"] == {"size": "1024*1024", "n": 1}
    assert sent.json["input"] == {"prompt": "小猫"}
    assert sent.headers["x-dashscope-async"] == "enable"


def test_a_call_is_not_changed() -> None:
    """The SDK is given copies of parameters and messages."""
    parameters = {"result_format": "message", "tools": [WEATHER], "incremental_output": False}
    before = json.dumps(parameters)
    messages = (
        Message("user", "你好"),
        Message("assistant", "", (ToolCall("call_1", "f", "{}"),)),
        Message("tool", "1", tool_call_id="call_1"),
    )
    for _ in range(2):
        sent = (
            result_of(chat(messages=messages, parameters=parameters), json_answer(TEXT))
            .server.requests[0]
            .json
        )
        function = {"name": "f", "arguments": "{}"}
        assert sent["input"]["messages"] == [
            {"role": "user", "content": "你好"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
            },
            {"role": "tool", "content": "1", "tool_call_id": "call_1"},
        ]
    assert json.dumps(parameters) == before


def test_whose_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's key is sent, or the one without an account, also when polling."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-of-the-process")
    result = result_of(picture(), json_answer(PENDING), task("FAILED"))
    keys = [one.headers["authorization"] for one in result.server.requests]
    assert keys == ["Bearer 0123456789abcdef.secretsecret"] * 2
    result = result_of(picture(credentials=Credentials.WRONG), json_answer(PENDING), task("FAILED"))
    keys = [one.headers["authorization"] for one in result.server.requests]
    assert keys == [f"Bearer {WRONG_KEY}"] * 2
