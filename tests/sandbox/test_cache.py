"""The sandbox counts what a service would read from its cache, or write to it."""

from __future__ import annotations

import httpx
import pytest

from harness.providers.anthropic.sandbox import SERVER
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.openai.sandbox import KEY
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.sandbox import Options, serve
from harness.types import Json

BOOK = "春眠不觉晓。" * 400
MARK: Json = {"type": "ephemeral"}
MARKED: Json = {
    "role": "system",
    "content": [{"type": "text", "text": BOOK, "cache_control": MARK}],
}


def conversation(*texts: str) -> list[Json]:
    """Return messages from user and model in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


FIRST: Json = [MARKED, *conversation("一")]
SECOND: Json = [MARKED, *conversation("一", "二", "三")]


def usage(http: httpx.Client, path: str, key: str, **body: Json) -> dict[str, Json]:
    """Return the token counts of an answer."""
    headers = {"Authorization": f"Bearer {key}", "x-api-key": key}
    done = http.post(path, json=body, headers=headers)
    assert done.status_code == 200, done.text
    found: dict[str, Json] = done.json()["usage"]
    return found


@pytest.mark.parametrize(("messages", "read"), [(FIRST, False), (SECOND, True)])
def test_a_marked_prefix_is_written_and_then_read(
    http: httpx.Client, messages: list[Json], read: bool
) -> None:
    """In OpenAI's form and in DashScope's the counts are within the input tokens."""
    compatible = usage(
        http,
        "/compatible-mode/v1/chat/completions",
        DASHSCOPE_KEY,
        model="qwen-plus",
        messages=messages,
    )
    own = usage(
        http,
        "/api/v1/services/aigc/text-generation/generation",
        DASHSCOPE_KEY,
        model="qwen-plus",
        input={"messages": messages},
    )
    details = compatible["prompt_tokens_details"]
    assert details == own["prompt_tokens_details"]
    assert isinstance(details, dict)
    assert (details["cached_tokens"] != 0, details["cache_creation_input_tokens"] != 0) == (
        read,
        not read,
    )


def test_anthropics_counts_are_beside_the_input_tokens() -> None:
    """Together they are the whole input."""
    system: Json = [{"type": "text", "text": BOOK, "cache_control": MARK}]
    asked: dict[str, Json] = {"model": "claude-sonnet-4-6", "max_tokens": 99, "system": system}
    path = "/v1/messages"
    with serve(Options(port=0), {"anthropic": SERVER}) as base, httpx.Client(base_url=base) as http:
        first = usage(http, path, KEY, messages=conversation("一"), **asked)
        again = usage(http, path, KEY, messages=conversation("一", "二", "三"), **asked)
    assert first["cache_creation_input_tokens"] == again["cache_read_input_tokens"] != 0
    assert first["cache_read_input_tokens"] == again["cache_creation_input_tokens"] == 0
    assert first["input_tokens"] == 5


def test_a_long_beginning_that_was_sent_before_is_read(http: httpx.Client) -> None:
    """Without a mark; a short one is not."""
    path = "/api/paas/v4/chat/completions"
    for text, is_read in (("短", False), (BOOK, True)):
        counts = usage(
            http, path, ZHIPUAI_KEY, model="glm-5.3", messages=conversation(text, "二", "三")
        )
        details = counts["prompt_tokens_details"]
        assert isinstance(details, dict)
        assert (details["cached_tokens"] != 0) is is_read
