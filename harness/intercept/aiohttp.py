"""The patch of aiohttp's `ClientSession`, which the asynchronous API of some SDKs uses.

Requests are intercepted by an aiohttp middleware. It is added as the innermost one, so that
redirects, cookies and the caller's own middlewares work as usual.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_exceptions import ClientConnectionError
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.helpers import TimerNoop
from aiohttp.http import HttpVersion11
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

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
    """Return the patches of *library*, the imported module `aiohttp.client`."""
    return ((library.ClientSession, "_request", _wrap_request),)


def _wrap_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `ClientSession._request` to replay or capture the response."""

    async def _request(self: Any, method: str, url: Any, **options: Any) -> ClientResponse:
        decodes = options.get("auto_decompress")
        decodes = self._auto_decompress if decodes is None else decodes
        limit = options.get("read_bufsize")
        limit = self._read_bufsize if limit is None else limit

        async def send(request: ClientRequest, handler: Callable[..., Any]) -> ClientResponse:
            response: ClientResponse
            if bypasses_tape(str(request.url)):
                with passthrough():
                    response = await handler(request)
                return response
            answer = intercept(await _read_request(request))
            if isinstance(answer, Playback):
                return _ReplayedResponse(answer, request, limit)
            with passthrough():
                response = await handler(request)
            _capture(response, answer, decodes=decodes)
            return response

        own = options.pop("middlewares", None)
        middlewares = self._middlewares if own is None else own
        response: ClientResponse = await original(
            self, method, url, middlewares=(*middlewares, send), **options
        )
        return response

    return _request


async def _read_request(request: ClientRequest) -> Request:
    body: Any = request.body
    content = body if isinstance(body, bytes) else await body.as_bytes()
    headers = tuple((str(name), str(value)) for name, value in request.headers.items())
    return Request(request.method, str(request.url), headers, content)


def _capture(response: ClientResponse, capture: ResponseCapture, *, decodes: bool) -> None:
    """Record the body of *response* with *capture*: bytes received so far and all later ones."""
    is_decoded = decodes and response.headers.get("content-encoding", "").lower() in _DECODED
    headers = response.headers.items()
    capture.start(response.status, response.reason or "", headers, is_decoded=is_decoded)
    content = response.content
    if type(content) is not StreamReader:  # aiohttp's one reader for all empty bodies
        capture.end()
        return
    for data in content._buffer:
        capture.add_chunk(data)
    if content.is_eof():
        capture.end()
    elif content.exception() is not None:
        capture.fail()
    # Readers have slots and so no room for the capture; a class has.
    members = {"__slots__": (), "capture": capture}
    content.__class__ = type("_CapturedReader", (_CapturedReader,), members)


_DECODED = frozenset({"gzip", "deflate", "br", "zstd"})
"""Values of the header Content-Encoding that aiohttp decodes itself."""


class _CapturedReader(StreamReader):
    """A response body whose chunks are added to `capture` as they arrive from the network."""

    __slots__ = ()
    capture: ResponseCapture

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        self.capture.add_chunk(data)
        return super().feed_data(data, size)

    def feed_eof(self) -> None:
        self.capture.end()
        super().feed_eof()

    def set_exception(self, exc: Any, *args: Any) -> None:
        if type(exc) is ClientConnectionError:  # the caller closed the response
            self.capture.stop()
        elif not self.is_eof():
            self.capture.fail()
        super().set_exception(exc, *args)

    async def _wait(self, func_name: str) -> None:
        try:
            await super()._wait(func_name)
        except Exception:
            self.capture.fail()
            raise


class _ReplayedResponse(ClientResponse):
    """An aiohttp response with a recorded status, headers and body."""

    def __init__(self, playback: Playback, request: ClientRequest, limit: int) -> None:
        options: dict[str, Any] = {
            "writer": None,
            "continue100": None,
            "timer": TimerNoop(),
            "request_info": request.request_info,
            "traces": [],
            "loop": request.loop,
            "session": request._session,
            "stream_writer": SimpleNamespace(output_size=0),
        }
        parameters = inspect.signature(ClientResponse.__init__).parameters
        supported = {name: value for name, value in options.items() if name in parameters}
        super().__init__(request.method, request.url, **supported)
        response = playback.response
        self.version = HttpVersion11
        self.status, self.reason = response.status, response.reason
        self._headers = CIMultiDictProxy(CIMultiDict(response.headers))
        self._raw_headers = tuple((n.encode(), v.encode()) for n, v in response.headers)
        self._raw_cookie_headers = tuple(self._headers.getall("set-cookie", ())) or None
        self._closed = False
        self.content = _ReplayedReader(playback, request, limit)


class _NullConnection(BaseProtocol):
    """A stand-in for the connection that a `StreamReader` requires; a replay has none."""

    def pause_reading(self) -> None:
        """Do nothing: chunks larger than the reader's buffer are delivered whole."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing: `_ReplayedReader` feeds the next chunk when the caller waits for one."""


class _ReplayedReader(StreamReader):
    """A recorded body that delivers each chunk after the caller has read the previous chunk.

    `limit` is the session's `read_bufsize` in bytes; aiohttp refuses lines longer than twice that.
    """

    def __init__(self, playback: Playback, request: ClientRequest, limit: int) -> None:
        super().__init__(_NullConnection(request.loop), limit, loop=request.loop)
        coding = playback.response.header("transfer-encoding") or ""
        self._is_chunked = "chunked" in coding.lower()
        self._remaining = deque(playback.paced_chunks())
        if not self._remaining or not self._remaining[0][0]:
            self._feed()

    def _feed(self) -> None:
        if self._remaining:
            if self._is_chunked:
                self.begin_http_chunk_receiving()
            self.feed_data(self._remaining.popleft()[1])
            if self._is_chunked:
                self.end_http_chunk_receiving()
        if not self._remaining and not self.is_eof():
            self.feed_eof()

    async def _wait(self, func_name: str) -> None:
        if self._remaining:
            await wait(self._remaining[0][0])
        self._feed()

    async def wait_eof(self) -> None:
        while not self.is_eof():
            await self._wait("wait_eof")
