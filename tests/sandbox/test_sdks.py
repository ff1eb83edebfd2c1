"""The official SDKs work with the sandbox as with the real services."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import dashscope
import httpx
import pytest
import zhipuai
from dashscope_sdk import close_shared_sync_session
from PIL import Image

from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.servers import PROVIDER_SERVERS
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.sandbox import Options, serve

from .client import WEATHER, user

GENERATION: Any = dashscope.Generation
IMAGES: Any = dashscope.ImageSynthesis
MESSAGES = [
    user("你好，我叫小明"),
    {"role": "assistant", "content": "您好！"},
    user("我叫什么名字？"),
]


@pytest.fixture
def client(base: str) -> Iterator[Any]:
    """Yield a client of Zhipu's SDK that sends a signed token."""
    with zhipuai.ZhipuAI(
        api_key=ZHIPUAI_KEY,
        base_url=f"{base}/api/paas/v4",
        max_retries=0,
        disable_token_cache=False,
    ) as client:
        yield client


@pytest.fixture
def arguments(base: str) -> Iterator[dict[str, str]]:
    """Yield the arguments with which DashScope's SDK reaches the sandbox."""
    yield {"api_key": DASHSCOPE_KEY, "base_address": f"{base}/api/v1"}
    close_shared_sync_session()


def test_zhipuai_chats(client: Any) -> None:
    """A whole answer and a stream have the same text."""
    whole = client.chat.completions.create(model="glm-4", messages=MESSAGES)
    assert whole.choices[0].message.content == "您叫小明。"
    chunks = list(client.chat.completions.create(model="glm-4", messages=MESSAGES, stream=True))
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == "您叫小明。"
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_zhipuai_sends_the_key_itself(base: str) -> None:
    """That is the default of the SDK."""
    address = f"{base}/api/paas/v4"
    with zhipuai.ZhipuAI(api_key=ZHIPUAI_KEY, base_url=address, max_retries=0) as client:
        answer = client.chat.completions.create(model="glm-4", messages=[user("你好")])
    assert answer.choices[0].finish_reason == "stop"


def test_zhipuai_calls_a_tool_and_sends_the_result(client: Any) -> None:
    """The reply quotes the result."""
    create = client.chat.completions.create
    first = create(model="glm-4", messages=[user("北京天气？")], tools=[WEATHER])
    message = first.choices[0].message
    call_id = message.tool_calls[0].id
    result = {"role": "tool", "tool_call_id": call_id, "content": '{"sky": "晴"}'}
    messages = [user("北京天气？"), message.model_dump(), result]
    assert (
        "晴" in create(model="glm-4", messages=messages, tools=[WEATHER]).choices[0].message.content
    )


def test_zhipuai_polls_a_task(client: Any) -> None:
    """Polls end when the task has succeeded."""
    question = [user("讲一个童话")]
    task = client.chat.asyncCompletions.create(model="glm-4", messages=question)
    states = [task.task_status]
    while states[-1] == "PROCESSING":
        result = client.chat.asyncCompletions.retrieve_completion_result(id=task.id)
        states.append(result.task_status)
    assert states == ["PROCESSING", "PROCESSING", "PROCESSING", "SUCCESS"]
    assert "从前" in result.choices[0].message.content


def test_zhipuai_creates_an_image(client: Any) -> None:
    """The URL leads to an image of the requested size."""
    answer = client.images.generations(model="cogview-3", prompt="小猫", size="1024x1024")
    data = httpx.get(answer.data[0].url, trust_env=False).content
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (1024, 1024)


@pytest.mark.parametrize(
    ("model", "text", "kind"),
    [
        ("no-model", "你好", zhipuai.APIRequestFailedError),
        ("glm-4", "触发限流", zhipuai.APIReachLimitError),
    ],
)
def test_zhipuai_raises_refusals(client: Any, model: str, text: str, kind: Any) -> None:
    """The error is of the SDK's own class."""
    with pytest.raises(kind):
        client.chat.completions.create(model=model, messages=[user(text)], stream=True)


def test_zhipuai_raises_for_a_wrong_key(base: str) -> None:
    """The key is well-formed but not valid."""
    wrong = f"{'0' * 32}.abcdefghijklmnop"
    address = f"{base}/api/paas/v4"
    refused = pytest.raises(zhipuai.APIAuthenticationError, match="令牌已过期或验证不正确")
    with zhipuai.ZhipuAI(api_key=wrong, base_url=address, max_retries=0) as client, refused:
        client.chat.completions.create(model="glm-4", messages=[user("你好")])


def test_dashscope_generates(arguments: dict[str, str]) -> None:
    """It works with a prompt, and with messages in both formats."""
    call = GENERATION.call
    assert call("qwen-flash", prompt="你好", **arguments).output.text
    text = call("qwen-flash", messages=MESSAGES, **arguments).output.text
    answer = call("qwen-flash", messages=MESSAGES, result_format="message", **arguments)
    assert text == answer.output.choices[0].message.content == "您叫小明。"
    assert answer.usage.input_tokens + answer.usage.output_tokens == answer.usage.total_tokens


@pytest.mark.parametrize("incremental", [False, True])
def test_dashscope_streams(arguments: dict[str, str], incremental: bool) -> None:
    """Streams are incremental or cumulative."""
    request = {"messages": [user("讲一个童话")], "result_format": "message"}
    whole = GENERATION.call("qwen-flash", **request, **arguments)
    answers = GENERATION.call(
        "qwen-flash", **request, **arguments, stream=True, incremental_output=incremental
    )
    texts = [answer.output.choices[0].message.content for answer in answers]
    joined = "".join(texts) if incremental else texts[-1]
    assert joined == whole.output.choices[0].message.content


def test_dashscope_calls_a_tool(arguments: dict[str, str]) -> None:
    """The SDK returns the call with its arguments."""
    request = {"messages": [user("上海天气？")], "tools": [WEATHER], "result_format": "message"}
    answer = GENERATION.call("qwen-flash", **request, **arguments)
    call = answer.output.choices[0].message.tool_calls[0]
    assert call["function"]["arguments"].startswith('{"city": "上海"')


def test_dashscope_creates_images(
    arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is submitted and polled until it has succeeded; fetch takes no base_address."""
    monkeypatch.setattr(dashscope, "base_http_api_url", arguments["base_address"])
    image, key = IMAGES, DASHSCOPE_KEY
    submission = image.async_call("wanx-v1", "小猫", n=1, size="1280*720", api_key=key)
    states = [submission.output.task_status]
    while states[-1] in ("PENDING", "RUNNING"):
        task = image.fetch(submission, api_key=key)
        states.append(task.output.task_status)
    assert states == ["PENDING", "PENDING", "RUNNING", "SUCCEEDED"]
    data = httpx.get(task.output.results[0].url, trust_env=False).content
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (1280, 720)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"api_key": "sk-nobody"}, 401, "InvalidApiKey"),
        ({"model": "none"}, 400, "InvalidParameter"),
        ({"prompt": "触发限流"}, 429, "Throttling.RateQuota"),
        ({"prompt": "违禁内容"}, 400, "DataInspectionFailed"),
    ],
)
def test_dashscope_returns_refusals(
    arguments: dict[str, str], change: dict[str, str], status: int, code: str
) -> None:
    """The SDK returns errors as responses."""
    request = {"model": "qwen-flash", "prompt": "你好"} | arguments | change
    answer = GENERATION.call(**request)
    assert (answer.status_code, answer.code) == (status, code)


@pytest.mark.slow
def test_zhipuai_retries_when_throttled() -> None:
    """Each second request is refused, and the SDK's retry succeeds."""
    with serve(Options(port=0, throttle_every=2), PROVIDER_SERVERS) as base:
        address = f"{base}/api/paas/v4"
        with zhipuai.ZhipuAI(api_key=ZHIPUAI_KEY, base_url=address, max_retries=1) as client:
            for _ in range(2):
                answer = client.chat.completions.create(model="glm-4", messages=[user("你好")])
                assert answer.choices[0].message.content.startswith("你好！")
