"""The seam in aiohttp: its sessions, which the asynchronous half of some SDKs stands on.

Imported once aiohttp is, and never before: see `patch`. It meets every request as the innermost
of aiohttp's own middlewares, so that redirects, cookies and retries are as ever.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_exceptions import ClientConnectionError
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.helpers import TimerNoop
from aiohttp.http import HttpVersion11
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from harness.intercept.context import letting_through, paced, passes, pause, tape_for
from harness.intercept.recorder import ResponseCapture
from harness.types import Exchange, Request


def on_tape(original: Callable[..., Any]) -> Callable[..., Any]:
    """`ClientSession._request`, with the tape as its innermost middleware."""

    async def _request(self: Any, method: str, url: Any, **options: Any) -> ClientResponse:
        decodes = options.get("auto_decompress")
        decodes = self._auto_decompress if decodes is None else decodes
        limit = options.get("read_bufsize")
        limit = self._read_bufsize if limit is None else limit

        async def meet(request: ClientRequest, handler: Callable[..., Any]) -> ClientResponse:
            response: ClientResponse
            if passes(str(request.url)):
                with letting_through():
                    response = await handler(request)
                return response
            asked = await _asked(request)
            tape = tape_for(asked.method, asked.uri)
            found = tape.find(asked)
            if found is not None:
                return _Played(found, tape.pace, request, limit)
            listener = tape.listen(asked)
            with letting_through():
                response = await handler(request)
            _hear(response, listener, decoded=decodes)
            return response

        own = options.pop("middlewares", None)
        around = self._middlewares if own is None else own
        response: ClientResponse = await original(
            self, method, url, middlewares=(*around, meet), **options
        )
        return response

    return _request


async def _asked(request: ClientRequest) -> Request:
    body: Any = request.body
    sent = body if isinstance(body, bytes) else await body.as_bytes()
    return Request(request.method, str(request.url), _plain(request.headers), sent)


def _plain(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Headers as texts; aiohttp's names are of a kind of their own."""
    return tuple((str(name), str(value)) for name, value in headers.items())


def _hear(response: ClientResponse, listener: ResponseCapture, *, decoded: bool) -> None:
    """Hear an answer from here on, and what of it has come already."""
    headers = response.headers.copy()
    if decoded and headers.get("content-encoding", "").lower() in _DECODED:
        headers.popall("content-encoding")
        headers.popall("content-length", None)
    listener.head(response.status, response.reason or "", _plain(headers))
    content = response.content
    if type(content) is not StreamReader:  # aiohttp's one empty body, shared by all who have none
        listener.end()
        return
    for data in content._buffer:
        listener.chunk(data)
    if content.is_eof():
        listener.end()
    elif content.exception() is not None:
        listener.broke()
    # Readers have slots, and so no room for a listener; a class has.
    content.__class__ = type("_Listening", (_Heard,), {"__slots__": (), "listener": listener})


_DECODED = frozenset({"gzip", "deflate", "br", "zstd"})
"""Content codings that aiohttp undoes itself."""


class _Heard(StreamReader):
    """A body on its way to the caller, heard as it arrives."""

    __slots__ = ()
    listener: ResponseCapture

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        self.listener.chunk(data)
        return super().feed_data(data, size)

    def feed_eof(self) -> None:
        self.listener.end()
        super().feed_eof()

    def set_exception(self, exc: Any, *more: Any) -> None:
        if type(exc) is ClientConnectionError:  # the caller closed it, and wants no more
            self.listener.stopped()
        elif not self.is_eof():
            self.listener.broke()
        super().set_exception(exc, *more)

    async def _wait(self, func_name: str) -> None:
        try:
            await super()._wait(func_name)
        except Exception:
            self.listener.broke()
            raise


class _Played(ClientResponse):
    """A recorded answer as aiohttp would have given it."""

    def __init__(self, found: Exchange, pace: float, request: ClientRequest, limit: int) -> None:
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
        known = inspect.signature(ClientResponse.__init__).parameters
        given = {name: value for name, value in options.items() if name in known}
        super().__init__(request.method, request.url, **given)
        answer = found.response
        self.version = HttpVersion11
        self.status, self.reason = answer.status, answer.reason
        self._headers = CIMultiDictProxy(CIMultiDict(answer.headers))
        self._raw_headers = tuple((n.encode(), v.encode()) for n, v in answer.headers)
        self._raw_cookie_headers = tuple(self._headers.getall("set-cookie", ())) or None
        self._closed = False
        self.content = _Chunks(found, pace, request, limit)


class _NoConnection(BaseProtocol):
    """The connection of a recorded body: there is none to pause or resume."""

    def pause_reading(self) -> None:
        """Do nothing: a chunk that is larger than the buffer is given out all the same."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing: `_Chunks` feeds the next chunk when the reader waits for one."""


class _Chunks(StreamReader):
    """A recorded body; the next chunk comes when the one before it has been read.

    `limit` is the session's `read_bufsize`; aiohttp refuses lines longer than twice that.
    """

    def __init__(self, found: Exchange, pace: float, request: ClientRequest, limit: int) -> None:
        super().__init__(_NoConnection(request.loop), limit, loop=request.loop)
        coding = found.response.header("transfer-encoding") or ""
        self._is_chunked = "chunked" in coding.lower()
        self._left = deque(paced(found, pace))
        if not self._left or not self._left[0][0]:
            self._feed()

    def _feed(self) -> None:
        if self._left:
            if self._is_chunked:
                self.begin_http_chunk_receiving()
            self.feed_data(self._left.popleft()[1])
            if self._is_chunked:
                self.end_http_chunk_receiving()
        if not self._left and not self.is_eof():
            self.feed_eof()

    async def _wait(self, func_name: str) -> None:
        if self._left:
            await pause(self._left[0][0])
        self._feed()

    async def wait_eof(self) -> None:
        while not self.is_eof():
            await self._wait("wait_eof")
