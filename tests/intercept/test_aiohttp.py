"""The patch of aiohttp: what only aiohttp does, and DashScope's asynchronous SDK, which uses it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import dashscope
import pytest
from aiohttp.http_exceptions import LineTooLong
from dashscope_sdk import close_shared_aio_session
from patience import patiently

from harness.cassette.artefacts import to_files
from harness.cassette.reader import loads
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.cassette.writer import dumps
from harness.errors import CassetteMiss, NotAnswered
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.secrets.redactor import Redactor
from harness.types import Cassette

from .server import Server

if TYPE_CHECKING:
    from conftest import Python

pytestmark = pytest.mark.slow


def replayed(tape: Recorder) -> Player:
    """Return a player of what a recorder has recorded, through the text of a cassette."""
    return Player(loads(dumps(Cassette(tape.exchanges()))))


def test_json_text_and_cookies(server: Server) -> None:
    """A replayed response has JSON, text and cookies."""

    async def ask() -> list[object]:
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            answer = await session.post(f"{server.base}/echo", json={"a": "你好"})
            again = await session.get(f"{server.base}/json", params={"b": "1"})
            return [
                await answer.json(),
                answer.ok,
                answer.content_type,
                str(answer.url),
                await again.text(),
                again.version,
                again.request_info.headers["Host"],
            ]

    tape = Recorder(Redactor())
    with use_tape(tape):
        live = asyncio.run(ask())
    assert live[0] == {"a": "你好"}
    with use_tape(replayed(tape)):
        assert asyncio.run(ask()) == live
    assert len(server.requests) == 2


def test_redirects_are_two_exchanges(server: Server) -> None:
    """A redirect is recorded as two exchanges, and aiohttp follows the recorded one."""

    async def ask() -> tuple[str, int]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{server.base}/redirect") as got,
        ):
            await got.read()
            return str(got.url), len(got.history)

    tape = Recorder(Redactor())
    with use_tape(tape):
        assert asyncio.run(ask()) == (f"{server.base}/json", 1)
    assert [e.response.status for e in tape.exchanges()] == [302, 200]
    with use_tape(replayed(tape)):
        assert asyncio.run(ask()) == (f"{server.base}/json", 1)


def test_a_replayed_body_can_be_read_in_every_way(server: Server) -> None:
    """A replayed body can be read by lines, in fixed sizes and by chunks."""

    async def ask() -> list[list[bytes]]:
        async with aiohttp.ClientSession() as session:
            read = []
            async with session.get(f"{server.base}/stream") as got:
                read.append([line async for line in got.content])
            async with session.get(f"{server.base}/stream") as got:
                read.append([piece async for piece in got.content.iter_chunked(7)])
            async with session.get(f"{server.base}/stream") as got:
                read.append([await got.content.readexactly(9), await got.content.read()])
            return read

    tape = Recorder(Redactor())
    with use_tape(tape):
        lines, sevens, exact = asyncio.run(ask())
    player = replayed(tape)
    with use_tape(player):
        again = asyncio.run(ask())
    assert again[0] == lines
    assert b"".join(again[1]) == b"".join(sevens)
    assert again[2] == exact
    assert player.unused() == ()


async def read_in_every_way(address: str) -> list[list[object]]:
    """Read a body by lines, in fixed sizes, in exact sizes, as it comes, and chunk by chunk."""
    read: list[list[object]] = []
    async with aiohttp.ClientSession() as session:
        async with session.get(address) as got:
            read.append([line async for line in got.content])
        async with session.get(address) as got:
            sizes = [piece async for piece in got.content.iter_chunked(70_000)]
            assert max(map(len, sizes)) <= 70_000
            read.append([b"".join(sizes)])
        async with session.get(address) as got:
            exact = await got.content.readexactly(150_001)
            some = await got.content.read(7)
            read.append([exact, some, await got.content.readline(), await got.content.read()])
        async with session.get(address) as got:
            read.append([b"".join([piece async for piece in got.content.iter_any()])])
        async with session.get(address) as got:
            chunks = [chunk async for chunk in got.content.iter_chunks()]
            read.append([b"".join(data for data, _ in chunks), chunks[-1][1]])
        async with session.get(address) as got:
            read.append([await got.read()])
    return read


@pytest.mark.parametrize("size", [200_000, 1_000_000])
@pytest.mark.parametrize("path", ["large", "large-whole"])
@pytest.mark.parametrize("in_one", [False, True], ids=["as it came", "in one chunk"])
def test_a_chunk_may_be_larger_than_the_buffer(
    server: Server, size: int, path: str, in_one: bool
) -> None:
    """A chunk larger than the buffer is replayed, also one of a whole body as in vcrpy."""
    address = f"{server.base}/{path}?{size}"
    live = asyncio.run(read_in_every_way(address))
    tape = Recorder(Redactor())
    with use_tape(tape):
        asyncio.run(_once(address))
    (recorded,) = loads(dumps(Cassette(tape.exchanges()))).exchanges
    assert len(recorded.response.body) == size
    player = Player(Cassette((replace(recorded, chunks=()) if in_one else recorded,) * len(live)))
    with use_tape(player):
        assert asyncio.run(read_in_every_way(address)) == live
    assert player.unused() == ()


async def _once(address: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(address) as got:
        return await got.read()


@pytest.mark.parametrize(
    ("session", "request_"),
    [
        ({}, {}),
        ({"read_bufsize": 1000}, {}),
        ({"read_bufsize": 2**20}, {}),
        ({"read_bufsize": 1000}, {"read_bufsize": 5000}),
        ({}, {"read_bufsize": 2**19}),
    ],
)
def test_the_limit_of_lines_is_as_without_a_tape(
    server: Server, session: dict[str, Any], request_: dict[str, Any]
) -> None:
    """The buffer size of the session or request limits the length of replayed lines."""

    async def ask(session: dict[str, Any], request: dict[str, Any]) -> list[object]:
        seen: list[object] = []
        async with aiohttp.ClientSession(**session) as client:
            for length in (1500, 3000, 300_000, 600_000):
                async with client.get(f"{server.base}/long-line?{length}", **request) as got:
                    try:
                        seen.append([line async for line in got.content])
                    except (ValueError, LineTooLong) as error:  # which one, aiohttp's version says
                        seen.append(repr(error))
        return seen

    live = asyncio.run(ask(session, request_))
    tape = Recorder(Redactor())
    with use_tape(tape):
        asyncio.run(ask({"read_bufsize": 2**21}, {}))
    with use_tape(replayed(tape)):
        assert asyncio.run(ask(session, request_)) == live


def test_a_response_that_times_out_is_replayed(server: Server) -> None:
    """A response whose body times out ends so in the replay, after what had arrived."""

    async def ask(patience: float) -> bytes:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(patience)) as session:
            answer = await session.get(f"{server.base}/waiting")
            with pytest.raises(TimeoutError):
                await answer.read()
            return b"".join(answer.content._buffer)

    def check(patience: float) -> None:
        tape = Recorder(Redactor())
        with use_tape(tape):
            live = asyncio.run(ask(patience))
        server.go.set()
        with use_tape(replayed(tape)):
            assert asyncio.run(ask(patience)) == live

    patiently(check)


def test_the_tape_is_the_innermost_middleware(server: Server) -> None:
    """What the caller's middlewares add to a request is recorded."""

    async def more(request: Any, handler: Any) -> Any:
        request.headers["accept"] = "text/x-more"
        return await handler(request)

    async def ask() -> None:
        async with aiohttp.ClientSession(middlewares=(more,)) as session:
            await (await session.get(f"{server.base}/json")).read()

    tape = Recorder(Redactor())
    with use_tape(tape):
        asyncio.run(ask())
    (exchange,) = tape.exchanges()
    assert dict(exchange.request.headers)["accept"] == "text/x-more"


def test_a_request_of_another_context_is_an_error(server: Server) -> None:
    """A request of a task that is older than the two tapes in use raises NotAnswered."""

    async def use_two(opened: asyncio.Event, done: asyncio.Event) -> None:
        with use_tape(Recorder(Redactor())), use_tape(Recorder(Redactor())):
            opened.set()
            await done.wait()

    async def both() -> None:
        opened, done = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(use_two(opened, done))
        await opened.wait()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(NotAnswered, match="while several are elsewhere"):
                await session.get(f"{server.base}/json")
        done.set()
        await task

    asyncio.run(both())
    assert server.requests == []


def test_the_patch_is_removed_after_the_block() -> None:
    """After the block, aiohttp's own method is back."""
    before = aiohttp.ClientSession._request
    with use_tape(Recorder(Redactor())):
        assert aiohttp.ClientSession._request is not before
    assert aiohttp.ClientSession._request is before


def test_aiohttp_is_patched_when_it_is_imported(python: Python) -> None:
    """aiohttp is not imported by the harness, and patched if it is imported inside of the block."""
    code = """
import sys
from harness.intercept.patch import use_tape
from harness.intercept.recorder import Recorder
from harness.secrets.redactor import Redactor
with use_tape(Recorder(Redactor())):
    print("aiohttp" in sys.modules)
print(len([finder for finder in sys.meta_path if "harness" in type(finder).__module__]))
with use_tape(Recorder(Redactor())):
    import aiohttp
    print(aiohttp.ClientSession._request.__module__)
print(aiohttp.ClientSession._request.__module__)
print(len([finder for finder in sys.meta_path if "harness" in type(finder).__module__]))
"""
    done = python("-c", code)
    assert done.stdout.split() == [
        "False",
        "0",
        "harness.intercept.aiohttp",
        "aiohttp.client",
        "0",
    ], done.stderr


# ---------------------------------------------------------------------------------- the SDK


def dash(base: str, *, stream: bool, expected: str = "你好") -> list[Any]:
    """Send one chat with DashScope's asynchronous SDK."""
    call: Any = dashscope.AioGeneration.call

    async def ask() -> list[Any]:
        try:
            answer = await call(
                "qwen-flash",
                messages=[{"role": "user", "content": expected}],
                stream=stream,
                result_format="message",
                api_key=DASHSCOPE_KEY,
                base_address=f"{base}/api/v1",
            )
            parts = [part async for part in answer] if stream else [answer]
        finally:
            await close_shared_aio_session()
        return [{name: part[name] for name in part if name != "headers"} for part in parts]

    return asyncio.run(ask())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("expected", ["你好", "触发限流"])
def test_the_sdk_reads_the_same_from_a_replay(sandbox: str, stream: bool, expected: str) -> None:
    """The SDK reads answers and refusals from a replay as live, and the cassette holds no key."""
    tape = Recorder(Redactor((DASHSCOPE_KEY,)))
    with use_tape(tape):
        live = dash(sandbox, stream=stream, expected=expected)
    cassette = Cassette(tape.exchanges())
    text = dumps(cassette)
    check_vcrpy_reads(to_files(cassette), cassette)
    assert DASHSCOPE_KEY not in text
    player = Player(loads(text))
    with use_tape(player):
        assert dash("http://elsewhere.invalid", stream=stream, expected=expected) == live
    assert player.unused() == ()
    assert len(live) > 1 or not stream or expected == "触发限流"


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_does_not_swallow_a_miss(stream: bool) -> None:
    """A CassetteMiss passes through the SDK without a retry."""
    began = time.perf_counter()
    with use_tape(Player(Cassette(()))), pytest.raises(CassetteMiss, match="the cassette is empty"):
        dash("http://elsewhere.invalid", stream=stream)
    assert time.perf_counter() - began < 60
