"""A server on loopback whose responses are scripts of bytes, pauses and connection resets.

It sends recorded or faulty responses to real clients over a real socket.
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

from harness.config.extras import extra
from harness.types import Response


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of a script that waits for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """A step of a script that resets the TCP connection (RST) and ends the script."""


Script: TypeAlias = Sequence[bytes | Pause | Reset]
"""The steps of a response; each `bytes` is sent by itself. At the end the connection is closed."""

Respond: TypeAlias = Callable[[bytes, bytes], Script]
"""A function from a request, as (request line and headers, body), to the script to respond with."""

_MAX_HEAD_BYTES = 64 * 1024
_REQUEST_TIMEOUT = 10.0
"""The maximum time without data from a client, in seconds."""


@contextmanager
def serve_scripts(respond: Respond) -> Iterator[str]:
    """Run a scripted server during a `with` block; its value is `http://127.0.0.1:<port>`.

    *respond* is called with the head and the body of each request, and returns the script to send.
    At the end of the block all connections are closed and all threads have ended.

    Raises:
        MissingExtra: h11 is not installed.
    """
    with extra("sandbox"):
        import h11  # noqa: F401 - before a thread needs it
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(listening, respond)
        thread = threading.Thread(target=server.run, name="scripted server", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.stop()
            thread.join()


def response_script(response: Response, chunk_sizes: Sequence[int] = ()) -> Script:
    """Return the script that sends a recorded response.

    The body is sent with `Transfer-Encoding: chunked`, because a recorded Content-Length may count
    the bytes of the body while it was compressed.

    Args:
        response: The response.
        chunk_sizes: The sizes of the chunks in bytes; the rest of the body is one more chunk.
    """
    headers = [
        f"{name}: {value}"
        for name, value in response.headers
        if name.lower() not in ("content-length", "transfer-encoding", "connection")
    ]
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *headers,
        "Transfer-Encoding: chunked",
        "Connection: close",
    ]
    head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"
    chunks = chunks_of(response.body, chunk_sizes)
    return [head, *(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n"]


def chunks_of(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Yield *body* in chunks of *sizes* bytes, then the rest as one chunk; no chunk is empty."""
    start = 0
    for size in (*sizes, len(body)):
        if chunk := body[start : start + size]:
            yield chunk
        start += size


@dataclass
class _Server:
    """Accepts connections; each has its own thread, which reads one request and responds."""

    listening: socket.socket
    respond: Respond
    _open: dict[threading.Thread, socket.socket] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Accept connections until `stop` is called."""
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._open[thread] = connection
            thread.start()

    def stop(self) -> None:
        """Stop listening, close all connections, and wait for their threads."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        for thread, connection in list(self._open.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _serve(self, connection: socket.socket) -> None:
        import h11

        # Clients may disconnect at any time, or not speak HTTP.
        with connection, contextlib.suppress(OSError, h11.RemoteProtocolError):
            connection.settimeout(_REQUEST_TIMEOUT)
            for step in self.respond(*_read_request(connection)):
                if self._stopped.is_set() or not self._take(connection, step):
                    break
        self._open.pop(threading.current_thread(), None)

    def _take(self, connection: socket.socket, step: bytes | Pause | Reset) -> bool:
        """Execute one step of a script; return False after a reset, which ends the script."""
        if isinstance(step, Pause):
            self._stopped.wait(step.seconds)
        elif isinstance(step, Reset):
            # Closing without lingering sends RST.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        else:
            connection.sendall(step)
        return True


def _read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head (request line and headers) and the body of one request.

    Raises:
        OSError: The client disconnected, or sent nothing for too long.
        h11.RemoteProtocolError: The client sent something else than HTTP.
    """
    import h11

    http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
    head, body = b"", bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(connection.recv(65536))
        elif isinstance(event, h11.Request):
            first = b"%s %s HTTP/%s" % (event.method, event.target, event.http_version)
            headers = (b"%s: %s" % header for header in event.headers.raw_items())
            head = b"\r\n".join([first, *headers])
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return head, bytes(body)
        else:
            raise OSError("the client disconnected")
