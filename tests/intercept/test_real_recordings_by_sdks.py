"""Real recordings, replayed to the official SDKs that made them.

The requests of today's SDKs are looked up as usual, so that whatever they add or leave out is a
CassetteMiss. Zhipu's recordings were made by a library of another language, see
`test_real_recordings`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import dashscope
import openai
import pytest
from dashscope.aigc.generation import AioGeneration
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.aigc.multimodal_conversation import AioMultiModalConversation
from dashscope.aigc.video_synthesis import AioVideoSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session
from dashscope.api_entities.http_request import close_shared_sync_session
from dashscope.rerank.text_rerank import AioTextReRank

from harness.cassette.store import read
from harness.errors import CassetteMiss
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.providers import NO_KEY
from harness.types import Exchange, Request
from harness.wire import read_events

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
DASHSCOPE = sorted((RECORDINGS / "dashscope").glob("*.yaml"))
COMPATIBLE = sorted((RECORDINGS / "dashscope-compatible").glob("*.yaml"))

Arguments = dict[str, Any]
Parts = list[Any]
"""What an SDK gave for one request: its answer, or the parts of a stream."""

GENERATION = "aigc/text-generation/generation"
MULTIMODAL = "aigc/multimodal-generation/generation"
IMAGE = "aigc/text2image/image-synthesis"
VIDEO = "aigc/video-generation/video-synthesis"
EMBEDDING = "embeddings/text-embedding/text-embedding"
RERANK = "rerank/text-rerank/text-rerank"
TASK = "tasks"

SYNC: Mapping[str, Callable[..., Any]] = {
    GENERATION: dashscope.Generation.call,
    MULTIMODAL: dashscope.MultiModalConversation.call,
    IMAGE: dashscope.ImageSynthesis.async_call,
    VIDEO: dashscope.VideoSynthesis.async_call,
    EMBEDDING: dashscope.TextEmbedding.call,
    RERANK: dashscope.TextReRank.call,
    TASK: dashscope.ImageSynthesis.fetch,
}
"""The SDK's function for each address: over requests."""
ASYNC: Mapping[str, Callable[..., Coroutine[Any, Any, Any]]] = {
    GENERATION: AioGeneration.call,
    MULTIMODAL: AioMultiModalConversation.call,
    IMAGE: AioImageSynthesis.async_call,
    VIDEO: AioVideoSynthesis.async_call,
    RERANK: AioTextReRank.call,
    TASK: AioImageSynthesis.fetch,
}
"""The same over aiohttp; it has none for embeddings."""


def path_of(request: Request) -> str:
    """Return the path of a request, without the service's prefix and a task's number."""
    path = request.uri.partition("/api/v1/")[2].removeprefix("services/")
    return TASK if path.startswith("tasks/") else path


def arguments(request: Request) -> Arguments:
    """Return the arguments of the SDK's call, read back from a request."""
    if path_of(request) == TASK:
        return {"task": request.uri.rpartition("/")[2], "api_key": NO_KEY}
    body = json.loads(request.body)
    inputs = {_SAID.get(name, name): v for name, v in body["input"].items() if name not in _ADDED}
    headers = {name.lower(): value for name, value in request.headers}
    streamed = {"stream": True} if headers.get("x-dashscope-sse") == "enable" else {}
    return {"model": body["model"], "api_key": NO_KEY, **inputs, **body["parameters"], **streamed}


_SAID = {"texts": "input"}
_ADDED = {"function"}
"""What the SDK adds by itself."""


def by_requests(request: Request) -> Parts:
    """Return the synchronous SDK's answer."""
    call = arguments(request)
    answer = SYNC[path_of(request)](**call)
    return list(answer) if call.get("stream") else [answer]


def by_aiohttp(request: Request) -> Parts:
    """Return the asynchronous SDK's answer."""

    async def ask() -> Parts:
        call = arguments(request)
        try:
            answer = await ASYNC[path_of(request)](**call)
            return [part async for part in answer] if call.get("stream") else [answer]
        finally:
            await close_shared_aio_session()  # it would last as long as the process

    return asyncio.run(ask())


Send = Callable[[Request], Parts]
ASKED_OTHERWISE: Mapping[tuple[Send, str], str] = {
    (by_requests, "TestReactStepSpan.test_react_step_multi_tool_single_iteration"): (
        r"/parameters/stream: expected \(cassette\) false, actual \(your request\) absent"
    ),
    (by_aiohttp, "TestReactStepSpan.test_react_step_multi_tool_single_iteration"): (
        r"/parameters/stream: expected \(cassette\) false, actual \(your request\) absent"
    ),
    (by_aiohttp, TASK): (
        r'path: expected \(cassette\) "/api/v1/tasks/[0-9a-f-]+", '
        r'actual \(your request\) "/api/v1/tasks/.*/"'
    ),
}
"""What the SDK of today asks otherwise than the one that recorded it, by cassette or by address.

That of 1.25.13 put `stream` among the parameters, this one only into a header. The asynchronous
one ends the address of a task with a slash, which the service takes for the same.
"""
NOT_SENT: Mapping[tuple[Send, str], str] = {
    (by_aiohttp, EMBEDDING): "the SDK has no asynchronous half of it",
    (by_requests, ""): "speech goes over a websocket, of which only the opening was recorded",
    (by_aiohttp, ""): "speech goes over a websocket, of which only the opening was recorded",
}
"""What cannot be sent at all, and why."""


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    """Close the session that DashScope's SDK shares."""
    yield
    close_shared_sync_session()


@pytest.mark.skipif(not DASHSCOPE, reason=f"no real recordings at {RECORDINGS}")
@pytest.mark.parametrize("send", [by_requests, by_aiohttp])
@pytest.mark.parametrize("path", DASHSCOPE, ids=lambda path: path.stem)
def test_the_dashscope_sdk_reads_real_recordings(path: Path, send: Send) -> None:
    """Answers come in order with every part of a stream; other requests are a CassetteMiss."""
    cassette, unused = read(path), []
    tape = Player(cassette)
    with use_tape(tape):
        for number, exchange in enumerate(cassette.exchanges, start=1):
            where = path_of(exchange.request)
            otherwise = ASKED_OTHERWISE.get((send, path.stem)) or ASKED_OTHERWISE.get((send, where))
            if otherwise or (send, where) in NOT_SENT:
                unused.append(exchange)
            if otherwise:
                with pytest.raises(CassetteMiss, match=otherwise):
                    send(exchange.request)
            elif (send, where) not in NOT_SENT:
                with tape.turn(number) as played:
                    parts = send(exchange.request)
                assert played == [exchange]
                assert_same(parts, exchange)
    assert tape.unused() == tuple(unused)


def assert_same(parts: Parts, exchange: Exchange) -> None:
    """Assert that the SDK's answer is what was recorded, part by part."""
    body = exchange.response.body
    expected = [event.json.value for event in read_events(body).events] or [json.loads(body)]
    assert len(parts) == len(expected)
    for part, recorded in zip(parts, expected, strict=True):
        assert part.status_code == exchange.response.status
        assert covers(dict(part), recorded), (part, recorded)


def covers(actual: Any, recorded: Any) -> bool:
    """Return whether all recorded values are there; SDKs add empty fields and drop nulls."""
    if isinstance(recorded, dict):
        return all(
            value is None or (name in actual and covers(actual[name], value))
            for name, value in recorded.items()
        )
    if isinstance(recorded, list):
        return len(actual) == len(recorded) and all(map(covers, actual, recorded))
    return bool(actual == recorded)


def by_openai(request: Request) -> Parts:
    """Return OpenAI's SDK's answer of the compatible service as JSON."""
    call = json.loads(request.body)
    with openai.OpenAI(api_key=NO_KEY, base_url=BASE, max_retries=0) as client:
        try:
            answer: Any = client.chat.completions.create(**call)
        except openai.APIStatusError as error:
            return [json.loads(error.response.content)]
        parts = answer if call.get("stream") else [answer]
        return [part.model_dump(exclude_unset=True) for part in parts]


def by_async_openai(request: Request) -> Parts:
    """Return the asynchronous SDK's answer as JSON."""
    call = json.loads(request.body)

    async def ask() -> Parts:
        async with openai.AsyncOpenAI(api_key=NO_KEY, base_url=BASE, max_retries=0) as client:
            try:
                answer: Any = await client.chat.completions.create(**call)
            except openai.APIStatusError as error:
                return [json.loads(error.response.content)]
            parts = [part async for part in answer] if call.get("stream") else [answer]
            return [part.model_dump(exclude_unset=True) for part in parts]

    return asyncio.run(ask())


BASE = "https://dashscope.aliyuncs.com/compatible-mode/v1"


@pytest.mark.skipif(not COMPATIBLE, reason=f"no real recordings at {RECORDINGS}")
@pytest.mark.parametrize("send", [by_openai, by_async_openai])
@pytest.mark.parametrize("path", COMPATIBLE, ids=lambda path: path.stem)
def test_the_openai_sdk_reads_real_recordings(path: Path, send: Send) -> None:
    """OpenAI's SDK reads recordings of the compatible service that it was recorded with."""
    cassette = read(path)
    tape = Player(cassette)
    with use_tape(tape):
        for number, exchange in enumerate(cassette.exchanges, start=1):
            with tape.turn(number) as played:
                parts = send(exchange.request)
            assert played == [exchange]
            body = exchange.response.body
            events = [e.json.value for e in read_events(body).events if e.data != "[DONE]"]
            expected = (
                events if json.loads(exchange.request.body).get("stream") else [json.loads(body)]
            )
            assert len(parts) == len(expected)
            assert all(map(covers, parts, expected))
    assert tape.unused() == ()
