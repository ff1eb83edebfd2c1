"""Chats in OpenAI's format, as a cassette and as fixtures of aimock, for the servers of both."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.clients import ANSWER, QUESTION
from harness.cassette.writer import dumps
from harness.types import Cassette, Exchange, Origin, Provenance, Request, Response

COUNT = 100
"""The number of different chats."""


def question(number: int) -> str:
    """Return the question of a chat."""
    return QUESTION.format(number)


def body(number: int) -> bytes:
    """Return the body of the request of a chat."""
    messages = [{"role": "user", "content": question(number)}]
    return json.dumps({"model": "qwen-plus", "messages": messages}).encode()


def answer(number: int) -> bytes:
    """Return the body of the answer to a chat."""
    message = {"role": "assistant", "content": ANSWER}
    return json.dumps(
        {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1767225600,
            "model": "qwen-plus",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60},
        }
    ).encode()


def cassette(folder: Path) -> Path:
    """Write the chats as a cassette, and return its path."""
    path, uri = folder / "chats.yaml", "https://api.openai.com/v1/chat/completions"
    exchanges = (
        Exchange(
            Request("POST", uri, (), body(number)),
            Response(200, "OK", (("content-type", "application/json"),), answer(number)),
        )
        for number in range(COUNT)
    )
    content = Cassette(tuple(exchanges), Provenance(Origin.SANDBOX))
    path.write_text(dumps(content), encoding="utf-8")
    return path


def fixtures(folder: Path) -> Path:
    """Write the chats as fixtures of aimock, and return their path."""
    path = folder / "chats.json"
    chats = [
        {"match": {"userMessage": question(number)}, "response": {"content": ANSWER}}
        for number in range(COUNT)
    ]
    path.write_text(json.dumps({"fixtures": chats}), encoding="utf-8")
    return path
