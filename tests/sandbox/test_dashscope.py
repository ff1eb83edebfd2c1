"""DashScope's API in the sandbox."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from PIL import Image

from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY

from .client import WEATHER, Dash, conversation, events, raw_events, user

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
FORBIDDEN = "Input data may contain inappropriate content."
ROLE = "Role must be user or assistant and Content length must be greater than 0"

NOTHING = 'Either "prompt" or "messages" must exist and cannot both be none'
TOO_MANY = "Requests rate limit exceeded, please try again later."


def invalid(message: str) -> tuple[int, str, str]:
    """Return the refusal of an invalid parameter."""
    return 400, "InvalidParameter", message


def error(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and message of a refusal."""
    body = answer.json()
    assert list(body) == ["code", "message", "request_id"]
    return answer.status_code, body["code"], body["message"]


def test_a_prompt_and_the_same_message_get_the_same_text(dash: Dash) -> None:
    """The text format is the default for both."""
    prompt = dash.generate("你好").json()
    assert list(prompt) == ["output", "usage", "request_id"]
    assert prompt["output"] == dash.generate([user("你好")]).json()["output"]
    assert list(prompt["output"]) == ["finish_reason", "text"]


def test_the_message_format_has_choices(dash: Dash) -> None:
    """It has no text; without tools a choice has no index."""
    output = dash.generate("你好", result_format="message").json()["output"]
    text = dash.generate("你好").json()["output"]["text"]
    message = {"content": text, "role": "assistant"}
    assert output == {"choices": [{"finish_reason": "stop", "message": message}]}


def test_the_request_id_is_in_body_and_header(dash: Dash) -> None:
    """The id is a UUID."""
    answer = dash.generate("你好")
    assert re.fullmatch(UUID, answer.json()["request_id"])
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_the_reply_depends_on_the_history(dash: Dash) -> None:
    """The name from an earlier message is in the reply."""
    messages = conversation("我叫小明", "您好，小明！", "我叫什么名字？")
    assert "小明" in dash.generate(messages).json()["output"]["text"]
    assert "小明" not in dash.generate("我叫什么名字？").json()["output"]["text"]


@pytest.mark.parametrize("format_", ["text", "message"])
@pytest.mark.parametrize("incremental", [False, True])
def test_a_stream_adds_up_to_the_whole_text(dash: Dash, format_: str, incremental: bool) -> None:
    """It is cumulative or incremental; finish_reason is "null" until the end; usage grows."""
    settings: dict[str, object] = {"result_format": format_, "incremental_output": incremental}
    answer = dash.generate("讲一个童话", sse=True, **settings)
    stream = events(answer)
    if format_ == "message":
        choices = [event["output"]["choices"][0] for event in stream]
        texts = [choice["message"]["content"] for choice in choices]
        reasons = [choice["finish_reason"] for choice in choices]
    else:
        texts = [event["output"]["text"] for event in stream]
        reasons = [event["output"]["finish_reason"] for event in stream]
    whole = dash.generate("讲一个童话").json()
    assert ("".join(texts) if incremental else texts[-1]) == whole["output"]["text"]
    if incremental:
        assert (texts[-1], all(texts[:-1])) == ("", True)
    else:
        assert all(b.startswith(a) and a != b for a, b in pairwise(texts))
    assert reasons == ["null"] * (len(stream) - 1) + ["stop"]
    written = [event["usage"]["output_tokens"] for event in stream]
    assert written == sorted(written)
    assert written[-1] == whole["usage"]["output_tokens"]
    for usage in (event["usage"] for event in stream):
        assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]
    assert {event["request_id"] for event in stream} == {answer.headers["x-request-id"]}


def test_events_are_framed_as_recorded(dash: Dash) -> None:
    """An event has id, name, a comment with the status, and data without a space; no [DONE]."""
    answer = dash.generate("你好", sse=True)
    stream = raw_events(answer)
    assert [event.id for event in stream] == [str(n + 1) for n in range(len(stream))]
    assert {(event.event, event.comments) for event in stream} == {("result", ("HTTP_STATUS/200",))}
    assert answer.text.startswith('id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"output":')
    assert "[DONE]" not in answer.text
    assert answer.headers["x-dashscope-finished"] == "false"


def test_a_tool_call_comes_in_the_message_format(dash: Dash) -> None:
    """A choice has an index if tools were declared."""
    choice = dash.generate("北京天气？", tools=[WEATHER]).json()["output"]["choices"][0]
    assert list(choice) == ["finish_reason", "index", "message"]
    assert choice["finish_reason"] == "tool_calls"
    call = choice["message"]["tool_calls"][0]
    assert list(call) == ["function", "id", "index", "type"]
    assert call["function"]["arguments"] == '{"city": "北京", "unit": "celsius", "days": 2}'


def test_pieces_of_a_tool_call_join_to_the_whole(dash: Dash) -> None:
    """The first has id and name, later ones an empty id and no name; the last one finishes."""
    parameters: dict[str, object] = {"tools": [WEATHER], "incremental_output": True}
    stream = events(dash.generate("北京天气？", sse=True, **parameters))
    choices = [event["output"]["choices"][0] for event in stream]
    calls = [choice["message"]["tool_calls"][0] for choice in choices]
    assert len(calls) > 2
    assert re.fullmatch("call_[0-9a-f]{24}", calls[0]["id"])
    assert calls[0]["function"]["name"] == "get_weather"
    assert {call["id"] for call in calls[1:]} == {""}
    assert all(list(call["function"]) == ["arguments"] for call in calls[1:])
    joined = "".join(call["function"]["arguments"] for call in calls)
    assert joined == '{"city": "北京", "unit": "celsius", "days": 2}'
    assert [c["finish_reason"] for c in choices] == ["null"] * (len(calls) - 1) + ["tool_calls"]


def test_cumulative_tool_calls_end_with_the_whole(dash: Dash) -> None:
    """Each event repeats everything before it, earlier calls included."""
    stream = events(dash.generate("北京和上海天气？", sse=True, tools=[WEATHER]))
    calls = [event["output"]["choices"][0]["message"]["tool_calls"] for event in stream]
    assert len(calls[0]) == 1
    arguments = [call["function"]["arguments"] for call in calls[-1]]
    assert [("北京" in a, "上海" in a, a[-1]) for a in arguments] == [
        (True, False, "}"),
        (False, True, "}"),
    ]
    assert [c["id"] for c in calls[0]] == [c["id"] for c in calls[-1]][:1]
    whole = dash.generate("北京和上海天气？", tools=[WEATHER]).json()["usage"]
    assert stream[-1]["usage"]["output_tokens"] == whole["output_tokens"]


def test_a_tool_message_must_answer_a_call(dash: Dash) -> None:
    """Its tool_call_id must be that of an earlier call."""
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [user("北京天气？"), {"role": "assistant", "content": "", "tool_calls": [call]}]
    result = {"role": "tool", "content": '{"temperature": 20}'}
    answer = dash.generate([*messages, result | {"tool_call_id": "call_1"}])
    assert "20" in answer.json()["output"]["text"]
    for wrong in (result, result | {"tool_call_id": "call_2"}):
        status, code, message = error(dash.generate([*messages, wrong]))
        assert (status, code) == (400, "InvalidParameter")
        assert 'messages with role "tool" must be a response' in message


def test_images_are_a_task_that_is_polled(dash: Dash) -> None:
    """States, Beijing times, and for each poll a new request_id, in the body only."""
    submission = dash.submit_images("可爱的小猫", size="720*1280", n=2)
    assert list(submission.json()) == ["request_id", "output"]
    output = submission.json()["output"]
    assert output["task_status"] == "PENDING"
    answers = [dash.poll(output["task_id"]) for _ in range(4)]
    polls = [answer.json() for answer in answers]
    states = ["PENDING", "RUNNING", "SUCCEEDED", "SUCCEEDED"]
    assert [p["output"]["task_status"] for p in polls] == states
    assert len({p["request_id"] for p in [submission.json(), *polls]}) == 5
    assert all("x-request-id" not in answer.headers for answer in answers)
    assert polls[0]["output"]["task_metrics"] == {"TOTAL": 2, "SUCCEEDED": 0, "FAILED": 0}
    assert polls[2]["output"]["task_metrics"] == {"TOTAL": 2, "SUCCEEDED": 2, "FAILED": 0}
    assert polls[2]["usage"] == {"image_count": 2}
    assert polls[2]["output"] == polls[3]["output"]
    submitted = datetime.fromisoformat(polls[2]["output"]["submit_time"]).replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) + timedelta(hours=8) - submitted) < timedelta(seconds=60)
    files = [dash.http.get(result["url"]).content for result in polls[2]["output"]["results"]]
    assert len(set(files)) == 2
    with Image.open(io.BytesIO(files[0])) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (720, 1280))


def test_four_images_are_drawn_by_default(dash: Dash) -> None:
    """The model wanx-v1 draws four."""
    id = dash.submit_images("小猫").json()["output"]["task_id"]
    assert dash.poll(id).json()["output"]["task_metrics"]["TOTAL"] == 4


@pytest.mark.parametrize(
    ("prompt", "size", "code"),
    [("任务失败", "1024*1024", "InternalError.Timeout"), ("小猫", "64*64", "InvalidParameter")],
)
def test_a_failed_task_has_code_and_message_in_its_output(
    dash: Dash, prompt: str, size: str, code: str
) -> None:
    """The status is HTTP 200; a size that is not allowed fails the task."""
    id = dash.submit_images(prompt, size=size, n=1).json()["output"]["task_id"]
    answers = [dash.poll(id) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 200]
    output = answers[-1].json()["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", code)
    assert output["message"]
    assert output["task_metrics"] == {"TOTAL": 1, "SUCCEEDED": 0, "FAILED": 1}
    assert "usage" not in answers[-1].json()


def test_an_unknown_task_is_unknown(dash: Dash) -> None:
    """The status is HTTP 200."""
    answer = dash.poll("no-such-task")
    assert answer.status_code == 200
    assert answer.json()["output"] == {"task_id": "no-such-task", "task_status": "UNKNOWN"}


def test_images_cannot_be_requested_synchronously(dash: Dash) -> None:
    """A request without X-DashScope-Async is refused."""
    body = {"model": "wanx-v1", "input": {"prompt": "小猫"}, "parameters": {}}
    answer = dash.post("/services/aigc/text2image/image-synthesis", body)
    message = "current user api does not support synchronous calls."
    assert error(answer) == (403, "AccessDenied", message)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "No API-key provided."),
        ({"Authorization": "Bearer sk-wrong"}, "Invalid API-key provided."),
        ({"Authorization": f"Basic {DASHSCOPE_KEY}"}, "Invalid API-key provided."),
        ({"Authorization": "Bearer"}, "Invalid API-key provided."),
    ],
)
def test_a_missing_or_wrong_key_is_refused(
    http: httpx.Client, headers: dict[str, str], message: str
) -> None:
    """A stream is refused in plain JSON too."""
    body = {"model": "qwen-flash", "input": {"prompt": "你好"}, "parameters": {}}
    path = "/api/v1/services/aigc/text-generation/generation"
    answer = http.post(path, json=body, headers={"X-DashScope-SSE": "enable"} | headers)
    assert error(answer) == (401, "InvalidApiKey", message)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": "no-such-model"}, invalid("Model not exist.")),
        ({"model": 3}, invalid("Model not exist.")),
        ({"input": {"messages": []}}, invalid(ROLE)),
        ({"input": {"messages": [user("")]}}, invalid(ROLE)),
        ({"input": {"prompt": ""}}, invalid(ROLE)),
        ({"input": {"messages": [{"role": "x", "content": "y"}]}}, invalid(ROLE)),
        ({"input": {}}, invalid(NOTHING)),
        ({"parameters": {"temperature": 2}}, invalid("Temperature should be in [0.0, 2.0)")),
        ({"parameters": {"temperature": "warm"}}, invalid("Temperature should be in [0.0, 2.0)")),
        ({"parameters": {"top_p": 0}}, invalid("Range of top_p should be (0.0, 1.0]")),
        ({"parameters": {"max_tokens": 1.5}}, invalid("Range of max_tokens should be [1, 131072]")),
        (
            {"parameters": {"result_format": "xml"}},
            invalid("result_format must be text or message."),
        ),
        ({"input": {"prompt": "制造炸弹"}}, (400, "DataInspectionFailed", FORBIDDEN)),
        ({"input": {"prompt": "触发限流"}}, (429, "Throttling.RateQuota", TOO_MANY)),
    ],
)
def test_refusals_have_the_messages_of_the_service(
    dash: Dash, change: dict[str, object], expected: tuple[int, str, str]
) -> None:
    """Status, code and message are the service's; a stream is refused in plain JSON too."""
    body = {"model": "qwen-flash", "input": {"prompt": "你好"}, "parameters": {}} | change
    path = "/services/aigc/text-generation/generation"
    answer = dash.post(path, body, {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"})
    assert error(answer) == expected


@pytest.mark.parametrize(
    "model", ["qwen-turbo", "qwen-vl-max", "qwen-vl-plus", "qwq-plus", "qvq-max"]
)
def test_a_retired_model_is_refused(dash: Dash, model: str) -> None:
    """It is refused at both endpoints."""
    body = {"model": model, "input": {"messages": [user("你好")]}, "parameters": {}}
    for operation in ("text-generation", "multimodal-generation"):
        answer = dash.post(f"/services/aigc/{operation}/generation", body)
        assert error(answer) == invalid("Model not exist.")


def test_a_body_that_is_not_json_is_refused(dash: Dash) -> None:
    """The message is that of the error-code page."""
    path = f"{dash.prefix}/services/aigc/text-generation/generation"
    answer = dash.http.post(path, content=b"{", headers=dash.headers)
    message = "Required body invalid, please check the request body format."
    assert error(answer) == (400, "InvalidParameter", message)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"prompt": "小猫", "model": "qwen-flash"}, (400, "InvalidParameter")),
        ({"prompt": ""}, (400, "InvalidParameter")),
        ({"prompt": "小猫", "n": 5}, (400, "InvalidParameter")),
        ({"prompt": "违禁内容"}, (400, "DataInspectionFailed")),
        ({"prompt": "触发限流"}, (429, "Throttling.RateQuota")),
    ],
)
def test_image_tasks_are_refused(
    dash: Dash, arguments: dict[str, Any], expected: tuple[int, str]
) -> None:
    """An invalid request creates no task."""
    assert error(dash.submit_images(**arguments))[:2] == expected
