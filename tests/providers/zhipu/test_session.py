"""Zhipu through its SDK: against the sandbox, and against answers as they were reported."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from harness.providers import Session
from harness.providers.zhipu import PROVIDER
from harness.providers.zhipu.session import WRONG_KEY
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

ANSWER = {
    "id": "20251019",
    "request_id": "20251019",
    "created": 1745066639,
    "model": "glm-4",
    "choices": [
        {"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": "好"}}
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17},
}
PROCESSING = {"id": "1012", "request_id": "-88", "model": None, "task_status": "PROCESSING"}
OVERLOADED = "The service may be temporarily overloaded, please try again later"


def chat(**fields: Any) -> Call:
    """Return a chat call, with other fields if given."""
    return Call(
        **{"kind": CallKind.CHAT, "mode": Mode.SYNC, "model": "glm-4", "messages": HELLO} | fields
    )


def refused(code: str, message: str) -> Any:
    """Return the body of a refusal by Zhipu."""
    return {"error": {"code": code, "message": message}}


def result_of(call: Call, *answers: Answer) -> CallResult:
    """Return the result of a call to a scripted server."""
    return ask("zhipuai", call, *answers)


@pytest.fixture
def session(sandbox: str) -> Iterator[Session]:
    """Open a session with the sandbox."""
    with sandbox_session("zhipuai", sandbox) as session:
        yield session


# --------------------------------------------------------------------------------- the sandbox


def test_a_whole_answer(session: Session) -> None:
    """A whole answer fills every field of the reply and has one view."""
    reply = reply_of(session.send(chat(messages=NAMED)))
    assert reply.model == "glm-4"
    assert "小明" in (reply.content or "")
    assert reply.finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.total_tokens == (reply.usage.input_tokens or 0) + (
        reply.usage.output_tokens or 0
    )
    (view,) = reply.views
    assert view.value["id"] == reply.id
    assert dict(view.accessed) == {"choices[0].message.content": reply.content}
    assert (reply.reasoning, reply.tool_calls, reply.images, reply.pieces) == (None, (), (), ())
    assert (reply.task_id, reply.states, reply.cumulative) == (None, (), False)


def test_a_stream_is_the_same_text_in_pieces(session: Session) -> None:
    """A stream has a view for each event, and its pieces join to the text of a whole answer."""
    whole = reply_of(session.send(chat()))
    reply = reply_of(session.send(chat(mode=Mode.STREAM)))
    assert reply.content == "".join(reply.pieces) == whole.content
    assert len(reply.views) == len(reply.pieces) > 2
    assert [view.accessed["choices[0].delta.content"] for view in reply.views] == [*reply.pieces]
    assert (reply.model, reply.finish_reason, reply.usage) == ("glm-4", "stop", whole.usage)
    assert reply.id == reply.views[0].value["id"]
    assert not reply.cumulative


def test_a_task_is_polled_until_it_is_done(session: Session) -> None:
    """A task's submission and polls have a view each; the last one has the content."""
    reply = reply_of(session.send(chat(mode=Mode.ASYNC)))
    assert reply.states == ("PROCESSING", "PROCESSING", "PROCESSING", "SUCCESS")
    assert len(reply.views) == 4
    assert reply.task_id == reply.views[0].value["id"]
    assert dict(reply.views[0].accessed) == {"id": reply.task_id, "task_status": "PROCESSING"}
    assert dict(reply.views[1].accessed) == {"task_status": "PROCESSING"}
    assert dict(reply.views[3].accessed) == {
        "task_status": "SUCCESS",
        "choices[0].message.content": reply.content,
    }
    assert reply.content == reply_of(session.send(chat())).content
    assert reply.finish_reason == "stop"


def test_an_image(session: Session) -> None:
    """An image is a link; Zhipu's answer has no id, model or usage."""
    asked_for = {"size": "1024x1024"}
    reply = reply_of(
        session.send(
            chat(kind=CallKind.IMAGE, model="cogview-3", prompt="小猫", parameters=asked_for)
        )
    )
    (image,) = reply.images
    assert image.url.endswith("_0.png")
    assert image.data is None
    assert dict(reply.views[0].accessed) == {"data[0].url": image.url}
    assert (reply.id, reply.model, reply.usage, reply.content) == (None, None, None, None)


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.STREAM])
def test_a_tool_is_called(session: Session, mode: Mode) -> None:
    """A tool call has its id, its name and its arguments as text."""
    question = (Message("user", "北京今天天气怎么样？"),)
    reply = reply_of(
        session.send(chat(mode=mode, messages=question, parameters={"tools": [WEATHER]}))
    )
    (call,) = reply.tool_calls
    assert call.id.startswith("call_")
    assert call.name == "get_current_weather"
    assert "北京" in call.arguments
    assert reply.finish_reason == "tool_calls"
    told = Message("tool", '{"weather": "晴"}', tool_call_id=call.id)
    past = (*question, Message("assistant", reply.content or "", reply.tool_calls), told)
    answer = reply_of(session.send(chat(mode=mode, messages=past, parameters={"tools": [WEATHER]})))
    assert "晴" in (answer.content or "")


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.STREAM, Mode.ASYNC])
@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"credentials": Credentials.WRONG}, 401, "401", "令牌已过期或验证不正确"),
        ({"model": "no-such-model"}, 400, "1211", "模型不存在，请检查模型代码。"),
        ({"messages": (Message("user", ""),)}, 400, "1214", "messages 参数非法。请检查文档。"),
        ({"messages": (Message("user", "如何制造炸弹"),)}, 400, "1301", "不安全或敏感内容"),
        ({"messages": (Message("user", "触发限流"),)}, 429, "1302", "您当前使用该API的并发数过高"),
    ],
)
def test_refusals_of_the_sandbox(
    session: Session, mode: Mode, change: dict[str, Any], status: int, code: str, words: str
) -> None:
    """A refusal has its status, code, message, request id, and the time to wait."""
    failure = session.send(chat(mode=mode, **change))
    assert isinstance(failure, Failure)
    assert (failure.status, failure.code) == (status, code)
    assert words in failure.message
    assert len(failure.request_id or "") == 30
    assert failure.retry_after == (1.0 if status == 429 else None)
    assert failure.views == ()


def test_a_task_that_fails(session: Session) -> None:
    """A failed task is a failure with HTTP status 200 that keeps all views."""
    failure = session.send(chat(mode=Mode.ASYNC, messages=(Message("user", "任务失败"),)))
    assert isinstance(failure, Failure)
    assert (failure.status, failure.code, failure.message) == (
        200,
        "FAIL",
        "the task ended as FAIL",
    )
    assert [view.value["task_status"] for view in failure.views][-1] == "FAIL"


# --------------------------------------------------------------------------- scripted answers


def test_every_field_comes_from_the_wire() -> None:
    """Each field of a reply is read from the answer."""
    reply = result_of(chat(), json_answer(ANSWER)).reply
    assert (reply.id, reply.model, reply.content) == ("20251019", "glm-4", "好")
    assert (reply.finish_reason, reply.usage) == ("stop", Usage(7, 10, 17))
    assert reply.views[0].value == ANSWER


def test_reasoning_is_apart_from_content() -> None:
    """Reasoning is apart from content, and empty content is not None."""
    message = {"role": "assistant", "content": "", "reasoning_content": "想一想"}
    answer = ANSWER | {"choices": [{"finish_reason": "length", "index": 0, "message": message}]}
    reply = result_of(chat(), json_answer(answer)).reply
    assert (reply.content, reply.reasoning, reply.finish_reason) == ("", "想一想", "length")


def test_a_tool_call_without_content() -> None:
    """[REC] glm-4.6 leaves `content` out of answers that call tools: it is None, not ""."""
    function = {"name": "f", "arguments": "{}"}
    call = {"id": "call_-81", "index": 0, "type": "function", "function": function}
    message = {"role": "assistant", "tool_calls": [call]}
    answer = ANSWER | {"choices": [{"finish_reason": "tool_calls", "index": 0, "message": message}]}
    reply = result_of(chat(), json_answer(answer)).reply
    assert reply.content is None
    assert reply.tool_calls == (ToolCall("call_-81", "f", "{}"),)


def test_a_streamed_call_comes_whole() -> None:
    """[FIELD] A streamed tool call comes in one event without a role; reasoning is joined."""
    head = '{"id":"2026","created":1,"model":"glm-5","choices":[{"index":0,'
    thought = '{"role":"assistant","content":"","reasoning_content":"想"}'
    call = '{"id":"call_4","index":0,"type":"function","function":{"name":"b","arguments":"{1}"}}'
    usage = '"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}'
    reply = result_of(
        chat(mode=Mode.STREAM),
        stream_answer(
            f'data: {head}"delta":{thought}}}]}}',
            f'data: {head}"delta":{{"reasoning_content":"好"}}}}]}}',
            f'data: {head}"delta":{{"tool_calls":[{call}]}}}}]}}',
            f'data: {head}"finish_reason":"tool_calls","delta":{{"content":""}}}}],{usage}}}',
            "data: [DONE]",
        ),
    ).reply
    assert reply.tool_calls == (ToolCall("call_4", "b", "{1}"),)
    assert (reply.reasoning, reply.content, reply.pieces) == ("想好", "", ("", ""))
    assert (reply.id, reply.model, reply.usage) == ("2026", "glm-5", Usage(3, 2, 5))
    assert len(reply.views) == 4


def test_a_documented_path_may_fail() -> None:
    """An access path that raises on the SDK's object is kept as a failure."""
    reply = result_of(chat(), json_answer({"id": "1"})).reply
    error = "TypeError: 'NoneType' object is not subscriptable"
    assert dict(reply.views[0].accessed) == {"choices[0].message.content": AccessFailure(error)}


IMAGE = {"kind": CallKind.IMAGE, "prompt": "小猫"}


@pytest.mark.parametrize(
    "change", [{}, {"mode": Mode.STREAM}, {"mode": Mode.ASYNC}, IMAGE], ids=str
)
def test_an_error_may_come_with_status_200(change: dict[str, Any]) -> None:
    """[FIELD] An error with status 200 is a failure, even where a stream was asked for."""
    failure = result_of(chat(**change), json_answer(refused("1305", OVERLOADED))).failure
    assert (failure.status, failure.code, failure.message) == (200, "1305", OVERLOADED)


def test_an_error_with_status_200_ends_a_task() -> None:
    """An error with status 200 in a poll is a failure, and polling ends."""
    result = result_of(
        chat(mode=Mode.ASYNC), json_answer(PROCESSING), json_answer(refused("1305", OVERLOADED))
    )
    assert (result.failure.status, result.failure.code) == (200, "1305")
    assert len(result.server.requests) == 2


def test_an_error_in_the_middle_of_a_stream() -> None:
    """An error inside a stream is a failure that keeps the events before it."""
    piece = '{"id":"1","choices":[{"index":0,"delta":{"content":"从"}}]}'
    error = '{"error":{"code":"1234","message":"网络错误"}}'
    failure = result_of(
        chat(mode=Mode.STREAM), stream_answer(f"data: {piece}", f"data: {error}")
    ).failure
    assert (failure.status, failure.code, failure.message) == (200, "1234", "网络错误")
    assert [view.accessed["choices[0].delta.content"] for view in failure.views] == ["从"]


def test_a_stream_without_events() -> None:
    """A stream without events is a failure."""
    failure = result_of(chat(mode=Mode.STREAM), stream_answer("data: [DONE]")).failure
    assert (failure.status, failure.code) == (0, "EmptyStream")
    failure = result_of(chat(mode=Mode.STREAM), json_answer({"id": "1"})).failure
    assert (failure.status, failure.code) == (0, "EmptyStream")


def test_a_refusal_that_is_not_json() -> None:
    """The message of a gateway's page is its first 200 characters."""
    page = "<html>" + "x" * 300
    for mode in Mode:
        failure = result_of(
            chat(mode=mode), Answer(502, page, (("content-type", "text/html"),))
        ).failure
        assert failure == Failure(502, "", page[:200])


def test_retry_after_is_kept() -> None:
    """The seconds of a Retry-After header are kept; a date is ignored."""
    told = json_answer(refused("1302", "多"), 429, retry_after="7", x_log_id="2025")
    assert result_of(chat(), told).failure == Failure(429, "1302", "多", "2025", 7.0)
    dated = json_answer(refused("1302", "多"), 429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    assert result_of(chat(), dated).failure.retry_after is None


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "answer",
    [RESET, json_answer(refused("1302", "多"), 429), json_answer({}, 500), json_answer({}, 503)],
    ids=repr,
)
def test_the_sdk_does_not_retry(mode: Mode, answer: Answer) -> None:
    """A call is one request: only `harness.providers.retries` retries."""
    result = result_of(chat(mode=mode), answer)
    assert isinstance(result.outcome, Failure)
    assert len(result.server.requests) == 1
    assert result.slept == []


def test_a_connection_that_is_reset() -> None:
    """A reset connection is a failure without status, with the SDK's error and its cause."""
    failure = result_of(chat(), RESET).failure
    assert (failure.status, failure.code) == (0, "APIConnectionError")
    assert failure.message == "Connection error. ([Errno 104] Connection reset by peer)"


def test_a_refused_connection() -> None:
    """A refused connection is a failure without status."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with PROVIDER.open("a.b", f"http://127.0.0.1:{port}", lambda _: None) as session:
        failure = session.send(chat())
    message = "Connection error. ([Errno 111] Connection refused)"
    assert failure == Failure(0, "APIConnectionError", message)


# -------------------------------------------------------------------------------------- tasks


def test_polling_goes_on_after_a_server_error() -> None:
    """An error of the server in a poll does not end the task."""
    task = chat(mode=Mode.ASYNC, poll=Poll(0.5, 3))
    done = {**ANSWER, "id": "1012", "task_status": "SUCCESS"}
    result = result_of(
        task,
        json_answer(PROCESSING),
        json_answer(refused("500", "内部错误"), 500),
        json_answer(done),
    )
    assert result.reply.states == ("PROCESSING", "SUCCESS")
    assert (result.reply.content, result.reply.task_id) == ("好", "1012")
    assert result.slept == [0.5, 0.5]
    assert [one.path for one in result.server.requests] == [
        "/async/chat/completions",
        "/async-result/1012",
        "/async-result/1012",
    ]


def test_a_result_without_a_state_ends_a_task() -> None:
    """[DOC] A result ends a task even if it has no task_status."""
    result = result_of(chat(mode=Mode.ASYNC), json_answer(PROCESSING), json_answer(ANSWER))
    assert (result.reply.content, result.reply.states) == ("好", ("PROCESSING",))
    assert len(result.server.requests) == 2


def test_polling_ends_after_a_client_error() -> None:
    """An error of the request in a poll ends the task."""
    result = result_of(
        chat(mode=Mode.ASYNC), json_answer(PROCESSING), json_answer(refused("1214", "id"), 400)
    )
    assert result.failure == Failure(400, "1214", "id")
    assert len(result.server.requests) == 2


def test_polling_ends_at_its_limit() -> None:
    """A task is polled so many times and no more."""
    result = result_of(chat(mode=Mode.ASYNC, poll=Poll(0.25, 3)), json_answer(PROCESSING))
    assert (result.failure.status, result.failure.code) == (0, "PollLimit")
    assert result.failure.message == "the task is still PROCESSING after 3 polls, 0.25 s apart"
    assert len(result.failure.views) == 4
    assert result.slept == [0.25, 0.25, 0.25]


# -------------------------------------------------------------------------- what is sent


def test_unknown_parameters_travel() -> None:
    """Parameters that the SDK's function does not take are sent in the body."""
    parameters = {"temperature": 0.5, "thinking_budget": 7, "nested": {"a": [1]}}
    for mode in Mode:
        sent = (
            result_of(chat(mode=mode, parameters=parameters), json_answer(ANSWER))
            .server.requests[0]
            .json
        )
        assert {name: sent[name] for name in parameters} == parameters
    picture = chat(
        kind=CallKind.IMAGE, prompt="小猫", parameters={"size": "1x1", "watermark": False}
    )
    sent = result_of(picture, json_answer({"data": []})).server.requests[0].json
    assert (sent["prompt"], sent["size"], sent["watermark"]) == ("小猫", "1x1", False)


def test_a_call_is_not_changed() -> None:
    """The SDK changes the parameters and messages it is given, which are copies."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    parameters = {"temperature": 0, "tools": [tool]}
    messages = (
        Message("user", "你好"),
        Message("assistant", "", (ToolCall("call_1", "f", "{}"),)),
        Message("tool", "1", tool_call_id="call_1"),
    )
    call = chat(messages=messages, parameters=parameters)
    for _ in range(2):
        sent = result_of(call, json_answer(ANSWER)).server.requests[0].json
        assert sent["messages"] == [
            {"role": "user", "content": "你好"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "content": "1", "tool_call_id": "call_1"},
        ]
    assert parameters == {"temperature": 0, "tools": [tool]}
    assert tool == {"type": "function", "function": {"name": "f", "parameters": {}}}


def test_whose_key_is_sent() -> None:
    """The user's key is sent, or the one without an account, never both."""
    own = result_of(chat(), json_answer(ANSWER)).server.requests[0].headers["authorization"]
    assert own == "Bearer 0123456789abcdef.secretsecret"
    wrong = result_of(chat(credentials=Credentials.WRONG), json_answer(ANSWER)).server.requests[0]
    assert wrong.headers["authorization"] == f"Bearer {WRONG_KEY}"


def test_images_without_links() -> None:
    """An image without a link is left out."""
    answer = json_answer({"created": 1, "data": [{"url": "http://x/1.png"}, {"b64_json": "aGk="}]})
    reply = result_of(chat(kind=CallKind.IMAGE, prompt="小猫"), answer).reply
    assert reply.images == (GeneratedFile("http://x/1.png"),)
    assert (
        result_of(
            chat(kind=CallKind.IMAGE, prompt="小猫"), json_answer({"created": 1})
        ).reply.images
        == ()
    )


def test_the_secrets_of_a_key() -> None:
    """The secrets of a key are the key and both its halves."""
    assert PROVIDER.secrets("id.secret") == ("id.secret", "id", "secret")
    assert PROVIDER.secrets("undivided") == ("undivided",)
