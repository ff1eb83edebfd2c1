"""What the SDKs do to a question on its way out, as docs/SDK_DEFECTS.md tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.parse import PARSERS, RecordedRequest
from harness.providers.endpoints import endpoint
from harness.sandbox.scripted_server import Reset, serve_scripts

MESSAGES = [{"role": "user", "content": "你好"}]


def sent(parser: str, body: Any) -> Any:
    """Return the body that an SDK sends for a recorded one."""
    bodies: list[bytes] = []

    def respond(head: bytes, body: bytes) -> list[bytes]:
        bodies.append(body)
        return [b"HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"]

    with serve_scripts(respond) as address:
        where = endpoint("zhipuai.chat")
        asked = RecordedRequest(address, "/api/paas/v4/chat/completions", where, body, timeout=60)
        PARSERS[parser].parse(asked)
    return json.loads(bodies[0])


@pytest.mark.parametrize("parser", ["zhipuai", "zai-sdk"])
@pytest.mark.parametrize(("asked", "told"), [(0, 0.01), (-1, 0.01), (1, 0.99), (2, 0.99)])
def test_temperature_is_moved(parser: str, asked: float, told: float) -> None:
    """`temperature` and `top_p` are moved into a range of the SDK's own; 0 turns sampling off."""
    body = {"model": "glm-4", "messages": MESSAGES, "temperature": asked, "top_p": asked}
    found = sent(parser, body)
    assert (found["temperature"], found["top_p"]) == (told, told)
    assert ("do_sample" in found) == (asked <= 0)
    assert sent("openai", body)["temperature"] == asked


@pytest.mark.parametrize("parser", ["zhipuai", "zai-sdk"])
def test_the_callers_messages_are_changed(parser: str) -> None:
    """The prefix of an image is cut off in the list that the SDK was given, a copy here."""
    picture = "data:image/png;base64,AAAA"
    content: list[Any] = [{"type": "image_url", "image_url": {"url": picture}}]
    body = {"model": "glm-4v", "messages": [{"role": "user", "content": content}]}
    found = sent(parser, body)
    assert found["messages"][0]["content"][0]["image_url"]["url"] == "AAAA"
    assert content[0]["image_url"]["url"] == picture


@pytest.mark.parametrize("parser", ["zhipuai", "zai-sdk", "openai"])
def test_a_recorded_body_is_no_setting(parser: str) -> None:
    """Members of a recorded body travel in the body, also if they are named like settings."""
    named = {"timeout": 0.000001, "extra_headers": {"host": "192.0.2.1"}, "no_such_thing": 1}
    found = sent(parser, {"model": "glm-4", "messages": MESSAGES, **named})
    assert {name: found[name] for name in named} == named


def test_a_broken_connection_is_asked_twice() -> None:
    """dashscope's older classes send a request again if the connection breaks."""
    asked: list[bytes] = []

    def respond(head: bytes, body: bytes) -> list[Reset]:
        asked.append(body)
        return [Reset()]

    question = {"model": "qwen-plus", "input": {"prompt": "你好"}, "parameters": {}}
    path = "/api/v1/services/aigc/text-generation/generation"
    with serve_scripts(respond) as address:
        again = RecordedRequest(
            address, path, endpoint("dashscope.generation"), question, timeout=60
        )
        with pytest.raises(OSError, match="Connection"):
            PARSERS["dashscope"].parse(again)
    assert len(asked) == 2
