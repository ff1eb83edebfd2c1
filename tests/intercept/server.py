"""A small HTTP server on loopback that answers by path, in every way a response can come."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECES = ("data: 你\n\n".encode(), "data: 好\n\n".encode() * 100, b"data: [DONE]\n\n")
STREAM = b"".join(PIECES)
MOMENTS, MOMENT = 5, 0.03
"""So many pieces of `/slowly`, so many seconds apart."""


class Server(ThreadingHTTPServer):
    """A running server with the requests it received; `go` releases a waiting stream."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.requests: list[tuple[str, str, bytes]] = []
        self.go = threading.Event()
        self.host, self.port = "127.0.0.1", int(self.server_address[1])
        self.base = f"http://{self.host}:{self.port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect, which some tests are about."""


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server inside."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Answer(BaseHTTPRequestHandler):
    """One response."""

    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        """Respond by path, whatever the method."""
        self.body = self._body()
        self.server.requests.append((self.command, self.path, self.body))
        ANSWERS[self.path.partition("?")[0]](self)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size + 2)[:size]
        self.rfile.readline()
        return body

    do_GET = do_POST = do_HEAD = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def head(self, status: int, headers: Mapping[str, str], reason: str | None = None) -> None:
        """Send the status line and headers."""
        self.send_response(status, reason)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a body of known length."""
        self.head(status, {"content-length": str(len(body)), **headers})
        self.wfile.write(body)

    def piece(self, data: bytes) -> None:
        """Send one chunk."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


STREAMED = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
JSON = {"content-type": "application/json", "x-request-id": "17", "set-cookie": "a=b"}


def _json(answer: Answer) -> None:
    answer.whole(200, '{"answer":"你好"}'.encode(), JSON)


def _echo(answer: Answer) -> None:
    answer.whole(200, answer.body or b"-", JSON)


def _stream(answer: Answer) -> None:
    answer.head(200, STREAMED)
    for piece in (*PIECES, b""):
        answer.piece(piece)


def _waiting(answer: Answer) -> None:
    """Send the second piece when the client has received the first."""
    answer.server.go.clear()
    answer.head(200, STREAMED)
    answer.piece(b"first\n")
    is_received = answer.server.go.wait(60)
    answer.piece(b"second\n" if is_received else b"nobody heard the first\n")
    answer.piece(b"")


def _slowly(answer: Answer) -> None:
    """Send each piece a moment after the client has received the one before it."""
    answer.head(200, STREAMED)
    for number in range(MOMENTS):
        answer.server.go.clear()
        answer.piece(b"data: %d\n\n" % number)
        if not answer.server.go.wait(60):
            answer.piece(b"nobody heard it\n")
        time.sleep(MOMENT)
    answer.piece(b"")


def _gzip(answer: Answer) -> None:
    body = gzip.compress(STREAM, mtime=0)
    answer.whole(200, body, {"content-type": "text/plain", "content-encoding": "gzip"})


def _gzip_stream(answer: Answer) -> None:
    body = gzip.compress(STREAM, mtime=0)
    answer.head(200, {**STREAMED, "content-encoding": "gzip"})
    for piece in (body[:9], body[9:], b""):
        answer.piece(piece)


def _odd_coding(answer: Answer) -> None:
    answer.whole(200, b"?", {"content-encoding": "x-odd"})


def _broken_gzip(answer: Answer) -> None:
    answer.whole(200, b"this is no gzip", {"content-encoding": "gzip"})


def _nothing(answer: Answer) -> None:
    answer.head(204, {"x-request-id": "18"})


def _empty(answer: Answer) -> None:
    answer.whole(200, b"", JSON)


def _head(answer: Answer) -> None:
    answer.head(200, {"content-length": "1234", "content-type": "image/png"})


def _refused(answer: Answer) -> None:
    answer.whole(429, b'{"error":{"code":"1302"}}', {**JSON, "retry-after": "1"})


def _redirect(answer: Answer) -> None:
    answer.whole(302, b"there", {"location": "/json"})


def _breaks(answer: Answer) -> None:
    answer.head(200, STREAMED)
    answer.piece(b"data: half")
    answer.close_connection = True


def _short(answer: Answer) -> None:
    answer.head(200, {"content-length": "100"})
    answer.wfile.write(b"only this")
    answer.close_connection = True


def _until_closed(answer: Answer) -> None:
    answer.head(200, {"content-type": "text/plain", "connection": "close"})
    answer.wfile.write(b"as long as it lasts")
    answer.close_connection = True


def _flaky(answer: Answer) -> None:
    """Close the first connection without a response."""
    if len(answer.server.requests) == 1:
        answer.close_connection = True
    else:
        _json(answer)


def _large(answer: Answer) -> None:
    """Send one chunk of as many bytes as the query says, in lines of a thousand."""
    answer.head(200, STREAMED)
    answer.piece(_thousands(answer))
    answer.piece(b"")


def _large_whole(answer: Answer) -> None:
    """Send the same bytes as a body of known length."""
    answer.whole(200, _thousands(answer), {"content-type": "text/plain"})


def _thousands(answer: Answer) -> bytes:
    return (b"x" * 999 + b"\n") * (int(answer.path.partition("?")[2]) // 1000)


def _long_line(answer: Answer) -> None:
    """Send a line of as many bytes as the query says and a short one, as a body of known length."""
    line = b"x" * int(answer.path.partition("?")[2])
    answer.whole(200, line + b"\nlast", {"content-type": "text/plain"})


def _key(answer: Answer) -> None:
    answer.whole(200, b'{"key":"' + answer.body + b'"}', {**JSON, "server": "made by sk-12345678"})


ANSWERS: Mapping[str, Callable[[Answer], None]] = {
    "/json": _json,
    "/echo": _echo,
    "/stream": _stream,
    "/waiting": _waiting,
    "/slowly": _slowly,
    "/gzip": _gzip,
    "/gzip-stream": _gzip_stream,
    "/odd-coding": _odd_coding,
    "/broken-gzip": _broken_gzip,
    "/nothing": _nothing,
    "/empty": _empty,
    "/head": _head,
    "/refused": _refused,
    "/redirect": _redirect,
    "/breaks": _breaks,
    "/short": _short,
    "/until-closed": _until_closed,
    "/flaky": _flaky,
    "/large": _large,
    "/large-whole": _large_whole,
    "/long-line": _long_line,
    "/key": _key,
}
