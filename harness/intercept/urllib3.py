"""The patch of urllib3's connection pools, which requests uses, and dashscope through requests."""

from __future__ import annotations

import http.client
import io
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from itertools import accumulate
from types import ModuleType
from typing import Any, cast

import urllib3

from harness.errors import RecordingFailed
from harness.intercept.context import (
    Patch,
    Playback,
    Tape,
    bypasses_tape,
    in_passthrough,
    intercept,
    passthrough,
    raise_error,
)
from harness.intercept.recorder import ResponseCapture
from harness.types import Request, Response


def patches(library: ModuleType) -> tuple[Patch, ...]:
    """Return the patches of *library*, the imported module `urllib3`."""
    return ((library.HTTPConnectionPool, "urlopen", _wrap_urlopen),)


def _wrap_urlopen(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPConnectionPool.urlopen` to replay or capture the response."""

    def urlopen(
        self: urllib3.HTTPConnectionPool,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *args: Any,
        **options: Any,
    ) -> Any:
        if in_passthrough.get():  # urllib3's own retry of a request that is captured already
            return original(self, method, url, body, headers, *args, **options)
        uri = absolute_uri(self.scheme or "", self.host, self.port, url)
        if bypasses_tape(uri):
            with passthrough():
                return original(self, method, url, body, headers, *args, **options)
        request = _request(method, uri, body, self.headers if headers is None else headers)
        answer = intercept(request)
        if isinstance(answer, Playback):
            return _ReplayedResponse(
                answer, method, url, preload=options.get("preload_content", True)
            )
        if body is not None and not isinstance(body, str):
            body = request.body  # a file or a generator was read to its end
        with passthrough():
            response = original(self, method, url, body, headers, *args, **options)
        _capture(response, answer, options)
        return response

    return urlopen


def replay(
    tape: Tape, method: str, uri: str, body: Any, headers: Any
) -> urllib3.HTTPResponse | None:
    """Return the recorded response, with an unread body; None if the request is to be sent.

    Raises:
        CassetteMiss: *tape* has no recorded response, and nothing may be recorded.
    """
    exchange = tape.find(_request(method, uri, body, headers))
    if exchange is None:
        return None
    return _ReplayedResponse(Playback(exchange, tape.pace), method, uri, preload=False)


def absolute_uri(scheme: str, host: str, port: int | None, target: str) -> str:
    """Return the absolute URI of a request.

    *target* is its path with the query, or already the absolute URI if it is sent to a proxy.
    """
    if not target.startswith("/"):
        return target
    suffix = f":{port}" if port and port != _PORTS.get(scheme) else ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{suffix}{target}"


_PORTS = {"http": 80, "https": 443}


def _request(method: str, uri: str, body: Any, headers: Any) -> Request:
    pairs = tuple((str(n), _header_text(v)) for n, v in dict(headers or {}).items())
    content = _read_body(f"{method} {uri.partition('?')[0]}", body)
    return Request(method.upper(), uri, pairs, content)


def _read_body(request: str, body: Any) -> bytes:
    """Return the bytes of *body*: a text, a buffer, a file or an iterable of these.

    A file is read from its position on. *request* describes the request in the error.

    Raises:
        RecordingFailed: the body is of another type.
    """
    if isinstance(body, str):
        return body.encode()
    if body is None or isinstance(body, bytes | bytearray | memoryview):
        return bytes(body or b"")
    if hasattr(body, "read"):
        return _read_body(request, body.read())
    if not isinstance(body, Iterable) or isinstance(body, Mapping):
        raise_error(RecordingFailed(f"{request}: cannot record a body of {type(body).__name__}"))
    return b"".join(_read_body(request, piece) for piece in body)


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _capture(response: Any, capture: ResponseCapture, options: dict[str, Any]) -> None:
    """Record *response* with *capture*, whichever method the caller reads the body with."""
    is_preloaded = options.get("preload_content", True)
    is_decoded = (
        is_preloaded
        and options.get("decode_content", True)
        and "content-encoding" in response.headers
    )
    headers = response.headers.items()
    capture.start(response.status, response.reason or "", headers, is_decoded=is_decoded)
    if is_preloaded:
        capture.add_chunk(response.data)
        capture.end()
    else:
        response.__class__ = _CapturedResponse
        response.capture = capture


class _CapturedResponse(urllib3.HTTPResponse):
    """A response whose body is added to `capture` as urllib3 reads it from the network.

    All methods of urllib3 that read a body call `_fp_read` or, for chunked bodies, `_handle_chunk`,
    inside of `_error_catcher`. The connection is released after the last byte.
    """

    capture: ResponseCapture
    _partial_chunk = b""

    def _fp_read(self, amt: int | None = None, *, read1: bool = False) -> bytes:
        data = super()._fp_read(amt, read1=read1)
        self.capture.add_chunk(data)
        return data

    def _handle_chunk(self, amt: int | None) -> bytes:
        data = super()._handle_chunk(amt)
        self._partial_chunk += data
        if self.chunk_left is None:  # a reader may take a chunk in several pieces
            self._add_partial_chunk()
        return data

    def _add_partial_chunk(self) -> None:
        self.capture.add_chunk(self._partial_chunk)
        self._partial_chunk = b""

    @contextmanager
    def _error_catcher(self) -> Generator[None, None, None]:
        with super()._error_catcher():  # it releases the connection of a broken response too
            try:
                yield
            except GeneratorExit:  # the caller reads no more
                raise
            except BaseException:
                self.capture.fail()
                raise
            if self._original_response and self._original_response.isclosed():
                self._add_partial_chunk()
                self.capture.end()

    def stream(
        self, amt: int | None = 2**16, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        try:
            yield from super().stream(amt, decode_content)
        finally:
            self._stop()

    def release_conn(self) -> None:
        super().release_conn()
        self._stop()

    def close(self) -> None:
        super().close()
        self._stop()

    def _stop(self) -> None:
        self._add_partial_chunk()
        self.capture.stop()


class _ReplayedResponse(urllib3.HTTPResponse):
    """A urllib3 response with a recorded status, headers and body."""

    def __init__(self, playback: Playback, method: str, url: str, *, preload: bool) -> None:
        self._playback = playback
        response = playback.response
        has_cookies = response.header("set-cookie") is not None
        super().__init__(
            _Body(playback),
            headers=urllib3.HTTPHeaderDict(response.headers),
            status=response.status,
            version=11,
            version_string="HTTP/1.1",
            reason=response.reason,
            preload_content=preload,
            enforce_content_length=False,
            request_method=method,
            request_url=url,
            original_response=cast("Any", _OriginalResponse(response)) if has_cookies else None,
        )

    def stream(
        self, amt: int | None = 2**16, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        if "content-encoding" in self.headers:
            yield from super().stream(amt, decode_content)
            return
        for delay, chunk in self._playback.paced_chunks():
            if delay:
                time.sleep(delay)
            size = amt or len(chunk)
            yield from (chunk[start : start + size] for start in range(0, len(chunk), size))
        self.close()

    def read_chunked(
        self, amt: int | None = None, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        yield from self.stream(amt, decode_content)


class _OriginalResponse:
    """A stand-in for the `http.client` response in which requests looks for cookies."""

    def __init__(self, response: Response) -> None:
        self.msg = http.client.HTTPMessage()
        for name, value in response.headers:
            self.msg[name] = value

    def isclosed(self) -> bool:
        """Return False, so that urllib3 reads the body."""
        return False

    def close(self) -> None:
        """Do nothing."""


class _Body(io.BytesIO):
    """A recorded body as a file, whose `read` waits for the delays of the chunks that it returns.

    It is used by all methods of urllib3 except `stream`.
    """

    def __init__(self, playback: Playback) -> None:
        super().__init__(playback.response.body)
        starts = accumulate((len(chunk) for chunk in playback.chunks()), initial=0)
        chunks = zip(playback.delays(), starts, strict=False)
        self._delayed = deque((delay, start) for delay, start in chunks if delay)

    def read(self, size: int | None = -1, /) -> bytes:
        end = math.inf if size is None or size < 0 else self.tell() + size
        while self._delayed and self._delayed[0][1] < end:
            time.sleep(self._delayed.popleft()[0])
        return super().read(size)
