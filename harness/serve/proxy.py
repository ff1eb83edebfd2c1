"""The recording proxy, which forwards requests to the services and records the answers.

A thread writes the exchanges to the journal while clients are served; they are not held in memory.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import httpcore
import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.api.use_cassette import CassetteContext
from harness.cassette.artefacts import CassetteFiles, is_file, to_files
from harness.cassette.reader import loads
from harness.cassette.store import write_spliced
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.errors import HarnessError, InterceptError
from harness.intercept.context import Playback, bypasses_tape, intercept, passthrough
from harness.intercept.httpx import failing
from harness.intercept.recorder import Recorder, ResponseCapture, origin_of
from harness.providers.clients import ClientVariables, all_clients
from harness.secrets.redactor import Redactor
from harness.serve.replay import NOT_PASSED_ON, error_response, send_playback, whole_body
from harness.serve.upstream import Service, UpstreamResponse
from harness.types import Cassette, Origin, Request


class GroupCommit:
    """A thread that runs tasks in groups, and flushes the writes of each group to the disk once.

    Attributes:
        together: Returns a context manager that flushes the writes made in it when it ends.
        done: A future that ends when all tasks submitted so far have run.
    """

    def __init__(self, together: Callable[[], AbstractContextManager[None]]) -> None:
        self.together = together
        self.done: Future[None] = Future()
        self.done.set_result(None)
        self._thread = ThreadPoolExecutor(1, "harness-journal")
        self._tasks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def submit(self, task: Callable[[], None]) -> None:
        """Run *task* soon in the thread. When `done` ends, its writes are on the disk."""
        with self._lock:
            self._tasks.append(task)
            if len(self._tasks) == 1:
                self.done = self._thread.submit(self._do_all)

    async def stored(self) -> None:
        """Wait until all tasks submitted so far have run.

        They run even if the caller is cancelled.
        """
        await asyncio.shield(asyncio.wrap_future(self.done))

    def _do_all(self) -> None:
        with self._lock:
            tasks, self._tasks = self._tasks, []
        with self.together():
            for task in tasks:
                task()

    def end(self) -> None:
        """Wait until all tasks have run, and end the thread. Raises the error of the last group."""
        self._thread.shutdown()
        self.done.result()


@dataclass
class PackedCapture(ResponseCapture):
    """A capture that holds a long body compressed, and makes its exchange when it is stored.

    The whole body is searched for secrets at once, so it is not written to a disk before that. What
    models answer becomes several times smaller; many long answers may come at the same time.
    """

    _packed: list[bytes] = field(init=False, default_factory=list)
    _unpacked: int = field(init=False, default=0)

    def hold(self, data: bytes) -> None:
        """Hold a chunk of the body; compress those that are not compressed if they are many."""
        super().hold(data)
        self._unpacked += len(data)
        if self._unpacked >= _BLOCK:
            self._packed.append(zlib.compress(super().body(), level=1))
            self._unpacked = 0

    def body(self) -> bytes:
        """Return the body that was held, and hold it no longer."""
        packed, self._packed = self._packed, []
        return b"".join([*map(zlib.decompress, packed), super().body()])

    def react_to_end(self) -> None:
        """Do nothing: the exchange is made when it is stored, of one answer after the other."""


_BLOCK = 2**18
"""Bytes of a body that are compressed together, which takes some milliseconds."""


@dataclass
class ProxyRecorder(Recorder):
    """A recorder that stores exchanges in another thread, and does not keep them in memory.

    Attributes:
        commit: The thread that stores the exchanges.
        stored: The number of exchanges that were stored.
        origin: The kind of server from which the answers so far came.
    """

    is_holding = False
    commit: GroupCommit = field(kw_only=True)
    stored: int = field(init=False, default=0)
    origin: Origin = field(init=False, default=Origin.LIVE)

    def new_capture(
        self, request: Request, on_end: Callable[[], None], on_chunk: Callable[[bytes], None]
    ) -> ResponseCapture:
        """Return a new capture, which holds a long body compressed."""
        return PackedCapture(request, self._turn, on_end, on_chunk)

    def store(self, number: int, capture: ResponseCapture) -> None:
        """Submit the exchange in *capture*, of request *number*, to the thread that stores it."""
        self.commit.submit(partial(self._store_now, number, capture))

    def _store_now(self, number: int, capture: ResponseCapture) -> None:
        capture.complete()
        super().store(number, capture)
        kept = [exchange for exchange in capture.kept if exchange is not None]
        self.stored += len(kept)
        self.origin = origin_of(kept, self.origin)
        capture.exchange, capture.kept = None, ()  # others that are complete wait for their turn

    def finish(self) -> None:
        """End the recording, and wait until everything is stored.

        Raises the first error that occurred when an exchange was stored.
        """
        for capture in list(self._pending.values()):
            capture.end()
        self.commit.end()
        self.settle()

    def settle(self) -> None:
        """Raise the first error that occurred when an exchange was stored.

        Nothing else is left to be done: each response has its `end`, however it ends.
        """
        if self._error is not None:
            raise self._error


@dataclass(eq=False)
class ProxyCassette(CassetteContext):
    """A block whose recorded exchanges are held in its journal only, not in memory."""

    _recording: ProxyRecorder = field(init=False, repr=False)
    _resumed: int = field(init=False, default=0)

    @property
    def count(self) -> int:
        """The number of exchanges that were replayed or recorded."""
        return len(self.exchanges) + self._recording.stored

    async def stored(self) -> None:
        """Wait until all answers that are complete now are on the disk."""
        await self._recording.commit.stored()

    def _recorder(self, redactor: Redactor) -> ProxyRecorder:
        before = super()._recorder(redactor)
        self._resumed = len(self._journal) if self.record == "missing" else 0
        prefix, commit = (before or Recorder(redactor)).prefix, GroupCommit(self._journal.together)
        self._recording = ProxyRecorder(redactor, self._journal, prefix, commit=commit)
        return self._recording

    @property
    def _has_recorded(self) -> bool:
        return super()._has_recorded or self._recording.stored > 0

    @property
    def _origin(self) -> Origin:
        own = self._recording.origin
        return own if own is Origin.SANDBOX else super()._origin

    def _write(self) -> None:
        with self._journal.removed_afterwards():
            self._check_unchanged()
            head = Cassette((), self._new_provenance())
            write_spliced(self.path, head, self._parts())
        self.written = True

    def _parts(self) -> Iterator[CassetteFiles]:
        """Yield the files of each exchange, as a cassette of its own, which vcrpy can read."""
        for exchange in (*self._cassette.exchanges, *self.recorded):
            yield _readable(Cassette((exchange,)))
        for text in self._journal.texts(self._resumed):
            yield _readable(loads(text), text)


def _readable(cassette: Cassette, text: bytes | None = None) -> CassetteFiles:
    """Return the files of *cassette*, which vcrpy can read; of *text* if it has no artefacts."""
    has_files = any(is_file(exchange.response) for exchange in cassette.exchanges)
    written = to_files(cassette) if text is None or has_files else CassetteFiles(text.decode(), {})
    check_vcrpy_reads(written, cassette)
    return written


_NOT_FORWARDED = {name.encode() for name in NOT_PASSED_ON | {"host", "content-length"}}


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service that the proxy sends requests to.

    Attributes:
        client: The name of the service, and the environment variables that configure its clients.
        address: The base URL of the service.
    """

    client: ClientVariables
    address: str

    @property
    def origin(self) -> str:
        """The scheme and host of the base URL."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    def proxied(self, server: str) -> str:
        """Return the base URL at which clients reach this service through the proxy at *server*."""
        return f"{server}/{self.client.name}{urlsplit(self.address).path.rstrip('/')}"


def upstreams(named: Sequence[str], environment: Mapping[str, str]) -> tuple[Upstream, ...]:
    """Return all known services, with the base URLs to which their requests are forwarded.

    The base URL of a service is that in *named*, else that in *environment*, else its usual one.

    Args:
        named: Texts `NAME=URL` with the base URL of a service.
        environment: Environment variables.

    Raises:
        HarnessError: A text names no service, or a URL is not valid.
    """
    own: dict[str, str] = {}
    clients = all_clients()
    names = [client.name for client in clients]
    for text in named:
        name, _, address = text.partition("=")
        if name not in names:
            raise HarnessError(
                f"--upstream {text}: expected NAME=URL with one of {', '.join(names)}; declare "
                f"another service in pyproject.toml first: [tool.harness.providers.{name}] with "
                "form, base_url and key_variable"
            )
        own[name] = address
    found = []
    for client in clients:
        set_before = (environment.get(name, "").strip() for name in client.address_variables)
        address = own.get(client.name) or next(filter(None, set_before), client.address)
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise HarnessError(f"{address} is not the URL of a service, as https://host/path is")
        found.append(Upstream(client, address))
    return tuple(found)


Stored = Callable[[], Awaitable[None]]
"""Waits until all answers that are complete now are on the disk."""


def application(services: Sequence[Upstream], stored: Stored) -> ASGIApp:
    """Return the ASGI application that forwards requests below `/<name>` to the named service.

    `/openai/v1/models`, for example, is `/v1/models` of the service `openai`. The application has
    to run inside of a `ProxyCassette` block, which records the forwarded requests.

    Args:
        services: The services.
        stored: Called and awaited before the end of each answer is sent; it waits until the answer
            is on the disk.
    """
    context = httpx.create_ssl_context()
    by_name = {one.client.name: Service(one.address, context) for one in services}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        if body is None:  # the client left before the whole request had come
            return
        raw: str = scope["raw_path"].decode("latin-1")
        name, _, path = raw.removeprefix("/").partition("/")
        query = scope["query_string"].decode("latin-1")
        target = f"/{path}{'?' if query else ''}{query}"
        service, method = by_name.get(name), scope["method"]
        if service is None:
            known = ", ".join(f"/{n}" for n in by_name)
            message = f"the recording proxy has no service /{name}; it has {known}"
            refusal = error_response(Request(method, target), 404, "no_such_service", message)
            await refusal(scope, receive, send)
            return
        sent = [(n, v) for n, v in scope["headers"] if n not in _NOT_FORWARDED]
        headers = service.headers(method, sent, body)
        request = Request(method, f"{service.origin}{target}", _decoded(headers), body)
        try:
            answered = None if bypasses_tape(request.uri) else intercept(request)
            if isinstance(answered, Playback) and answered.has_response:
                await send_playback(answered, scope, receive, send)
                return
            if isinstance(answered, Playback):
                raise httpcore.ConnectError(
                    f"{answered.broken_off and answered.broken_off.message}"
                )
            capture = answered or ResponseCapture(request, None)  # one that nobody asks for
            with passthrough(), failing(_NETWORK_ERRORS, capture):
                response = await service.send(method, target, headers, body)
        except (*_NETWORK_ERRORS, InterceptError) as error:
            message = f"{service.origin} could not be asked: {type(error).__name__}: {error}"
            refusal = error_response(Request(method, target), 502, "upstream_failed", message)
            del refusal.headers["x-should-retry"]  # an SDK retries as it would without the proxy
            await refusal(scope, receive, send)
            return
        await _forward(response, capture, scope, receive, send, stored)

    return answer


_NETWORK_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


async def _forward(
    response: UpstreamResponse,
    capture: ResponseCapture,
    scope: Scope,
    receive: Receive,
    send: Send,
    stored: Stored,
) -> None:
    """Send a service's response; its body is passed on as it arrives, content coding included.

    Where the service breaks it off, or it cannot be stored, the connection to the client is closed,
    too. Where the client leaves, the connection to the service is closed.
    """
    task, transport = asyncio.current_task(), scope["state"]["transport"]
    assert task is not None  # noqa: S101 - a server runs this in a task
    headers = [(n.lower(), v) for n, v in response.headers]
    passed_on = [(n, v) for n, v in headers if n.decode("latin-1") not in NOT_PASSED_ON]
    if response.status in (204, 304):
        passed_on = [(n, v) for n, v in passed_on if n != b"content-length"]
    left, last = int(dict(headers).get(b"content-length", -1)), b""
    transport.when_lost = task.cancel
    try:
        capture.start(response.status, response.reason, _decoded(headers))
        await send({"type": "http.response.start", "status": response.status, "headers": passed_on})
        with failing(_NETWORK_ERRORS, capture):
            async for chunk in response.chunks:
                capture.add_chunk(chunk)
                left -= len(chunk)
                if left == 0:
                    last = chunk
                else:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await response.aclose()
        capture.end()
        await stored()
        await send({"type": "http.response.body", "body": last})
    except (*_NETWORK_ERRORS, HarnessError):
        transport.when_lost = None
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass
    except asyncio.CancelledError:
        if not transport.is_closing():
            raise
    finally:
        transport.when_lost = None
        await response.aclose()
        capture.end()


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Return headers as texts: of UTF-8, or of Latin-1 if they are not."""
    try:
        return tuple([(n.decode(), v.decode()) for n, v in headers])
    except UnicodeDecodeError:
        return tuple([(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers])
