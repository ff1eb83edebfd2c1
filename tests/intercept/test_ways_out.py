"""What reaches a listener from within a replay: nothing, but what `docs/GUARANTEES.md` names.

With `HARNESS_WAYS_OUT=open`, the same ways are tried without a block, where all must arrive.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.config.hosts import AllowedHosts
from harness.intercept import network_guard
from harness.intercept.context import Block
from harness.intercept.patch import use_block
from harness.intercept.player import Player
from harness.types import Cassette

from .ways_out import (
    CHILDREN,
    CONNECTIONS,
    NAMES,
    OLDER,
    PLACES,
    Listener,
    Way,
    by_fork,
    connect,
    create_connection,
    here,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
IS_OPEN = os.environ.get("HARNESS_WAYS_OUT") == "open"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """Run a listener."""
    listening = Listener(tmp_path)
    yield listening
    listening.close()


@pytest.fixture
def block() -> Block:
    """Return the block of a replay."""
    return Block(Player(Cassette(())))


def opened(block: Block) -> AbstractContextManager[object]:
    """Enter *block*, unless the ways are tried without one."""
    return nullcontext() if IS_OPEN else use_block(block)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", CONNECTIONS)
def test_no_connection_leaves(
    listener: Listener,
    block: Block,
    way: Way,
    place: Callable[[], AbstractContextManager[Any]],
) -> None:
    """No connection and no datagram leaves, from whatever thread, and the block knows of each."""
    with place() as attempt, opened(block), suppress(BaseException):
        attempt(lambda: way(listener))
    assert bool(listener.settled()) == IS_OPEN
    assert bool(block.errors) != IS_OPEN


def test_no_c_function_of_the_network_is_looked_up(block: Block) -> None:
    """ctypes finds no function that sends or looks up a name, by none of its names."""
    library = ctypes.CDLL(None)
    names = ["sendmmsg", "send", "gethostbyname2", "__connect", "__res_query"]
    with suppress(BaseException), use_block(block):
        for name in names:
            with suppress(BaseException):
                library[name]
    assert len(block.errors) == len(names)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_looked_up(
    block: Block, name: str, place: Callable[[], AbstractContextManager[Any]]
) -> None:
    """No name is looked up, from whatever thread."""
    with place() as attempt, opened(block), suppress(BaseException):
        attempt(NAMES[name])
    assert bool(block.errors) != IS_OPEN


@pytest.mark.parametrize("place", [here, *PLACES[1:3]])
@pytest.mark.parametrize("older", OLDER)
def test_no_data_leaves_on_an_older_connection(
    listener: Listener,
    block: Block,
    older: Callable[[Listener], AbstractContextManager[Callable[[], object]]],
    place: Callable[[], AbstractContextManager[Any]],
) -> None:
    """No data is sent on a connection that was opened before the block."""
    with place() as attempt, older(listener) as send:
        listener.settled()
        before = listener.reached
        with opened(block), suppress(BaseException):
            attempt(send)
        time.sleep(0.05)
        assert (listener.reached > before) == IS_OPEN
    assert bool(block.errors) != IS_OPEN


@pytest.mark.slow
@pytest.mark.parametrize("way", CHILDREN)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_children_get_out_and_are_counted(listener: Listener, block: Block, way: Way) -> None:
    """Child processes are not refused; each is counted."""
    with opened(block):
        way(listener)
    assert listener.settled()
    assert block.children == (0 if IS_OPEN else 1)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_is_refused_and_counted(listener: Listener, block: Block) -> None:
    """A forked child has the hook of its parent."""
    with opened(block):
        by_fork(listener)
    assert bool(listener.settled()) == IS_OPEN
    assert block.children == (0 if IS_OPEN else 1)


def test_accepted_connections_can_answer(listener: Listener, block: Block) -> None:
    """A server in this process answers in a block on connections from before it."""
    connection = listener.connect()
    listener.settled()
    with use_block(Block(block.tape, AllowedHosts((f"127.0.0.1:{listener.address[1]}",)))):
        connection.sendall(b"x")
        assert connection.recv(9)


def test_an_allowed_host_is_reached(listener: Listener, block: Block) -> None:
    """Allowed hosts are reached from older threads too, and blocks beside one do not matter."""
    allowed = Block(block.tape, AllowedHosts(("localhost",)))
    with PLACES[1]() as attempt, use_block(allowed):
        attempt(lambda: create_connection(listener))
    assert listener.settled() == 1
    assert allowed.errors == []


def test_the_hook_does_nothing_without_a_block(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An audit event is not even looked up while no block is open."""

    class Unread(dict[str, object]):
        def __contains__(self, event: object) -> bool:
            raise LookupError(event)

    monkeypatch.setattr(network_guard, "_EVENTS", Unread())
    with use_block(block), pytest.raises(LookupError):
        sys.audit("harness.nothing")
    sys.audit("harness.nothing")


def test_only_uvloop_itself_is_patched(listener: Listener, block: Block) -> None:
    """uvloop's connections, look-ups and processes are refused or counted."""
    uvloop = pytest.importorskip("uvloop")

    def run(way: Callable[[Any], Any]) -> None:
        import asyncio

        async def tried() -> None:
            loop = asyncio.get_running_loop()
            transport, _ = await way(loop)
            transport.close()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(tried())

    import asyncio

    ways: list[Callable[[Any], Any]] = [
        lambda loop: loop.create_connection(asyncio.Protocol, *listener.address),
        lambda loop: loop.create_unix_connection(asyncio.Protocol, listener.path),
        lambda loop: loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=listener.udp_address
        ),
        lambda loop: loop.getaddrinfo("no-such-host.invalid", 80),
        lambda loop: loop.getnameinfo(("192.0.2.1", 80), 0),
    ]
    for number, way in enumerate(ways, start=1):
        with use_block(block), suppress(BaseException):
            run(way)
        assert len(block.errors) == number
    assert listener.settled() == 0

    async def child() -> None:
        await (await asyncio.create_subprocess_exec("true")).wait()

    with use_block(block), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(child())
    assert block.children == 1


def test_connections_are_not_refused_after_the_block(listener: Listener, block: Block) -> None:
    """The hook stays installed, and refuses nothing after the block."""
    with use_block(block), suppress(BaseException):
        connect(listener)
    connect(listener)
    assert listener.settled() == 1
    assert len(block.errors) == 1
    assert socket.getaddrinfo("localhost", 80)
