"""The patches of the process, the tape of each context, and connections past the tape."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import httpx
import pytest
import requests
import urllib3

from harness.config.hosts import AllowedHosts
from harness.errors import ConnectionBlocked, NoActiveCassette
from harness.intercept import patch
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request, Response

from .server import Server

SEAMS = [
    (httpx.HTTPTransport, "handle_request"),
    (httpx.AsyncHTTPTransport, "handle_async_request"),
    (urllib3.HTTPConnectionPool, "_make_request"),
    (socket.socket, "send"),
    (socket.socket, "sendall"),
    (socket, "getaddrinfo"),
    (threading.Thread, "start"),
    (ThreadPoolExecutor, "submit"),
]


def patched_attributes() -> list[object]:
    """Return the patched attributes, and whether each is its owner's own."""
    return [(getattr(owner, name), name in vars(owner)) for owner, name in SEAMS]


BEFORE = patched_attributes()


def answering(text: str) -> Player:
    """Return a player that answers one GET of `/` with a text."""
    return Player(
        Cassette((Exchange(Request("GET", "http://a/"), Response(200, body=text.encode())),))
    )


def test_patches_are_installed_while_any_tape_is_used() -> None:
    """All patches are installed while any tape is used, and removed afterwards."""
    assert patched_attributes() == BEFORE
    with use_tape(answering("one")):
        inside = patched_attributes()
        assert all(now != before for now, before in zip(inside, BEFORE, strict=True))
        with use_tape(answering("two")):
            assert patched_attributes() == inside
        assert patched_attributes() == inside
    assert patched_attributes() == BEFORE


def test_patches_are_kept_for_the_next_tape() -> None:
    """Kept patches stay between tapes, and change nothing there."""
    try:
        patch.keep_patches(True)
        with use_tape(answering("one")):
            inside = patched_attributes()
        assert patched_attributes() == inside
        with use_tape(answering("two")):
            assert patched_attributes() == inside
            assert httpx.get("http://a/").text == "two"
    finally:
        patch.keep_patches(False)
    assert patched_attributes() == BEFORE


def test_kept_patches_that_were_replaced_are_installed_again() -> None:
    """A mock that ends between two tapes may put back what was there before the first one."""
    original = httpx.HTTPTransport.handle_request
    try:
        patch.keep_patches(True)
        with use_tape(answering("one")):
            pass
        httpx.HTTPTransport.handle_request = original  # type: ignore[method-assign]
        with use_tape(answering("two")):
            assert httpx.get("http://a/").text == "two"
    finally:
        patch.keep_patches(False)
    assert patched_attributes() == BEFORE


def test_patches_are_put_back_for_the_next_tape() -> None:
    """They are the same ones if nothing has changed between two tapes."""
    for _ in range(2):  # the first one may import modules
        with use_tape(answering("one")):
            inside = patched_attributes()
        assert patched_attributes() == BEFORE
    with use_tape(answering("two")):
        assert patched_attributes() == inside
        assert httpx.get("http://a/").text == "two"


def test_what_was_replaced_between_two_tapes_is_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The patch of the next tape calls what is there then."""
    asked: list[str] = []

    def look_up(host: str, *_: object) -> list[object]:
        asked.append(host)
        return []

    with use_tape(answering("one")):
        pass
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with use_tape(answering("two"), AllowedHosts(("a.example",))):
        socket.getaddrinfo("a.example", 80)
    assert asked == ["a.example"]


def test_patches_are_removed_after_an_exception() -> None:
    """Patches are removed after any exception."""
    for error in (ValueError(), KeyboardInterrupt()):
        with pytest.raises(type(error)), use_tape(answering("one")):
            raise error
        assert patched_attributes() == BEFORE


def test_the_innermost_tape_is_used() -> None:
    """The innermost tape is used, and then the one around it again."""
    with use_tape(answering("outer")):
        with use_tape(answering("inner")):
            assert httpx.get("http://a/").text == "inner"
        assert httpx.get("http://a/").text == "outer"


def test_patches_last_as_long_as_the_last_thread_that_uses_them() -> None:
    """Patches stay until the last of two threads is done."""
    first_in, first_out = threading.Event(), threading.Event()

    def first() -> None:
        with use_tape(answering("first")):
            first_in.set()
            first_out.wait(60)

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait(60)
    with use_tape(answering("second")):
        first_out.set()
        thread.join()
        assert httpx.get("http://a/").text == "second"
    assert patched_attributes() == BEFORE


# --------------------------------------------------------------------------------- contexts


def test_a_library_that_is_being_imported_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that began under one tape can end under the next without a deadlock."""
    began, go = threading.Event(), threading.Event()
    patched: list[str] = []

    def patches(library: ModuleType) -> tuple[()]:
        patched.append(library.__name__)
        return ()

    monkeypatch.setitem(
        sys.modules, "gate_patches", cast(ModuleType, SimpleNamespace(patches=patches))
    )
    monkeypatch.setitem(sys.modules, "gate", cast(ModuleType, SimpleNamespace(began=began, go=go)))
    (tmp_path / "slow_library.py").write_text("import gate\ngate.began.set()\ngate.go.wait(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(patch, "_LIBRARIES", {"slow_library": "gate_patches"})
    one = patch._Patches()
    one.acquire()
    importing = threading.Thread(target=import_module, args=("slow_library",), daemon=True)
    importing.start()
    assert began.wait(60)
    one.release()
    opening = threading.Thread(target=one.acquire, daemon=True)
    opening.start()
    opening.join(0.1)
    go.set()
    importing.join(60)
    opening.join(60)
    try:
        assert (importing.is_alive(), opening.is_alive()) == (False, False)
        assert patched == ["slow_library"]
        one.release()
    finally:
        sys.modules.pop("slow_library", None)


@pytest.mark.slow
def test_threads_record_to_their_own_tapes(server: Server) -> None:
    """Threads that record at the same time each have their own tape."""

    def record(name: int) -> list[bytes]:
        tape = Recorder(Redactor())
        with use_tape(tape), requests.Session() as session:
            for i in range(10):
                session.post(f"{server.base}/echo", data=f"{name} {i}", timeout=60)
                httpx.post(f"{server.base}/echo", content=f"{name} {i}")
        return [exchange.request.body for exchange in tape.exchanges()]

    with ThreadPoolExecutor(3) as threads:
        recorded = list(threads.map(record, range(3)))
    for name, bodies in enumerate(recorded):
        assert bodies == [f"{name} {i}".encode() for i in range(10) for _ in range(2)]


def test_tasks_record_to_their_own_tapes(server: Server) -> None:
    """Tasks that record at the same time each have their own tape."""

    async def record(name: int) -> list[bytes]:
        tape = Recorder(Redactor())
        with use_tape(tape):
            async with httpx.AsyncClient() as client:
                for i in range(10):
                    await client.post(f"{server.base}/echo", content=f"{name} {i}")
        return [exchange.request.body for exchange in tape.exchanges()]

    async def both() -> list[list[bytes]]:
        return await asyncio.gather(*map(record, range(3)))

    for name, bodies in enumerate(asyncio.run(both())):
        assert bodies == [f"{name} {i}".encode() for i in range(10)]


def test_one_thread_can_record_while_another_replays(server: Server) -> None:
    """A replay in one thread does not keep another from the network."""
    tape = Recorder(Redactor())

    def record() -> str:
        with use_tape(tape):
            return httpx.get(f"{server.base}/json").json()["answer"]  # type: ignore[no-any-return]

    with use_tape(answering("played")), ThreadPoolExecutor(1) as threads:
        assert threads.submit(record).result() == "你好"
        assert httpx.get("http://a/").text == "played"
    assert len(tape.exchanges()) == 1


ELSEWHERE: list[Callable[[str], object]] = [
    httpx.get,
    lambda url: requests.get(url, timeout=60),
    lambda url: urllib3.PoolManager().request("GET", url),
]


@pytest.mark.parametrize("ask", ELSEWHERE, ids=["httpx", "requests", "urllib3"])
def test_a_request_that_belongs_to_no_tape_is_an_error(
    server: Server, ask: Callable[[str], object]
) -> None:
    """A request that belongs to none of two tapes raises NoActiveCassette, without its query."""

    def elsewhere() -> str:
        with pytest.raises(NoActiveCassette) as caught:
            ask(f"{server.base}/json?key=hush")
        return str(caught.value)

    with use_tape(answering("one")), use_tape(answering("two")):
        message = Context().run(elsewhere)
    assert message == (
        f"GET {server.base}/json was sent where no cassette is in use, while several are "
        "elsewhere: a thread or task uses the cassette that was in use when it began, or the only "
        "one that is open"
    )
    assert server.requests == []


# ---------------------------------------------------------------------------------- sockets


def by_address(server: Server) -> object:
    """Connect with `create_connection`."""
    return socket.create_connection((server.host, server.port))


def by_connect_ex(server: Server) -> object:
    """Connect with `connect_ex`."""
    with socket.socket() as plain:
        return plain.connect_ex((server.host, server.port))


def by_connect(server: Server) -> None:
    """Connect without resolving a name."""
    with socket.socket() as plain:
        plain.connect((server.host, server.port))


def by_asyncio(server: Server) -> object:
    """Connect with asyncio."""
    return asyncio.run(_open(server))


async def _open(server: Server) -> None:
    await asyncio.open_connection(server.host, server.port)


def by_datagram(server: Server) -> object:
    """Send a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        return plain.sendto(b"x", (server.host, server.port))


def by_message(server: Server) -> object:
    """Send a message."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        return plain.sendmsg([b"x"], [], 0, (server.host, server.port))


WAYS = [
    by_datagram,
    by_message,
    by_address,
    by_connect,
    by_connect_ex,
    by_asyncio,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tape", [answering("one"), Recorder(Redactor())], ids=["play", "record"])
def test_no_connection_is_opened_past_a_tape(
    server: Server, way: Callable[[Server], object], tape: Player | Recorder
) -> None:
    """Connections past the tape are refused in replays and recordings."""
    with use_tape(tape), pytest.raises(ConnectionBlocked) as caught:
        way(server)
    port = server.port
    assert str(caught.value) == (
        f"a connection to 127.0.0.1:{port} was opened past the tape: only requests made with "
        "httpx, httpx2, requests, urllib3, aiohttp or http.client are recorded and replayed; "
        "allow it with allow_hosts"
    )
    assert server.requests == []


def test_no_name_is_resolved_past_a_tape() -> None:
    """Resolving a name raises ConnectionBlocked, so that its own error does not hide the reason."""
    message = r"^a connection to no-such-host\.invalid:443 was opened past the tape"
    with use_tape(answering("one")), pytest.raises(ConnectionBlocked, match=message):
        socket.create_connection(("no-such-host.invalid", 443))


@pytest.mark.parametrize("name", ["gethostbyname", "gethostbyname_ex"])
def test_gethostbyname_is_refused(name: str) -> None:
    """`gethostbyname` is refused, except for this machine's names."""
    message = r"^a connection to no-such-host\.invalid:any port was opened past the tape"
    with use_tape(answering("one")):
        with pytest.raises(ConnectionBlocked, match=message):
            getattr(socket, name)("no-such-host.invalid")
        assert getattr(socket, name)("localhost")
        assert getattr(socket, name)(socket.gethostname())
    assert "gethostby" in socket.gethostbyname.__name__
    assert "sendto" not in vars(socket.socket)


def test_socket_pairs_are_not_refused() -> None:
    """Socket pairs, which event loops use too, are not refused."""
    with use_tape(answering("one")):
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"x")
            assert other.recv(1) == b"x"
        asyncio.run(asyncio.sleep(0))


def test_unix_sockets_need_permission(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Unix sockets are refused unless this machine is allowed."""
    path = str(tmp_path_factory.mktemp("s") / "s")
    kind = socket.AF_UNIX, socket.SOCK_DGRAM
    with socket.socket(*kind) as receiver, socket.socket(*kind) as sender:
        receiver.bind(path)
        message = f"^a connection to the Unix socket {path} was opened past the tape"
        with use_tape(answering("one")), pytest.raises(ConnectionBlocked, match=message):
            sender.sendto(b"x", path)
        with use_tape(answering("one")), pytest.raises(ConnectionBlocked, match=message):
            sender.connect(path)
        with use_tape(answering("one"), AllowedHosts(("localhost",))):
            assert sender.sendto(b"x", path) == 1


def test_connections_are_allowed_after_the_block(server: Server) -> None:
    """After the block, connections are not refused."""
    with use_tape(answering("one")):
        pass
    assert httpx.get(f"{server.base}/json").status_code == 200
    with socket.create_connection((server.host, server.port)):
        pass
