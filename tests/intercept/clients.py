"""Clients for tests: each HTTP library, in each way to read a body, behind one function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
)
CLIENTS: tuple[Client, ...] = (
    *STREAMING,
    by_requests_in_small_pieces,
    by_urllib3,
    by_urllib3_read,
)
