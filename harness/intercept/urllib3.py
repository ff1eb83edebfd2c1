"""The seam in urllib3: its connection pools, which requests and so dashscope stand on."""

from __future__ import annotations

import http.client
import io
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, NoReturn, cast

import urllib3

from harness.errors import RecordingFailed
from harness.intercept.context import (
    Tape,
    chunks_of,
    letting_through,
    on_the_way,
    paced,
    passes,
    tape_for,
)
from harness.intercept.recorder import ResponseCapture
from harness.types import Exchange, Request, Response


def on_tape(original: Callable[..., Any]) -> Callable[..., Any]:
    """`HTTPConnectionPool.urlopen`, asking the tape first and letting it hear the answer."""

    def urlopen(
        self: urllib3.HTTPConnectionPool,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *more: Any,
        **options: Any,
    ) -> Any:
        if on_the_way.get():  # urllib3 asks again after a broken connection: heard already
            return original(self, method, url, body, headers, *more, **options)
        uri = whole(self.scheme or "", self.host, self.port, url)
        if passes(uri):
            with letting_through():
                return original(self, method, url, body, headers, *more, **options)
        asked = _request(method, uri, body, self.headers if headers is None else headers)
        tape = tape_for(asked.method, asked.uri)
        found = tape.find(asked)
        if found is not None:
            preload = options.get("preload_content", True)
            return _Played(found, tape.pace, preload=preload, method=method, url=url)
        listener = tape.listen(asked)
        if body is not None and not isinstance(body, str):
            body = asked.body  # a file or a generator was read to its end
        with letting_through():
            response = original(self, method, url, body, headers, *more, **options)
        _hear(response, listener, options)
        return response

    return urlopen


def played(
    tape: Tape, method: str, uri: str, body: Any, headers: Any
) -> urllib3.HTTPResponse | None:
    """Return the recorded response, unread; None if the request goes out. Raises CassetteMiss."""
    found = tape.find(_request(method, uri, body, headers))
    if found is None:
        return None
    return _Played(found, tape.pace, preload=False, method=method, url=uri)


def whole(scheme: str, host: str, port: int | None, url: str) -> str:
    """The whole address of what is asked: a proxy is asked for one, anybody else for a path."""
    if not url.startswith("/"):
        return url
    at = f":{port}" if port and port != _PORTS.get(scheme) else ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{at}{url}"


_PORTS = {"http": 80, "https": 443}


def _request(method: str, uri: str, body: Any, headers: Any) -> Request:
    pairs = tuple((str(n), _header_text(v)) for n, v in dict(headers or {}).items())
    return Request(method.upper(), uri, pairs, _read(f"{method} {uri.partition('?')[0]}", body))


def _read(asked: str, body: Any) -> bytes:
    """A body in one piece: a text, bytes of any kind, a file from where it stands, or pieces."""
    if isinstance(body, str):
        return body.encode()
    if body is None or isinstance(body, bytes | bytearray | memoryview):
        return bytes(body or b"")
    if hasattr(body, "read"):
        return _read(asked, body.read())
    if not isinstance(body, Iterable) or isinstance(body, Mapping):
        _refuse(asked, type(body).__name__)
    return b"".join(_read(asked, piece) for piece in body)


def _refuse(asked: str, kind: str) -> NoReturn:
    """Raise RecordingFailed where no argument holds a key, see `context`."""
    raise RecordingFailed(f"{asked}: a body of {kind} cannot be kept")


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _hear(response: Any, listener: ResponseCapture, options: dict[str, Any]) -> None:
    """Hear an answer that urllib3 hands out, whichever way its body is read."""
    preloaded = options.get("preload_content", True)
    headers = response.headers.copy()
    if preloaded and options.get("decode_content", True) and "content-encoding" in headers:
        headers.discard("content-encoding")  # decoded already
        headers.discard("content-length")
    listener.head(response.status, response.reason or "", tuple(headers.items()))
    if preloaded:
        listener.chunk(response.data)
        listener.end()
    else:
        response.__class__ = _Heard
        response.listener = listener


class _Heard(urllib3.HTTPResponse):
    """An answer whose body is heard below everything that reads it, as it came over the network.

    All of urllib3's ways to read a body end in `_fp_read` or, where it comes in chunks, in
    `_handle_chunk`, inside of `_error_catcher`; what was read to its end is released.
    """

    listener: ResponseCapture
    _part = b""

    def _fp_read(self, amt: int | None = None, *, read1: bool = False) -> bytes:
        data = super()._fp_read(amt, read1=read1)
        self.listener.chunk(data)
        return data

    def _handle_chunk(self, amt: int | None) -> bytes:
        data = super()._handle_chunk(amt)
        self._part += data
        if self.chunk_left is None:  # a reader may take a chunk piece by piece
            self._hear_part()
        return data

    def _hear_part(self) -> None:
        self.listener.chunk(self._part)
        self._part = b""

    @contextmanager
    def _error_catcher(self) -> Generator[None, None, None]:
        with super()._error_catcher():  # it releases the connection of a broken answer too
            try:
                yield
            except GeneratorExit:  # the caller wants no more
                raise
            except BaseException:
                self.listener.broke()
                raise
            if self._original_response and self._original_response.isclosed():
                self._hear_part()
                self.listener.end()

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
        self._hear_part()
        self.listener.stopped()


class _Played(urllib3.HTTPResponse):
    """A recorded answer as urllib3 would have given it."""

    def __init__(
        self, found: Exchange, pace: float, *, preload: bool, method: str, url: str
    ) -> None:
        answer = found.response
        self._found = found
        self._pace = pace
        super().__init__(
            _Body(found, pace),
            headers=urllib3.HTTPHeaderDict(answer.headers),
            status=answer.status,
            version=11,
            version_string="HTTP/1.1",
            reason=answer.reason,
            preload_content=preload,
            enforce_content_length=False,
            request_method=method,
            request_url=url,
            original_response=cast("Any", _Head(answer)) if answer.header("set-cookie") else None,
        )

    def stream(
        self, amt: int | None = 2**16, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        if "content-encoding" in self.headers:
            yield from super().stream(amt, decode_content)
            return
        for wait, chunk in paced(self._found, self._pace):
            if wait:
                time.sleep(wait)
            yield from _cut(chunk, amt or len(chunk))
        self.close()

    def read_chunked(
        self, amt: int | None = None, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        yield from self.stream(amt, decode_content)


class _Head:
    """The head of an answer, where requests looks for its cookies; it has no connection."""

    def __init__(self, answer: Response) -> None:
        self.msg = http.client.HTTPMessage()
        for name, value in answer.headers:
            self.msg[name] = value

    def isclosed(self) -> bool:
        """Not before it is read."""
        return False

    def close(self) -> None:
        """There is nothing to be closed."""


class _Body(io.BytesIO):
    """A recorded body for all other ways to read; what is in a chunk can be read once it came."""

    def __init__(self, found: Exchange, pace: float) -> None:
        super().__init__(found.response.body)
        begins = accumulate((len(chunk) for chunk in chunks_of(found)), initial=0)
        waits = (wait for wait, _ in paced(found, pace))
        self._coming = deque(pair for pair in zip(waits, begins, strict=False) if pair[0])

    def read(self, size: int | None = -1, /) -> bytes:
        end = math.inf if size is None or size < 0 else self.tell() + size
        while self._coming and self._coming[0][1] < end:
            time.sleep(self._coming.popleft()[0])
        return super().read(size)


def _cut(chunk: bytes, size: int) -> Iterator[bytes]:
    """A chunk in the pieces a reader asked for."""
    return (chunk[at : at + size] for at in range(0, len(chunk), size))
