"""Threads that begin inside of a block use its tape; older threads do not."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from pathlib import Path

import httpx
import pytest
import requests

import harness
from harness.errors import ConnectionBlocked, NoActiveCassette
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
    return lambda number: requests.post(f"{base}/echo", data=f"{number}", timeout=9).text


@pytest.mark.parametrize("library", [by_httpx, by_requests])
@pytest.mark.parametrize("way", WAYS)
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
        with use_tape(Player(Cassette(()))), pytest.raises(ConnectionBlocked):
            pool.submit(urllib.request.urlopen, server.base).result()
    assert len(server.requests) == 4


@pytest.mark.parametrize("library", [by_httpx, by_requests])
def test_an_older_thread_has_no_tape(server: Server, library: Callable[[str], Ask]) -> None:
    """A request of a thread that began before the tape is an error that names the address."""
    begin, message = threading.Event(), ""

    def ask() -> None:
        nonlocal message
        begin.wait(5)
        with pytest.raises(NoActiveCassette) as caught:
            library(server.base)(1)
        message = str(caught.value)

    thread = threading.Thread(target=ask)
    thread.start()
    with use_tape(Player(Cassette(()))):
        begin.set()
        thread.join()
    assert f"POST {server.base}/echo was sent where no tape is" in message
    assert server.requests == []


def test_no_connection_is_opened_past_a_tape_in_a_thread(server: Server) -> None:
    """Connections past the tape are refused in threads."""
    messages: list[str] = []

    def ask() -> None:
        with pytest.raises(ConnectionBlocked) as caught:
            urllib.request.urlopen(server.base)  # noqa: S310 - loopback
        messages.append(str(caught.value))

    with use_tape(Player(Cassette(()))):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert f"{server.host}:{server.port} was opened past the tape" in messages[0]
    assert server.requests == []
