"""The ways by which code can try to leave a replay; each is one function of a `Listener`.

A way is tried in the main thread, in a thread and a pool that are older than the block, in a thread
of `_thread`, and in an empty context: `PLACES`.
"""

from __future__ import annotations

import _socket
import _thread
import asyncio
import ctypes
import http.client
import os
import posix
import queue
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from contextvars import Context
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

Way = Callable[["Listener"], object]


class Listener:
    """Sockets on this machine that count what reaches them: by TCP, UDP and Unix sockets."""

    def __init__(self, folder: Path) -> None:
        self._arrivals: list[str] = []
        self._probed = 0
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(folder / "s"))
        self.unix.listen()
        self.address = ("127.0.0.1", self.tcp.getsockname()[1])
        self.udp_address = ("127.0.0.1", self.udp.getsockname()[1])
        self.path = str(folder / "s")
        self.url = "http://{}:{}/".format(*self.address)
        self.older: list[socket.socket] = []
        self._open = True
        self._accepted: list[socket.socket] = []
        for target in (self._accept, self._accept_unix, self._receive):
            threading.Thread(target=target, daemon=True).start()

    @property
    def reached(self) -> int:
        """The number of connections, texts and datagrams that arrived."""
        return len(self._arrivals) - self._probed

    def settled(self) -> int:
        """Return what has arrived when each socket answered a probe, without the probes."""
        tcp, udp = socket.AF_INET, socket.SOCK_DGRAM
        for one in socket.socket(tcp), socket.socket(socket.AF_UNIX), socket.socket(tcp, udp):
            with one:
                address = self.udp_address if one.type == udp else self.address
                one.settimeout(60)
                one.connect(self.path if one.family == socket.AF_UNIX else address)
                one.send(b"probe")
                one.recv(99)
        self._probed += 5  # two connections with data, and a datagram
        return self.reached

    def connect(self) -> socket.socket:
        """Return a connection that is older than the block, and not counted."""
        connection = socket.create_connection(self.address)
        self.older.append(connection)
        return connection

    def _accept(self) -> None:
        self._serve(self.tcp)

    def _accept_unix(self) -> None:
        self._serve(self.unix)

    def _serve(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self._accepted.append(connection)
                self._arrivals.append("connection")
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while connection.recv(9999):
                self._arrivals.append("data")
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def _receive(self) -> None:
        with suppress(OSError):
            while (received := self.udp.recvfrom(99))[0]:
                self._arrivals.append("datagram")
                self.udp.sendto(*received)

    def close(self) -> None:
        """Close all sockets."""
        for one in (self.tcp, self.udp, self.unix, *self.older, *self._accepted):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


# ------------------------------------------------------------------------------------ ways


def connect(listener: Listener) -> None:
    """Connect a socket."""
    with socket.socket() as one:
        one.connect(listener.address)


def connect_ex(listener: Listener) -> None:
    """Connect a socket by `connect_ex`."""
    with socket.socket() as one:
        one.connect_ex(listener.address)


def connect_c(listener: Listener) -> None:
    """Connect a socket of the module `_socket`."""
    with closing(_socket.socket()) as one:
        one.connect(listener.address)


def connect_ipv6(listener: Listener) -> None:
    """Connect a socket of IPv6 to the mapped address."""
    with socket.socket(socket.AF_INET6) as one:
        one.connect(("::ffff:127.0.0.1", listener.address[1]))


def create_connection(listener: Listener) -> None:
    """Connect by `create_connection`, which looks the address up."""
    socket.create_connection(listener.address).close()


def unix(listener: Listener) -> None:
    """Connect a Unix socket."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(listener.path)


def sendto(listener: Listener) -> None:
    """Send a datagram."""
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b"x", listener.udp_address)


def sendmsg(listener: Listener) -> None:
    """Send a datagram by `sendmsg`."""
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendmsg([b"x"], [], 0, listener.udp_address)


def connected_datagram(listener: Listener) -> None:
    """Send a datagram by a connected socket."""
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.connect(listener.udp_address)
        one.send(b"x")


def http_client(listener: Listener) -> None:
    """Ask with http.client."""
    with closing(http.client.HTTPConnection(*listener.address, timeout=60)) as one:
        one.request("GET", "/")
        one.getresponse()


def urllib_request(listener: Listener) -> None:
    """Ask with urllib."""
    urllib.request.urlopen(listener.url, timeout=60).close()  # noqa: S310 - loopback


def asyncio_streams(listener: Listener) -> None:
    """Connect with asyncio's streams."""

    async def opened() -> None:
        _, writer = await asyncio.open_connection(*listener.address)
        writer.close()

    asyncio.run(opened())


def asyncio_datagram(listener: Listener) -> None:
    """Send a datagram with asyncio."""

    async def sent() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=listener.udp_address
        )
        transport.sendto(b"x")
        await asyncio.sleep(0)
        transport.close()

    asyncio.run(sent())


def asyncio_sock_connect(listener: Listener) -> None:
    """Connect with `loop.sock_connect`."""

    async def connected() -> None:
        with socket.socket() as one:
            one.setblocking(False)
            await asyncio.get_running_loop().sock_connect(one, listener.address)

    asyncio.run(connected())


def asyncio_unix(listener: Listener) -> None:
    """Connect a Unix socket with asyncio."""

    async def opened() -> None:
        _, writer = await asyncio.open_unix_connection(listener.path)
        writer.close()

    asyncio.run(opened())


def libc(listener: Listener) -> None:
    """Connect by the C function, looked up by ctypes."""
    connect_function = ctypes.CDLL(None).connect
    address = (2).to_bytes(2, sys.byteorder) + listener.address[1].to_bytes(2, "big")
    with socket.socket() as one:
        connect_function(one.fileno(), address + bytes([127, 0, 0, 1]) + bytes(8), 16)


CONNECTIONS: tuple[Way, ...] = (
    *(connect, connect_ex, connect_c, connect_ipv6, create_connection, unix),
    *(sendto, sendmsg, connected_datagram, http_client, urllib_request),
    *(asyncio_streams, asyncio_datagram, asyncio_sock_connect, asyncio_unix, libc),
)

OUTSIDE = "no-such-host.invalid"
NAMES: dict[str, Callable[[], object]] = {
    "getaddrinfo": lambda: socket.getaddrinfo(OUTSIDE, 80),
    "_getaddrinfo": lambda: _socket.getaddrinfo(OUTSIDE, 80),
    "gethostbyname": lambda: socket.gethostbyname(OUTSIDE),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex(OUTSIDE),
    "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.1"),
    "getnameinfo": lambda: socket.getnameinfo(("192.0.2.1", 80), 0),
    "getfqdn": lambda: socket.getfqdn(OUTSIDE),
}


@contextmanager
def older_socket(listener: Listener) -> Iterator[Callable[[], object]]:
    """Send on a socket that is connected already."""
    connection = listener.connect()
    yield lambda: connection.sendall(b"x")


@contextmanager
def older_datagram(listener: Listener) -> Iterator[Callable[[], object]]:
    """Send by a datagram socket that is connected already."""
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.connect(listener.udp_address)
        yield lambda: one.send(b"x")


@contextmanager
def older_unix(listener: Listener) -> Iterator[Callable[[], object]]:
    """Send on a Unix socket that is connected already."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(listener.path)
        yield lambda: one.sendall(b"x")


@contextmanager
def older_descriptor(listener: Listener) -> Iterator[Callable[[], object]]:
    """Write to the descriptor of a socket, as to a file."""
    connection = listener.connect()
    yield lambda: os.write(connection.fileno(), b"x")


@contextmanager
def older_sendfile(listener: Listener) -> Iterator[Callable[[], object]]:
    """Send a file on a socket, past the methods of the socket."""
    connection = listener.connect()
    with open(listener.path + ".txt", "w+b", buffering=0) as file:
        file.write(b"x")
        yield lambda: posix.sendfile(connection.fileno(), file.fileno(), 0, 1)


@contextmanager
def older_http_client(listener: Listener) -> Iterator[Callable[[], object]]:
    """Ask on a connection of http.client that is open already."""
    with closing(http.client.HTTPConnection(*listener.address, timeout=60)) as one:
        one.request("GET", "/")
        one.getresponse().read()
        yield lambda: one.request("GET", "/")


@contextmanager
def older_asyncio(listener: Listener) -> Iterator[Callable[[], object]]:
    """Write to an asyncio stream that is open already."""
    with asyncio.Runner() as runner:

        async def opened() -> Any:
            return await asyncio.open_connection(*listener.address)

        reader, writer = runner.run(opened())

        async def write() -> None:
            writer.write(b"x")
            await writer.drain()
            await asyncio.wait_for(reader.read(1), 1)

        yield lambda: runner.run(write())
        writer.close()


@contextmanager
def older_httpcore(listener: Listener) -> Iterator[Callable[[], object]]:
    """Ask with a pool of httpcore that has an open connection."""
    import httpcore

    with httpcore.ConnectionPool() as pool:
        pool.request("GET", listener.url)
        yield lambda: pool.request("GET", listener.url)


OLDER = (
    *(older_socket, older_datagram, older_unix, older_descriptor, older_sendfile),
    *(older_http_client, older_asyncio, older_httpcore),
)


# ---------------------------------------------------------------------------------- places


@contextmanager
def here() -> Iterator[Callable[[Callable[[], Any]], object]]:
    """Try in the block's own thread."""
    yield lambda attempt: attempt()


@contextmanager
def older_thread() -> Iterator[Callable[[Callable[[], Any]], object]]:
    """Try in a thread that is older than the block."""
    jobs: queue.Queue[Any] = queue.Queue()
    done: queue.Queue[bool] = queue.Queue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            with suppress(BaseException):
                job()
            done.put(True)

    def hand_over(attempt: Callable[[], Any]) -> None:
        jobs.put(attempt)
        done.get(timeout=60)

    thread = threading.Thread(target=work)
    thread.start()
    yield hand_over
    jobs.put(None)
    thread.join()


@contextmanager
def older_executor() -> Iterator[Callable[[Callable[[], Any]], object]]:
    """Try in a pool of concurrent.futures that is older than the block."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        yield lambda attempt: pool.submit(attempt).result(20)


@contextmanager
def older_pool() -> Iterator[Callable[[Callable[[], Any]], object]]:
    """Try in a pool of multiprocessing that is older than the block."""
    with ThreadPool(1) as pool:
        yield lambda attempt: pool.apply_async(attempt).get(20)
    pool.join()


@contextmanager
def bare_thread() -> Iterator[Callable[[Callable[[], Any]], object]]:
    """Try in a thread of `_thread`."""

    def start(attempt: Callable[[], Any]) -> None:
        done: queue.Queue[bool] = queue.Queue()

        def run() -> None:
            with suppress(BaseException):
                attempt()
            done.put(True)

        _thread.start_new_thread(run, ())
        done.get(timeout=60)

    yield start


@contextmanager
def empty_context() -> Iterator[Callable[[Callable[[], Any]], object]]:
    """Try in an empty context."""
    yield lambda attempt: Context().run(attempt)


PLACES = (here, older_thread, older_executor, older_pool, bare_thread, empty_context)

# -------------------------------------------------------------------------------- children

CHILD = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()"


def _reach(port: int) -> None:
    socket.create_connection(("127.0.0.1", port)).close()


def by_subprocess(listener: Listener) -> None:
    """Connect in a child of subprocess."""
    subprocess.run([sys.executable, "-c", CHILD, str(listener.address[1])], check=True)  # noqa: S603


def by_system(listener: Listener) -> None:
    """Connect in a child of `os.system`."""
    os.system(f'{sys.executable} -c "{CHILD}" {listener.address[1]}')  # noqa: S605


def by_posix_spawn(listener: Listener) -> None:
    """Connect in a child of `os.posix_spawn`."""
    arguments = [sys.executable, "-c", CHILD, str(listener.address[1])]
    os.waitpid(os.posix_spawn(sys.executable, arguments, os.environ), 0)


def by_asyncio_subprocess(listener: Listener) -> None:
    """Connect in a child of asyncio."""

    async def run() -> None:
        arguments = (sys.executable, "-c", CHILD, str(listener.address[1]))
        await (await asyncio.create_subprocess_exec(*arguments)).wait()

    asyncio.run(run())


def by_spawn(listener: Listener) -> None:
    """Connect in a child of multiprocessing's method `spawn`."""
    _run_process("spawn", listener)


def by_forkserver(listener: Listener) -> None:
    """Connect in a child of multiprocessing's method `forkserver`."""
    _run_process("forkserver", listener)


def _run_process(method: str, listener: Listener) -> None:
    import multiprocessing

    process: Any = multiprocessing.get_context(method).Process(  # type: ignore[attr-defined]
        target=_reach, args=(listener.address[1],)
    )
    process.start()
    process.join()


CHILDREN = (
    *(by_subprocess, by_system, by_posix_spawn, by_asyncio_subprocess, by_spawn, by_forkserver),
)


def by_fork(listener: Listener) -> None:
    """Connect in a forked child, which is refused as its parent is."""
    child = os.fork()
    if not child:
        with suppress(BaseException):
            connect(listener)
        os._exit(0)
    os.waitpid(child, 0)
