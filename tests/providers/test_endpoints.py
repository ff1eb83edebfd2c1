"""Each dialect recognises its own exchanges and reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.analysis.endpoint import Endpoint, Part, Role
from harness.analysis.reply import read_answer, read_refusal
from harness.errors import HarnessError
from harness.providers import endpoints
from harness.providers.dashscope.endpoints import endpoint_of
from harness.types import (
    Call,
    CallKind,
    Choice,
    Exchange,
    Failure,
    GeneratedFile,
    Mode,
    Reply,
    Request,
    Response,
    ToolCall,
    Usage,
)

by_name = pytest.mark.parametrize("endpoint", endpoints.ENDPOINTS, ids=lambda e: e.name)

AIGC = "https://d/api/v1/services/aigc"

KEYS = st.sampled_from(("output", "choices", "message", "usage", "error", "code", "task_status"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


def whole(name: str, body: Any, asked: Any = None) -> Reply | Failure | None:
    """Return what an endpoint's whole answer says."""
    return read_answer(endpoints.endpoint(name), (Part(body),), asked)


def events(name: str, *bodies: Any, asked: Any = None) -> Reply | Failure | None:
    """Return what an endpoint's stream says."""
    parts = tuple(Part(body, number) for number, body in enumerate(bodies, start=1))
    return read_answer(endpoints.endpoint(name), parts, asked)


@pytest.mark.parametrize(
    ("method", "uri", "name"),
    [
        ("POST", "https://open.bigmodel.cn/api/paas/v4/chat/completions", "zhipuai.chat"),
        ("POST", "https://api.z.ai/api/paas/v4/chat/completions", "zhipuai.chat"),
        ("POST", "https://open.bigmodel.cn/api/coding/paas/v4/chat/completions", "zhipuai.chat"),
        ("POST", "http://127.0.0.1:80/api/paas/v4/async/chat/completions", "zhipuai.async-chat"),
        ("GET", "https://api.z.ai/api/paas/v4/async-result/101002-88", "zhipuai.async-result"),
        ("POST", "https://api.z.ai/api/paas/v4/images/generations", "zhipuai.images"),
        (
            "POST",
            f"{AIGC}/text-generation/generation",
            "dashscope.generation",
        ),
        (
            "POST",
            f"{AIGC}/text2image/image-synthesis",
            "dashscope.text2image",
        ),
        ("GET", "https://d/api/v1/tasks/86ecf553-d340", "dashscope.tasks"),
        ("POST", "https://d/api/v1/tasks/86ecf553-d340/cancel", "dashscope.cancel"),
        ("POST", "https://d/compatible-mode/v1/chat/completions", "compatible.chat"),
        ("GET", "wss://d/api-ws/v1/inference", "dashscope.websocket"),
        ("GET", "http://127.0.0.1:80/files/zhipuai/api/cogview/1_0.png?Expires=1", "files.file"),
        ("GET", "https://api.z.ai/api/paas/v4/chat/completions", None),
        ("POST", "https://example.com/v1/chat/completions", None),
        ("POST", "http://[", None),
    ],
)
def test_an_exchange_is_recognised_by_method_and_path(
    method: str, uri: str, name: str | None
) -> None:
    """An endpoint is found by method and path, whatever the host."""
    found = endpoints.recognise(Exchange(Request(method, uri), Response(200)))
    assert (found.name if found else None) == name


@by_name
def test_the_schemas_of_an_endpoint_are_schemas(endpoint: Endpoint) -> None:
    """All schemas of an endpoint are valid JSON Schemas of draft 2020-12."""
    for schema in (endpoint.answer, endpoint.refusal, endpoint.event or {}):
        Draft202012Validator.check_schema(dict(schema))


@by_name
def test_an_endpoint_is_found_by_its_name(endpoint: Endpoint) -> None:
    """An endpoint is looked up by its name; an unknown name is refused with the known ones."""
    assert endpoints.endpoint(endpoint.name) is endpoint
    with pytest.raises(HarnessError, match=f"unknown endpoint 'nobody.chat'.*{endpoint.name}"):
        endpoints.endpoint("nobody.chat")


@given(status=st.integers(100, 599), body=VALUES)
def test_any_refusal_can_be_read(status: int, body: Any) -> None:
    """A refusal is a failure with its status, whatever its body says."""
    for endpoint in endpoints.ENDPOINTS:
        assert read_refusal(endpoint, status, body).status == status


@pytest.mark.slow
@given(bodies=st.lists(VALUES, max_size=3), asked=VALUES)
def test_any_answer_can_be_read(bodies: list[Any], asked: Any) -> None:
    """Reading never raises, on a stream or a whole answer."""
    for endpoint in endpoints.ENDPOINTS:
        read_answer(endpoint, tuple(Part(body, n) for n, body in enumerate(bodies)), asked)
        read_answer(endpoint, tuple(map(Part, bodies)), asked)


USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def test_a_chat_answer_is_read() -> None:
    """Each field of a reply is read from one body."""
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": "x", "reasoning_content": "y", "tool_calls": [call]}
    body = {
        "id": "1",
        "model": "glm-4",
        "choices": [{"index": 0, "finish_reason": "stop", "message": said}],
        "usage": USAGE,
    }
    assert whole("zhipuai.chat", body) == Reply(
        id="1",
        model="glm-4",
        content="x",
        reasoning="y",
        tool_calls=(ToolCall("c", "f", "{}"),),
        finish_reason="stop",
        usage=Usage(1, 2, 3),
    )


def piece(number: int, name: str, call_id: str, arguments: str) -> Any:
    """Return an event with a piece of a tool call."""
    function = {"name": name, "arguments": arguments}
    call = {"index": number, "id": call_id, "function": function}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def test_streamed_tool_calls_are_joined() -> None:
    """Pieces are joined by index; the id and an empty name may be repeated."""
    reply = events(
        "compatible.chat",
        piece(0, "f", "a", ""),
        piece(0, "", "a", '{"x"'),
        piece(1, "g", "b", "{}"),
        piece(0, "", "", ": 1}"),
    )
    assert isinstance(reply, Reply)
    assert reply.tool_calls == (ToolCall("a", "f", '{"x": 1}'), ToolCall("b", "g", "{}"))


def test_whole_calls_with_the_same_index_are_two_calls() -> None:
    """Another id begins another tool call."""
    reply = events("zhipuai.chat", piece(0, "f", "a", "{}"), piece(0, "g", "b", "{}"))
    assert isinstance(reply, Reply)
    assert reply.tool_calls == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))


def text(said: str, finish: str = "null") -> Any:
    """Return an event of the answer to a prompt."""
    return {"output": {"text": said, "finish_reason": finish}, "request_id": "r"}


def test_a_cumulative_stream_is_its_last_text() -> None:
    """The content of a cumulative stream is its last text; "null" is no finish reason."""
    reply = events("dashscope.generation", text("1"), text("1, 2"), asked={})
    assert isinstance(reply, Reply)
    assert (reply.content, reply.cumulative, reply.pieces) == ("1, 2", True, ("1", "1, 2"))
    assert reply.finish_reason is None


def test_an_incremental_stream_is_its_pieces() -> None:
    """The content of an incremental stream is its pieces, joined."""
    asked = {"parameters": {"incremental_output": True}}
    reply = events("dashscope.generation", text("1"), text(", 2", "stop"), asked=asked)
    assert isinstance(reply, Reply)
    assert (reply.content, reply.cumulative, reply.finish_reason) == ("1, 2", False, "stop")


def choice(index: int, content: str, finish: str | None = None) -> Any:
    """Return a choice of an event in OpenAI's form."""
    return {"index": index, "delta": {"content": content}, "finish_reason": finish}


def test_streamed_choices_are_kept_apart_by_index() -> None:
    """Each choice joins its own pieces, whether an event holds one choice or several."""
    reply = events(
        "compatible.chat",
        {"choices": [choice(0, "On")]},
        {"choices": [choice(1, "Tw")]},
        {"choices": [choice(1, "o", "stop"), choice(0, "e", "length")]},
    )
    assert isinstance(reply, Reply)
    assert reply.choices == (
        Choice(0, "One", finish_reason="length"),
        Choice(1, "Two", finish_reason="stop"),
    )
    assert reply.pieces == ("On", "e")


def test_whole_choices_without_an_index_are_numbered_by_position() -> None:
    """Choices without an index are numbered by their position."""
    messages = ({"message": {"content": text}} for text in ("One", "Two"))
    reply = whole("dashscope.generation", {"output": {"choices": list(messages)}})
    assert isinstance(reply, Reply)
    assert reply.choices == (Choice(0, "One"), Choice(1, "Two"))


def test_content_in_pieces_is_text_and_images() -> None:
    """Content that is a list has the text of its pieces, and their images."""
    content = [{"image": "https://x/1.png"}, {"text": "A "}, {"text": "cat"}]
    message = {"role": "assistant", "content": content}
    reply = whole("dashscope.multimodal", {"output": {"choices": [{"message": message}]}})
    assert isinstance(reply, Reply)
    assert (reply.content, reply.images) == ("A cat", (GeneratedFile("https://x/1.png"),))


def test_a_task_has_its_state_and_images() -> None:
    """A task has its state and the links of the images that did not fail."""
    output = {"task_id": "t", "task_status": "SUCCEEDED", "results": [{"url": "u"}, {"code": "x"}]}
    reply = whole("dashscope.tasks", {"output": output, "request_id": "r"})
    assert reply == Reply(id="r", task_id="t", states=("SUCCEEDED",), files=(GeneratedFile("u"),))


def test_a_failed_task_is_a_failure() -> None:
    """A failed task is a failure with HTTP status 200, and its state as code if it has none."""
    failed = {"task_status": "FAILED", "code": "InvalidParameter", "message": "no"}
    assert whole("dashscope.tasks", {"output": failed}) == Failure(200, "InvalidParameter", "no")
    assert whole("zhipuai.async-result", {"task_status": "FAIL"}) == Failure(
        200, "FAIL", "the task ended as FAIL"
    )


def test_a_refusal_with_status_200_is_a_failure() -> None:
    """An error with HTTP status 200 is a failure."""
    body = {"error": {"code": "1305", "message": "overloaded"}}
    assert whole("zhipuai.chat", body) == Failure(200, "1305", "overloaded")


def test_an_error_event_carries_its_status_in_a_comment() -> None:
    """The status of an error event is that of its comment."""
    part = Part({"code": "Bad", "message": "m"}, 1, 0, "error", ("HTTP_STATUS/400",))
    assert read_answer(endpoints.endpoint("dashscope.generation"), (part,), {}) == Failure(
        400, "Bad", "m"
    )


@pytest.mark.parametrize(
    ("name", "body", "failure"),
    [
        ("zhipuai.chat", {"error": {"code": "1002", "message": "m"}}, Failure(401, "1002", "m")),
        (
            "dashscope.generation",
            {"code": "InvalidApiKey", "message": "m", "request_id": "r"},
            Failure(401, "InvalidApiKey", "m", "r"),
        ),
        (
            "compatible.chat",
            {"error": {"code": None, "type": "invalid_request_error", "message": "m"}},
            Failure(401, "invalid_request_error", "m"),
        ),
        ("zhipuai.chat", [1], Failure(401, "", "")),
    ],
)
def test_a_refusal_is_read(name: str, body: Any, failure: Failure) -> None:
    """A refusal is read whether nested, flat, or without a code of its own."""
    assert read_refusal(endpoints.endpoint(name), 401, json.loads(json.dumps(body))) == failure


@pytest.mark.parametrize(
    ("models", "name"),
    [
        ("qwen-plus qwen-flash qwen-max qwen3-max qwen3.7-max qwen-long", "dashscope.generation"),
        ("qwen-mt-plus deepseek-v4-pro qwen3-32b no-such-model", "dashscope.generation"),
        ("qwen3-asr-flash-filetrans", "dashscope.generation"),
        ("qwen3.5-plus qwen3.5-397b-a17b qwen3.6-flash qwen3.7-plus", "dashscope.multimodal"),
        ("qwen3.7-plus-2026-05-26 qwen3.8-max qwen3.8-flash", "dashscope.multimodal"),
        ("qwen3-vl-plus qwen-vl-ocr qwen2.5-vl-72b-instruct", "dashscope.multimodal"),
        ("qwen3-omni-flash qwen-omni qvq-72b-preview", "dashscope.multimodal"),
        ("qwen3-asr-flash qwen3-tts-flash", "dashscope.multimodal"),
    ],
)
def test_the_endpoint_of_a_conversation_follows_the_model(models: str, name: str) -> None:
    """A conversation goes to the model's endpoint, the text endpoint for unlisted models."""
    calls = [Call(CallKind.CHAT, Mode.SYNC, model) for model in models.split()]
    assert {endpoint_of(call).name for call in calls} == {name}


def test_a_handshake_is_not_read() -> None:
    """The handshake of a websocket is neither an answer nor a refusal."""
    assert endpoints.endpoint("dashscope.websocket").role is Role.OTHER
    assert whole("dashscope.websocket", {"code": "x"}) is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://coding.dashscope.aliyuncs.com/v1/chat/completions", "compatible.chat"),
        ("https://coding-intl.dashscope.aliyuncs.com/v1/chat/completions", "compatible.chat"),
        (
            "https://ws1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1/chat/completions",
            "compatible.chat",
        ),
        (
            "https://dashscope-us.aliyuncs.com/api/v1/services/aigc/image-generation/generation",
            "dashscope.image-generation",
        ),
        ("https://open.bigmodel.cn/api/coding/paas/v4/chat/completions", "zhipuai.chat"),
    ],
)
def test_regional_workspace_and_plan_hosts(url: str, name: str) -> None:
    """Each host of a provider is recognised."""
    found = endpoints.recognise(Exchange(Request("POST", url), Response(200)))
    assert found is not None
    assert found.name == name
