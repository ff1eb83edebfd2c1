"""Measure the servers: `serve`, its proxy and the sandbox, beside a bare app and aimock.

Each is a process of its own, and many clients ask it at once. Servers take turns, so that a machine
that is slow for a while slows all.
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

from benchmarks import bare, chats
from benchmarks.figures import OURS, Row
from benchmarks.measuring import environment, medians

CLIENTS = 256
ROUNDS, RUN = 9, 3
"""The rounds, and how many of them make a run, which is their median."""
ROUND_SECONDS = 15.0
"""Seconds after which no more requests are sent in a round."""


_STREAMS = 2


@dataclass
class Server:
    """A running server.

    Attributes:
        name: The name of the server, and of its row.
        port: Its port on this machine.
        process: Its process.
        path: Returns the path that a client asks in a round.
        headers: Further header lines of each request.
        times: The sorted seconds of the requests of each round.
        memory: The bytes of memory that it uses after each round.
        seconds: The seconds of a processor that a request took, in each round.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    path: Callable[[int, int], str]
    headers: str = ""
    times: list[list[float]] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def measure(self, number: int, requests: int) -> None:
        """Send the requests of round *number*, as many as are answered in `ROUND_SECONDS`."""
        before = used(self.process.pid)
        self.times.append(asyncio.run(_loaded(self, number, requests)))
        self.seconds.append((used(self.process.pid) - before) / len(self.times[-1]))
        self.memory.append(resident(self.process.pid))

    @property
    def count(self) -> int:
        """The number of requests that were answered."""
        return sum(map(len, self.times))


def rows(requests: int, folder: Path) -> list[Row]:
    """Return what *requests* take, by the clock and of a processor, the memory, and a stream."""
    with ExitStack() as stack:
        servers = {one.name: one for one in _servers(stack, folder)}
        for number in range(ROUNDS):
            for one in servers.values():
                one.measure(number, requests // ROUNDS)
        found = [
            *_times(servers, requests),
            *map(_memory, servers.values()),
        ]
        if "proxy" in servers:
            found.append(_big(servers["floor"], servers["proxy"]))
    return found


def _servers(stack: ExitStack, folder: Path) -> Iterator[Server]:
    cassette, port = chats.cassette(folder), _free_port()
    floor = (sys.executable, "-m", "benchmarks.bare", str(port))
    yield stack.enter_context(_run("floor", port, floor, _plain("/v1")))
    cli = (sys.executable, "-m", "harness.cli")
    upstream = f"openai=http://127.0.0.1:{port}/v1"
    recorded = str(folder / "proxied.yaml")
    commands: Mapping[str, tuple[tuple[str, ...], Callable[[int, int], str], str]] = {
        "serve": (("serve", str(cassette), "--allow-unused"), _own_session, ""),
        "proxy": (
            ("serve", "--record", recorded, "--upstream", upstream),
            _plain("/openai/v1"),
            "",
        ),
        "sandbox": (("sandbox",), _plain("/compatible-mode/v1"), _sandbox_key()),
    }
    for name, (arguments, path, headers) in commands.items():
        port = _free_port()
        command = (*cli, *arguments, "--port", str(port))
        yield stack.enter_context(_run(name, port, command, path, headers))
    if (aimock := shutil.which("llmock")) is not None:
        port = _free_port()
        options = ("-p", str(port), "-f", str(chats.fixtures(folder)), "--log-level", "silent")
        yield stack.enter_context(_run("aimock", port, (aimock, *options), _plain("/v1")))


def _plain(base: str) -> Callable[[int, int], str]:
    return lambda client, number: f"{base}/chat/completions"


def _own_session(client: int, number: int) -> str:
    return f"/~c{client}-{number}/v1/chat/completions"


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
) -> Iterator[Server]:
    """Run a server in a process, until the context ends.

    Raises:
        RuntimeError: It has ended, or does not listen in time.
    """
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
    """Return the seconds of a processor that a process has used; 0 where that is unknown."""
    status = Path(f"/proc/{pid}/stat")
    if not status.exists():
        return 0.0
    user, system = status.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# ------------------------------------------------------------------------------------ clients


async def _loaded(server: Server, number: int, requests: int) -> list[float]:
    """Return the sorted seconds, by the clock, of requests that many clients send at once."""
    times: list[float] = []
    each, until = requests // CLIENTS, time.monotonic() + ROUND_SECONDS
    clients = (_client(server, number, one, each, until, times) for one in range(CLIENTS))
    await asyncio.gather(*clients)
    return sorted(times)


async def _client(
    server: Server, number: int, client: int, count: int, until: float, times: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    path = server.path(client, number)
    for chat in range(count):
        if time.monotonic() > until:
            break
        content = chats.body(chat % chats.COUNT)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{server.headers}"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        began = time.perf_counter()
        writer.write(head.encode() + content)
        await _read_answer(reader, server.name)
        times.append(time.perf_counter() - began)
    writer.close()


async def _read_answer(reader: asyncio.StreamReader, name: str) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head[:16]:
        raise RuntimeError(f"{name}: {head[:80]!r} {await reader.read(800)!r}")
    _, has_length, rest = head.partition(b"content-length:")
    if has_length:
        await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        await reader.readexactly(size + 2)
    await reader.readuntil(b"\r\n")


async def _streams(port: int, base: str, go: int) -> tuple[float, float]:
    """Return the seconds to the last of the first bytes of several streams, and to their ends."""
    began = time.perf_counter()
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(_STREAMS)]
    for _, writer in opened:
        writer.write(f"GET {base}/big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    for reader, _ in opened:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(65_536)
    first = time.perf_counter() - began
    reader, writer = await asyncio.open_connection("127.0.0.1", go)
    writer.write(b"GET /go HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    await reader.read()
    for reader, _ in opened:
        while await reader.read(2**20):
            pass
    for _, writer in opened:
        writer.close()
    return first, time.perf_counter() - began


# --------------------------------------------------------------------------------------- rows


def _times(servers: Mapping[str, Server], requests: int) -> Iterator[Row]:
    floor = servers["floor"]
    for name, others in (("serve", ("aimock",)), ("proxy", ()), ("sandbox", ())):
        measured = {"floor": floor, OURS: servers[name]}
        measured |= {other: servers[other] for other in others if other in servers}
        asked = f"{name}: {CLIENTS} clients, {requests:,} requests"
        for label, place in (("median", 0.5), ("99 %", 0.99)):
            times = [[run[int(place * len(run))] for run in one.times] for one in measured.values()]
            runs = zip(measured, medians(times, RUN), strict=True)
            yield Row(f"{asked}, {label}", "s", dict(runs), "floor")
        if min(floor.seconds) > 0:
            runs = zip(measured, medians([o.seconds for o in measured.values()], RUN), strict=True)
            yield Row(f"{asked}, of a processor", "s", dict(runs), "floor")


def _memory(server: Server) -> Row:
    first, last = f"after {len(server.times[0]):,}", f"after {server.count:,}"
    samples = {first: server.memory[:1], last: server.memory[-1:]}
    return Row(f"memory of {server.name} by requests", "B", samples, first)


def _big(floor: Server, proxy: Server) -> Row:
    """Return the seconds until several streams, of which half is held, have all begun."""
    firsts: dict[str, list[float]] = {"floor": [], OURS: []}
    for _ in range(2):
        for tool, one, base in (("floor", floor, "/v1"), (OURS, proxy, "/openai/v1")):
            firsts[tool].append(asyncio.run(_streams(one.port, base, floor.port))[0])
    size = bare.CHUNKS * len(bare.CHUNK) / 1e6
    return Row(f"proxy: {_STREAMS} streams of {size:.0f} MB, first byte", "s", firsts, "floor")
