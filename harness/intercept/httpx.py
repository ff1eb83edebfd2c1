"""The seam in httpx and its twin httpx2: their transports, which most newer SDKs stand on."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, partial
from types import ModuleType
from typing import Any

from harness.intercept.context import letting_through, paced, passes, pause, tape_for
from harness.intercept.recorder import ResponseCapture
from harness.types import Exchange, Request

Seam = tuple[Any, str, Callable[[Any], Any]]


def seams(library: ModuleType) -> tuple[Seam, Seam]:
    """What to patch in httpx or httpx2, and how."""
    return (
        (library.HTTPTransport, "handle_request", partial(_on_tape, library)),
        (library.AsyncHTTPTransport, "handle_async_request", partial(_on_tape_async, library)),
    )


def _on_tape(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    """`HTTPTransport.handle_request`, asking the tape first and letting it hear the answer."""

    def handle_request(self: Any, request: Any) -> Any:
        if passes(str(request.url)):
            with letting_through():
                return original(self, request)
        asked = _request(request, request.read())
        tape = tape_for(asked.method, asked.uri)
        found = tape.find(asked)
        if found is not None:
            return _response(library, found, tape.pace)
        listener = tape.listen(asked)
        with letting_through():
            response = original(self, request)
        _hear(library, response, listener)
        return response

    return handle_request


def _on_tape_async(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    """The same for `AsyncHTTPTransport.handle_async_request`."""

    async def handle_async_request(self: Any, request: Any) -> Any:
        if passes(str(request.url)):
            with letting_through():
                return await original(self, request)
        asked = _request(request, await request.aread())
        tape = tape_for(asked.method, asked.uri)
        found = tape.find(asked)
        if found is not None:
            return _response(library, found, tape.pace)
        listener = tape.listen(asked)
        with letting_through():
            response = await original(self, request)
        _hear(library, response, listener)
        return response

    return handle_async_request


def _request(request: Any, body: bytes) -> Request:
    return Request(request.method, str(request.url), tuple(request.headers.multi_items()), body)


def _hear(library: ModuleType, response: Any, listener: ResponseCapture) -> None:
    """Hear an answer from here on."""
    headers = response.headers.multi_items()
    listener.head(response.status_code, response.reason_phrase, headers)
    response.stream = _stream(library, _Heard)(response.stream, listener)


def _response(library: ModuleType, found: Exchange, pace: float) -> Any:
    answer = found.response
    reason = answer.reason.encode("ascii", "ignore")
    return library.Response(
        answer.status,
        headers=[(name.encode(), value.encode()) for name, value in answer.headers],
        stream=_stream(library, _Chunks)(found, pace),
        extensions={"reason_phrase": reason} if reason else {},
    )


@cache
def _stream(library: ModuleType, kind: type) -> Callable[..., Any]:
    """A kind of stream as one that the library takes for its own; it asks for its own classes."""
    return type(kind.__name__, (kind, library.SyncByteStream, library.AsyncByteStream), {})


class _Chunks:
    """A recorded body, given out chunk by chunk."""

    def __init__(self, found: Exchange, pace: float) -> None:
        self._found = found
        self._pace = pace

    def __iter__(self) -> Iterator[bytes]:
        for wait, chunk in paced(self._found, self._pace):
            if wait:
                time.sleep(wait)
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for wait, chunk in paced(self._found, self._pace):
            await pause(wait)
            yield chunk


class _Heard:
    """A body on its way to the caller, heard as it passes."""

    def __init__(self, stream: Any, listener: ResponseCapture) -> None:
        self._stream = stream
        self._listener = listener

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._listener.chunk(chunk)
                yield chunk
        except GeneratorExit:  # the caller wants no more
            raise
        except BaseException:
            self._listener.broke()
            raise
        self._listener.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._listener.chunk(chunk)
                yield chunk
        except (GeneratorExit, CancelledError):  # the caller wants no more
            raise
        except BaseException:
            self._listener.broke()
            raise
        self._listener.end()

    def close(self) -> None:
        self._stream.close()
        self._listener.stopped()

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._listener.stopped()
