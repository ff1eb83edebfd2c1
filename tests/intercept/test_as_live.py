"""A replay is as live: what each library gives its caller in a recording and in its replay."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3

from harness.cassette.reader import loads
from harness.cassette.writer import dumps
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.secrets.redactor import Redactor
from harness.types import Cassette

pytestmark = pytest.mark.slow


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """Answer each connection on loopback with the next of *answers* (the last again), and close."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for number in range(1000):
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    _read_request(connection)
                    connection.sendall(answers[min(number, len(answers) - 1)])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _read_request(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received and (data := connection.recv(65536)):
        received += data


def answer(
    body: bytes = b"{}", *headers: str, status: str = "200 OK", length: bool = True
) -> bytes:
    """Return the bytes of one response, after which the connection is closed."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def live_and_replayed(ask: Callable[[str], Any], *answers: bytes) -> tuple[Any, Any]:
    """Return the result of *ask* while recording, and while replaying with the server gone."""
    tape = Recorder(Redactor())
    with answering(*answers) as base, use_tape(tape):
        live = ask(base)
    player = Player(loads(dumps(Cassette(tape.exchanges()))))
    with use_tape(player):
        replayed = ask(base)
    assert player.unused() == ()
    return live, replayed


# ------------------------------------------------------------------------------------- headers

Head = tuple[int, str, list[tuple[str, str]]]


def head_by_httpx(url: str) -> Head:
    """Return status, reason and headers as httpx gives them."""
    got = httpx.get(url, trust_env=False)
    return got.status_code, got.reason_phrase, got.headers.multi_items()


def head_by_httpx2(url: str) -> Head:
    """Return status, reason and headers as httpx2 gives them."""
    got = httpx2.get(url, trust_env=False)
    return got.status_code, got.reason_phrase, got.headers.multi_items()


def head_by_requests(url: str) -> Head:
    """Return status, reason and headers as requests gives them."""
    got = requests.get(url, timeout=9)
    return got.status_code, got.reason, list(got.headers.items())


def head_by_urllib3(url: str) -> Head:
    """Return status, reason and headers as urllib3 gives them."""
    got = urllib3.request("GET", url, retries=False)
    return got.status, got.reason or "", list(got.headers.items())


def head_by_aiohttp(url: str) -> Head:
    """Return status, reason and headers as aiohttp gives them."""

    async def ask() -> Head:
        async with aiohttp.ClientSession() as session, session.get(url) as got:
            return got.status, got.reason or "", list(got.headers.items())

    return asyncio.run(ask())


HEADS = [head_by_httpx, head_by_httpx2, head_by_requests, head_by_urllib3, head_by_aiohttp]
KEPT = [
    "Content-Type: application/json",
    "x-should-retry: false",
    "x-ratelimit-limit-requests: 500",
    "x-ratelimit-remaining-tokens: 149984",
    "retry-after-ms: 12",
    'Link: <https://a/b?page=2>; rel="next"',
    'ETag: W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "Content-Disposition: attachment; filename=a.txt",
    "Vary: Accept",
    "Vary: Origin",
    "Deprecation: true",
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("status", ["200 OK", "429 Slow Down", "200 ", "404 ", "299 Odd"])
def test_status_reason_and_headers(head: Callable[[str], Head], status: str) -> None:
    """Status, reason, also an empty one, and headers are as live, but those of the connection."""
    live, replayed = live_and_replayed(head, answer(b"{}", *KEPT, status=status))
    assert live[2].pop()[0].lower() == "connection"
    assert replayed == live


def jar_of_httpx(base: str) -> tuple[dict[str, bool], str]:
    """Return the cookies after one request, and the names sent with the next."""
    with httpx.Client(trust_env=False) as client:
        client.get(base)
        jar = {cookie.name: cookie.secure for cookie in client.cookies.jar}
        return jar, _names(client.get(base).request.headers["cookie"])


def jar_of_requests(base: str) -> tuple[dict[str, bool], str]:
    """Return the cookies after one request, and the names sent with the next."""
    with requests.Session() as session:
        session.trust_env = False
        session.get(base, timeout=9)
        jar = {cookie.name: cookie.secure for cookie in session.cookies}
        return jar, _names(session.get(base, timeout=9).request.headers["cookie"])


def jar_of_aiohttp(base: str) -> tuple[dict[str, bool], str]:
    """Return the cookies after one request, and the names sent with the next."""

    async def ask() -> tuple[dict[str, bool], str]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            await session.get(base)
            stored = {cookie.key: bool(cookie["secure"]) for cookie in jar}
            sent = (await session.get(base)).request_info.headers["cookie"]
            return stored, _names(sent)

    return asyncio.run(ask())


def _names(cookie: str) -> str:
    return " ".join(sorted(pair.partition("=")[0].strip() for pair in cookie.split(";")))


@pytest.mark.parametrize("ask", [jar_of_httpx, jar_of_requests, jar_of_aiohttp])
def test_cookies_fill_the_jar(ask: Callable[[str], Any]) -> None:
    """Cookies are in the jar with other values, and their names are sent with the next request."""
    cookies = ["Set-Cookie: sid=s3cr3t-0123456789; Path=/; HttpOnly", "Set-Cookie: lang=zh"]
    gone = "Set-Cookie: old=; Max-Age=0"
    live, replayed = live_and_replayed(ask, answer(b"{}", *cookies, gone))
    assert live == ({"sid": False, "lang": False}, "lang sid")
    assert replayed == live


def test_an_sdk_obeys_a_header_in_a_replay() -> None:
    """OpenAI's SDK does not retry after `x-should-retry: false`, live or replayed."""

    def ask(base: str) -> tuple[int, str]:
        with (
            openai.OpenAI(api_key="sk-test", base_url=base, max_retries=2) as client,
            pytest.raises(openai.APIStatusError) as caught,
        ):
            client.post("/x", cast_to=object, body={})
        error = caught.value
        return error.status_code, error.response.headers["x-ratelimit-remaining"]

    headers = ("x-should-retry: false", "x-ratelimit-remaining: 7")
    refused = answer(b'{"error":{}}', *headers, status="500 Internal Server Error")
    live, replayed = live_and_replayed(ask, refused)
    assert replayed == live == (500, "7")
