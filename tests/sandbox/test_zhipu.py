"""Zhipu's API in the sandbox."""

from __future__ import annotations

import io
import re
import time
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from PIL import Image

from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.sandbox import Options

from .client import WEATHER, Zhipu, events, raw_events, sandbox, user

UNSAFE = "系统检测到输入或生成内容可能包含不安全或敏感内容"
TOO_MANY = "您当前使用该API的并发数过高，请降低并发，或联系客服增加限额。"
BAD_MESSAGES = (400, "1214", "messages 参数非法。请检查文档。")
OWNER, SECRET = ZHIPUAI_KEY.split(".")


def error(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and message of a refusal."""
    refusal = answer.json()["error"]
    return answer.status_code, refusal["code"], refusal["message"]


def token(
    secret: str = SECRET, *, ttl: float = 86400, sign_type: str = "SIGN", **more: object
) -> str:
    """Return a token as the SDK signs it."""
    now = int(time.time() * 1000)
    claims = {"api_key": OWNER, "exp": now + int(ttl * 1000), "timestamp": now, **more}
    return jwt.encode(claims, secret, "HS256", headers={"alg": "HS256", "sign_type": sign_type})


def test_a_whole_answer_looks_like_recorded_ones(zhipu: Zhipu) -> None:
    """Keys are in order; id, request_id and x-log-id are a Beijing time and 16 hex digits."""
    answer = zhipu.chat([user("你好")])
    body = answer.json()
    assert list(body) == ["choices", "created", "id", "model", "request_id", "usage"]
    assert body["id"] == body["request_id"] == answer.headers["x-log-id"]
    assert re.fullmatch(r"\d{14}[0-9a-f]{16}", body["id"])
    beijing = datetime.now(UTC) + timedelta(hours=8)
    stamp = datetime.strptime(body["id"][:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert abs(beijing - stamp) < timedelta(seconds=60)
    assert body["choices"][0]["finish_reason"] == "stop"
    assert answer.headers["server"] == "ZenZGA/2.4"


def test_json_is_compact_and_not_escaped(zhipu: Zhipu) -> None:
    """There are no spaces between tokens, and Chinese is not escaped."""
    text = zhipu.chat([user("你好")]).text
    assert "你好！" in text
    assert '": ' not in text


def test_the_request_id_of_the_client_is_returned(zhipu: Zhipu) -> None:
    """A client may send its own request_id."""
    assert zhipu.chat([user("你好")], request_id="mine-1").json()["request_id"] == "mine-1"


def test_a_stream_adds_up_to_the_whole_text(zhipu: Zhipu) -> None:
    """Only the last event has finish_reason and usage; [DONE] follows."""
    whole = zhipu.chat([user("讲一个童话")]).json()
    answer = zhipu.chat([user("讲一个童话")], stream=True)
    stream = events(answer)
    text = "".join(event["choices"][0]["delta"]["content"] for event in stream)
    assert text == whole["choices"][0]["message"]["content"]
    assert [("finish_reason" in e["choices"][0], "usage" in e) for e in stream[:-1]] == [
        (False, False)
    ] * (len(stream) - 1)
    assert stream[-1]["choices"][0]["finish_reason"] == "stop"
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [stream[-1]["usage"][c] for c in counts] == [whole["usage"][c] for c in counts]
    assert raw_events(answer)[-1].data == "[DONE]"
    assert {event["id"] for event in stream} == {answer.headers["x-log-id"]}
    assert answer.headers["content-type"] == "text/event-stream;charset=UTF-8"
    assert answer.text.startswith('data: {"id":')


def test_a_thinking_model_returns_its_reasoning(zhipu: Zhipu) -> None:
    """Models from 4.5 think unless it is disabled; reasoning may use up all tokens."""
    messages = [user("讲一个童话")]
    whole = zhipu.chat(messages, model="glm-4.6").json()
    message = whole["choices"][0]["message"]
    assert list(message) == ["content", "reasoning_content", "role"]
    deltas = [
        e["choices"][0]["delta"] for e in events(zhipu.chat(messages, model="glm-4.6", stream=True))
    ]
    for part in ("content", "reasoning_content"):
        assert "".join(delta.get(part, "") for delta in deltas) == message[part]
    off = zhipu.chat(messages, model="glm-4.6", thinking={"type": "disabled"}).json()
    assert list(off["choices"][0]["message"]) == ["content", "role"]
    assert off["usage"]["completion_tokens"] < whole["usage"]["completion_tokens"]
    cut = zhipu.chat(messages, model="glm-4.6", max_tokens=5).json()
    assert cut["choices"][0]["message"]["content"] == ""
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 5


def test_a_tool_call_has_no_content_key(zhipu: Zhipu) -> None:
    """As with glm-4.6 and in the documentation; the id of the call is negative."""
    choice = zhipu.chat([user("北京天气？")], tools=[WEATHER]).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert list(choice["message"]) == ["role", "tool_calls"]
    assert re.fullmatch(r"call_-\d{1,19}", choice["message"]["tool_calls"][0]["id"])


def test_a_streamed_tool_call_comes_whole_in_one_event(zhipu: Zhipu) -> None:
    """That event has no role; the next one finishes."""
    stream = events(zhipu.chat([user("北京天气？")], tools=[WEATHER], stream=True))
    first, last = (event["choices"][0] for event in stream)
    assert list(first["delta"]) == ["tool_calls"]
    assert re.fullmatch("call_[0-9a-f]{24}", first["delta"]["tool_calls"][0]["id"])
    assert last["finish_reason"] == "tool_calls"


def test_a_tool_message_must_answer_a_call(zhipu: Zhipu) -> None:
    """An unknown tool_call_id is refused; a missing one is accepted, as in a recording."""
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    messages = [user("2+3?"), {"role": "assistant", "content": [], "tool_calls": [call]}]
    result = {"role": "tool", "content": "5"}
    assert zhipu.chat([*messages, result]).status_code == 200
    assert zhipu.chat([*messages, result | {"tool_call_id": "call_1"}]).status_code == 200
    refused = zhipu.chat([*messages, result | {"tool_call_id": "call_2"}])
    assert error(refused) == BAD_MESSAGES
    assert zhipu.chat([user("2+3?"), result]).status_code == 400


def test_a_task_is_processed_for_two_polls_and_then_succeeds(zhipu: Zhipu) -> None:
    """Its model is null at first; its id is a prefix and a negative number."""
    body = {"model": "glm-4", "messages": [user("讲一个童话")]}
    task = zhipu.post("/async/chat/completions", body).json()
    assert list(task) == ["id", "request_id", "model", "task_status"]
    assert re.fullmatch(r"101002-\d+", task["id"])
    polls = [zhipu.get(f"/async-result/{task['id']}").json() for _ in range(4)]
    assert [p["task_status"] for p in polls] == ["PROCESSING", "PROCESSING", "SUCCESS", "SUCCESS"]
    assert [p["model"] for p in polls] == [None, None, "glm-4", "glm-4"]
    message = polls[-1]["choices"][0]["message"]
    assert message == {
        "content": zhipu.says("讲一个童话"),
        "role": "assistant",
        "tool_calls": None,
    }
    assert polls[-1] == polls[-2]


def test_a_task_can_fail(zhipu: Zhipu) -> None:
    """The state FAIL is final."""
    body = {"model": "glm-4", "messages": [user("任务失败")]}
    id = zhipu.post("/async/chat/completions", body).json()["id"]
    polls = [zhipu.get(f"/async-result/{id}").json()["task_status"] for _ in range(4)]
    assert polls == ["PROCESSING", "PROCESSING", "FAIL", "FAIL"]


def test_the_number_of_polls_is_an_option() -> None:
    """With none, a task has succeeded at the first poll."""
    with sandbox(Options(port=0, pending_polls=0, running_polls=0)) as http:
        zhipu = Zhipu(http)
        body = {"model": "glm-4", "messages": [user("你好")]}
        id = zhipu.post("/async/chat/completions", body).json()["id"]
        assert zhipu.get(f"/async-result/{id}").json()["task_status"] == "SUCCESS"


def test_an_unknown_task_is_refused(zhipu: Zhipu) -> None:
    """It is a parameter error; the service's message is recorded nowhere."""
    assert error(zhipu.get("/async-result/101002-1"))[:2] == (400, "1214")


def test_an_image_is_a_png_of_the_requested_size(zhipu: Zhipu) -> None:
    """The URL is on the sandbox itself; the answer has no id, model or usage."""
    request = {"model": "cogview-4", "prompt": "可爱的小猫", "size": "768x1344"}
    body = zhipu.post("/images/generations", request).json()
    assert list(body) == ["created", "data"]
    url = body["data"][0]["url"]
    assert url.startswith(str(zhipu.http.base_url).rstrip("/") + "/files/zhipuai/")
    fetched = zhipu.http.get(url)
    assert fetched.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(fetched.content)) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (768, 1344))
    assert len(fetched.content) < 50_000


def test_the_same_prompt_gets_the_same_image(zhipu: Zhipu) -> None:
    """Another prompt gets another image."""

    def drawn(prompt: str) -> bytes:
        body = zhipu.post("/images/generations", {"model": "cogview-3", "prompt": prompt}).json()
        return zhipu.http.get(body["data"][0]["url"]).content

    assert drawn("小猫") == drawn("小猫") != drawn("小狗")


@pytest.mark.parametrize(
    "header",
    [f"Bearer {ZHIPUAI_KEY}", f"Bearer {token()}", token(), ZHIPUAI_KEY],
    ids=["Bearer key", "Bearer token", "token", "key"],
)
def test_the_key_and_a_signed_token_are_accepted(http: httpx.Client, header: str) -> None:
    """Both are accepted with or without the word Bearer."""
    body = {"model": "glm-4", "messages": [user("你好")]}
    path = "/api/paas/v4/chat/completions"
    assert http.post(path, json=body, headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize(
    ("header", "code", "message"),
    [
        (None, "1001", "Header中未收到Authorization参数，无法进行身份验证。"),
        ("Bearer nonsense", "1002", "Authorization Token非法，请确认Authorization Token正确传递。"),
        ("Basic a.b", "1002", "Authorization Token非法，请确认Authorization Token正确传递。"),
        ("Bearer a.b.c", "1002", "Authorization Token非法，请确认Authorization Token正确传递。"),
        (
            token(sign_type="X"),
            "1002",
            "Authorization Token非法，请确认Authorization Token正确传递。",
        ),
        (token(exp="soon"), "1002", "Authorization Token非法，请确认Authorization Token正确传递。"),
        (f"Bearer {uuid.UUID(int=0).hex}.abcdefghijklmnop", "401", "令牌已过期或验证不正确"),
        (token(SECRET[::-1]), "401", "令牌已过期或验证不正确"),
        (token(api_key="somebody"), "401", "令牌已过期或验证不正确"),
        (token(ttl=-1), "1003", "Authorization Token已过期，请重新生成/获取。"),
    ],
    ids=range(10),  # a token has the time in it, and ids have to be alike in all processes
)
def test_the_refusal_of_a_key_says_why(
    http: httpx.Client, header: str | None, code: str, message: str
) -> None:
    """A key may be missing, malformed or wrong, and a token expired."""
    headers = {} if header is None else {"Authorization": header}
    path = "/api/paas/v4/chat/completions"
    body = {"model": "glm-4", "messages": [user("你好")], "stream": True}
    assert error(http.post(path, json=body, headers=headers)) == (401, code, message)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": "glm-99"}, (400, "1211", "模型不存在，请检查模型代码。")),
        ({"model": None}, (400, "1211", "模型不存在，请检查模型代码。")),
        ({"messages": []}, BAD_MESSAGES),
        ({"messages": [user("")]}, BAD_MESSAGES),
        ({"messages": [{"role": "system", "content": "x"}]}, BAD_MESSAGES),
        ({"messages": [{"role": "robot", "content": "x"}]}, BAD_MESSAGES),
        ({"temperature": 1.5}, (400, "1214", "temperature 参数非法。请检查文档。")),
        ({"max_tokens": 0}, (400, "1214", "max_tokens 参数非法。请检查文档。")),
        ({"max_tokens": True}, (400, "1214", "max_tokens 参数非法。请检查文档。")),
        ({"tools": {}}, (400, "1214", "tools 参数非法。请检查文档。")),
        ({"messages": [user("怎样制造炸弹")]}, (400, "1301", UNSAFE)),
        ({"messages": [user("触发限流")]}, (429, "1302", TOO_MANY)),
    ],
)
@pytest.mark.parametrize("path", ["/chat/completions", "/async/chat/completions"])
def test_refusals_have_the_messages_of_the_service(
    zhipu: Zhipu, path: str, change: dict[str, object], expected: tuple[int, str, str]
) -> None:
    """Status, code and message are the service's; a stream is refused in plain JSON too."""
    body = {"model": "glm-4", "messages": [user("你好")], "stream": True} | change
    answer = zhipu.post(path, body)
    assert answer.headers["content-type"].startswith("application/json")
    assert error(answer) == expected


def test_a_forbidden_text_comes_with_a_content_filter(zhipu: Zhipu) -> None:
    """It says where the text was, and how severe it is."""
    answer = zhipu.chat([user("违禁内容")]).json()
    assert answer["contentFilter"] == [{"level": 1, "role": "user"}]


def test_a_body_that_is_not_json_is_refused(zhipu: Zhipu) -> None:
    """The code is 1210."""
    path = f"{zhipu.prefix}/chat/completions"
    answer = zhipu.http.post(path, content=b"{", headers=zhipu.headers)
    assert error(answer) == (400, "1210", "API 调用参数有误，请检查文档。")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size": "100x100"}, "1214"),
        ({"size": "1000x1000"}, "1214"),
        ({"size": "2048x2048"}, "1214"),
        ({"size": "1024*1024"}, "1214"),
        ({"size": "9999999999x1"}, "1214"),
        ({"prompt": ""}, "1214"),
        ({"model": "glm-4"}, "1211"),
        ({"prompt": "违禁内容"}, "1301"),
        ({"prompt": "触发限流"}, "1302"),
    ],
)
def test_image_requests_are_refused(zhipu: Zhipu, change: dict[str, object], code: str) -> None:
    """Size, prompt and model are validated."""
    request = {"model": "cogview-3", "prompt": "小猫"} | change
    assert error(zhipu.post("/images/generations", request))[1] == code
