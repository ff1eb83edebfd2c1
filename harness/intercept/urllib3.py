"""The patch of urllib3's connection pools, which requests uses, and dashscope through requests."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import urllib3

from harness.errors import RecordingFailed
from harness.intercept.context import (
    Patch,
    Playback,
    block_here,
    bypasses_tape,
    intercept,
    passthrough,
    raise_error,
)
from harness.intercept.failures import Kinds, connect_kind_of, kind_in, kind_of
from harness.intercept.http_client import (
    WITHOUT_BODY,
    ReplayedResponse,
    ReplaySocket,
    WholeBody,
    absolute_uri,
    arrives_at_once,
    plain_headers,
)
from harness.intercept.recorder import ResponseCapture
from harness.types import NetworkError, Request, Response


def patches(library: ModuleType) -> tuple[Patch, ...]:
    """Return the patches of *library*, the imported module `urllib3`."""
    pools = library.connectionpool
    return (
        (pools.HTTPConnectionPool, "_make_request", _wrap_make_request),
        (pools.HTTPSConnectionPool, "_prepare_proxy", _wrap_prepare_proxy),
    )


def _wrap_make_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPConnectionPool._make_request`, one attempt, to replay or capture the response.

    urllib3's own handling of errors, retries and redirects is around it, in `urlopen`.
    """

    def _make_request(
        self: urllib3.HTTPConnectionPool,
        conn: Any,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *,
        preload_content: bool = True,
        decode_content: bool = True,
        **options: Any,
    ) -> Any:
        def send(conn: Any, body: Any) -> Iterator[Any]:
            response = original(
                self,
                conn,
                method,
                url,
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=decode_content,
                **options,
            )
            yield response
            if preload_content:
                response._body = response.read(decode_content=decode_content)

        uri = absolute_uri(self.scheme or "", self.host, self.port, url)
        if bypasses_tape(uri):
            with passthrough():
                return _last(send(conn, body))
        content, body = _buffered(f"{method} {uri.partition('?')[0]}", body)
        answer = intercept(_request(method, uri, content, dict(headers or {}).items()))
        if isinstance(answer, Playback):
            return _last(send(_ReplayedConnection(answer, self.host, self.port), body))
        with passthrough():
            return _last(_captured(send(conn, body), answer))

    return _make_request


def _last(steps: Iterator[Any]) -> Any:
    """Run *steps* to their end, and return what they yielded last."""
    return deque(steps, maxlen=1).pop()


def _captured(steps: Iterator[Any], capture: ResponseCapture) -> Iterator[Any]:
    """Yield the response of *steps* as it is captured, and record a network failure."""
    try:
        for response in steps:
            headers = response.headers.items()
            capture.start(response.status, response.reason or "", headers)
            response.__class__ = _CapturedResponse
            response.capture = capture
            yield response
    except Exception as error:
        capture.fail(_kind_of(error), error)
        raise


def _wrap_prepare_proxy(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPSConnectionPool._prepare_proxy`, which connects to a proxy before a request."""

    def _prepare_proxy(self: Any, conn: Any) -> None:
        block = block_here()
        if block is None or block.tape.clock is None:  # it may record
            with passthrough():
                original(self, conn)

    return _prepare_proxy


def replay(
    method: str, uri: str, body: Any, headers: Iterable[tuple[Any, Any]]
) -> urllib3.HTTPResponse:
    """Return the recorded response to a request, in a block that only replays.

    The body is not read yet: `read` and `stream` of the response return it.

    Raises:
        CassetteMiss: there is no recorded response.
    """
    is_sent_as_is = isinstance(body, bytes)
    content = body if is_sent_as_is else _buffered(f"{method} {uri.partition('?')[0]}", body)[0]
    answer = cast("Playback", intercept(_request(method, uri, content, headers)))
    recorded = answer.response
    names = {name.lower() for name, _ in recorded.headers}
    is_whole = _is_whole(answer, method) and names.isdisjoint(_OF_HTTP_CLIENT)
    plain = plain_headers(answer) if is_whole else None
    if plain is not None:
        received: Any = WholeBody(recorded.body, has_length="content-length" in names)
        pairs, reason, original = plain, recorded.reason.strip(), None
    else:
        received = original = ReplayedResponse(ReplaySocket(answer), method=method)
        received.begin()
        pairs, reason = [*received.msg.raw_items()], received.reason
    fields = urllib3.HTTPHeaderDict()
    for name, value in pairs:
        fields.add(name, value)
    response = urllib3.HTTPResponse(
        received,
        fields,
        recorded.status,
        11,
        reason=reason,
        preload_content=False,
        original_response=original,
        request_method=method,
        request_url=uri,
    )
    response.version_string = "HTTP/1.1"  # as urllib3 asks for
    return _with_recorded_framing(response, recorded)


_OF_HTTP_CLIENT = ("set-cookie", "set-cookie2", "transfer-encoding")
"""The headers for which requests and urllib3 need a response of http.client: cookies, chunks."""


def _is_whole(answer: Playback, method: str) -> bool:
    """Return whether all of the recorded body is the response's body, and arrives at once."""
    has_body = method != "HEAD" and answer.response.status not in WITHOUT_BODY
    return has_body and arrives_at_once(answer)


def _request(method: str, uri: str, content: bytes, headers: Iterable[tuple[Any, Any]]) -> Request:
    pairs = [(str(n), v if isinstance(v, str) else _header_text(v)) for n, v in headers]
    return Request(method.upper(), uri, tuple(pairs), content)


def _buffered(request: str, body: Any) -> tuple[bytes, Any]:
    """Return the bytes of *body*, and a body of the same kind to send, if it can be read once.

    urllib3 sends a file, a generator and bytes in different ways.
    """
    if hasattr(body, "read"):
        text = body.read()
        return _read_body(request, text), (io.StringIO if isinstance(text, str) else io.BytesIO)(
            text
        )
    if isinstance(body, Iterator):
        pieces = list(body)
        return _read_body(request, pieces), iter(pieces)
    return _read_body(request, body), body


def _read_body(request: str, body: Any) -> bytes:
    """Return the bytes of *body*: a text, a buffer or an iterable of these.

    *request* describes the request in the error.

    Raises:
        RecordingFailed: the body is of another type.
    """
    if isinstance(body, str):
        return body.encode()
    if body is None or isinstance(body, bytes | bytearray | memoryview):
        return bytes(body or b"")
    if not isinstance(body, Iterable) or isinstance(body, Mapping):
        raise_error(RecordingFailed(f"{request}: cannot record a body of {type(body).__name__}"))
    return b"".join(_read_body(request, piece) for piece in body)


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class _CapturedResponse(urllib3.HTTPResponse):
    """A response whose body is added to `capture` as urllib3 reads it from the network.

    All methods of urllib3 that read a body call `_fp_read` or, for chunked bodies, `_handle_chunk`,
    inside of `_error_catcher`. The connection is released after the last byte.
    """

    capture: ResponseCapture
    _partial_chunk = b""

    def _fp_read(self, amt: int | None = None, **options: bool) -> bytes:
        try:
            data = super()._fp_read(amt, **options)
        except http.client.IncompleteRead as error:
            self.capture.add_chunk(error.partial)
            raise
        self.capture.add_chunk(data)
        return data

    def _update_chunk_length(self) -> None:
        capture = self.capture
        self.capture = ResponseCapture(capture.request, None)  # a broken response is closed first
        try:
            super()._update_chunk_length()
        finally:
            self.capture = capture

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
            except BaseException as error:
                self._add_partial_chunk()
                self.capture.fail(_kind_of(error), error)
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


# ------------------------------------------------------------------------------------- replay


class _ReplayedConnection(urllib3.connection.HTTPConnection):
    """A connection that discards what is sent, and receives a recorded response.

    Its bytes are read by `http.client` and urllib3, as those of a real connection are.
    """

    is_replayed = True
    """Whether the patch of http.client leaves its requests alone."""
    is_verified = True
    """Whether the certificate was verified; urllib3 warns of requests where it was not."""
    response_class = ReplayedResponse

    def __init__(self, playback: Playback, host: str, port: int | None) -> None:
        super().__init__(host, port)
        self._playback = playback

    def __str__(self) -> str:
        """Return the connection as the message of the recorded failure names it."""
        broken_off = self._playback.broken_off
        return broken_off.message.partition(": ")[0] if broken_off else super().__str__()

    def connect(self) -> None:
        """Prepare the response to be read. Raises the recorded failure of the connection."""
        broken_off = self._playback.broken_off
        if broken_off and not self._playback.has_response:
            time.sleep(self._playback.delay_of_failure)
            if broken_off.kind in _CONNECT_ERRORS:
                raise _CONNECT_ERRORS[broken_off.kind](self, broken_off.message)
        self.sock = cast("Any", ReplaySocket(self._playback))

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in urllib3
        """Return the response with all recorded headers."""
        return _with_recorded_framing(super().getresponse(), self._playback.response)


def _with_recorded_framing(
    response: urllib3.HTTPResponse, recorded: Response
) -> urllib3.HTTPResponse:
    """Return *response* with the headers of its length as they were recorded."""
    length = recorded.header("content-length")
    if length is not None and length != response.headers.get("Content-Length"):
        response.headers["Content-Length"] = length
    if response.chunked and recorded.header("transfer-encoding") is None:
        response.headers.discard("Transfer-Encoding")
    return response


_CONNECT_ERRORS: Mapping[NetworkError, Callable[[Any, str], Exception]] = {
    NetworkError.CONNECT_TIMEOUT: urllib3.exceptions.ConnectTimeoutError,
    NetworkError.NAME: lambda connection, message: urllib3.exceptions.NameResolutionError(
        connection.host, connection, socket.gaierror(socket.EAI_NONAME, message)
    ),
    NetworkError.PROXY: lambda _, message: urllib3.exceptions.ProxyError(message, OSError(message)),
    NetworkError.TLS: lambda _, message: ssl.SSLError(1, message),
    **dict.fromkeys(
        (NetworkError.REFUSED, NetworkError.UNREACHABLE),
        lambda connection, message: urllib3.exceptions.NewConnectionError(
            connection, message.partition(": ")[2] or message
        ),
    ),
}
"""The errors that urllib3 raises for a connection that could not be made."""

_KINDS: Kinds = (
    (urllib3.exceptions.ReadTimeoutError, NetworkError.READ_TIMEOUT),
    (urllib3.exceptions.NameResolutionError, NetworkError.NAME),
    (urllib3.exceptions.ProxyError, NetworkError.PROXY),
    (urllib3.exceptions.SSLError, NetworkError.TLS),
)


def _kind_of(error: BaseException) -> NetworkError:
    """Return the kind of the network failure for which urllib3 raises *error*."""
    if (kind := kind_in(_KINDS, error)) is not None:
        return kind
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return connect_kind_of(error)
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return NetworkError.CONNECT_TIMEOUT
    return kind_of(error, NetworkError.CLOSED)
