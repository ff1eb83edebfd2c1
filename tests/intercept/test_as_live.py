"""A replay is as live: what each library gives its caller in a recording and in its replay."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import re
import socket
import struct
import threading
import time
import urllib.request
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import dashscope
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3
import zhipuai
from patience import patiently

from harness.cassette import fast_reader
from harness.cassette.artefacts import to_files
from harness.cassette.reader import loads
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.cassette.writer import dumps
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.secrets.redactor import HOP_BY_HOP, Redactor
from harness.types import Cassette, CodedBody, Exchange, Request, Response
from harness.wire.codings import is_known

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
        if received.startswith(b"\x16"):  # a TLS handshake, after which the client waits
            return


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
    got = requests.get(url, timeout=60)
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


def head_by_http_client(url: str) -> Head:
    """Return status, reason and headers as http.client gives them."""
    with _opened(url) as got:
        return got.status, got.reason, got.getheaders()


@contextmanager
def _opened(url: str, body: Any = None, patience: float = 60) -> Iterator[http.client.HTTPResponse]:
    """Yield the response to a request of http.client, unread."""
    parts = urlsplit(url)
    cls = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with closing(cls(parts.netloc, timeout=patience)) as connection:
        connection.request("GET" if body is None else "POST", parts.path or "/", body)
        with connection.getresponse() as got:
            yield got


def _read_by_http_client(url: str, body: Any) -> bytes:
    with _opened(url, body) as got:
        return got.read()


HEADS = [
    *(head_by_httpx, head_by_httpx2, head_by_requests, head_by_urllib3),
    *(head_by_aiohttp, head_by_http_client),
]
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


@pytest.mark.parametrize("head", HEADS)
def test_a_header_that_is_not_utf8(head: Callable[[str], Head]) -> None:
    """It is recorded; aiohttp, which keeps such bytes as surrogates, replays them as latin-1."""
    sent = answer(b"{}", "X-Name: caf?").replace(b"caf?", b"caf\xe9")
    live, replayed = live_and_replayed(head, sent)
    names = [
        {name.lower(): text for name, text in headers}["x-name"]
        for _, _, headers in (live, replayed)
    ]
    assert names[1] == "café"
    assert names[0] == ("caf\udce9" if head is head_by_aiohttp else "café")


def test_a_transfer_coding_that_python_does_not_undo() -> None:
    """Its chunks are part of the body, as http.client reads them."""
    sent = answer(b"2\r\nhi\r\n0\r\n\r\n", "Transfer-Encoding: gzip, chunked", length=False)
    live, replayed = live_and_replayed(partial(_read_by_http_client, body=None), sent)
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
        session.get(base, timeout=60)
        jar = {cookie.name: cookie.secure for cookie in session.cookies}
        return jar, _names(session.get(base, timeout=60).request.headers["cookie"])


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


# ------------------------------------------------------------------------------------- codings

TEXT = "".join(f"data: {n} 你好\n" for n in range(40)).encode()
RAW_DEFLATE = zlib.compress(TEXT)[2:-4]
CODINGS: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "gzip of another level": ("gzip", gzip.compress(TEXT, 1)),
    "gzip in two members": ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    "gzip with garbage behind": ("gzip", gzip.compress(TEXT) + b"garbage"),
    "gzip in capitals": ("GZIP", gzip.compress(TEXT)),
    "x-gzip": ("x-gzip", gzip.compress(TEXT)),
    "gzip, gzip": ("gzip, gzip", gzip.compress(gzip.compress(TEXT))),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "deflate without a header": ("deflate", RAW_DEFLATE),
    "deflate, gzip": ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
    "truncated gzip": ("gzip", gzip.compress(TEXT)[:-20]),
    "damaged gzip": ("gzip", gzip.compress(TEXT)[:60] + b"\xff" * 40),
    "gzip that is none": ("gzip", TEXT),
    "deflate that is none": ("deflate", b"{}"),
    "identity": ("identity", TEXT),
    "utf-8": ("utf-8", TEXT),
    "aws-chunked": ("aws-chunked", TEXT),
    "unknown": ("x-odd", bytes(range(256))),
    "nothing": ("gzip", b""),
}
with suppress(ImportError):
    brotli: Any = import_module("brotli")
    CODINGS |= {
        "br": ("br", brotli.compress(TEXT)),
        "truncated br": ("br", brotli.compress(TEXT)[:-9]),
        "gzip, br": ("gzip, br", brotli.compress(gzip.compress(TEXT))),
        "br that is none": ("br", TEXT),
    }
with suppress(ImportError):
    zstandard: Any = import_module("zstandard")
    _ZSTD = zstandard.compress(TEXT)
    CODINGS |= {
        "zstd": ("zstd", _ZSTD),
        "zstd in two frames": ("zstd", _ZSTD + zstandard.compress(b"more")),
        "truncated zstd": ("zstd", _ZSTD[:-9]),
    }


def attempt(read: Callable[[], Any]) -> Any:
    """Return what *read* returns, or the class of what it raises and of what caused that."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - what it raises is compared
        return type(error), type(error.__cause__)


def _httpx_bodies(library: Any, url: str) -> list[Any]:
    with library.Client(trust_env=False) as client:
        with client.stream("GET", url) as got:
            decoded = attempt(lambda: list(got.iter_bytes()))
        with client.stream("GET", url) as got:
            raw = attempt(lambda: list(got.iter_raw()))
        return [attempt(lambda: client.get(url).content), decoded, raw, sorted(_plain(got.headers))]


def _plain(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers, names in lower case, but those of the connection."""
    pairs = ((name.lower(), value) for name, value in headers.items())
    return sorted(pair for pair in pairs if pair[0] not in HOP_BY_HOP)


async def _httpx_bodies_async(library: Any, url: str) -> list[Any]:
    async with library.AsyncClient(trust_env=False) as client:
        read: list[Any] = []
        try:
            read.append((await client.get(url)).content)
        except Exception as error:  # noqa: BLE001 - what it raises is compared
            read.append(type(error))
        async with client.stream("GET", url) as got:
            read.append([piece async for piece in got.aiter_raw()])
        return read


def _requests_bodies(url: str) -> list[Any]:
    whole = attempt(lambda: requests.get(url, timeout=60).content)
    with requests.get(url, timeout=60, stream=True) as got:
        pieces = attempt(lambda: list(got.iter_content(16)))
    with requests.get(url, timeout=60, stream=True) as got:
        raw = attempt(lambda: got.raw.read(decode_content=False))
        return [whole, pieces, raw, _plain(got.headers)]


def _urllib3_bodies(url: str) -> list[Any]:
    with urllib3.PoolManager() as pool:
        ask = partial(pool.request, "GET", url, retries=False)
        loaded = attempt(lambda: ask().data)
        raw = attempt(lambda: ask(decode_content=False).data)
        streamed = attempt(lambda: list(ask(preload_content=False).stream(10)))
        undecoded = attempt(lambda: list(ask(preload_content=False).stream(decode_content=False)))
        return [loaded, raw, streamed, undecoded]


def _http_client_bodies(url: str) -> list[Any]:
    with _opened(url) as got:
        read: list[Any] = [_plain(dict(got.headers.items())), attempt(got.read)]
    with _opened(url) as got:
        read.append([*iter(lambda: got.read(7), b"")])
    with _opened(url) as got:
        read.append(list(got))
    with _opened(url) as got:
        buffer = bytearray(30)
        read += [got.peek(1)[:1], got.readinto(buffer), bytes(buffer), got.read1(5)]
    with urllib.request.urlopen(url, timeout=60) as got:  # noqa: S310 - loopback
        return [*read, got.read()]


async def _aiohttp_bodies(url: str) -> list[Any]:
    read: list[Any] = []
    for decompress in (True, False):
        async with aiohttp.ClientSession(auto_decompress=decompress) as session:
            for way in ("read", "iter_any", "readline"):
                try:
                    async with session.get(url) as got:
                        if way == "read":
                            read.append(await got.read())
                        elif way == "iter_any":
                            read.append(b"".join([p async for p in got.content.iter_any()]))
                        else:
                            read.append([line async for line in got.content])
                        read.append(_plain(got.headers))
                except Exception as error:  # noqa: BLE001 - what it raises is compared
                    read.append(type(error))
    return read


BODIES: dict[str, Callable[[str], Any]] = {
    "httpx": partial(_httpx_bodies, httpx),
    "httpx2": partial(_httpx_bodies, httpx2),
    "httpx, async": lambda url: asyncio.run(_httpx_bodies_async(httpx, url)),
    "httpx2, async": lambda url: asyncio.run(_httpx_bodies_async(httpx2, url)),
    "requests": _requests_bodies,
    "urllib3": _urllib3_bodies,
    "aiohttp": lambda url: asyncio.run(_aiohttp_bodies(url)),
    "http.client": _http_client_bodies,
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("library", BODIES)
def test_coded_bodies(library: str, coding: str) -> None:
    """Decoded and raw bytes, pieces, headers and errors are those that the client sees live."""
    name, body = CODINGS[coding]
    live, replayed = live_and_replayed(BODIES[library], answer(body, f"Content-Encoding: {name}"))
    assert replayed == live


def test_a_coded_body_can_be_reviewed() -> None:
    """The cassette has the decoded text, is read quickly, and vcrpy plays the decoded text."""
    tape = Recorder(Redactor())
    coded = answer(gzip.compress(TEXT), "Content-Encoding: gzip")
    with answering(coded) as base, use_tape(tape):
        httpx.get(base, trust_env=False)
    cassette = Cassette(tape.exchanges())
    text = dumps(cassette)
    assert "data: 7 你好" in text
    assert fast_reader.load(text).exchanges[0].coded == cassette.exchanges[0].coded
    check_vcrpy_reads(to_files(cassette), cassette)
    assert cassette.exchanges[0].response.header("content-encoding") is None


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_an_edited_body_is_coded_anew(coding: str) -> None:
    """A body that was edited in the cassette is what the client reads, in the same coding.

    It stays plain where the library for this coding is not installed.
    """
    is_coded = is_known(coding)
    response = Response(200, "OK", (("x-a", "1"),), b"edited")
    old = CodedBody(coding, gzip.compress(b"old") if coding == "gzip" else zlib.compress(b"old"))
    exchange = Exchange(
        Request("GET", "http://a/"), response, coded=CodedBody(coding) if coding == "br" else old
    )
    with use_tape(Player(Cassette((exchange, exchange)))):
        got = httpx.get("http://a/")
        assert (got.content, "content-encoding" in got.headers) == (b"edited", is_coded)
        assert requests.get("http://a/", timeout=60).content == b"edited"


# ------------------------------------------------------------------------------ network failures

RESET = object()
SILENCE = object()


@contextmanager
def failing(*steps: bytes | object) -> Iterator[str]:
    """Serve connections that send *steps* after the request, and then close."""
    release = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve_one(connection: socket.socket) -> None:
            with connection:
                _read_request(connection)
                for step in steps:
                    if step is RESET:
                        linger = struct.pack("ii", 1, 0)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    elif step is SILENCE:
                        release.wait(300)
                    elif isinstance(step, bytes):
                        connection.sendall(step)
                        time.sleep(0.05)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    one = threading.Thread(target=serve_one, args=(connection,), daemon=True)
                    threads.append(one)
                    one.start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            release.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in threads:  # none sends in a later test, whose tape would refuse it
                one.join(10)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CODED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n"
FAILURES: dict[str, tuple[bytes | object, ...]] = {
    "closed without an answer": (),
    "reset without an answer": (RESET,),
    "silent": (SILENCE,),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n",),
    "closed in the head": (b"HTTP/1.1 200 OK\r\nConte",),
    "closed in a chunked body": (CHUNKED, b"6\r\nfirst\n\r\n"),
    "closed in a body of known length": (SIZED, b"first\n"),
    "closed in a coded body": (CODED_HEAD, gzip.compress(TEXT)[:80]),
    "reset in a chunked body": (CHUNKED, b"6\r\nfirst\n\r\n", RESET),
    "reset in a body of known length": (SIZED, b"first\n", RESET),
    "silent in a chunked body": (CHUNKED, b"6\r\nfirst\n\r\n", SILENCE),
    "silent in a body of known length": (SIZED, b"first\n", SILENCE),
    "silent after the head": (SIZED, SILENCE),
}


def chain(read: Callable[[], Any]) -> Any:
    """Return what *read* returns, or the classes of what it raises and of its arguments."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - what it raises is compared
        return _classes(error)


def _classes(error: BaseException) -> list[str]:
    classes = [type(error).__name__]
    for arg in error.args:
        if isinstance(arg, Exception):
            reason = getattr(arg, "reason", None)
            classes.append(type(arg).__name__)
            classes.append(type(reason).__name__ if isinstance(reason, Exception) else "")
    return classes


def _httpx_failures(library: Any, url: str, patience: float) -> list[Any]:
    def streamed() -> list[bytes]:
        read: list[bytes] = []
        with client.stream("POST", url, content=b"{}") as got:
            try:
                read.extend(got.iter_bytes())
            except Exception as error:
                raise type(error)(repr(read)) from error
        return read

    with library.Client(trust_env=False, timeout=patience) as client:
        return [chain(lambda: client.post(url, content=b"{}").content), chain(streamed)]


async def _httpx_failures_async(library: Any, url: str, patience: float) -> list[Any]:
    async with library.AsyncClient(trust_env=False, timeout=patience) as client:
        try:
            return [(await client.post(url, content=b"{}")).content]
        except Exception as error:  # noqa: BLE001 - what it raises is compared
            return _classes(error)


def _requests_failures(url: str, patience: float) -> list[Any]:
    read: list[bytes] = []

    def streamed() -> None:
        with requests.post(url, b"{}", timeout=patience, stream=True) as got:
            read.extend(got.iter_content(None))

    whole = chain(lambda: requests.post(url, b"{}", timeout=patience).content)
    return [whole, chain(streamed), b"".join(read)]


def _urllib3_failures(url: str, patience: float) -> list[Any]:
    with urllib3.PoolManager(timeout=patience) as pool:
        ask = partial(pool.request, "GET", url)
        streamed = partial(ask, preload_content=False, retries=False)
        return [
            chain(lambda: ask(retries=False).data),
            chain(lambda: ask(retries=urllib3.Retry(1)).data),
            chain(lambda: list(streamed().stream(5))),
            chain(lambda: streamed().read(3)),
        ]


def _http_client_failures(url: str, patience: float) -> list[Any]:
    def read(size: int | None) -> list[bytes]:
        with _opened(url, b"{}", patience) as got:
            return [*iter(lambda: got.read(size), b"")]

    def opened() -> bytes:
        with urllib.request.urlopen(url, b"{}", timeout=patience) as got:  # noqa: S310 - loopback
            text: bytes = got.read()
            return text

    return [chain(lambda: read(None)), chain(lambda: read(3)), chain(opened)]


async def _aiohttp_failures(url: str, timeout: aiohttp.ClientTimeout) -> list[Any]:
    seen: list[Any] = []
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for method in ("GET", "POST"):
            try:
                async with session.request(method, url) as got:
                    seen.append(await got.read())
            except Exception as error:  # noqa: BLE001 - what it raises is compared
                seen.append(_classes(error))
            read: list[bytes] = []
            try:
                async with session.request(method, url) as got:
                    read += [piece async for piece in got.content.iter_any()]
            except Exception as error:  # noqa: BLE001 - what it raises is compared
                seen += [read, _classes(error), isinstance(error, TimeoutError)]
    return seen


def _openai_failures(url: str, patience: float) -> list[Any]:
    client = openai.OpenAI(api_key="sk-test", base_url=url, max_retries=1, timeout=patience)

    def ask(stream: bool) -> Any:
        got: Any = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=stream
        )
        return list(got) if stream else got

    with client:
        return [chain(lambda: ask(stream=False)), chain(lambda: ask(stream=True))]


def _zhipuai_failures(url: str, patience: float) -> list[Any]:
    client = zhipuai.ZhipuAI(
        api_key=f"{'0' * 32}.{'0' * 16}", base_url=url, max_retries=1, timeout=patience
    )

    def ask(stream: bool) -> Any:
        got: Any = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=stream
        )
        return list(got) if stream else got

    return [chain(lambda: ask(stream=False)), chain(lambda: ask(stream=True))]


def _dashscope_failures(url: str, patience: float) -> list[Any]:
    def ask(stream: bool) -> Any:
        got: Any = dashscope.Generation.call(
            "qwen-flash",
            prompt="hi",
            stream=stream,
            api_key="sk-" + "0" * 32,
            base_address=url,
            request_timeout=patience,
        )
        return [str(part.status_code) for part in got] if stream else str(got.status_code)

    return [chain(lambda: ask(stream=False)), chain(lambda: ask(stream=True))]


ENDS: dict[str, Callable[[str, float], Any]] = {
    "httpx": partial(_httpx_failures, httpx),
    "httpx2": partial(_httpx_failures, httpx2),
    "httpx, async": lambda *at: asyncio.run(_httpx_failures_async(httpx, *at)),
    "requests": _requests_failures,
    "urllib3": _urllib3_failures,
    "aiohttp, total": lambda url, patience: asyncio.run(
        _aiohttp_failures(url, aiohttp.ClientTimeout(total=patience))
    ),
    "aiohttp, read": lambda url, patience: asyncio.run(
        _aiohttp_failures(url, aiohttp.ClientTimeout(sock_read=patience))
    ),
    "http.client": _http_client_failures,
    "openai": _openai_failures,
    "zhipuai": _zhipuai_failures,
    "dashscope": _dashscope_failures,
}


def ended(ask: Callable[[str, float], Any], base: str | None, *steps: bytes | object) -> None:
    """Assert that a failure ends *ask* in the same way in a recording and its replay."""

    def check(patience: float) -> None:
        tape = Recorder(Redactor())
        with failing(*steps) as served, use_tape(tape):
            address = base or served
            live = ask(address, patience)
        cassette = Cassette(tape.exchanges())
        check_vcrpy_reads(to_files(cassette), cassette)
        player = Player(loads(dumps(cassette)))
        with use_tape(player):
            assert ask(address, patience) == live
        assert player.unused() == ()

    if SILENCE in steps:
        patiently(check, 0.25)
    else:
        check(60)


SDKS = ("openai", "zhipuai", "dashscope")
OF_SDKS = (
    "reset without an answer",
    "silent",
    "closed in a chunked body",
    "closed in a coded body",
)


@pytest.mark.parametrize(
    ("library", "failure"),
    [
        (one, failure)
        for one in ENDS
        for failure in FAILURES
        if one not in SDKS or failure in OF_SDKS
    ],
)
def test_network_failures(library: str, failure: str) -> None:
    """What had arrived, and the library's error, are the same in a recording and its replay."""
    ended(ENDS[library], None, *FAILURES[failure])


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "https://127.0.0.1:9"])
@pytest.mark.parametrize("library", ENDS)
def test_refused_connections(library: str, address: str) -> None:
    """A refused connection raises the library's error in a recording and its replay."""
    ended(ENDS[library], address)


@pytest.mark.parametrize("library", ENDS)
def test_tls_that_is_none(library: str) -> None:
    """A failed TLS handshake raises the library's error in a recording and its replay."""
    with failing(b"no TLS here\r\n") as served:
        ended(ENDS[library], served.replace("http:", "https:"))


@pytest.mark.parametrize("library", ENDS)
def test_names_that_do_not_exist(library: str) -> None:
    """A name without an address raises the library's error in a recording and its replay."""
    ended(ENDS[library], "http://harness.invalid")


# -------------------------------------------------------------------------------- request bodies


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    if length := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
        return len(body) >= int(length[1])
    return bool(end) and body.endswith(b"0\r\n\r\n")


@contextmanager
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """Answer each request with `{}`, and keep its bytes as they were sent."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        data = b""
                        while not _is_whole(data) and (more := connection.recv(65536)):
                            data += more
                        received.append(data)
                        connection.sendall(answer())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", received
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def pieces() -> Iterator[bytes]:
    """Yield a body in pieces."""
    yield b"one "
    yield b"two"


async def pieces_async() -> AsyncIterator[bytes]:
    """Yield a body in pieces."""
    for piece in pieces():
        yield piece


async def _post_aiohttp(url: str, body: Any) -> bytes:
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as got:
        return await got.read()


async def _post_httpx(library: Any, url: str, body: Any) -> bytes:
    async with library.AsyncClient(trust_env=False) as client:
        content: bytes = (await client.post(url, content=body)).content
        return content


def _file() -> io.BytesIO:
    file = io.BytesIO(b"skipped, then read")
    file.seek(9)
    return file


BOUNDARY = {"content-type": "multipart/form-data; boundary=b"}
POSTS: dict[str, Callable[[str], Any]] = {
    "httpx, generator": lambda url: httpx.post(url, content=pieces(), trust_env=False).content,
    "httpx, file": lambda url: (
        httpx.post(url, content=io.BytesIO(b"file"), trust_env=False).content
    ),
    "httpx, multipart": lambda url: (
        httpx.post(url, files={"a": ("a.txt", _file())}, headers=BOUNDARY, trust_env=False).content
    ),
    "httpx2, generator": lambda url: httpx2.post(url, content=pieces(), trust_env=False).content,
    "httpx, async": lambda url: asyncio.run(_post_httpx(httpx, url, pieces_async())),
    "requests, generator": lambda url: requests.post(url, data=pieces(), timeout=60).content,
    "requests, file": lambda url: requests.post(url, data=_file(), timeout=60).content,
    "urllib3, generator": lambda url: urllib3.request("POST", url, body=pieces()).data,
    "urllib3, file": lambda url: urllib3.request("POST", url, body=_file()).data,
    "urllib3, text": lambda url: urllib3.request("POST", url, body=io.StringIO("你好")).data,
    "urllib3, list": lambda url: urllib3.request("POST", url, body=[b"a", b"b"]).data,
    "http.client, generator": lambda url: _read_by_http_client(url, pieces()),
    "http.client, file": lambda url: _read_by_http_client(url, _file()),
    "http.client, text": lambda url: _read_by_http_client(url, "text"),
    "aiohttp, generator": lambda url: asyncio.run(_post_aiohttp(url, pieces_async())),
    "aiohttp, file": lambda url: asyncio.run(_post_aiohttp(url, _file())),
}


@pytest.mark.parametrize("post", POSTS)
def test_request_bodies_travel_as_without_a_cassette(post: str) -> None:
    """The bytes of a request are the same, its chunks included; a replay asks for the same."""
    with listening() as (url, received):
        POSTS[post](url)
        tape = Recorder(Redactor())
        with use_tape(tape):
            recorded = POSTS[post](url)
    assert received[0] == received[1]
    player = Player(loads(dumps(Cassette(tape.exchanges()))))
    with use_tape(player):
        assert POSTS[post](url) == recorded
