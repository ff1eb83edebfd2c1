"""Threads, older ones too, use the tape of their block, and end it with their misses."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from conftest import Python

import harness
from harness.errors import CassetteMiss, ConnectionBlocked, NotAnswered
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.types import Cassette

from .server import Server

Ask = Callable[[int], str]


def in_threads(ask: Ask) -> list[str]:
    """Run each call in a thread of its own."""
    answers: list[str] = []
    threads = [threading.Thread(target=lambda i=i: answers.append(ask(i))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def in_a_pool(ask: Ask) -> list[str]:
    """Run the calls in a pool of `concurrent.futures`."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, range(8)))


def in_another_pool(ask: Ask) -> list[str]:
    """Run the calls in a pool of `multiprocessing`."""
    with ThreadPool(4) as pool:
        return pool.map(ask, range(8))


def in_an_executor(ask: Ask) -> list[str]:
    """Run the calls in the executor of an event loop."""

    async def gathered() -> list[str]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(None, ask, i) for i in range(8)))

    return asyncio.run(gathered())


def by_to_thread(ask: Ask) -> list[str]:
    """Run the calls with `asyncio.to_thread`, which copies the context."""

    async def gathered() -> list[str]:
        return await asyncio.gather(*(asyncio.to_thread(ask, i) for i in range(8)))

    return asyncio.run(gathered())


WAYS = (in_threads, in_a_pool, in_another_pool, in_an_executor, by_to_thread)


def by_httpx(base: str) -> Ask:
    """Send a request with httpx."""
    return lambda number: httpx.post(f"{base}/echo", content=f"{number}").text


def by_requests(base: str) -> Ask:
    """Send a request with requests."""
    return lambda number: requests.post(f"{base}/echo", data=f"{number}", timeout=60).text


@pytest.mark.parametrize(
    ("way", "library"), [*((way, by_httpx) for way in WAYS), (WAYS[0], by_requests)]
)
def test_threads_of_a_block_use_its_tape(
    server: Server,
    tmp_path: Path,
    way: Callable[[Ask], list[str]],
    library: Callable[[str], Ask],
) -> None:
    """Requests of threads are recorded and replayed, each with its own answer."""
    path = tmp_path / "one.yaml"
    with harness.use_cassette(path, record="all"):
        live = way(library(server.base))
    asked = len(server.requests)
    with harness.use_cassette(path) as context:
        played = way(library(server.base))
    assert sorted(live) == sorted(played)
    assert {exchange.request.body for exchange in context.replayed} == {b"%d" % i for i in range(8)}
    assert all(e.request.body in e.response.body for e in context.replayed)
    assert asked == len(server.requests) == 8


def test_jobs_of_a_pool_use_the_tape_they_were_submitted_with(
    server: Server, tmp_path: Path
) -> None:
    """A job of a pool uses the tape with which it was submitted, and none after the block."""
    ask = by_httpx(server.base)
    with ThreadPoolExecutor(1) as pool:
        for number in range(3):
            with harness.use_cassette(tmp_path / f"{number}.yaml", record="all") as context:
                pool.submit(ask, number).result()
            assert [e.request.body for e in context.recorded] == [b"%d" % number]
        pool.submit(ask, 9).result()
        with use_tape(Player(Cassette(()))), pytest.raises(NotAnswered):
            pool.submit(urllib.request.urlopen, server.base).result()
    assert len(server.requests) == 4


def in_an_older_thread(function: Callable[[], Any]) -> Iterator[Any]:
    """Return in a thread that has begun what *function* returns, or the error that it raises."""
    begin, outcome = threading.Event(), []

    def run() -> None:
        begin.wait(60)
        try:
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - the outcome
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield None
    begin.set()
    thread.join()
    yield outcome[0]


@pytest.mark.parametrize("library", [by_httpx, by_requests])
def test_an_older_thread_uses_the_only_block(
    server: Server, tmp_path: Path, library: Callable[[str], Ask]
) -> None:
    """A thread that began before the block records to it and replays from it."""
    for record in ("all", "none"):
        older = in_an_older_thread(lambda: library(server.base)(1))
        next(older)
        with harness.use_cassette(tmp_path / "one.yaml", record=record):
            assert "1" in next(older)
    assert len(server.requests) == 1


@pytest.mark.parametrize("library", [by_httpx, by_requests])
def test_an_older_thread_does_not_choose_among_blocks(
    server: Server, library: Callable[[str], Ask]
) -> None:
    """A request of a thread that began before two tapes is an error that names the address."""
    older = in_an_older_thread(lambda: library(server.base)(1))
    next(older)
    with use_tape(Player(Cassette(()))), use_tape(Player(Cassette(()))):
        error = next(older)
    assert isinstance(error, NotAnswered)
    assert str(error).startswith(f"POST {server.base}/echo was sent where no cassette is in use")
    assert server.requests == []


def test_a_thread_of_a_closed_block_uses_the_only_open_one(server: Server, tmp_path: Path) -> None:
    """A thread that began in a block that is closed uses the one that is open now."""
    with harness.use_cassette(tmp_path / "first.yaml", record="all"):
        older = in_an_older_thread(lambda: by_httpx(server.base)(1))
        next(older)
    with harness.use_cassette(tmp_path / "second.yaml", record="all") as context:
        next(older)
    assert len(context.recorded) == 1


def test_no_connection_is_opened_past_a_tape_in_a_thread(server: Server) -> None:
    """Connections past the tape are refused in threads, by an ordinary exception."""
    messages: list[str] = []

    def ask() -> None:
        with pytest.raises(NotAnswered) as caught:
            socket.create_connection((server.host, server.port))
        messages.append(str(caught.value))

    with use_tape(Player(Cassette(()))):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert f"{server.host}:{server.port} was opened past the tape" in messages[0]
    assert server.requests == []


# ----------------------------------------------------------------------- misses elsewhere


def fail_in_a_thread_pool(ask: Ask) -> None:
    """Make two requests in a pool of multiprocessing, which waits for its workers."""
    with ThreadPool(2) as pool:
        pool.map(ask, range(2))


def fail_in_an_executor(ask: Ask) -> None:
    """Make a request in a pool whose result is wanted."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, 1).result()


def fail_in_a_consumer(ask: Ask) -> None:
    """Make requests in the consumer of a queue, which goes on after an ordinary exception."""
    waiting: queue.Queue[int] = queue.Queue()

    def consume() -> None:
        while True:
            item = waiting.get()
            with suppress(Exception):
                ask(item)
            waiting.task_done()

    threading.Thread(target=consume, daemon=True).start()
    waiting.put(1)
    waiting.put(2)
    waiting.join()


def fail_in_an_asynchronous_consumer(ask: Ask) -> None:
    """Make requests in a task that consumes a queue."""

    async def consume(waiting: asyncio.Queue[int]) -> None:
        while True:
            item = await waiting.get()
            with suppress(Exception):
                ask(item)
            waiting.task_done()

    async def both() -> None:
        waiting: asyncio.Queue[int] = asyncio.Queue()
        task = asyncio.create_task(consume(waiting))
        await waiting.put(1)
        await waiting.join()
        task.cancel()

    asyncio.run(both())


def fail_in_a_callback(ask: Ask) -> None:
    """Make a request in a callback of an event loop, which sets the awaited future."""

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def call() -> None:
            try:
                future.set_result(ask(1))
            except Exception as error:  # noqa: BLE001 - handed to the waiting task
                future.set_exception(error)

        loop.call_soon(call)
        await future

    asyncio.run(wait())


def fail_in_an_older_pool(ask: Ask) -> None:
    """Make requests in the threads of a pool that is older than the block."""
    older_pools[0].map(ask, range(2))


older_pools: list[ThreadPool] = []


@pytest.fixture(autouse=True, scope="module")
def older_pool() -> Iterator[None]:
    """Run a pool that is older than all blocks."""
    with ThreadPool(2) as pool:
        older_pools.append(pool)
        yield
        older_pools.clear()
    pool.join()


FAILURES = (
    fail_in_a_thread_pool,
    fail_in_an_executor,
    fail_in_a_consumer,
    fail_in_an_asynchronous_consumer,
    fail_in_a_callback,
    fail_in_an_older_pool,
)


@pytest.mark.parametrize("fail", FAILURES)
@pytest.mark.parametrize("library", [by_httpx, by_requests])
def test_a_miss_elsewhere_ends_the_block(
    tmp_path: Path, library: Callable[[str], Ask], fail: Callable[[Ask], None]
) -> None:
    """A miss in a worker, a consumer or a callback ends the block with that miss."""
    path = tmp_path / "a.yaml"
    path.write_text("interactions: []\nversion: 1\n")
    context = harness.use_cassette(path)
    message = r"no recorded answer to POST http://127\.0\.0\.2:9/echo"
    with pytest.raises(CassetteMiss, match=message), context:
        fail(library("http://127.0.0.2:9"))
    assert context.misses


@pytest.mark.parametrize("fail", FAILURES)
def test_a_refused_connection_elsewhere_ends_the_block(
    server: Server, tmp_path: Path, fail: Callable[[Ask], None]
) -> None:
    """So does a connection that is refused, and nothing is written by a recording."""
    path = tmp_path / "a.yaml"

    def connect(_: int) -> str:
        with socket.create_connection((server.host, server.port)):
            return ""

    def block() -> None:
        with harness.use_cassette(path, record="all"):
            by_httpx(server.base)(1)
            fail(connect)

    with pytest.raises(ConnectionBlocked, match=f"a connection to {server.host}:{server.port} "):
        block()
    assert not path.exists()


def test_the_miss_is_raised_instead_of_what_it_became(tmp_path: Path) -> None:
    """An exception that follows from a swallowed miss does not hide it; an interrupt does."""
    path = tmp_path / "a.yaml"
    path.write_text("interactions: []\nversion: 1\n")

    def block(error: BaseException) -> None:
        with harness.use_cassette(path):
            with suppress(CassetteMiss):
                httpx.get("http://127.0.0.2:9/")
            raise error

    with pytest.raises(CassetteMiss) as caught:
        block(ValueError("no answer"))
    assert str(caught.value.__cause__) == "no answer"
    with pytest.raises(CassetteMiss):
        block(pytest.skip.Exception("no answer"))
    with pytest.raises(KeyboardInterrupt):
        block(KeyboardInterrupt())


@pytest.mark.parametrize("address", ["http://127.0.0.2:9/", "http://no-such-host.invalid/"])
def test_a_refusal_in_tornado_ends_the_block(tmp_path: Path, address: str) -> None:
    """tornado's client, which connects in callbacks of its event loop, does not wait forever."""
    client = pytest.importorskip("tornado.simple_httpclient")
    path = tmp_path / "a.yaml"
    path.write_text("interactions: []\nversion: 1\n")

    async def ask() -> None:
        await asyncio.wait_for(client.SimpleAsyncHTTPClient(force_instance=True).fetch(address), 9)

    with pytest.raises(ConnectionBlocked), harness.use_cassette(path):
        asyncio.run(ask())


@pytest.mark.parametrize("record", ["all", "none"])
def test_a_forked_pool_ends_with_one_error(
    server: Server, tmp_path: Path, python: Python, record: str
) -> None:
    """A request of a forked child is an error that says what to do, in recordings and replays."""
    path = tmp_path / "c.yaml"
    if record == "none":
        path.write_text("interactions: []\nversion: 1\n")
    code = f"""
import multiprocessing, requests, harness
def ask(i): return requests.get("{server.base}/echo?" + str(i)).status_code
with harness.use_cassette({str(path)!r}, record={record!r}):
    with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(ask, range(2)))
"""
    done = python("-c", code)
    assert done.returncode == 1
    assert (
        done.stderr.rstrip()
        .splitlines()[-1]
        .startswith(
            f"harness.errors.NotAnswered: GET {server.base}/echo was sent by a forked child process"
        )
    )
    assert server.requests == []


@pytest.mark.slow
def test_a_forked_child_can_open_a_cassette(server: Server, tmp_path: Path, python: Python) -> None:
    """A block that a forked child opens itself works, beside the one of its parent."""
    code = f"""
import multiprocessing, requests, harness
def ask(i):
    with harness.use_cassette({str(tmp_path)!r} + f"/{{i}}.yaml", record="missing"):
        return requests.get("{server.base}/echo?" + str(i)).status_code
with harness.use_cassette({str(tmp_path / "parent.yaml")!r}, record="all"):
    with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(ask, range(2)))
"""
    done = python("-c", code)
    assert (done.stdout, done.returncode) == ("[200, 200]\n", 0), done.stderr
    assert len(server.requests) == 2
