"""Write a corpus of cassettes: `python -m benchmarks.corpus FOLDER [--files N]`.

Each file has about 112 kB, 24 exchanges with the headers that are usual, and no two have the same
texts: chats in English, in Chinese and with a tool call, streams, embeddings, and pictures.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.shapes import DASHSCOPE, ZHIPU, chat, exchange, user
from benchmarks.texts import WORDS, chinese, english
from harness.cassette.artefacts import to_files
from harness.cassette.store import write_cassette
from harness.types import Cassette, Exchange, Json, Provenance

FILES = 1_400
_SENT = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, deflate, zstd"),
    ("Connection", "keep-alive"),
    ("Host", "open.bigmodel.cn"),
    ("User-Agent", "zhipuai/2.1.5"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-async", "false"),
    ("x-stainless-lang", "python"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-runtime", "CPython"),
    ("x-stainless-runtime-version", "3.11.7"),
)
_RECEIVED = (
    ("Date", "Thu, 01 Jan 1970 00:00:01 GMT"),
    ("Connection", "keep-alive"),
    ("Transfer-Encoding", "chunked"),
    ("Vary", "Accept-Encoding"),
    ("Vary", "Origin"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
    ("x-process-time", "1.2345"),
    ("Server", "nginx"),
)


def streamed(source: random.Random, number: int, events: int) -> Exchange:
    """A streamed chat of Zhipu, with a word in each event."""
    common: dict[str, Json] = {"id": f"stream-{number}", "created": 1, "model": "glm-4.6"}
    lines: list[str] = []
    for index in range(events):
        last = index == events - 1
        choice: dict[str, Json] = {
            "index": 0,
            "delta": {"role": "assistant", "content": source.choice(WORDS) + " "},
        }
        event: dict[str, Json] = {**common, "choices": [choice]}
        if last:
            choice["finish_reason"] = "stop"
            event["usage"] = {
                "prompt_tokens": 1,
                "completion_tokens": events,
                "total_tokens": events + 1,
            }
        lines.append(f"data: {json.dumps(event, ensure_ascii=False)}\n\n")
    request: Json = {"model": "glm-4.6", "messages": [user(f"question {number}")], "stream": True}
    body = "".join(lines) + "data: [DONE]\n\n"
    return exchange(ZHIPU + "chat/completions", request, body, "text/event-stream")


def embedded(source: random.Random, size: int) -> Exchange:
    """An embedding of DashScope, of *size* numbers."""
    vector: list[Json] = [source.uniform(-0.1, 0.1) for _ in range(size)]
    answer: Json = {
        "output": {"embeddings": [{"embedding": vector, "text_index": 0}]},
        "usage": {"total_tokens": 1},
        "request_id": f"{source.getrandbits(64):x}",
    }
    request: Json = {"model": "text-embedding-v4", "input": {"texts": [english(source, 60)]}}
    return exchange(DASHSCOPE, request, json.dumps(answer))


def called(source: random.Random, number: int) -> Exchange:
    """A chat of Zhipu that answers with a call of a tool."""
    arguments = json.dumps({"city": chinese(source, 4), "why": english(source, 600)})
    call: Json = {
        "id": f"call-{number}",
        "index": 0,
        "type": "function",
        "function": {"name": "weather", "arguments": arguments},
    }
    message: Json = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer: Json = {
        "id": f"tool-{number}",
        "request_id": f"tool-{number}",
        "created": 1,
        "model": "glm-4.6",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    tool: Json = {
        "type": "function",
        "function": {
            "name": "weather",
            "description": english(source, 200),
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "why": {"type": "string"}},
            },
        },
    }
    asked: Json = {"model": "glm-4.6", "messages": [user(english(source, 300))], "tools": [tool]}
    return exchange(ZHIPU + "chat/completions", asked, json.dumps(answer))


def pictured(source: random.Random) -> Exchange:
    """A request of a picture, without its download."""
    request: Json = {"model": "cogview-4", "prompt": english(source, 200), "size": "1024x1024"}
    answer: Json = {
        "created": 1,
        "data": [{"url": f"https://a.test/{source.getrandbits(64):x}.png"}],
    }
    return exchange(ZHIPU + "images/generations", request, json.dumps(answer))


def exchanges(number: int) -> Iterator[Exchange]:
    """Yield the exchanges of the file of this number."""
    source = random.Random(number)  # noqa: S311 - no secret
    for turn in range(4 * number, 4 * number + 4):
        yield chat([user(english(source, 800))], english(source, 3_000), turn)
        yield chat([user(chinese(source, 200))], chinese(source, 600), -turn - 1)
        yield called(source, turn)
        yield streamed(source, turn, 30)
        yield embedded(source, 256)
        yield pictured(source)


def recorded(given: Exchange) -> Exchange:
    """Return the exchange with the headers that clients and services send, and its chunks."""
    request, response = given.request, given.response
    events = response.body.split(b"\n\n")[:-1] if b"\n\n" in response.body else [response.body]
    chunks = [len(event) + 2 for event in events] if len(events) > 1 else [len(response.body)]
    return replace(
        given,
        request=replace(request, headers=request.headers + _SENT),
        response=replace(response, headers=response.headers + _RECEIVED),
        chunks=tuple(chunks),
    )


def written(folder: Path, files: int = FILES) -> Path:
    """Write a corpus of so many *files* into *folder*, unless they exist, and return the folder."""
    for number in range(files):
        path = folder / f"{number // 100:03}" / f"{number:06}.yaml"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_cassette(
                path, to_files(Cassette(tuple(map(recorded, exchanges(number))), Provenance()))
            )
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=FILES)
    given = parser.parse_args()
    written(given.folder, given.files)
