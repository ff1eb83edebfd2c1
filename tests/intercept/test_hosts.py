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
from harness.errors import CassetteMiss, ConnectionBlocked, HarnessError
from harness.intercept import AllowedHosts, Player, Recorder, use_tape
from harness.secrets.redactor import Redactor
from harness.types import Cassette

from .clients import CLIENTS, Client
from .server import STREAM, Server
from .test_patch import WAYS, by_asyncio

OUTSIDE = "db.example.com"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is looked up to be this machine; nobody can know that from the name."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **options: Any) -> Any:
        return original("127.0.0.1" if host == OUTSIDE else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def quiet() -> None:
    """Nobody listens."""


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("path", ["/stream", "/gzip"])
def test_an_allowed_host_is_reached_past_the_tape(
    server: Server, client: Client, path: str
) -> None:
    """Whatever library asks, unrecorded and unplayed; the next host is not."""
    tape = Recorder(Redactor())
    for running in (tape, Player(Cassette(()))):
        with use_tape(running, AllowedHosts((f"{server.host}:{server.port}",))):
            assert client("GET", server.base + path, None, quiet).body == STREAM
    assert tape.exchanges() == ()
    assert [asked[1] for asked in server.asked] == [path, path]
    with (
        use_tape(Player(Cassette(())), AllowedHosts((f"{server.host}:1", "elsewhere"))),
        pytest.raises(CassetteMiss),
    ):
        client("GET", server.base + path, None, quiet)


@pytest.mark.parametrize("way", [way for way in WAYS if way is not by_asyncio])
def test_sockets_reach_an_allowed_host(server: Server, way: Callable[[Server], object]) -> None:
    """A database is no HTTP."""
    hosts = AllowedHosts(("localhost",))
    with use_tape(Player(Cassette(())), hosts):
        opened = way(server)
        if hasattr(opened, "close"):
            opened.close()
    assert hosts.reached == []


@pytest.mark.usefixtures("named")
def test_an_allowed_name_is_looked_up_and_reached(server: Server) -> None:
    """By sockets and by event loops, which look names up in threads; other names are not."""
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
def test_a_host_outside_is_told(server: Server, tmp_path: Path) -> None:
    """A block that reached one did not run offline; one that reached only this machine did."""
    with harness.use_cassette(tmp_path / "a.yaml", record="all") as taped:
        httpx.get(f"{server.base}/json")
    with harness.use_cassette(tmp_path / "a.yaml", allow_hosts=[OUTSIDE]) as taped:
        httpx.get(f"{server.base}/json")
        httpx.get(f"http://{OUTSIDE}:{server.port}/echo")
        httpx.get(f"http://{OUTSIDE}:{server.port}/echo")
    assert (taped.reached_hosts, taped.used_network, len(taped.replayed)) == ((OUTSIDE,), False, 1)
    with harness.use_cassette(
        tmp_path / "a.yaml", allow_hosts=["localhost"], allow_unused=True
    ) as taped:
        httpx.get(f"{server.base}/json")
    assert (taped.reached_hosts, taped.replayed) == ((), ())


@pytest.mark.parametrize(
    ("pattern", "host", "port", "is_allowed"),
    [
        ("localhost", "localhost", 1, True),
        ("localhost", "127.0.0.1", 1, True),
        ("localhost", "::1", 1, True),
        ("localhost", "0.0.0.0", 1, True),  # noqa: S104 - asked, not bound
        ("localhost", "app.localhost", 1, True),
        ("localhost", "localhost.example.com", 1, False),
        ("localhost:80", "127.0.0.1", 80, True),
        ("localhost:80", "127.0.0.1", 81, False),
        ("localhost:80", "127.0.0.1", None, True),
        ("127.0.0.1", "localhost", 1, False),
        ("DB.example.com", "db.EXAMPLE.com.", 1, True),
        ("*.example.com", "a.b.example.com", 1, True),
        ("*.example.com", "example.com", 1, False),
        ("*.example.com:443", "a.example.com", 443, True),
        ("*.example.com:443", "a.example.com", 80, False),
        ("example.com", "example.com.evil.org", 1, False),
        ("::1", "::1", 1, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:80", "::1", 81, False),
        ("10.0.*", "10.0.3.4", 1, True),
    ],
)
def test_what_a_pattern_allows(pattern: str, host: str, port: int | None, is_allowed: bool) -> None:
    """All of a host's name, its port if one is said, and this machine by any name."""
    assert AllowedHosts((pattern,)).has(host, port) is is_allowed


def test_the_port_of_a_scheme_counts() -> None:
    """Where an address names none."""
    hosts = AllowedHosts(("a.example:443",))
    assert hosts.admits_request("https://a.example/x")
    assert not hosts.admits_request("http://a.example/x")
    assert hosts.reached == ["a.example"]


@pytest.mark.parametrize("wrong", ["", "http://localhost", "localhost/path", "a b", "*", "*:80"])
def test_what_is_no_host(wrong: str, tmp_path: Path) -> None:
    """Is told before anything runs; and all hosts at once would be no tape at all."""
    with pytest.raises(HarnessError, match="is not a valid host; expected for example"):
        harness.use_cassette(tmp_path / "a.yaml", allow_hosts=[wrong])
