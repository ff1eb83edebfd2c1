"""Cassettes recorded by stock vcrpy, replayed to the HTTP library that was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
import urllib3
import vcr

import harness
from harness.cassette.store import read
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.types import Cassette, Exchange, Request, Response

from .server import STREAM, Server

Got = tuple[bytes, Mapping[str, str]]
"""A body, and the cookies a session has after it."""


def by_requests(url: str) -> Got:
    """Send requests in a session of requests."""
    with requests.Session() as session:
        return session.get(url, timeout=60).content, dict(session.cookies)


def by_httpx(url: str) -> Got:
    """Send requests with a client of httpx."""
    with httpx.Client() as client:
        return client.get(url).content, dict(client.cookies)


def by_urllib3(url: str) -> Got:
    """Send requests with urllib3, which has no cookies."""
    return urllib3.PoolManager().request("GET", url).data, {}


def by_aiohttp(url: str) -> Got:
    """Send requests in a session of aiohttp that accepts cookies from IP addresses."""

    async def ask() -> Got:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session, session.get(url) as answer:
            body = await answer.read()
            return body, {cookie.key: cookie.value for cookie in jar}

    return asyncio.run(ask())


@pytest.mark.parametrize("get", [by_requests, by_httpx, by_urllib3, by_aiohttp])
def test_a_cassette_of_vcrpy_replays_as_live(
    server: Server, tmp_path: Path, get: Callable[[str], Got]
) -> None:
    """Compressed responses and cookies recorded by vcrpy are read as they were live."""
    for path, body in (("/gzip", STREAM), ("/json", '{"answer":"你好"}'.encode())):
        cassette = tmp_path / f"{path[1:]}.yaml"
        with vcr.use_cassette(str(cassette)):
            live = get(server.base + path)
        asked = len(server.requests)
        with harness.use_cassette(cassette):
            assert get(server.base + path) == live
        assert live[0] == body
        assert len(server.requests) == asked
        assert (live[1] == {"a": "b"}) == (path == "/json" and get is not by_urllib3)


def test_a_stale_content_encoding_is_dropped(server: Server, tmp_path: Path) -> None:
    """A body that vcrpy stores decoded with its coding header is replayed without the header."""
    with vcr.use_cassette(str(tmp_path / "a.yaml")):
        by_urllib3(f"{server.base}/gzip")
    (exchange,) = read(tmp_path / "a.yaml").exchanges
    assert exchange.response.header("content-encoding") == "gzip"
    assert exchange.response.body == STREAM
    odd = Exchange(Request("GET", "http://x/"), Response(200, "", (("Content-Encoding", "x"),)))
    with use_tape(Player(Cassette((exchange, odd)))):
        answer = requests.get(exchange.request.uri, timeout=60)
        assert "content-encoding" not in answer.headers
        assert "content-length" not in answer.headers
        assert requests.get("http://x/", timeout=60).headers["content-encoding"] == "x"
