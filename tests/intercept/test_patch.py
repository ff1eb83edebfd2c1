"""One patch for the process, one tape for each context, and no socket past it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import Context
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import httpx
import pytest
import requests
import urllib3

from harness.errors import ConnectionBlocked, NoActiveCassette
from harness.intercept import Player, Recorder, patch, use_tape
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request, Response

from .server import Server

SEAMS = [
    (httpx.HTTPTransport, "handle_request"),
    (httpx.AsyncHTTPTransport, "handle_async_request"),
    (urllib3.HTTPConnectionPool, "urlopen"),
    (socket.socket, "connect"),
    (socket.socket, "connect_ex"),
    (socket, "getaddrinfo"),
    (threading.Thread, "start"),
    (ThreadPoolExecutor, "submit"),
]


def seams() -> list[object]:
    """Everything that is patched, as it is now; also whether it is the owner's own."""
    return [(getattr(owner, name), name in vars(owner)) for owner, name in SEAMS]


BEFORE = seams()


def answering(text: str) -> Player:
    """A tape that answers one GET of `/` with a text."""
    return Player(
        Cassette((Exchange(Request("GET", "http://a/"), Response(200, body=text.encode())),))
    )


def test_the_patch_is_in_place_while_any_tape_is() -> None:
    """All of it, and afterwards nothing of it; nested too."""
    assert seams() == BEFORE
    with use_tape(answering("one")):
        inside = seams()
        assert all(now != before for now, before in zip(inside, BEFORE, strict=True))
        with use_tape(answering("two")):
            assert seams() == inside
        assert seams() == inside
    assert seams() == BEFORE


def test_an_exception_undoes_the_patch_too() -> None:
    """Also one that no `except Exception` sees."""
    for error in (ValueError(), KeyboardInterrupt()):
        with pytest.raises(type(error)), use_tape(answering("one")):
            raise error
        assert seams() == BEFORE


def test_the_tape_is_the_innermost() -> None:
    """And when its block ends, the one around it again."""
    with use_tape(answering("outer")):
        with use_tape(answering("inner")):
            assert httpx.get("http://a/").text == "inner"
        assert httpx.get("http://a/").text == "outer"


def test_a_patch_used_by_two_threads_lasts_as_long_as_both() -> None:
    """The first to end does not take it from the other."""
    first_in, first_out = threading.Event(), threading.Event()

    def first() -> None:
        with use_tape(answering("first")):
            first_in.set()
            first_out.wait(5)

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait(5)
    with use_tape(answering("second")):
        first_out.set()
        thread.join()
        assert httpx.get("http://a/").text == "second"
    assert seams() == BEFORE


# --------------------------------------------------------------------------------- contexts


def test_a_library_that_is_being_imported_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that began under one tape ends under the next: neither waits for the other."""
    began, go = threading.Event(), threading.Event()
    patched: list[str] = []

    def patches(library: ModuleType) -> tuple[()]:
        patched.append(library.__name__)
        return ()

    monkeypatch.setitem(
        sys.modules, "gate_patches", cast(ModuleType, SimpleNamespace(patches=patches))
    )
    monkeypatch.setitem(sys.modules, "gate", cast(ModuleType, SimpleNamespace(began=began, go=go)))
    (tmp_path / "slow_library.py").write_text("import gate\ngate.began.set()\ngate.go.wait(9)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(patch, "_LIBRARIES", {"slow_library": "gate_patches"})
    one = patch._Patches()
    one.acquire()
    importing = threading.Thread(target=import_module, args=("slow_library",), daemon=True)
    importing.start()
    assert began.wait(9)
    one.release()
    opening = threading.Thread(target=one.acquire, daemon=True)
    opening.start()
    opening.join(0.1)
    go.set()
    importing.join(9)
    opening.join(9)
    try:
        assert (importing.is_alive(), opening.is_alive()) == (False, False)
        assert patched == ["slow_library"]
        one.release()
    finally:
        sys.modules.pop("slow_library", None)


def test_two_threads_with_two_tapes_never_meet(server: Server) -> None:
    """Recording at the same time, each tape has its own, and all of it."""

    def record(name: int) -> list[bytes]:
        tape = Recorder(Redactor())
        with use_tape(tape), requests.Session() as session:
            for i in range(10):
                session.post(f"{server.base}/echo", data=f"{name} {i}", timeout=9)
                httpx.post(f"{server.base}/echo", content=f"{name} {i}")
        return [exchange.request.body for exchange in tape.exchanges()]

    with ThreadPoolExecutor(3) as threads:
        taped = list(threads.map(record, range(3)))
    for name, bodies in enumerate(taped):
        assert bodies == [f"{name} {i}".encode() for i in range(10) for _ in range(2)]


def test_two_tasks_with_two_tapes_never_meet(server: Server) -> None:
    """The same in one thread."""

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


def test_recording_and_replaying_at_once_never_meet(server: Server) -> None:
    """A replay in one thread keeps no other thread from the network."""
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
    lambda url: requests.get(url, timeout=9),
    lambda url: urllib3.PoolManager().request("GET", url),
]


@pytest.mark.parametrize("ask", ELSEWHERE, ids=["httpx", "requests", "urllib3"])
def test_a_request_that_belongs_to_no_tape_is_an_error(
    server: Server, ask: Callable[[str], object]
) -> None:
    """It is told by method and address; a query may hold a key."""

    def elsewhere() -> str:
        with pytest.raises(NoActiveCassette) as caught:
            ask(f"{server.base}/json?key=hush")
        return str(caught.value)

    with use_tape(answering("one")):
        told = Context().run(elsewhere)
    assert told == (
        f"GET {server.base}/json was sent where no tape is in use, while one is elsewhere: "
        "a thread or task uses the tape that was in use when it began"
    )
    assert server.asked == []


# ---------------------------------------------------------------------------------- sockets


def by_address(server: Server) -> object:
    """The plainest way."""
    return socket.create_connection((server.host, server.port))


def by_connect_ex(server: Server) -> object:
    """As asyncio and others do."""
    with socket.socket() as plain:
        return plain.connect_ex((server.host, server.port))


def by_connect(server: Server) -> None:
    """Without looking up a name."""
    with socket.socket() as plain:
        plain.connect((server.host, server.port))


def by_http_client(server: Server) -> object:
    """A library that no tape hears."""
    with closing(http.client.HTTPConnection(server.host, server.port)) as connection:
        connection.request("GET", "/json")
        return connection.getresponse()


def by_urllib(server: Server) -> object:
    """Another one, which would make an error of the network of any exception."""
    return urllib.request.urlopen(f"{server.base}/json")  # noqa: S310 - our own server


def by_asyncio(server: Server) -> object:
    """What aiohttp stands on."""
    return asyncio.run(_open(server))


async def _open(server: Server) -> None:
    await asyncio.open_connection(server.host, server.port)


def by_datagram(server: Server) -> object:
    """Without any connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        return plain.sendto(b"x", (server.host, server.port))


def by_message(server: Server) -> object:
    """The same in other words."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        return plain.sendmsg([b"x"], [], 0, (server.host, server.port))


WAYS = [
    by_datagram,
    by_message,
    by_address,
    by_connect,
    by_connect_ex,
    by_http_client,
    by_urllib,
    by_asyncio,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tape", [answering("one"), Recorder(Redactor())], ids=["play", "record"])
def test_no_connection_is_opened_past_a_tape(
    server: Server, way: Callable[[Server], object], tape: Player | Recorder
) -> None:
    """Replaying there is no network; recording, nothing goes unrecorded in silence."""
    with use_tape(tape), pytest.raises(ConnectionBlocked) as caught:
        way(server)
    port = server.port
    assert str(caught.value) == (
        f"a connection to 127.0.0.1:{port} was opened past the tape: only requests made with "
        "httpx, httpx2, requests, urllib3 or aiohttp are recorded and replayed; "
        "allow it with allow_hosts"
    )
    assert server.asked == []


def test_no_name_is_looked_up_past_a_tape() -> None:
    """That would be traffic too, and where there is no network, its error would hide the reason."""
    told = r"^a connection to no-such-host\.invalid:443 was opened past the tape"
    with use_tape(answering("one")), pytest.raises(ConnectionBlocked, match=told):
        socket.create_connection(("no-such-host.invalid", 443))
    with use_tape(answering("one")), pytest.raises(ConnectionBlocked, match=told):
        http.client.HTTPSConnection("no-such-host.invalid").request("GET", "/")


@pytest.mark.parametrize("name", ["gethostbyname", "gethostbyname_ex"])
def test_no_name_is_looked_up_the_old_way_either(name: str) -> None:
    """But for this machine's own."""
    told = r"^a connection to no-such-host\.invalid:any port was opened past the tape"
    with use_tape(answering("one")):
        with pytest.raises(ConnectionBlocked, match=told):
            getattr(socket, name)("no-such-host.invalid")
        assert getattr(socket, name)("localhost")
        assert getattr(socket, name)(socket.gethostname())
    assert "gethostby" in socket.gethostbyname.__name__
    assert "sendto" not in vars(socket.socket)


def test_what_is_no_network_stays_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Pairs of sockets and those in the file system; event loops need them."""
    path = str(tmp_path_factory.mktemp("s") / "s")
    with use_tape(answering("one")):
        one, other = socket.socketpair()
        kind = socket.AF_UNIX, socket.SOCK_DGRAM
        with socket.socket(*kind) as told, socket.socket(*kind) as telling:
            told.bind(f"{path}d")
            assert telling.sendto(b"x", f"{path}d") == 1
        with one, other:
            one.sendall(b"x")
            assert other.recv(1) == b"x"
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as asking:
            listening.bind(path)
            listening.listen()
            asking.connect(path)
        asyncio.run(asyncio.sleep(0))


def test_without_a_tape_everything_is_as_ever(server: Server) -> None:
    """After a tape was in place, too."""
    with use_tape(answering("one")):
        pass
    assert httpx.get(f"{server.base}/json").status_code == 200
    with socket.create_connection((server.host, server.port)):
        pass
