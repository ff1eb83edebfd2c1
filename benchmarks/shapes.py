"""Exchanges of any size in shapes that are hard to read, check, show or replay."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.texts import WORDS, chinese, english
from harness.cassette.artefacts import to_files
from harness.cassette.store import write_cassette
from harness.types import Cassette, Exchange, Json, Provenance, Request, Response, Timing

ZHIPU = "https://open.bigmodel.cn/api/paas/v4/"
DASHSCOPE = (
    "https://dashscope.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"
)


def exchange(uri: str, request: Json, body: str, media_type: str = "application/json") -> Exchange:
    """An exchange of a JSON request."""
    return Exchange(
        Request("POST", uri, (("Content-Type", "application/json"),), json.dumps(request).encode()),
        Response(200, "OK", (("Content-Type", media_type),), body.encode()),
        Timing(1_750_000_000, 0.1, 0.2),
    )


def chat(messages: list[Json], text: str, number: int = 1) -> Exchange:
    """A chat of Zhipu, not streamed."""
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
    }
    answer = {
        "id": f"id-{number}",
        "request_id": f"id-{number}",
        "created": 1,
        "model": "glm-4",
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    request: Json = {"model": "glm-4", "messages": messages}
    return exchange(ZHIPU + "chat/completions", request, json.dumps(answer))


def user(text: str) -> dict[str, Json]:
    """A message of the user."""
    return {"role": "user", "content": text}


def separate(count: int) -> Iterator[Exchange]:
    """Conversations of one turn each."""
    return (chat([user(f"question {i}")], f"answer {i}", i) for i in range(count))


def continued(count: int) -> Iterator[Exchange]:
    """Conversations of two turns, which all begin with the same question."""
    for i in range(count // 2):
        yield chat([user("hello")], f"answer {i}", i)
        answer: Json = {"role": "assistant", "content": f"answer {i}"}
        yield chat([user("hello"), answer, user("again")], "bye", -i)


def pictures(count: int) -> Iterator[Exchange]:
    """Requests of pictures of a size, without downloads."""
    request: Json = {"model": "cogview-4", "prompt": "a cat", "size": "1024x1024"}
    body = json.dumps({"created": 1, "data": [{"url": "https://a.test/b.png"}]})
    return (exchange(ZHIPU + "images/generations", request, body) for _ in range(count))


def many_choices(count: int) -> Iterator[Exchange]:
    """One answer with many choices."""
    answer: dict[str, Json] = {"id": "id-1", "created": 1, "model": "glm-4"}
    message: Json = {"role": "assistant", "content": "a"}
    answer["choices"] = [
        {"index": i, "finish_reason": "stop", "message": message} for i in range(count)
    ]
    request: Json = {"model": "glm-4", "messages": [user("hello")], "n": count}
    yield exchange(ZHIPU + "chat/completions", request, json.dumps(answer))


def many_findings(count: int) -> Iterator[Exchange]:
    """One answer with many tool calls, each of which breaks a rule."""
    calls: list[Json] = [{"id": f"{i}", "type": "odd", "function": {}} for i in range(count)]
    message: Json = {"role": "assistant", "content": "", "tool_calls": calls}
    answer: dict[str, Json] = {"id": "id-1", "created": 1, "model": "glm-4"}
    answer["choices"] = [{"index": 0, "finish_reason": "tool_calls", "message": message}]
    request: Json = {"model": "glm-4", "messages": [user("hello")]}
    yield exchange(ZHIPU + "chat/completions", request, json.dumps(answer))


def one_text(megabytes: int) -> Iterator[Exchange]:
    """One answer with a text of many escapes."""
    yield chat([user("hello")], 'ab "x\n' * (megabytes * 2**20 // 8))


def many_words(megabytes: int) -> Iterator[Exchange]:
    """One answer with a text of English; its first megabyte comes again and again."""
    yield chat([user("hello")], english(_source(), 2**20) * megabytes)


def many_escapes(megabytes: int) -> Iterator[Exchange]:
    """One answer with a text of Chinese, which its JSON spells in escapes, of six bytes each."""
    yield chat([user("hello")], chinese(_source(), 2**20 // 6) * megabytes)


def one_picture(megabytes: int) -> Iterator[Exchange]:
    """One answer with a picture in base64."""
    data = base64.b64encode(_source().randbytes(megabytes * 2**20 * 3 // 4))
    request: Json = {"model": "gpt-image-1", "prompt": "a cat", "size": "1024x1024"}
    answer: Json = {"created": 1, "data": [{"b64_json": data.decode()}]}
    uri = "https://api.openai.com/v1/images/generations"
    yield exchange(uri, request, json.dumps(answer))


def one_stream(megabytes: int) -> Iterator[Exchange]:
    """One stream of many events, no two of which are the same."""
    event: dict[str, Json] = {"id": "id-1", "created": 1, "model": "glm-4"}
    lines = []
    for index, word in enumerate(_source().choices(WORDS, k=megabytes * _EVENTS)):
        delta: Json = {"role": "assistant", "content": f"{word} {index}"}
        event["choices"] = [{"index": 0, "delta": delta}]
        lines.append(f"data: {json.dumps(event)}\n\n")
    request: Json = {"model": "glm-4", "messages": [user("hello")], "stream": True}
    body = "".join(lines) + "data: [DONE]\n\n"
    yield exchange(ZHIPU + "chat/completions", request, body, "text/event-stream")


_EVENTS = 7_350
"""The events of a megabyte of `one_stream`, about."""


def one_vector(megabytes: int) -> Iterator[Exchange]:
    """One answer with a vector of many numbers."""
    source = _source()
    numbers: list[Json] = [round(source.random(), 9) for _ in range(megabytes * 2**20 // 13)]
    answer: Json = {
        "output": {"embeddings": [{"embedding": numbers, "text_index": 0}]},
        "usage": {"total_tokens": 1},
        "request_id": "id-1",
    }
    request: Json = {"model": "text-embedding-v4", "input": {"texts": ["hello"]}}
    yield exchange(DASHSCOPE, request, json.dumps(answer))


def _source() -> random.Random:
    """Return a source of numbers, the same each time."""
    return random.Random(1)  # noqa: S311 - no secret


COUNTED = (separate, continued, pictures, many_choices, many_findings)
"""The shapes whose size is a number of exchanges, choices or findings; of others it is in MB."""
SHAPES: Mapping[str, Callable[[int], Iterator[Exchange]]] = {
    shape.__name__: shape
    for shape in (
        *COUNTED,
        *(one_text, many_words, many_escapes, one_picture, one_stream, one_vector),
    )
}


def written(name: str, size: int, path: Path) -> Path:
    """Write a cassette of a shape and size, and return its path."""
    write_cassette(path, to_files(Cassette(tuple(SHAPES[name](size)), Provenance())))
    return path
