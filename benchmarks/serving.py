"""Measure the servers: `serve`, its proxy and the sandbox, beside a bare app and aimock.

Each is a process of its own on one core, and many clients ask it at once from another core. Servers
take short turns in an order that changes, so that a machine that is slow for a while slows all of
them; ratios are those of one turn each.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import bare, chats, commands
from benchmarks.figures import OURS, Row
from benchmarks.measuring import environment, medians

CLIENTS = 256
EACH = 4
"""The requests of a client in a turn; there is one more before, which is not counted."""
WARM = 3
"""The first turns, whose times are not counted: compilers of servers learn what is asked."""
TURN_SECONDS = 15.0
"""Seconds after which no more requests are sent in a turn."""
_STREAMS, _STREAM_TURNS, _RUN = 2, 6, 2
"""The streams at once, the turns in which they are asked for, and how many turns make a run."""


@dataclass
class Server:
    """A running server.

    Attributes:
        name: The name of the server, and of its row.
        port: Its port on this machine.
        process: Its process.
        path: Returns the path that a client asks, given its number and how many requests it sent.
        headers: Further header lines of each request.
        times: The sorted seconds of the requests of each turn.
        memory: The bytes of memory that it uses after each turn.
        seconds: The seconds of a processor that a request took, in each turn.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    path: Callable[[int, int], str]
    headers: str = ""
    times: list[list[float]] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def measure(self, turn: int) -> None:
        """Have all clients send their requests of a turn."""
        times, seconds = asyncio.run(_asked(self, turn))
        self.times.append(sorted(times))
        self.seconds.append(seconds / len(times))
        self.memory.append(resident(self.process.pid))


def rows(requests: int, folder: Path) -> list[Row]:
    """Return what *requests* take, by the clock and of a processor, the memory, and streams."""
    turns = WARM - (-requests // (CLIENTS * EACH))
    with ExitStack() as stack:
        servers = {one.name: one for one in _servers(stack, folder)}
        upstream = servers.pop("upstream")
        with _on_core(1):
            for turn in range(turns):
                names = [*servers]
                first = turn % len(names)
                for name in names[first:] + names[:first]:
                    servers[name].measure(turn)
            streams = [*_big(servers["floor"], servers["proxy"], upstream)]
    return [*_times(servers, requests), *map(_memory, servers.values()), *streams]


@contextmanager
def _on_core(number: int) -> Iterator[None]:
    """Have this process, and those that it starts meanwhile, run on one of its first two cores.

    With one core, or where the system cannot, nothing is changed.
    """
    if not hasattr(os, "sched_getaffinity") or len(cores := os.sched_getaffinity(0)) < 2:
        yield
        return
    os.sched_setaffinity(0, {sorted(cores)[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _servers(stack: ExitStack, folder: Path) -> Iterator[Server]:
    cassette, bare_app = chats.cassette(folder), (sys.executable, "-m", "benchmarks.bare")
    port = _free_port()
    upstream = stack.enter_context(
        _run("upstream", port, (*bare_app, str(port)), _plain("/v1"), core=1)
    )
    yield upstream
    port = _free_port()
    yield stack.enter_context(_run("floor", port, (*bare_app, str(port)), _plain("/v1")))
    proxied = f"openai=http://127.0.0.1:{upstream.port}/v1"
    recorded = str(folder / "proxied.yaml")
    commands: Mapping[str, tuple[tuple[str, ...], Callable[[int, int], str], str]] = {
        "serve": (("serve", str(cassette), "--allow-unused"), _own_session, ""),
        "proxy": (
            ("serve", "--record", recorded, "--upstream", proxied),
            _plain("/openai/v1"),
            "",
        ),
        "sandbox": (("sandbox",), _plain("/compatible-mode/v1"), _sandbox_key()),
    }
    for name, (arguments, path, headers) in commands.items():
        port = _free_port()
        command = (sys.executable, "-m", "harness.cli", *arguments, "--port", str(port))
        yield stack.enter_context(_run(name, port, command, path, headers))
    if (aimock := shutil.which("llmock")) is not None:
        port = _free_port()
        options = ("-p", str(port), "-f", str(chats.fixtures(folder)), "--log-level", "silent")
        yield stack.enter_context(_run("aimock", port, (aimock, *options), _plain("/v1")))


def _plain(base: str) -> Callable[[int, int], str]:
    return lambda client, sent: f"{base}/chat/completions"


def _own_session(client: int, sent: int) -> str:
    """Return a path in a session that asks each chat once."""
    return f"/~c{client}-{sent // chats.COUNT}/v1/chat/completions"


def _sandbox_key() -> str:
    from harness.providers import PROVIDERS

    server = PROVIDERS["dashscope-compatible"].server
    return f"authorization: Bearer {server.key}\r\n" if server else ""


@contextmanager
def _run(
    name: str,
    port: int,
    command: Sequence[str],
    path: Callable[[int, int], str],
    headers: str = "",
    core: int = 0,
) -> Iterator[Server]:
    """Run a server in a process, until the context ends.

    Raises:
        RuntimeError: It has ended, or does not listen in time.
    """
    with _on_core(core):
        process = subprocess.Popen(  # noqa: S603 - the harness, Python and aimock
            command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(port, process)
        yield Server(name, port, process, path, headers)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"a server does not listen: {process.args!r}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def resident(pid: int) -> float:
    """Return the bytes of memory that a process has now; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return float(line.split()[1]) * 1024


def used(pid: int) -> float:
    """Return the seconds of processors that a process and its children have used; 0 if unknown."""
    return sum(map(_used, commands.family(pid)))


def _used(pid: int) -> float:
    """Return the seconds of a process: Linux has a clock for each, with the ticks of a second."""
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:  # it has ended
        return 0.0


# ------------------------------------------------------------------------------------ clients


class _Client(asyncio.Protocol):
    """A client with one connection, which sends one request after the other.

    It does as little as possible, since all clients are one process.

    Attributes:
        times: The seconds by the clock that each of its requests took.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows
        self.transport = transport

    def ask(self, requests: Sequence[bytes], until: float) -> asyncio.Future[None]:
        """Send *requests*; what is returned is done when all were answered, or at *until*."""
        self._requests, self._until = iter(requests), until
        self.times, self._answer, self._length = [], b"", -1
        self._done = asyncio.get_running_loop().create_future()
        self._next()
        return self._done

    def _next(self) -> None:
        request = next(self._requests, None)
        self._began = time.perf_counter()
        if request is None or self._began > self._until:
            self._done.set_result(None)
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Send the next request when the answer to this one is complete."""
        self._answer += data
        if self._length < 0 and not self._has_head():
            return
        if self._is_chunked:
            if not self._answer.endswith(b"0\r\n\r\n"):
                return
        elif len(self._answer) < self._length:
            return
        self.times.append(time.perf_counter() - self._began)
        self._answer, self._length = b"", -1
        self._next()

    def _has_head(self) -> bool:
        """Return whether the head of an answer is there; read the length from it."""
        head, has_end, _ = self._answer.partition(b"\r\n\r\n")
        if not has_end:
            return False
        if b" 200 " not in head[:16]:
            text = f"{self._name}: {self._answer[:800]!r}"
            self._done.set_exception(RuntimeError(text))
            return False
        _, has_length, rest = head.lower().partition(b"content-length:")
        self._is_chunked = not has_length
        length = int(rest.partition(b"\r\n")[0]) if has_length else 0
        self._length = len(head) + 4 + length
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Fail if an answer is missing."""
        if not self._done.done():
            self._done.set_exception(error or ConnectionError(f"{self._name} closed a connection"))


async def _asked(server: Server, turn: int) -> tuple[list[float], float]:
    """Return the seconds by the clock of all requests of a turn, and those of the processors."""
    loop = asyncio.get_running_loop()
    connected = [
        await loop.create_connection(lambda: _Client(server.name), "127.0.0.1", server.port)
        for _ in range(CLIENTS)
    ]
    clients = [client for _, client in connected]
    until = time.perf_counter() + TURN_SECONDS
    first = turn * (EACH + 1)
    asked = [_requests(server, client, first) for client in range(CLIENTS)]
    await asyncio.gather(
        *(client.ask(own[:1], until) for client, own in zip(clients, asked, strict=True))
    )
    before = used(server.process.pid)
    await asyncio.gather(
        *(client.ask(own[1:], until) for client, own in zip(clients, asked, strict=True))
    )
    seconds = used(server.process.pid) - before
    for client in clients:
        client.transport.close()
    return [time for client in clients for time in client.times], seconds


def _requests(server: Server, client: int, first: int) -> list[bytes]:
    """Return the requests of a client in a turn, *first* of which it has sent before."""
    return [
        (
            f"POST {server.path(client, number)} HTTP/1.1\r\nhost: 127.0.0.1\r\n{server.headers}"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        ).encode()
        + content
        for number in range(first, first + EACH + 1)
        for content in (chats.body(number % chats.COUNT),)
    ]


async def _streams(server: Server, base: str, go: int) -> tuple[float, float]:
    """Return the seconds until several streams have all begun, and the memory of the server then.

    Each stream waits half-way until something has asked the port *go* for the rest.
    """
    began = time.perf_counter()
    opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(_STREAMS)]
    for _, writer in opened:
        writer.write(f"GET {base}/big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    for reader, _ in opened:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(65_536)
    first, memory = time.perf_counter() - began, resident(server.process.pid)
    opened.append(await asyncio.open_connection("127.0.0.1", go))
    opened[-1][1].write(b"GET /go HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    for reader, _ in opened:
        while await reader.read(2**20):
            pass
    for _, writer in opened:
        writer.close()
        await writer.wait_closed()
    return first, memory


# --------------------------------------------------------------------------------------- rows


def _times(servers: Mapping[str, Server], requests: int) -> Iterator[Row]:
    floor = servers["floor"]
    for name, others in (("serve", ("aimock",)), ("proxy", ()), ("sandbox", ())):
        measured = {"floor": floor, OURS: servers[name]}
        measured |= {other: servers[other] for other in others if other in servers}
        asked = f"{name}: {CLIENTS} clients, {requests:,} requests"
        for label, place in (("median", 0.5), ("99 %", 0.99)):
            times = {
                tool: [turn[int(place * len(turn))] for turn in one.times[WARM:]]
                for tool, one in measured.items()
            }
            yield Row(f"{asked}, {label}", "s", times, "floor")
        if min(floor.seconds) > 0:
            seconds = {tool: one.seconds[WARM:] for tool, one in measured.items()}
            yield Row(f"{asked}, of a processor", "s", seconds, "floor")


def _memory(server: Server) -> Row:
    """Return the memory after the first turns, when all was used once, and after all."""
    each = CLIENTS * (EACH + 1)
    samples = {
        f"after {WARM * each:,}": [server.memory[WARM - 1]],
        f"after {len(server.memory) * each:,}": [server.memory[-1]],
    }
    return Row(f"memory of {server.name} by requests", "B", samples, next(iter(samples)))


def _big(floor: Server, proxy: Server, upstream: Server) -> Iterator[Row]:
    """Yield the seconds until several streams, of which half is held, have begun, and the memory.

    Who holds a stream until it is complete begins late, and takes the memory of all of it.
    """
    firsts: dict[str, list[float]] = {"floor": [], OURS: []}
    before, half_way = resident(proxy.process.pid), list[float]()
    for _ in range(_STREAM_TURNS):
        firsts["floor"].append(asyncio.run(_streams(floor, "/v1", floor.port))[0])
        first, memory = asyncio.run(_streams(proxy, "/openai/v1", upstream.port))
        firsts[OURS].append(first)
        half_way.append(memory)
    label = f"proxy: {_STREAMS} streams of {bare.CHUNKS * len(bare.CHUNK) / 1e6:.0f} MB"
    runs = dict(zip(firsts, medians([*firsts.values()], _RUN), strict=True))
    yield Row(f"{label}, first byte", "s", runs, "floor")
    samples = {
        "before": [before],
        "half-way": half_way[:1],
        f"after {_STREAMS * _STREAM_TURNS} streams": [resident(proxy.process.pid)],
    }
    yield Row(f"{label}, memory", "B", samples, "before")
