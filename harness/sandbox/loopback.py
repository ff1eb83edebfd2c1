"""Any bytes at all, sent from a real socket on loopback to whoever asks.

The sandbox speaks as a provider does; here what is said is written down byte by byte, pauses and
broken connections included. Recorded answers go through SDKs this way just as they travelled.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.types import Response


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (RST); nothing after it is sent."""


Script: TypeAlias = Sequence[bytes | Pause | Reset]
"""What is sent once a request was read whole, each `bytes` in a packet of its own; then the
connection is closed."""

Respond: TypeAlias = Callable[[bytes, bytes], Script]
"""(head, body) of a request to the script of its answer. The head ends before the empty line."""

_LONGEST_HEAD = 64 * 1024
_PATIENCE = 10.0
"""Seconds that a client may take to send its request."""


@contextmanager
def answering(respond: Respond) -> Iterator[str]:
    """A server on loopback while the block lasts; yields its address, `http://127.0.0.1:port`.

    At the end every connection is closed and every thread has ended.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(listening, respond)
        thread = threading.Thread(target=server.serve, name="loopback", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.stop()
            thread.join()


def plain(response: Response, chunks: Sequence[int] = ()) -> Script:
    """A recorded answer as it travelled: its head, then its body in pieces of these sizes.

    The body is framed anew (`Transfer-Encoding: chunked`), since recorders change its length.
    """
    told = [
        f"{name}: {value}"
        for name, value in response.headers
        if name.lower() not in ("content-length", "transfer-encoding", "connection")
    ]
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *told,
        "Transfer-Encoding: chunked",
        "Connection: close",
    ]
    head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"
    pieces = _cut(response.body, chunks)
    return [head, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


def _cut(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        if piece := body[at : at + size]:
            yield piece
        at += size
    if at < len(body):
        yield body[at:]


@dataclass
class _Server:
    """Takes connections; each is answered once, in a thread of its own."""

    listening: socket.socket
    respond: Respond
    _open: dict[threading.Thread, socket.socket] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self._open[thread] = connection
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        for thread, connection in list(self._open.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _answer(self, connection: socket.socket) -> None:
        # Clients may go away at any time, or speak something else.
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(_PATIENCE)
            for step in self.respond(*_request(connection)):
                if self._stopped.is_set() or not self._take(connection, step):
                    break
        self._open.pop(threading.current_thread(), None)

    def _take(self, connection: socket.socket, step: bytes | Pause | Reset) -> bool:
        """One step of a script; False where it was the last."""
        if isinstance(step, Pause):
            self._stopped.wait(step.seconds)
        elif isinstance(step, Reset):
            # Closed with unsent data thrown away: that is what sends RST.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        else:
            connection.sendall(step)
        return True


def _request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read one request: its head, and its body by Content-Length or in chunks."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += _more(connection)
        if len(read) > _LONGEST_HEAD:
            raise OSError("no end of the head")
    head, _, body = read.partition(b"\r\n\r\n")
    told = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    if told.get(b"transfer-encoding", b"").lower() == b"chunked":
        return head, _chunked(connection, body)
    length = int(told.get(b"content-length") or 0)
    while len(body) < length:
        body += _more(connection)
    return head, body


def _chunked(connection: socket.socket, read: bytes) -> bytes:
    body = b""
    while True:
        while b"\r\n" not in read:
            read += _more(connection)
        line, _, read = read.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        while len(read) < size + 2:
            read += _more(connection)
        if not size:
            return body
        body, read = body + read[:size], read[size + 2 :]


def _more(connection: socket.socket) -> bytes:
    read = connection.recv(65536)
    if not read:
        raise OSError("the client went away")
    return read
