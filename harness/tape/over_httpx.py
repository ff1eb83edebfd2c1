"""The seam in httpx: its transports, which zhipuai and most newer SDKs stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx

from harness.tape.context import chunks_of, letting_through, passes, tape_for
from harness.tape.recorder import Listener
from harness.types import Exchange, Request


def on_tape(original: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    """`HTTPTransport.handle_request`, asking the tape first and letting it hear the answer."""

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        if passes(str(request.url)):
            with letting_through():
                return original(self, request)
        asked = _request(request, request.read())
        tape = tape_for(asked.method, asked.uri)
        found = tape.find(asked)
        if found is not None:
            return _response(found, _Chunks(found))
        listener = tape.listen(asked)
        with letting_through():
            response = original(self, request)
        _head(listener, response)
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - narrows a union
        response.stream = _Heard(response.stream, listener)
        return response

    return handle_request


def on_tape_async(original: Callable[..., Any]) -> Callable[..., Any]:
    """The same for `AsyncHTTPTransport.handle_async_request`."""

    async def handle_async_request(
        self: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> httpx.Response:
        response: httpx.Response
        if passes(str(request.url)):
            with letting_through():
                response = await original(self, request)
            return response
        asked = _request(request, await request.aread())
        tape = tape_for(asked.method, asked.uri)
        found = tape.find(asked)
        if found is not None:
            return _response(found, _Chunks(found))
        listener = tape.listen(asked)
        with letting_through():
            response = await original(self, request)
        _head(listener, response)
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - narrows a union
        response.stream = _HeardAsync(response.stream, listener)
        return response

    return handle_async_request


def _request(request: httpx.Request, body: bytes) -> Request:
    return Request(request.method, str(request.url), tuple(request.headers.multi_items()), body)


def _head(listener: Listener, response: httpx.Response) -> None:
    headers = response.headers.multi_items()
    listener.head(response.status_code, response.reason_phrase, headers)


def _response(found: Exchange, stream: _Chunks) -> httpx.Response:
    answer = found.response
    reason = answer.reason.encode("ascii", "ignore")
    return httpx.Response(
        answer.status,
        headers=[(name.encode(), value.encode()) for name, value in answer.headers],
        stream=stream,
        extensions={"reason_phrase": reason} if reason else {},
    )


class _Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A recorded body, given out chunk by chunk."""

    def __init__(self, found: Exchange) -> None:
        self._found = found

    def __iter__(self) -> Iterator[bytes]:
        return chunks_of(self._found)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in chunks_of(self._found):
            yield chunk


class _Heard(httpx.SyncByteStream):
    """A body on its way to the caller, heard as it passes."""

    def __init__(self, stream: httpx.SyncByteStream, listener: Listener) -> None:
        self._stream = stream
        self._listener = listener

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._listener.chunk(chunk)
                yield chunk
        except Exception:
            self._listener.broke()
            raise
        self._listener.end()

    def close(self) -> None:
        self._stream.close()
        self._listener.end()


class _HeardAsync(httpx.AsyncByteStream):
    """The same for asynchronous callers."""

    def __init__(self, stream: httpx.AsyncByteStream, listener: Listener) -> None:
        self._stream = stream
        self._listener = listener

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._listener.chunk(chunk)
                yield chunk
        except Exception:
            self._listener.broke()
            raise
        self._listener.end()

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._listener.end()
