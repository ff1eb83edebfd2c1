"""What an SDK reads from memory is what it reads over a real connection."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.exchange import AnalyzedExchange
from harness.cassette.store import read
from harness.parse import PARSERS, Parser
from harness.parse.answering import answered, from_memory, in_memory, over_connection
from harness.parse.run import ask, can_ask
from harness.providers.endpoints import recognise
from harness.types import Exchange, Request, Response

ROOT = Path(__file__).parents[2]
JSON = ("Content-Type", "application/json")
EVENTS = ("Content-Type", "text/event-stream")
URLS = {
    "zhipuai.chat": "https://open.bigmodel.cn/api/paas/v4/chat/completions",
    "dashscope.generation": (
        "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation"
    ),
    "anthropic.messages": "https://api.anthropic.com/v1/messages",
}
QUESTION = [{"role": "user", "content": "你好"}]
BODIES: dict[str, dict[str, Any]] = {
    "zhipuai.chat": {"model": "glm-4", "messages": QUESTION},
    "dashscope.generation": {"model": "qwen-plus", "input": {"messages": QUESTION}},
    "anthropic.messages": {"model": "claude", "messages": QUESTION, "max_tokens": 9},
}
ANSWER = {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "你好"}}]}
ASKED = [(parser, name) for parser in PARSERS.values() for name in URLS if name in parser.endpoints]


def exchange(name: str, response: Response, *, streamed: bool = False) -> Exchange:
    """Return an exchange with an endpoint; its response arrives in chunks of seven bytes."""
    body = {**BODIES[name], "stream": True} if streamed else BODIES[name]
    headers = (("accept", "text/event-stream"),) if streamed else ()
    request = Request("POST", URLS[name], headers, json.dumps(body).encode())
    sizes = (7,) * (len(response.body) // 7)
    return Exchange(request, response, chunks=sizes)


def both_ways(parser: Parser, recorded: Exchange) -> tuple[Any, Any]:
    """Return what an SDK reads from memory, and over a real connection."""
    reading = AnalyzedExchange(recorded, recognise(recorded))
    assert can_ask(parser, reading)
    held = in_memory(recorded)
    assert held is not None
    with from_memory(held) as memory:
        first = ask(parser, reading, memory)
    with over_connection(recorded) as connection:
        second = ask(parser, reading, connection)
    assert memory.requests == connection.requests
    return first, second


RESPONSES = {
    "answer": Response(200, "OK", (JSON,), json.dumps(ANSWER, ensure_ascii=False).encode()),
    "refusal": Response(429, "Too Many Requests", (JSON,), b'{"error":{"code":"1302"}}'),
    "without a reason": Response(503, "", (("Retry-After", "3"),), b"{}"),
    "no JSON": Response(200, "OK", (("Content-Type", "text/html"),), b"<html>\xff</html>"),
    "no body": Response(200, "OK", (JSON,)),
    "compressed": Response(
        200, "OK", (JSON, ("Content-Encoding", "gzip")), gzip.compress(json.dumps(ANSWER).encode())
    ),
    "cookies": Response(200, "OK", (JSON, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")), b"{}"),
}
STREAMS = {
    "stream": Response(
        200, "OK", (EVENTS,), "".join(f"data: {json.dumps(ANSWER)}\n\n" for _ in "12").encode()
    ),
    "stream with an error": Response(
        200, "OK", (EVENTS,), b'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":"Bad"}\n\n'
    ),
    "cut stream": Response(200, "OK", (EVENTS,), 'data: {"id": "你'.encode()[:-1]),
    "empty stream": Response(200, "OK", (EVENTS,)),
    "refused stream": Response(200, "OK", (JSON,), b'{"error":{"code":"1305"}}'),
}


@pytest.mark.parametrize(("parser", "name"), ASKED, ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("given", [*RESPONSES, *STREAMS])
def test_an_sdk_reads_the_same_from_memory(parser: Parser, name: str, given: str) -> None:
    """Each SDK, streamed and not, returns or raises the same as over a real connection."""
    response = {**RESPONSES, **STREAMS}[given]
    memory, connection = both_ways(parser, exchange(name, response, streamed=given in STREAMS))
    assert memory == connection
    assert memory is not None


def recorded() -> Iterator[tuple[Parser, Exchange]]:
    """Yield each exchange of the shipped cassettes, and of those made by hand, with each SDK."""
    folders = (ROOT / "cassettes", Path(__file__).parent / "made")
    for path in sorted(path for folder in folders for path in folder.rglob("*.yaml")):
        for one in read(path).exchanges:
            reading = AnalyzedExchange(one, recognise(one))
            yield from ((parser, one) for parser in PARSERS.values() if can_ask(parser, reading))


@pytest.mark.slow
def test_recordings_are_read_the_same_from_memory() -> None:
    """The exchanges of the shipped cassettes, and of those made by hand, are read the same."""
    pairs = [*recorded()]
    assert len(pairs) > 150
    for parser, one in pairs:
        memory, connection = both_ways(parser, one)
        assert memory == connection, (parser.name, one.request.uri)


@pytest.mark.parametrize(
    "change",
    [
        {"status": 204},
        {"status": 101},
        {"status": 0},
        {"reason": "好"},
        {"reason": "OK\r\nX-More: 1"},
        {"headers": (JSON, ("bad name", "1"))},
        {"headers": (JSON, ("X-Name", "好"))},
        {"headers": (JSON, ("X-Name", " spaces "))},
        {"headers": (JSON, ("X-Name", "\x00"))},
        {"headers": (JSON, *(("X-Name", "1"),) * 120)},
    ],
    ids=str,
)
def test_an_odd_head_comes_over_a_connection(change: dict[str, Any]) -> None:
    """A head that libraries read in different ways is left to a real connection."""
    whole = exchange("zhipuai.chat", RESPONSES["answer"])
    assert in_memory(whole) is not None
    odd = replace(whole, response=replace(whole.response, **change))
    assert in_memory(odd) is None
    with answered(odd) as answering:
        assert answering.address.rpartition(":")[2].isdecimal()
