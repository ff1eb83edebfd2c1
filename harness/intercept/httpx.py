"""The patches of the transports of httpx and its fork httpx2, which most newer SDKs use."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import ModuleType
from typing import Any

from harness.intercept.context import (
    Patch,
    Playback,
    bypasses_tape,
    intercept,
    passthrough,
    wait,
)
from harness.intercept.recorder import ResponseCapture
from harness.types import Request


def patches(library: ModuleType) -> tuple[Patch, ...]:
    """Return the patches of *library*, the imported module `httpx` or `httpx2`."""
    return (
        (library.HTTPTransport, "handle_request", partial(_wrap, library)),
        (library.AsyncHTTPTransport, "handle_async_request", partial(_wrap_async, library)),
    )


def _wrap(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPTransport.handle_request` to replay or capture the response."""

    def handle_request(self: Any, request: Any) -> Any:
        if bypasses_tape(str(request.url)):
            with passthrough():
                return original(self, request)
        answer = intercept(_request(request, request.read()))
        if isinstance(answer, Playback):
            return _replayed(library, answer)
        with passthrough():
            response = original(self, request)
        return _captured(library, response, answer)

    return handle_request


def _wrap_async(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `AsyncHTTPTransport.handle_async_request` to replay or capture the response."""

    async def handle_async_request(self: Any, request: Any) -> Any:
        if bypasses_tape(str(request.url)):
            with passthrough():
                return await original(self, request)
        answer = intercept(_request(request, await request.aread()))
        if isinstance(answer, Playback):
            return _replayed(library, answer)
        with passthrough():
            response = await original(self, request)
        return _captured(library, response, answer)

    return handle_async_request


def _request(request: Any, body: bytes) -> Request:
    return Request(request.method, str(request.url), tuple(request.headers.multi_items()), body)


def _captured(library: ModuleType, response: Any, capture: ResponseCapture) -> Any:
    headers = response.headers.multi_items()
    capture.start(response.status_code, response.reason_phrase, headers)
    response.stream = _stream_type(library, _CapturedStream)(response.stream, capture)
    return response


def _replayed(library: ModuleType, playback: Playback) -> Any:
    response = playback.response
    return library.Response(
        response.status,
        headers=[(name.encode(), value.encode()) for name, value in response.headers],
        stream=_stream_type(library, _ReplayedStream)(playback),
        extensions={"reason_phrase": response.reason.encode("ascii", "ignore")},
    )


@cache
def _stream_type(library: ModuleType, stream: type) -> Callable[..., Any]:
    """Return a subclass of *stream* and of the stream classes that *library* requires."""
    return type(stream.__name__, (stream, library.SyncByteStream, library.AsyncByteStream), {})


class _ReplayedStream:
    """A recorded response body that yields its chunks, each after the delay of the playback."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    def __iter__(self) -> Iterator[bytes]:
        for delay, chunk in self._playback.paced_chunks():
            if delay:
                time.sleep(delay)
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for delay, chunk in self._playback.paced_chunks():
            await wait(delay)
            yield chunk


class _CapturedStream:
    """A response body whose chunks are added to a capture as the caller reads them."""

    def __init__(self, stream: Any, capture: ResponseCapture) -> None:
        self._stream = stream
        self._capture = capture

    def __iter__(self) -> Iterator[bytes]:
        with self._reading():
            for chunk in self._stream:
                self._capture.add_chunk(chunk)
                yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._reading():
            async for chunk in self._stream:
                self._capture.add_chunk(chunk)
                yield chunk

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (GeneratorExit, CancelledError):  # the caller reads no more
            raise
        except BaseException:
            self._capture.fail()
            raise
        self._capture.end()

    def close(self) -> None:
        self._stream.close()
        self._capture.stop()

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._capture.stop()
