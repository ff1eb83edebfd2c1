"""The patches of the transports of httpx and its fork httpx2, which most newer SDKs use."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from types import ModuleType
from typing import Any

from harness.intercept.context import (
    Deferred,
    Patch,
    Playback,
    bypasses_tape,
    defer,
    intercept,
    passthrough,
    wait,
)
from harness.intercept.failures import connect_kind_of
from harness.intercept.recorder import ResponseCapture
from harness.types import NetworkError, Request


def patches(library: ModuleType) -> tuple[Patch, ...]:
    """Return the patches of *library*, the imported module `httpx` or `httpx2`."""
    return (
        (library.HTTPTransport, "handle_request", partial(_wrap, library)),
        (library.AsyncHTTPTransport, "handle_async_request", partial(_wrap_async, library)),
    )


def _wrap(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPTransport.handle_request` to replay or capture the response."""

    def handle_request(self: Any, request: Any) -> Any:
        uri = str(request.url)
        if bypasses_tape(uri):
            with passthrough():
                return original(self, request)
        pieces = None if isinstance(request.stream, library.ByteStream) else list(request.stream)
        sent = _request(request, uri, pieces)
        if _is_mocked(library, self, original):
            response: Any = None
            with defer(sent) as deferred:
                response = original(self, _sent(library, request, pieces))
            return _deferred_answer(library, response, deferred)
        answer = intercept(sent)
        if isinstance(answer, Playback):
            if not answer.has_response and answer.delay_of_failure:
                time.sleep(answer.delay_of_failure)
            return _replayed(library, answer)
        with passthrough(), failing(library.TransportError, answer):
            response = original(self, _sent(library, request, pieces))
        return _captured(library, response, answer)

    return handle_request


def _wrap_async(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `AsyncHTTPTransport.handle_async_request` to replay or capture the response."""

    async def handle_async_request(self: Any, request: Any) -> Any:
        uri = str(request.url)
        if bypasses_tape(uri):
            with passthrough():
                return await original(self, request)
        is_whole = isinstance(request.stream, library.ByteStream)
        pieces = None if is_whole else [piece async for piece in request.stream]
        sent = _request(request, uri, pieces)
        if _is_mocked(library, self, original):
            response: Any = None
            with defer(sent) as deferred:
                response = await original(self, _sent(library, request, pieces))
            return _deferred_answer(library, response, deferred)
        answer = intercept(sent)
        if isinstance(answer, Playback):
            await wait(0.0 if answer.has_response else answer.delay_of_failure)
            return _replayed(library, answer)
        with passthrough(), failing(library.TransportError, answer):
            response = await original(self, _sent(library, request, pieces))
        return _captured(library, response, answer)

    return handle_async_request


def _is_mocked(library: ModuleType, transport: Any, original: Callable[..., Any]) -> bool:
    """Return whether a mock is installed below this patch, in *library* or in httpcore.

    respx patches httpcore, and pytest-httpx the transports.
    """
    pool = type(getattr(transport, "_pool", None))
    below = getattr(pool, "handle_request", None) or getattr(pool, "handle_async_request", None)
    return not (
        _is_of_package(original, library.__name__)
        and (below is None or _is_of_package(below, library.__name__))
    )


def _is_of_package(function: Any, name: str) -> bool:
    """Return whether a function is of the package *name*, or of httpcore or its fork."""
    package = getattr(function, "__module__", "").partition(".")[0]
    return package == name or package.startswith("httpcore")


def _deferred_answer(library: ModuleType, response: Any, deferred: Deferred) -> Any:
    """Return the response of a mock, which is not recorded, or that of the tape."""
    if isinstance(deferred.answer, Playback):
        return _replayed(library, deferred.answer)
    return response if deferred.answer is None else _captured(library, response, deferred.answer)


def _request(request: Any, uri: str, pieces: list[bytes] | None) -> Request:
    body = request.read() if pieces is None else b"".join(pieces)
    try:
        headers = _decoded(request, "ascii")
    except UnicodeDecodeError:
        headers = _decoded(request, request.headers.encoding)
    return Request(request.method, uri, headers, body)


def _decoded(request: Any, encoding: str) -> tuple[tuple[str, str], ...]:
    raw = request.headers.raw
    return tuple([(n.lower().decode(encoding), v.decode(encoding)) for n, v in raw])


def _sent(library: ModuleType, request: Any, pieces: list[bytes] | None) -> Any:
    """Return the request to send: *request*, or a copy that sends the *pieces* of its body.

    They were taken from a generator or a file, which can be read only once.
    """
    if pieces is None:
        return request
    return library.Request(
        request.method,
        request.url,
        headers=request.headers,
        stream=_stream_type(library, _Pieces)(pieces),
        extensions=request.extensions,
    )


class _Pieces:
    """A request body in pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


# ------------------------------------------------------------------------------ network failures

_ERRORS: Mapping[NetworkError, str] = {
    NetworkError.CONNECT_TIMEOUT: "ConnectTimeout",
    NetworkError.READ_TIMEOUT: "ReadTimeout",
    NetworkError.TIMEOUT: "ReadTimeout",
    NetworkError.WRITE_TIMEOUT: "WriteTimeout",
    NetworkError.POOL_TIMEOUT: "PoolTimeout",
    NetworkError.PROXY: "ProxyError",
    NetworkError.RESET: "ReadError",
    NetworkError.WRITE: "WriteError",
    NetworkError.CLOSED: "RemoteProtocolError",
    NetworkError.PROTOCOL: "RemoteProtocolError",
    NetworkError.REQUEST: "LocalProtocolError",
    NetworkError.SCHEME: "UnsupportedProtocol",
}
"""The class that each network failure is raised as; for any other kind it is ConnectError."""
_KINDS = {name: kind for kind, name in reversed(list(_ERRORS.items()))}


_Errors = type[Exception] | tuple[type[Exception], ...]


@contextmanager
def failing(errors: _Errors, capture: ResponseCapture) -> Iterator[None]:
    """Record a network failure of the `with` block: one of *errors*, as httpx calls them."""
    try:
        yield
    except errors as error:
        name = next((c.__name__ for c in type(error).__mro__ if c.__name__ in _KINDS), "")
        kind = _KINDS.get(name) or connect_kind_of(error)
        if kind is NetworkError.CLOSED and "clos" not in f"{error}" and "disco" not in f"{error}":
            kind = NetworkError.PROTOCOL
        capture.fail(kind, error)
        raise


def _raise_failure(library: ModuleType, playback: Playback) -> None:
    """Raise the library's error for the recorded network failure; do nothing without one."""
    broken_off = playback.broken_off
    if broken_off is not None:
        error = getattr(library, _ERRORS.get(broken_off.kind, "ConnectError"))
        raise error(broken_off.message)


def _captured(library: ModuleType, response: Any, capture: ResponseCapture) -> Any:
    headers = response.headers.multi_items()
    capture.start(response.status_code, response.reason_phrase, headers)
    response.stream = _stream_type(library, _CapturedStream)(library, response.stream, capture)
    return response


def _replayed(library: ModuleType, playback: Playback) -> Any:
    if not playback.has_response:
        _raise_failure(library, playback)
    response = playback.response
    return library.Response(
        response.status,
        headers=[(name.encode(), value.encode()) for name, value in response.headers],
        stream=_stream_type(library, _ReplayedStream)(library, playback),
        extensions={"reason_phrase": response.reason.encode("ascii", "ignore")},
    )


@cache
def _stream_type(library: ModuleType, stream: type) -> Callable[..., Any]:
    """Return a subclass of *stream* and of the stream classes that *library* requires."""
    return type(stream.__name__, (stream, library.SyncByteStream, library.AsyncByteStream), {})


class _ReplayedStream:
    """A recorded response body that yields its chunks, each after the delay of the playback.

    It ends with the recorded network failure, if there is one.
    """

    def __init__(self, library: ModuleType, playback: Playback) -> None:
        self._library = library
        self._playback = playback

    def __iter__(self) -> Iterator[bytes]:
        for delay, chunk in self._playback.paced_chunks():
            if delay:
                time.sleep(delay)
            yield chunk
        if self._playback.broken_off and (delay := self._playback.delay_of_failure):
            time.sleep(delay)
        _raise_failure(self._library, self._playback)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for delay, chunk in self._playback.paced_chunks():
            await wait(delay)
            yield chunk
        await wait(self._playback.delay_of_failure if self._playback.broken_off else 0.0)
        _raise_failure(self._library, self._playback)


class _CapturedStream:
    """A response body whose chunks are added to a capture as the caller reads them."""

    def __init__(self, library: ModuleType, stream: Any, capture: ResponseCapture) -> None:
        self._library = library
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
        with failing(self._library.TransportError, self._capture):
            yield
        self._capture.end()

    def close(self) -> None:
        self._stream.close()
        self._capture.stop()

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._capture.stop()
