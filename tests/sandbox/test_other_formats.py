"""Anthropic's Messages and OpenAI's Responses in the sandbox: parameters, tools and schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.providers.anthropic.sandbox import SERVER as MESSAGES
from harness.providers.openai.sandbox import KEY
from harness.providers.responses.sandbox import SERVER as RESPONSES
from harness.sandbox import Options, serve

SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
HELLO = [{"role": "user", "content": "你好"}]
ASKED: dict[str, dict[str, Any]] = {
    f"{MESSAGES.prefix}/v1/messages": {
        "messages": HELLO,
        "max_tokens": 99,
        "tools": [{"name": "f", "input_schema": SCHEMA}],
    },
    f"{RESPONSES.prefix}/responses": {
        "input": HELLO,
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
    },
}
ANTHROPIC, OPENAI = ASKED


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of a sandbox with both formats."""
    servers = {"anthropic": MESSAGES, "openai-responses": RESPONSES}
    with serve(Options(port=0), servers) as base, httpx.Client(base_url=base) as http:
        yield http


def post(http: httpx.Client, path: str, **members: Any) -> httpx.Response:
    """Send a request with the format's other members."""
    headers = {"Authorization": f"Bearer {KEY}", "x-api-key": KEY}
    return http.post(path, json={"model": "m", **ASKED[path], **members}, headers=headers)


@pytest.mark.parametrize(
    ("path", "name"), [(ANTHROPIC, "n"), (ANTHROPIC, "seed"), (OPENAI, "n"), (OPENAI, "max_tokens")]
)
def test_a_parameter_of_another_format_is_refused(http: httpx.Client, path: str, name: str) -> None:
    """As the services do, whatever its value."""
    assert post(http, path, **{name: 1}).status_code == 400


@pytest.mark.parametrize(
    ("path", "choice", "called"),
    [
        (ANTHROPIC, {"type": "auto"}, False),
        (ANTHROPIC, {"type": "any"}, True),
        (ANTHROPIC, {"type": "tool", "name": "f"}, True),
        (OPENAI, "auto", False),
        (OPENAI, "required", True),
        (OPENAI, {"type": "function", "name": "f"}, True),
    ],
)
def test_a_chosen_tool_is_called(
    http: httpx.Client, path: str, choice: object, called: bool
) -> None:
    """Also for a greeting, to which no tool fits."""
    answer = post(http, path, tool_choice=choice).json()
    items = answer["content" if path == ANTHROPIC else "output"]
    assert [item.get("name") for item in items] == ["f" if called else None]


@pytest.mark.parametrize(
    ("path", "members"),
    [
        (ANTHROPIC, {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
        (OPENAI, {"text": {"format": {"type": "json_schema", "name": "c", "schema": SCHEMA}}}),
    ],
)
def test_a_schema_gives_json(http: httpx.Client, path: str, members: dict[str, Any]) -> None:
    """The reply fits it."""
    answer = post(http, path, tools=[], **members).json()
    (item,) = answer["content"] if path == ANTHROPIC else answer["output"][0]["content"]
    assert httpx.Response(200, text=item["text"]).json().keys() == {"city"}
