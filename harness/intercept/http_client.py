"""The patch of http.client's connections, which urllib.request, xmlrpc.client and httplib2 use.

urllib3's connections are http.client's, too: what its own patch (module `urllib3`) replays or sends
is not intercepted again. A request goes to the tape when it is complete, and a connection is made
only then, if it has to be sent.
"""

from __future__ import annotations

import http.client
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, cast

from harness.intercept.context import (
    Patch,
    Playback,
    bypasses_tape,
    in_passthrough,
    intercept,
    passthrough,
)
from harness.intercept.failures import connect_kind_of, kind_of, python_error
from harness.intercept.recorder import ResponseCapture
from harness.types import NetworkError, Request, Response
from harness.wire.http import head_text


def patches(library: ModuleType) -> Iterator[Patch]:
    """Yield the patches of *library*, an imported module.

    It is `http.client`, or a module with connection classes that inherit from http.client's.
    """
    for cls in vars(library).values():
        is_connection = isinstance(cls, type) and issubclass(cls, http.client.HTTPConnection)
        if is_connection and "connect" in vars(cls):
            yield cls, "connect", _wrap_connect
    if library is http.client:
        yield library.HTTPConnection, "putrequest", _wrap_putrequest
        yield library.HTTPConnection, "send", _wrap_send
        yield library.HTTPConnection, "getresponse", _wrap_getresponse


def _wrap_connect(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPConnection.connect`, to connect only when a request has to be sent."""

    def connect(self: Any) -> None:
        if _is_untaped(self, "/"):
            original(self)
        else:
            self.sock = ReplaySocket()

    return connect


def _wrap_putrequest(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPConnection.putrequest`, which begins each request."""

    def putrequest(self: Any, method: str, url: str, *args: Any, **options: Any) -> None:
        original(self, method, url, *args, **options)
        is_untaped = _is_untaped(self, url or "/")
        vars(self)[_OUTGOING] = None if is_untaped else _Outgoing(method, _uri(self, url or "/"))

    return putrequest


def _wrap_send(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPConnection.send`, to collect a request until it is complete."""

    def send(self: Any, data: Any) -> None:
        outgoing: _Outgoing | None = vars(self).get(_OUTGOING)
        if outgoing is None or in_passthrough():
            original(self, data)
            return
        for piece in _pieces(data, self.blocksize):
            outgoing.add(piece)
        if outgoing.answer is not None or outgoing.is_complete:
            _transmit(self, outgoing)

    return send


def _wrap_getresponse(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPConnection.getresponse`, to replay or capture the response."""

    def getresponse(self: Any) -> Any:
        outgoing: _Outgoing | None = vars(self).get(_OUTGOING)
        if outgoing is None:
            return original(self)
        answer = outgoing.answer or _transmit(self, outgoing)
        if isinstance(answer, Playback):
            return _with_recorded_framing(original(self), answer.response)
        try:
            with passthrough():
                response = original(self)
        except http.client.ImproperConnectionState:  # the caller's mistake
            raise
        except Exception as error:
            answer.fail(kind_of(error, NetworkError.CLOSED), error)
            raise
        answer.start(response.status, response.reason, response.headers.items())
        if response.fp is not None:
            body = _Body.of_response(response)
            response.fp = _CapturedFile(response.fp, body, answer)
        return response

    return getresponse


_OUTGOING = "_harness_outgoing"
"""The attribute of a connection that has the request which it sends; None if that is not taped."""


def _is_untaped(connection: Any, target: str) -> bool:
    """Return whether a request for *target* bypasses the tape, or is replayed or sent by it."""
    is_taken = getattr(connection, "is_replayed", False) or in_passthrough()
    return is_taken or bypasses_tape(_uri(connection, target))


def _uri(connection: Any, target: str) -> str:
    scheme = "https" if connection.default_port == http.client.HTTPS_PORT else "http"
    if connection._tunnel_host:
        return absolute_uri(scheme, connection._tunnel_host, connection._tunnel_port, target)
    return absolute_uri(scheme, connection.host, connection.port, target)


def absolute_uri(scheme: str, host: str, port: int | None, target: str) -> str:
    """Return the absolute URI of a request, such as `http://localhost:8000/v1/models?page=2`.

    *target* is the path with the query or, for a request that is sent to a proxy, the absolute URI
    itself. *port* is None for the default port of the scheme.
    """
    if not target.startswith("/"):
        return target
    suffix = f":{port}" if port and port != _PORTS.get(scheme) else ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{suffix}{target}"


_PORTS = {"http": 80, "https": 443}


def _pieces(data: Any, size: int) -> Iterator[bytes]:
    """Yield what `HTTPConnection.send` sends of *data*: a file, a buffer or an iterable of these.

    Raises:
        TypeError: *data* is of another type.
    """
    if hasattr(data, "read"):
        while piece := data.read(size):
            yield piece.encode("iso-8859-1") if isinstance(piece, str) else piece
        return
    try:
        yield memoryview(data).tobytes()
    except TypeError:
        if isinstance(data, str) or not isinstance(data, Iterable):
            raise TypeError(
                f"data should be a bytes-like object or an iterable, got {type(data)!r}"
            ) from None
        for piece in data:
            yield memoryview(piece).tobytes()


# ------------------------------------------------------------------------------------ messages


@dataclass
class _Body:
    """The body of an HTTP/1.1 message, taken from the bytes that travel (RFC 9112, sections 6, 7).

    Attributes:
        is_chunked: Whether it travels in chunks.
        length: The number of bytes that are missing; None if that is unknown.
        is_complete: Whether all of it has been added.
    """

    is_chunked: bool
    length: int | None
    is_complete: bool = field(init=False, default=False)
    _chunk: bytearray = field(init=False, default_factory=bytearray)
    _size: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.is_complete = not self.is_chunked and self.length == 0

    @classmethod
    def of_response(cls, response: Any) -> _Body:
        """Return the body of a response whose head was read."""
        return cls(bool(response.chunked), response.length)

    def add(self, data: bytes) -> Iterator[bytes]:
        """Add bytes that travelled; yield the chunks of the body that they complete."""
        if not self.is_chunked:
            if self.length is not None:
                self.length -= len(data)
                self.is_complete = self.length <= 0
            yield data
            return
        self._chunk += data
        while not self.is_complete and len(self._chunk) > self._size:
            line, newline, _ = bytes(self._chunk[:_LONGEST_LINE]).partition(b"\n")
            size = _chunk_size(line)
            if not newline or size is None:
                return
            start = len(line) + 1
            self._size = start + size + 1
            self.is_complete = size == 0
            if len(self._chunk) > self._size and size:
                yield bytes(self._chunk[start : start + size])
                del self._chunk[: self._size + 1]
                self._size = 0

    @property
    def is_broken(self) -> bool:
        """Whether there is a line in place of a chunk's size."""
        return b"\n" in self._chunk and _chunk_size(bytes(self._chunk.split(b"\n")[0])) is None

    def rest(self) -> bytes:
        """Return the bytes that were received of an incomplete chunk."""
        line, newline, _ = bytes(self._chunk[:_LONGEST_LINE]).partition(b"\n")
        size = _chunk_size(line) if newline else None
        return bytes(self._chunk[len(line) + 1 :][:size]) if size else b""


_LONGEST_LINE = 1000
"""Bytes of the longest line with the size of a chunk."""


def _chunk_size(line: bytes) -> int | None:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        return None


@dataclass
class _Outgoing:
    """A request that a connection sends.

    Attributes:
        method: Its method.
        uri: Its absolute URI.
        pieces: What is to be sent, and was not yet.
        answer: What the tape answers with; None while the request is incomplete.
    """

    method: str
    uri: str
    pieces: list[bytes] = field(default_factory=list)
    answer: Playback | ResponseCapture | None = None
    _headers: tuple[tuple[str, str], ...] = ()
    _body: _Body | None = None
    _content: bytearray = field(default_factory=bytearray)

    @property
    def is_complete(self) -> bool:
        """Whether the head and the whole body were added."""
        return self._body is not None and self._body.is_complete

    def add(self, piece: bytes) -> None:
        """Add bytes to send."""
        self.pieces.append(piece)
        if self._body is None:
            head, _, piece = piece.partition(b"\r\n\r\n")  # sent in one piece
            lines = head.decode("latin-1").split("\r\n")[1:]
            pairs = (line.partition(":") for line in lines)
            self._headers = tuple((name, value.strip()) for name, _, value in pairs)
            named = {name.lower(): value for name, value in self._headers}
            is_chunked = "chunked" in named.get("transfer-encoding", "").lower()
            length = named.get("content-length", "0")
            self._body = _Body(is_chunked, int(length) if length.isdecimal() else 0)
        if piece:
            for chunk in self._body.add(piece):
                self._content += chunk

    def request(self) -> Request:
        """Return the request as the tape gets it."""
        return Request(self.method.upper(), self.uri, self._headers, bytes(self._content))


def _transmit(connection: Any, outgoing: _Outgoing) -> Playback | ResponseCapture:
    """Have the tape answer a request, and send it if that is necessary; return the answer.

    Raises the error of the network, or of a recorded failure to connect.
    """
    answer = outgoing.answer
    if answer is None:
        answer = outgoing.answer = intercept(outgoing.request())
        if isinstance(answer, Playback):
            _connect_replayed(connection, answer)
        else:
            _connect_captured(connection, answer)
    pieces, outgoing.pieces = outgoing.pieces, []
    if isinstance(answer, ResponseCapture):
        try:
            with passthrough():
                for piece in pieces:
                    http.client.HTTPConnection.send(connection, piece)
        except OSError as error:
            is_timeout = isinstance(error, TimeoutError)
            kind = NetworkError.WRITE_TIMEOUT if is_timeout else NetworkError.WRITE
            answer.fail(kind, error)
            raise
    return answer


def _connect_captured(connection: Any, capture: ResponseCapture) -> None:
    """Connect to the server, unless that is done; a failure is recorded."""
    if isinstance(connection.sock, ReplaySocket):
        connection.sock = None
    if connection.sock is not None or not connection.auto_open:
        return
    try:
        with passthrough():
            connection.connect()
    except Exception as error:
        kind = connect_kind_of(error)
        if isinstance(error, TimeoutError):
            kind = NetworkError.CONNECT_TIMEOUT
        elif str(error).startswith(_NO_TUNNEL):
            kind = NetworkError.PROXY
        capture.fail(kind, error)
        raise


_NO_TUNNEL = "Tunnel connection failed"
_SENDING = (
    *(NetworkError.CONNECT_TIMEOUT, NetworkError.NAME, NetworkError.PROXY, NetworkError.TLS),
    *(NetworkError.REFUSED, NetworkError.UNREACHABLE),
    *(NetworkError.WRITE, NetworkError.WRITE_TIMEOUT),
)
"""The failures that happen before a request is sent."""


def _connect_replayed(connection: Any, playback: Playback) -> None:
    """Replace the connection's socket by one with the recorded response, or raise its failure."""
    if connection.sock is not None:
        connection.sock.close()
    connection.sock = ReplaySocket(playback)
    broken_off = playback.broken_off
    if broken_off and not playback.has_response and broken_off.kind in _SENDING:
        time.sleep(playback.delay_of_failure)
        raise python_error(broken_off.kind, broken_off.message)


# ------------------------------------------------------------------------------------- capture


class _CapturedFile:
    """The file of a response, which adds what is read from it to a capture."""

    def __init__(self, file: Any, body: _Body, capture: ResponseCapture) -> None:
        self._file, self._body, self._capture = file, body, capture
        if body.is_complete:
            capture.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1, /) -> bytes:
        """Read *size* bytes, or all that there are."""
        return self._noted(lambda: self._file.read(size), size)

    def read1(self, size: int = -1, /) -> bytes:
        """Read what has arrived, *size* bytes at most."""
        return self._noted(lambda: self._file.read1(size), 1 if size else 0)

    def readline(self, limit: int = -1, /) -> bytes:
        """Read a line, *limit* bytes at most."""
        return self._noted(lambda: self._file.readline(limit), limit, end=b"\n")

    def readinto(self, buffer: Any, /) -> int:
        """Read into *buffer*; return the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file and end its capture, since its caller reads no more."""
        self._file.close()
        if self._body.is_broken:
            self._break_off(b"")
        self._finish()

    def _noted(self, read: Callable[[], bytes], size: int, end: bytes = b"") -> bytes:
        """Return the bytes that *read* returns, of which fewer than *size* are the last."""
        try:
            data = read()
        except Exception as error:
            self._capture.add_chunk(self._body.rest())
            self._capture.fail(kind_of(error, NetworkError.CLOSED), error)
            raise
        for chunk in self._body.add(data):
            self._capture.add_chunk(chunk)
        is_last = not 0 <= size <= len(data) and not (end and data.endswith(end))
        if self._body.is_complete:
            self._finish()
        elif is_last and (self._body.is_chunked or self._body.length):
            self._break_off(data)
        return data

    def _break_off(self, data: bytes) -> None:
        self._capture.add_chunk(self._body.rest())
        error = http.client.IncompleteRead(data, self._body.length)
        self._capture.fail(NetworkError.CLOSED, error)

    def _finish(self) -> None:
        if self._capture.exchange is None:
            self._capture.add_chunk(self._body.rest())
            self._capture.end()


# -------------------------------------------------------------------------------------- replay


def _with_recorded_framing(response: Any, recorded: Response) -> Any:
    """Return *response* with the headers of its length as they were recorded."""
    headers = response.headers
    if (length := recorded.header("content-length")) is not None and "content-length" in headers:
        headers.replace_header("content-length", length)
    if recorded.header("transfer-encoding") is None:
        del headers["transfer-encoding"]
    return response


class ReplaySocket:
    """A simulated socket: it discards what is sent, and returns the response of *playback*.

    If *playback* is None, nothing can be received: the real connection is made later, and only if
    a request has to be sent.
    """

    def __init__(self, playback: Playback | None = None) -> None:
        self.playback = playback

    def makefile(self, *_: Any) -> io.BufferedReader:
        """Return a file from which the response is read as HTTP/1.1."""
        return io.BufferedReader(_Received(_sent(self.playback) if self.playback else iter(())))

    def sendall(self, *_: Any) -> None:
        """Do nothing."""

    settimeout = setsockopt = shutdown = close = sendall


def _sent(playback: Playback) -> Iterator[tuple[float, bytes | Exception]]:
    """Yield what a server sends, each with the seconds to wait before it: bytes or a failure."""
    response = _framed(playback)
    if playback.has_response:
        yield 0.0, _encoded(_head(response, is_whole=playback.broken_off is None))
    yield from _sent_after_head(playback, is_chunked=_is_chunked(response))


def _sent_after_head(
    playback: Playback, *, is_chunked: bool
) -> Iterator[tuple[float, bytes | Exception]]:
    """Yield what a server sends after the head."""
    broken_off = playback.broken_off
    if playback.has_response:
        for delay, chunk in playback.paced_chunks():
            yield delay, _chunk(chunk) if is_chunked else chunk
        if is_chunked and broken_off is None:
            yield 0.0, _LAST_CHUNK
    if broken_off is not None and broken_off.kind is not NetworkError.CLOSED:
        yield playback.delay_of_failure, python_error(broken_off.kind, broken_off.message)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_LAST_CHUNK = b"0\r\n\r\n"


def _framed(playback: Playback) -> Response:
    """Return the response with a header for its chunks, if it was recorded without any.

    HTTP/2, by which it may have been recorded, needs no header to send chunks.
    """
    response = playback.response
    if len(playback.exchange.chunks) < 2 or any(n.lower() in _FRAMING for n, _ in response.headers):
        return response
    return replace(response, headers=(*response.headers, ("Transfer-Encoding", "chunked")))


_FRAMING = frozenset({"content-length", "transfer-encoding"})


def _is_chunked(response: Response) -> bool:
    return (response.header("transfer-encoding") or "").lower() == "chunked"


def _head(response: Response, *, is_whole: bool) -> str:
    """Return the head of *response*; a body that was read in part has the length of that part."""
    return head_text(response, len(response.body) if is_whole and response.body else None)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


class ReplayedResponse(http.client.HTTPResponse):
    """The response of a playback, which reads most headers without Python's slow parser.

    The parser is used only for headers that it would change, such as those with folded lines.
    """

    def __init__(
        self, sock: ReplaySocket, debuglevel: int = 0, method: str | None = None, url: Any = None
    ) -> None:
        super().__init__(cast("Any", _UNREAD), debuglevel, method, url)
        self._sock, self._is_head = sock, method == "HEAD"

    def begin(self, **options: Any) -> None:
        """Read the status and headers; *options* are the arguments of newer versions of Python."""
        playback = self._sock.playback
        if self.headers is not None or playback is None:
            return
        headers = None if self.debuglevel else plain_headers(playback)
        if headers is None:
            self.fp = self._sock.makefile()
            super().begin(**options)
            return
        response = playback.response
        self.code = self.status = status = response.status
        self.version = 11
        self.reason = response.reason.strip()
        self.headers = self.msg = message = http.client.HTTPMessage()
        message.set_payload("")
        values = {}
        for name, value in headers:
            message.set_raw(name, value)
            values.setdefault(name.lower(), value)
        self.chunked = values.get("transfer-encoding", "").lower() == "chunked"
        if self.chunked:
            self.chunk_left = None
        length = "" if self.chunked else values.get("content-length", "")
        self.length = int(length) if length.isdecimal() else None
        if status in WITHOUT_BODY or self._is_head:
            self.length = 0
        is_endless = self.length is None and not self.chunked
        self.will_close = is_endless or "close" in values.get("connection", "").lower()
        self.fp = _file_after_head(playback, is_chunked=self.chunked)


def plain_headers(playback: Playback) -> list[tuple[str, str]] | None:
    """Return the headers of a response if Python's parser would read them unchanged, else None.

    Return None also for a response that a network failure cut off.
    """
    return None if playback.broken_off else read_plain_head(_head(_framed(playback), is_whole=True))


def read_plain_head(head: str) -> list[tuple[str, str]] | None:
    """Return the headers in the head of a response if Python's parser keeps it as it is, else None.

    *head* has the status line, the headers and the empty line after them.
    """
    is_plain = len(head) <= _LONGEST_PLAIN_HEAD and _PLAIN_HEAD.fullmatch(head)
    return _HEADER.findall(head) if is_plain else None


_LONGEST_PLAIN_HEAD = 65_536
_HEADER_NAME = r"(?!(?i:content-type:[\t ]*(?:message|multipart)))[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PLAIN_HEAD = re.compile(
    rf"HTTP/1\.1 [2-9][0-9][0-9] [\t -~]*+\r\n(?:{_HEADER_NAME}:[\t -~]*+\r\n){{0,99}}\r\n"
)
"""A head that Python's parser keeps as it is. It reports defects of multipart messages."""
_HEADER = re.compile(r"\n([^:\r\n]+):[\t ]*([^\r\n]*)")
WITHOUT_BODY = (http.client.NO_CONTENT, http.client.NOT_MODIFIED)


def _file_after_head(playback: Playback, *, is_chunked: bool) -> io.BufferedReader:
    """Return what a server sends after the head as a file."""
    if not arrives_at_once(playback):
        return io.BufferedReader(_Received(_sent_after_head(playback, is_chunked=is_chunked)))
    body = playback.response.body
    if is_chunked:
        body = _chunk(body) + _LAST_CHUNK if body else _LAST_CHUNK
    return io.BufferedReader(io.BytesIO(body))


def arrives_at_once(playback: Playback) -> bool:
    """Return whether the body of a response arrives as one piece and without a delay."""
    return not (playback.pace or playback.extra_delay or len(playback.exchange.chunks) > 1)


class WholeBody(io.BytesIO):
    """The body of a response that arrives at once, which is read like a response of http.client."""

    def __init__(self, body: bytes, *, has_length: bool) -> None:
        super().__init__(body)
        self._length = len(body) if has_length else None
        self._end = self._length or None

    @property
    def fp(self) -> WholeBody | None:
        """This object, or None after its end: callers test http.client's attribute for the end."""
        return None if self.isclosed() else self

    def read(self, size: int | None = None, /) -> bytes:
        """Return at most the next *size* bytes; if *size* is None, all bytes that are left."""
        data = super().read(size)
        if size is None or (not data and (size or self._length == 0)):
            self._end = self.tell()
        return data

    def isclosed(self) -> bool:
        """Return whether the body was read to its end.

        A body of known length ends with its last byte, or the first read if it is empty; another
        ends with a read that returns nothing, or one of all bytes.
        """
        return self.closed or self.tell() == self._end


class _Unread:
    """A socket of which nothing is read."""

    def makefile(self, *_: Any) -> None:
        """Return None."""


_UNREAD = _Unread()


class _Received(io.RawIOBase):
    """The bytes that are received, piece by piece; a failure is raised when its turn comes."""

    def __init__(self, steps: Iterator[tuple[float, bytes | Exception]]) -> None:
        super().__init__()
        self._steps = steps
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Copy the rest of one piece into *buffer*; return the number of bytes, 0 at the end."""
        while not self._rest:
            delay, data = next(self._steps, (0.0, None))
            if delay:
                time.sleep(delay)
            if data is None:
                return 0
            if isinstance(data, Exception):
                raise data
            self._rest = memoryview(data)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
