"""Requests and connections to allowed hosts, and to no others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import harness
from harness.config.hosts import AllowedHosts
from harness.errors import CassetteMiss, ConnectionBlocked, HarnessError
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.secrets.redactor import Redactor
from harness.types import Cassette

from .clients import CLIENTS, Client
from .server import STREAM, Server
from .test_patch import WAYS, by_asyncio

OUTSIDE = "db.example.com"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve a name to this machine, which its text does not show."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **options: Any) -> Any:
        return original("127.0.0.1" if host == OUTSIDE else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def quiet() -> None:
    """Return a port at which nothing listens."""


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("path", ["/stream", "/gzip"])
def test_requests_to_an_allowed_host_are_not_recorded(
    server: Server, client: Client, path: str
) -> None:
    """Requests to an allowed host are neither recorded nor replayed, by whatever library."""
    tape = Recorder(Redactor())
    for running in (tape, Player(Cassette(()))):
        with use_tape(running, AllowedHosts((f"{server.host}:{server.port}",))):
            assert client("GET", server.base + path, None, quiet).body == STREAM
    assert tape.exchanges() == ()
    assert [asked[1] for asked in server.requests] == [path, path]
    with (
        use_tape(Player(Cassette(())), AllowedHosts((f"{server.host}:1", "elsewhere"))),
        pytest.raises(CassetteMiss),
    ):
        client("GET", server.base + path, None, quiet)


@pytest.mark.parametrize("way", [way for way in WAYS if way is not by_asyncio])
def test_sockets_reach_an_allowed_host(server: Server, way: Callable[[Server], object]) -> None:
    """Sockets can connect to an allowed host."""
    hosts = AllowedHosts(("localhost",))
    with use_tape(Player(Cassette(())), hosts):
        opened = way(server)
        if hasattr(opened, "close"):
            opened.close()
    assert hosts.reached == []


@pytest.mark.usefixtures("named")
def test_an_allowed_name_is_looked_up_and_reached(server: Server) -> None:
    """An allowed name is resolved and reached by sockets and event loops; other names are not."""
    address = (OUTSIDE, server.port)

    async def opened() -> None:
        _, writer = await asyncio.open_connection(*address)
        writer.close()
        await writer.wait_closed()

    with use_tape(Player(Cassette(())), AllowedHosts(("*.example.com",))):
        socket.create_connection(address).close()
        asyncio.run(opened())
        with socket.socket() as other, pytest.raises(ConnectionBlocked):
            other.connect(("localhost", server.port))
    with use_tape(Player(Cassette(())), AllowedHosts((f"{OUTSIDE}:1",))):
        ((*_, found), *_) = socket.getaddrinfo(*address)
        with socket.socket() as other, pytest.raises(ConnectionBlocked):
            other.connect(found)


@pytest.mark.usefixtures("named")
def test_reached_hosts_are_listed(server: Server, tmp_path: Path) -> None:
    """Allowed hosts outside this machine are listed once they are reached."""
    with harness.use_cassette(tmp_path / "a.yaml", record="all") as context:
        httpx.get(f"{server.base}/json")
    with harness.use_cassette(tmp_path / "a.yaml", allow_hosts=[OUTSIDE]) as context:
        httpx.get(f"{server.base}/json")
        httpx.get(f"http://{OUTSIDE}:{server.port}/echo")
        httpx.get(f"http://{OUTSIDE}:{server.port}/echo")
    assert (context.reached_hosts, context.used_network, len(context.replayed)) == (
        (OUTSIDE,),
        False,
        1,
    )
    with harness.use_cassette(
        tmp_path / "a.yaml", allow_hosts=["localhost"], allow_unused=True
    ) as context:
        httpx.get(f"{server.base}/json")
    assert (context.reached_hosts, context.replayed) == ((), ())


@pytest.mark.parametrize("wrong", ["", "http://localhost", "localhost/path", "a b", "*", "*:80"])
def test_an_invalid_pattern_is_an_error(wrong: str, tmp_path: Path) -> None:
    """An invalid pattern, or one that matches every host, is an error before anything runs."""
    with pytest.raises(HarnessError, match="is not a valid host; expected for example"):
        harness.use_cassette(tmp_path / "a.yaml", allow_hosts=[wrong])
