"""The patches of aiohttp, which the asynchronous API of some SDKs uses.

Requests are intercepted by an aiohttp middleware. It is added as the innermost one, so that
redirects, cookies and the caller's own middlewares work as usual. In a replay aiohttp gets a
connection that receives the recorded bytes, and parses, decodes and limits them as usual.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import Any

from aiohttp import client_exceptions as errors
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.connector import BaseConnector, Connection
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError
from aiohttp.http_parser import DeflateBuffer
from aiohttp.streams import StreamReader

from harness.intercept.context import (
    Patch,
    Playback,
    bypasses_tape,
    intercept,
    passthrough,
    wait,
)
from harness.intercept.failures import Kinds, connect_kind_of, kind_in, kind_of, python_error
from harness.intercept.recorder import ResponseCapture
from harness.types import NetworkError, Request
from harness.wire.http import head_text


def patches(library: ModuleType) -> tuple[Patch, ...]:
    """Return the patches of *library*, the imported module `aiohttp.client`."""
    return (
        (library.ClientSession, "_request", _wrap_request),
        (BaseConnector, "connect", _wrap_connect),
        (DeflateBuffer, "__init__", _wrap_deflate_init),
        (DeflateBuffer, "feed_data", _wrap_deflate_feed),
    )


_playback: ContextVar[Playback | None] = ContextVar("harness_aiohttp_playback", default=None)
"""The playback that the next connection receives; None for a connection to the network."""


def _wrap_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `ClientSession._request` to replay or capture the response."""

    async def _request(self: Any, method: str, url: Any, **options: Any) -> ClientResponse:
        captures: list[ResponseCapture] = []

        async def send(request: ClientRequest, handler: Callable[..., Any]) -> ClientResponse:
            response: ClientResponse
            if bypasses_tape(str(request.url)):
                with passthrough():
                    response = await handler(request)
                return response
            answer = intercept(await _read_request(request))
            if isinstance(answer, Playback):
                token = _playback.set(answer)
                try:
                    response = await handler(request)
                finally:
                    _playback.reset(token)
                return response
            captures.append(answer)
            with passthrough(), _failing(answer):
                response = await handler(request)
            _capture(response, answer)
            return response

        own = options.pop("middlewares", None)
        middlewares = self._middlewares if own is None else own
        response: ClientResponse
        try:
            response = await original(
                self, method, url, middlewares=(*middlewares, send), **options
            )
        except TimeoutError as error:  # aiohttp cancels what takes longer than the total timeout
            for capture in captures:
                capture.fail(NetworkError.TIMEOUT, error)
            raise
        return response

    return _request


def _wrap_connect(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `BaseConnector.connect` to return a connection that receives a recorded response."""

    async def connect(self: Any, request: ClientRequest, *args: Any, **options: Any) -> Connection:
        playback = _playback.get()
        if playback is None:
            connection: Connection = await original(self, request, *args, **options)
            return connection
        if not playback.has_response:
            await wait(playback.delay_of_failure)
            _raise_connect_error(playback, request)
        loop = asyncio.get_running_loop()
        protocol = _ReplayedProtocol(playback, loop)
        return _ReplayedConnection(self, request.connection_key, protocol, loop)

    return connect


async def _read_request(request: ClientRequest) -> Request:
    body: Any = request.body
    content = body if isinstance(body, bytes) else await body.as_bytes()
    headers = tuple((str(name), str(value)) for name, value in request.headers.items())
    return Request(request.method, str(request.url), headers, content)


# ------------------------------------------------------------------------------------ recording


def _capture(response: ClientResponse, capture: ResponseCapture) -> None:
    """Record the body of *response* with *capture*: bytes received so far and all later ones."""
    headers = tuple((_text(name), _text(value)) for name, value in response.headers.items())
    capture.start(response.status, _text(response.reason or ""), headers)
    content: Any = response.content
    if type(content) is StreamReader:
        _use_class(content, _CapturedReader, {"raw": list(content._buffer), "is_coded": False})
    if not isinstance(content, _CapturedReader):  # aiohttp's one reader for all empty bodies
        capture.end()
        return
    for data in content.raw:
        capture.add_chunk(data)
    type(content).capture = capture
    error = content.exception()
    if content.is_eof():
        capture.end()
    elif error is not None:
        content.failed(error)


def _text(head: str) -> str:
    """Return *head*, a reason or header; as latin-1 if it is not UTF-8 (surrogates in aiohttp)."""
    try:
        head.encode()
    except UnicodeEncodeError:
        return head.encode("utf-8", "surrogateescape").decode("latin-1")
    return head


def _use_class(reader: StreamReader, base: type, members: dict[str, Any]) -> None:
    """Set the class of *reader*, which has slots and so no room for members, to a new subclass."""
    reader.__class__ = type(base.__name__, (base,), {"__slots__": (), **members})


def _wrap_deflate_init(original: Callable[..., None]) -> Callable[..., None]:
    """Wrap the initializer of `DeflateBuffer`, so that its reader keeps the undecoded chunks."""

    def init(self: DeflateBuffer, out: Any, *args: Any, **options: Any) -> None:
        original(self, out, *args, **options)
        if type(out) is StreamReader:
            _use_class(out, _CapturedReader, {"raw": [], "is_coded": True})

    return init


def _wrap_deflate_feed(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `DeflateBuffer.feed_data` to add each chunk to the capture before it is decoded."""

    def feed_data(self: DeflateBuffer, chunk: bytes, *args: Any) -> Any:
        if isinstance(self.out, _CapturedReader) and chunk:
            self.out.received(chunk)
        return original(self, chunk, *args)

    return feed_data


class _CapturedReader(StreamReader):
    """A response body whose chunks are added to `capture` as they arrive from the network.

    Attributes:
        raw: The chunks that arrived before there was a capture.
        is_coded: Whether a decoder is before this reader, which gets the chunks as they arrive.
        capture: The capture; None until the caller has the response.
    """

    __slots__ = ()
    raw: list[bytes]
    is_coded: bool
    capture: ResponseCapture | None = None

    def received(self, data: bytes) -> None:
        """Add a chunk as it arrived to the capture."""
        if self.capture is None:
            self.raw.append(data)
        else:
            self.capture.add_chunk(data)

    def failed(self, error: BaseException) -> None:
        """End the capture with the network failure *error*.

        After an error of decoding, the body is complete.
        """
        if self.capture is None:
            return
        if isinstance(error.__cause__, ContentEncodingError):
            self.capture.end()
        else:
            self.capture.fail(_kind_of(error), error)

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        if not self.is_coded:
            self.received(data)
        return super().feed_data(data, size)

    def feed_eof(self) -> None:
        if self.capture is not None:
            self.capture.end()
        super().feed_eof()

    def set_exception(self, exc: Any, *args: Any) -> None:
        if self.capture is not None and type(exc) is errors.ClientConnectionError:
            self.capture.stop()  # the caller closed the response
        elif not self.is_eof():
            self.failed(exc)
        super().set_exception(exc, *args)

    async def _wait(self, func_name: str) -> None:
        try:
            await super()._wait(func_name)
        except (errors.ClientError, OSError) as error:
            self.failed(error)
            raise


# -------------------------------------------------------------------------------------- replay


class _Transport(asyncio.Transport):
    """A transport that discards what is written."""

    def write(self, data: Any) -> None:
        """Do nothing."""

    def is_closing(self) -> bool:
        """Return False."""
        return False

    def pause_reading(self) -> None:
        """Do nothing: the next chunk is received when the caller waits for it."""

    resume_reading = close = abort = pause_reading

    def writelines(self, list_of_data: Any) -> None:
        """Do nothing."""


class _ReplayedConnection(Connection):
    """A connection to no server, which is not used again."""

    def close(self) -> None:
        """Close the connection, without returning it to its connector."""
        self._notify_release()
        self._protocol = None

    release = close

    def __del__(self, _warnings: Any = None) -> None:
        """Do nothing: there is nothing to release."""


class _ReplayedProtocol(ResponseHandler):
    """A protocol that receives each recorded chunk after the caller has read the previous one."""

    def __init__(self, playback: Playback, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.connection_made(_Transport())
        self._playback = playback
        self._steps = deque(self._body())

    def _body(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """Yield the steps of the body, each with the seconds to wait before it; the end is last."""
        playback = self._playback
        is_chunked = "chunked" in (playback.response.header("transfer-encoding") or "").lower()
        for delay, chunk in playback.paced_chunks():
            data = b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_chunked else chunk
            yield delay, partial(self.data_received, data)
        if playback.broken_off is not None:
            yield playback.delay_of_failure, self._fail
        elif is_chunked:
            yield 0.0, partial(self.data_received, b"0\r\n\r\n")
        else:
            yield 0.0, self._close

    def _close(self) -> None:
        """End the body: without a length by closing the connection, else as it is, if cut short."""
        payload = self._payload
        if self._playback.response.header("content-length") is None:
            self.connection_lost(None)
        elif payload is not None and not payload.is_eof():
            payload.feed_eof()

    async def read(self) -> Any:
        """Receive the head of the response, and what arrived with it; return it with its body."""
        if not self._playback.has_response:
            self._fail()
            return await super().read()
        self.data_received(self._head())
        message, payload = await super().read()
        if isinstance(payload, StreamReader) and not payload.is_eof():
            _use_class(payload, _ReplayedReader, {"protocol": self})
            if not self._steps[0][0] and self._steps[0][1] != self._fail:
                self._step()
        return message, payload

    def _head(self) -> bytes:
        """Return the head of the response; a length that is too small would cut the body off."""
        response = self._playback.response
        length, size = response.header("content-length") or "", len(response.body)
        is_small = length.isdigit() and int(length) < size
        return head_text(response, size if is_small else None).encode("utf-8", "surrogateescape")

    async def receive(self, payload: StreamReader) -> None:
        """Receive the next chunk for the caller who waits for it."""
        if self._steps:
            await wait(self._steps[0][0])
            self._step()
        elif not payload.is_eof():
            payload.feed_eof()
        if (error := payload.exception()) is not None:
            raise error

    def _step(self) -> None:
        """Receive the next chunk, and the end with the last one unless the reader is full."""
        self._steps.popleft()[1]()
        if len(self._steps) == 1 and self._playback.broken_off is None and not self._reading_paused:
            self._steps.popleft()[1]()

    def _fail(self) -> None:
        """End the connection with the recorded network failure."""
        broken_off = self._playback.broken_off
        kind = broken_off.kind if broken_off else NetworkError.CLOSED
        if kind is NetworkError.TIMEOUT:
            raise TimeoutError
        if kind is NetworkError.READ_TIMEOUT and self.read_timeout is None:
            raise TimeoutError  # the caller has a timeout for the whole request
        if kind is NetworkError.READ_TIMEOUT:
            self._on_read_timeout()
        elif kind is NetworkError.PROTOCOL and not self._playback.has_response:
            self.set_exception(
                HttpProcessingError(message=broken_off.message if broken_off else "")
            )
        elif kind is NetworkError.CLOSED:
            self.connection_lost(None)
        else:
            self.connection_lost(python_error(NetworkError.RESET, ""))


class _ReplayedReader(StreamReader):
    """A recorded body that receives its next chunk when the caller waits for it."""

    __slots__ = ()
    protocol: _ReplayedProtocol

    async def _wait(self, func_name: str) -> None:
        with self._timer:
            await self.protocol.receive(self)

    async def wait_eof(self) -> None:
        while not self.is_eof():
            await self._wait("wait_eof")


# ----------------------------------------------------------------------------- network failures

_KINDS: Kinds = (
    (errors.ConnectionTimeoutError, NetworkError.CONNECT_TIMEOUT),
    (errors.SocketTimeoutError, NetworkError.READ_TIMEOUT),
    (errors.ClientConnectorDNSError, NetworkError.NAME),
    (errors.ClientConnectorSSLError, NetworkError.TLS),
    (errors.ClientConnectorCertificateError, NetworkError.TLS),
    (errors.ClientProxyConnectionError, NetworkError.PROXY),
    (errors.ServerDisconnectedError, NetworkError.CLOSED),
    (errors.ClientResponseError, NetworkError.PROTOCOL),
    (TimeoutError, NetworkError.TIMEOUT),
)


def _kind_of(error: BaseException) -> NetworkError:
    """Return the kind of the network failure for which aiohttp raises *error*."""
    if (kind := kind_in(_KINDS, error)) is not None:
        return kind
    if isinstance(error, errors.ClientConnectorError):
        return connect_kind_of(error)
    return kind_of(error, NetworkError.CLOSED)


@contextmanager
def _failing(capture: ResponseCapture) -> Iterator[None]:
    """Record a network failure of the `with` block."""
    try:
        yield
    except (errors.ClientError, OSError) as error:
        capture.fail(_kind_of(error), error)
        raise


def _raise_connect_error(playback: Playback, request: ClientRequest) -> None:
    """Raise aiohttp's error if the recorded network failure was that of a connection."""
    broken_off = playback.broken_off
    key: Any = request.connection_key
    if broken_off is None:
        return
    kind, message = broken_off.kind, broken_off.message
    if kind is NetworkError.CONNECT_TIMEOUT:
        raise TimeoutError(message)
    if kind is NetworkError.NAME:
        raise errors.ClientConnectorDNSError(key, socket.gaierror(socket.EAI_NONAME, message))
    if kind is NetworkError.TLS:
        raise errors.ClientConnectorSSLError(key, ssl.SSLError(1, message))
    if kind is NetworkError.PROXY:
        raise errors.ClientProxyConnectionError(key, OSError(0, message))
    if kind in (NetworkError.REFUSED, NetworkError.UNREACHABLE):
        number = errno.ECONNREFUSED if kind is NetworkError.REFUSED else errno.ENETUNREACH
        raise errors.ClientConnectorError(key, OSError(number, message))
