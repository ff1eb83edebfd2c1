"""Every HTTP client that a tape hears, behind one function each."""

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
class Got:
    """What a caller got: `pieces` as they were handed out, the empty ones left out."""

    status: int
    reason: str
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


Heard = Callable[[], None]
Client = Callable[[str, str, "bytes | str | None", Heard], Got]
"""Method, address, body, and what to call after each piece."""


def by_httpx(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """httpx, streamed."""
    return _streamed(httpx, method, url, body, heard)


def by_httpx2(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """httpx2, streamed."""
    return _streamed(httpx2, method, url, body, heard)


def _streamed(library: Any, method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    pieces = []
    with library.Client() as client, client.stream(method, url, content=body) as answer:
        for piece in answer.iter_bytes():
            pieces.append(piece)
            heard()
        return Got(answer.status_code, answer.reason_phrase, _lower(answer.headers), tuple(pieces))


def by_httpx_async(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """httpx, asynchronous."""
    return _streamed_async(httpx, method, url, body, heard)


def by_httpx2_async(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """httpx2, asynchronous."""
    return _streamed_async(httpx2, method, url, body, heard)


def _streamed_async(
    library: Any, method: str, url: str, body: bytes | str | None, heard: Heard
) -> Got:
    async def ask() -> Got:
        pieces = []
        async with library.AsyncClient() as client, client.stream(method, url, content=body) as got:
            async for piece in got.aiter_bytes():
                pieces.append(piece)
                heard()
        return Got(got.status_code, got.reason_phrase, _lower(got.headers), tuple(pieces))

    return asyncio.run(ask())


def by_aiohttp(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """aiohttp, in the chunks that were sent."""

    async def ask() -> Got:
        pieces = []
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=body, allow_redirects=False) as got,
        ):
            while not got.content.at_eof():
                piece, _ = await got.content.readchunk()
                if piece:
                    pieces.append(piece)
                    heard()
            return Got(got.status, got.reason or "", _lower(got.headers), tuple(pieces))

    return asyncio.run(ask())


def by_requests(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """requests, streamed in pieces as large as they come."""
    pieces = []
    with (
        requests.Session() as session,
        session.request(method, url, data=body, stream=True, allow_redirects=False) as answer,
    ):
        for piece in answer.iter_content(2**16):
            pieces.append(piece)
            heard()
        return Got(answer.status_code, answer.reason, _lower(answer.headers), tuple(pieces))


def by_requests_in_small_pieces(
    method: str, url: str, body: bytes | str | None, heard: Heard
) -> Got:
    """requests, seven bytes at a time."""
    pieces = []
    with (
        requests.Session() as session,
        session.request(method, url, data=body, stream=True, allow_redirects=False) as answer,
    ):
        for piece in answer.iter_content(7):
            pieces.append(piece)
            heard()
        return Got(answer.status_code, answer.reason, _lower(answer.headers), tuple(pieces))


def by_urllib3(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """urllib3, which reads everything before it hands it out."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(method, url, body=body, redirect=False, retries=False)
        heard()
        return _got(answer, (answer.data,))


def by_urllib3_stream(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """urllib3, streamed."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            method, url, body=body, redirect=False, retries=False, preload_content=False
        )
        pieces = []
        for piece in answer.stream(2**16, decode_content=True):
            pieces.append(piece)
            heard()
        answer.release_conn()
        return _got(answer, pieces)


def by_urllib3_read(method: str, url: str, body: bytes | str | None, heard: Heard) -> Got:
    """urllib3, read as a file."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            method, url, body=body, redirect=False, retries=False, preload_content=False
        )
        data = answer.read(decode_content=True)
        heard()
        answer.release_conn()
        return _got(answer, (data,))


def _got(answer: urllib3.BaseHTTPResponse, pieces: list[bytes] | tuple[bytes, ...]) -> Got:
    kept = tuple(piece for piece in pieces if piece)
    return Got(answer.status, answer.reason or "", _lower(answer.headers), kept)


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
