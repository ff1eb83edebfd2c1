"""The recording proxy, which forwards requests to the services and records the answers.

A thread writes the exchanges to the journal while clients are served; they are not held in memory.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import httpx
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.api.use_cassette import CassetteContext
from harness.cassette.artefacts import CassetteFiles, is_file, to_files
from harness.cassette.reader import loads
from harness.cassette.store import write_spliced
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.errors import HarnessError, InterceptError
from harness.intercept.recorder import Recorder, ResponseCapture, origin_of
from harness.providers.clients import ClientVariables, all_clients
from harness.secrets.redactor import Redactor
from harness.serve.replay import NOT_PASSED_ON, error_response
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

    def store(self, number: int, capture: ResponseCapture) -> None:
        """Submit the exchange in *capture*, of request *number*, to the thread that stores it."""
        self.commit.submit(partial(self._store_now, number, capture))

    def _store_now(self, number: int, capture: ResponseCapture) -> None:
        super().store(number, capture)
        kept = [exchange for exchange in capture.kept if exchange is not None]
        self.stored += len(kept)
        self.origin = origin_of(kept, self.origin)

    def finish(self) -> None:
        """End the recording, and wait until everything is stored.

        Raises the first error that occurred when an exchange was stored.
        """
        super().finish()
        self.commit.end()
        self.settle()


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


_NOT_FORWARDED = NOT_PASSED_ON | {"host", "content-length"}
_TIMEOUT = httpx.Timeout(600, connect=60)
"""Seconds; hundreds of clients that begin at once wait for each other before they connect."""

_KEPT = 2.0
"""Seconds that a connection is kept after a response, if that did not take longer.

Servers close it five seconds after their last byte, which may have waited here for a while.
"""


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
    by_name = {service.client.name: service for service in services}
    clients = _Clients()

    async def forward(http: HttpRequest) -> Response:
        raw: bytes = http.scope.get("raw_path") or http.url.path.encode()
        name, _, path = raw.decode("latin-1").removeprefix("/").partition("/")
        query = http.scope["query_string"].decode("latin-1")
        target = f"/{path}{'?' if query else ''}{query}"
        service = by_name.get(name)
        if service is None:
            known = ", ".join(f"/{n}" for n in by_name)
            message = f"the recording proxy has no service /{name}; it has {known}"
            return error_response(Request(http.method, target), 404, "no_such_service", message)
        headers = [
            (n, v) for n, v in http.headers.raw if n.decode("latin-1").lower() not in _NOT_FORWARDED
        ]
        request = httpx.Request(
            http.method, f"{service.origin}{target}", headers=headers, content=await http.body()
        )
        client, give_back = clients.take()
        try:
            response = await client.send(request, stream=True)
        except (httpx.HTTPError, InterceptError) as error:
            await give_back()
            message = f"{service.origin} could not be asked: {type(error).__name__}: {error}"
            return error_response(Request(http.method, target), 502, "upstream_failed", message)
        return _forwarded(response, http.scope["state"]["transport"], give_back, stored)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):  # before the whole request has come
            response = await forward(HttpRequest(scope, receive))
            await response(scope, receive, send)

    return answer


class _Clients:
    """HTTP clients, each of which has one request at a time.

    One client for all looks through all its connections whenever a request begins or ends.
    """

    def __init__(self) -> None:
        self._context = httpx.create_ssl_context()
        self._idle: list[httpx.AsyncClient] = []

    def take(self) -> tuple[httpx.AsyncClient, Callable[[], Awaitable[None]]]:
        """Return the client that was used last, or a new one, and a function to give it back."""
        client = self._idle.pop() if self._idle else self._new()
        return client, partial(self._give_back, client, time.monotonic())

    def _new(self) -> httpx.AsyncClient:
        limits = httpx.Limits(keepalive_expiry=_KEPT)
        return httpx.AsyncClient(
            verify=self._context, timeout=_TIMEOUT, limits=limits, follow_redirects=False
        )

    async def _give_back(self, client: httpx.AsyncClient, began: float) -> None:
        if time.monotonic() - began < _KEPT:
            self._idle.append(client)
        else:
            await client.aclose()


def _forwarded(
    response: httpx.Response,
    transport: asyncio.Transport,
    when_closed: Callable[[], Awaitable[None]],
    stored: Stored,
) -> Response:
    """Return a service's response; its body is passed on as it arrives, content coding included.

    Where the service breaks it off, or it cannot be stored, the connection to the client is closed,
    too.
    """

    async def chunks() -> AsyncIterator[bytes]:
        left, last = int(response.headers.get("content-length", -1)), b""
        try:
            async for chunk in response.aiter_raw():
                left -= len(chunk)
                if left == 0:
                    last = chunk
                else:
                    yield chunk
            await stored()
            if last:
                yield last
        except (httpx.HTTPError, HarnessError):
            transport.close()
            await asyncio.Event().wait()  # until the server sees the end of the connection
        finally:
            await response.aclose()
            await when_closed()

    forwarded = StreamingResponse(chunks(), response.status_code)
    forwarded.raw_headers = [
        (n.lower(), v)
        for n, v in response.headers.raw
        if n.decode("latin-1").lower() not in NOT_PASSED_ON
    ]
    return forwarded
