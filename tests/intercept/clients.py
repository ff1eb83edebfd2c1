"""Clients for tests: each HTTP library, in each way to read a body, behind one function."""

from __future__ import annotations

import asyncio
import http.client
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import httpx2
import requests
import urllib3


@dataclass(frozen=True)
class Received:
    """What a caller received: `pieces` in the order they came, without empty ones."""

    status: int
    reason: str
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces)


OnPiece = Callable[[], None]
Client = Callable[[str, str, "bytes | str | None", OnPiece], Received]
"""Method, address, body, and what to call after each piece."""


def by_httpx(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with httpx and stream the body."""
    return _streamed(httpx, method, url, body, on_piece)


def by_httpx2(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with httpx2 and stream the body."""
    return _streamed(httpx2, method, url, body, on_piece)


def _streamed(
    library: Any, method: str, url: str, body: bytes | str | None, on_piece: OnPiece
) -> Received:
    pieces = []
    with library.Client() as client, client.stream(method, url, content=body) as answer:
        for piece in answer.iter_bytes():
            pieces.append(piece)
            on_piece()
        return Received(
            answer.status_code, answer.reason_phrase, _lower(answer.headers), tuple(pieces)
        )


def by_httpx_async(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with asynchronous httpx and stream the body."""
    return _streamed_async(httpx, method, url, body, on_piece)


def by_httpx2_async(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with asynchronous httpx2 and stream the body."""
    return _streamed_async(httpx2, method, url, body, on_piece)


def _streamed_async(
    library: Any, method: str, url: str, body: bytes | str | None, on_piece: OnPiece
) -> Received:
    async def ask() -> Received:
        pieces = []
        async with library.AsyncClient() as client, client.stream(method, url, content=body) as got:
            async for piece in got.aiter_bytes():
                pieces.append(piece)
                on_piece()
        return Received(got.status_code, got.reason_phrase, _lower(got.headers), tuple(pieces))

    return asyncio.run(ask())


def by_aiohttp(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with aiohttp and read the chunks as they were sent."""

    async def ask() -> Received:
        pieces = []
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=body, allow_redirects=False) as got,
        ):
            while not got.content.at_eof():
                piece, _ = await got.content.readchunk()
                if piece:
                    pieces.append(piece)
                    on_piece()
            return Received(got.status, got.reason or "", _lower(got.headers), tuple(pieces))

    return asyncio.run(ask())


def by_requests(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with requests and stream the body in pieces of any size."""
    pieces = []
    with (
        requests.Session() as session,
        session.request(method, url, data=body, stream=True, allow_redirects=False) as answer,
    ):
        for piece in answer.iter_content(2**16):
            pieces.append(piece)
            on_piece()
        return Received(answer.status_code, answer.reason, _lower(answer.headers), tuple(pieces))


def by_requests_in_small_pieces(
    method: str, url: str, body: bytes | str | None, on_piece: OnPiece
) -> Received:
    """Send a request with requests and stream the body in pieces of seven bytes."""
    pieces = []
    with (
        requests.Session() as session,
        session.request(method, url, data=body, stream=True, allow_redirects=False) as answer,
    ):
        for piece in answer.iter_content(7):
            pieces.append(piece)
            on_piece()
        return Received(answer.status_code, answer.reason, _lower(answer.headers), tuple(pieces))


def by_urllib3(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with urllib3, which reads the whole body first."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(method, url, body=body, redirect=False, retries=False)
        on_piece()
        return _received(answer, (answer.data,))


def by_urllib3_stream(
    method: str, url: str, body: bytes | str | None, on_piece: OnPiece
) -> Received:
    """Send a request with urllib3 and stream the body."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            method, url, body=body, redirect=False, retries=False, preload_content=False
        )
        pieces = []
        for piece in answer.stream(2**16, decode_content=True):
            pieces.append(piece)
            on_piece()
        answer.release_conn()
        return _received(answer, pieces)


def by_urllib3_read(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with urllib3 and read the body like a file."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            method, url, body=body, redirect=False, retries=False, preload_content=False
        )
        data = answer.read(decode_content=True)
        on_piece()
        answer.release_conn()
        return _received(answer, (data,))


def _received(
    answer: urllib3.BaseHTTPResponse, pieces: list[bytes] | tuple[bytes, ...]
) -> Received:
    kept = tuple(piece for piece in pieces if piece)
    return Received(answer.status, answer.reason or "", _lower(answer.headers), kept)


def by_http_client(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with http.client and read what has arrived; gzip is decoded here."""
    parts = urlsplit(url)
    target = f"{parts.path}{'?' if parts.query else ''}{parts.query}"
    pieces = []
    with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request(method, target, body.encode() if isinstance(body, str) else body)
        got = connection.getresponse()
        decoder = zlib.decompressobj(31) if got.getheader("content-encoding") == "gzip" else None
        while piece := got.read1(2**16):
            pieces.append(decoder.decompress(piece) if decoder else piece)
            on_piece()
        if got.length:  # http.client says nothing
            raise http.client.IncompleteRead(b"", got.length)
    kept = tuple(filter(None, pieces))
    return Received(got.status, got.reason, _lower(dict(got.getheaders())), kept)


def by_urllib(method: str, url: str, body: bytes | str | None, on_piece: OnPiece) -> Received:
    """Send a request with urllib.request and read the whole body; gzip is decoded here."""
    data = body.encode() if isinstance(body, str) else body
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        got = opener.open(urllib.request.Request(url, data, method=method), timeout=60)  # noqa: S310
    except urllib.error.HTTPError as error:
        got = error
    with got:
        content = got.read()
        on_piece()
        if got.headers["content-encoding"] == "gzip":
            content = zlib.decompress(content, 31)
        pieces = (content,) if content else ()
        return Received(got.status, got.reason, _lower(dict(got.headers.items())), pieces)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are returned."""

    def redirect_request(self, *_: Any) -> None:
        """Return None."""


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


STREAMING: tuple[Client, ...] = (
    by_httpx,
    by_httpx_async,
    by_httpx2,
    by_httpx2_async,
    by_requests,
    by_urllib3_stream,
    by_aiohttp,
    by_http_client,
)
CLIENTS: tuple[Client, ...] = (
    *STREAMING,
    by_requests_in_small_pieces,
    by_urllib3,
    by_urllib3_read,
    by_urllib,
)
