"""The HTTP server of a sandbox: all provider servers at one address on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import formatdate
from typing import Any, cast

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from harness.errors import HarnessError
from harness.sandbox.options import DEFAULT_PORT, HOST, Options
from harness.sandbox.provider_server import ProviderServer
from harness.sandbox.state import SandboxState
from harness.types import SANDBOX_MARK

MARK = (SANDBOX_MARK, "harness")
"""The (name, value) of a header in every response; the real services do not send it."""

MEDIA_TYPES = {
    "png": "image/png",
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "json": "application/json",
}
"""The Content-Type of a generated file by the extension of its name."""

_WELCOME = """\
This is the sandbox of the conversation harness. It is NOT the real service of any provider:
it runs on this machine, without a language model, and responds in the providers' formats.

{addresses}
"""


def application(options: Options, servers: Mapping[str, ProviderServer]) -> ASGIApp:
    """Return the ASGI application: provider servers at their prefixes, files at `/files`.

    *servers* are the servers of the providers, by provider name.
    """
    state = SandboxState(options)

    async def welcome(request: Request) -> Response:
        host, port = request.scope["server"]
        lines = [f"{name}: http://{host}:{port}{s.prefix}" for name, s in servers.items()]
        return PlainTextResponse(_WELCOME.format(addresses="\n".join(lines)))

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        body = state.files.read(name)
        if body is None:
            return PlainTextResponse("There is no such file.\n", 404)
        return Response(body, media_type=MEDIA_TYPES[name.rpartition(".")[2]])

    apps = [
        (prefix, server.build(state, options.keys.get(name, server.key)))
        for name, server in servers.items()
        for prefix in dict.fromkeys((server.prefix, server.other_prefix or server.prefix))
    ]
    exact = [_ExactMount(prefix, app) for prefix, app in apps]
    others = [Mount(prefix, app) for prefix, app in apps if prefix]
    own = [Route("/", welcome), Route("/files/{name:path}", file)]
    return _Marked(Router([*own, *exact, *others]))


class _ExactMount(Mount):
    """A mount that only has the paths of its routes, as another server may have the same prefix."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return a full match if a route of the server has the path and the method of *scope*."""
        if not scope["path"].startswith(f"{self.path}/"):
            return Match.NONE, {}
        match, inner = super().matches(scope)
        if any(route.matches({**scope, **inner})[0] is Match.FULL for route in self.routes):
            return match, inner
        return Match.NONE, {}


class _Marked:
    """Middleware that adds the header `MARK`, and the date, to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(usegmt=True).encode())
                message["headers"] = [date, *message["headers"]]
                MutableHeaders(scope=message).append(*MARK)
            await send(message)

        await self._app(scope, receive, send_marked)


@contextmanager
def run_in_thread(app: ASGIApp, port: int | None) -> Iterator[str]:
    """Serve *app* from a thread during a `with` block; its value is the address.

    A *port* of 0 means any free port; None means `DEFAULT_PORT` or, if that is in use, any free
    port.

    Raises:
        HarnessError: The server cannot listen on *port*, or does not start.
    """
    listening = _listen(port)
    server = _Server(_config(app))
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="harness-server", daemon=True
    )
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise HarnessError("the server did not start")
            time.sleep(0.002)
        yield _address(listening)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


class _Server(uvicorn.Server):
    """A server that ends soon after it should: uvicorn's own looks ten times a second."""

    async def main_loop(self) -> None:
        """Wait until the server should exit."""
        while not await self.on_tick(1):
            await asyncio.sleep(0.01)


def run_forever(
    options: Options,
    servers: Mapping[str, ProviderServer],
    announce: Callable[[str], None] = lambda address: None,
) -> None:
    """Run a sandbox until it is interrupted (Ctrl+C).

    Args:
        options: The options of the sandbox.
        servers: The servers of the providers, by provider name.
        announce: Called with the address when the sandbox listens.

    Raises:
        HarnessError: The sandbox cannot listen on the port.
    """
    listening = _listen(options.port)
    announce(_address(listening))
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(_config(application(options, servers))).run(sockets=[listening])


class Connection(asyncio.Protocol):
    """Gives the requests of a connection `state["transport"]`, by which a response can cut it.

    It is mixed into one of uvicorn's protocols.
    """

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection, which gathers what is written to it."""
        gathered = cast(
            "asyncio.Transport", GatheringTransport(cast("asyncio.Transport", transport))
        )
        self.app_state = {**self.app_state, "transport": gathered}
        super().connection_made(gathered)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection, and the response that is being sent if it asked for that."""
        super().connection_lost(exc)
        if when_lost := self.app_state["transport"].when_lost:
            when_lost()


class _Protocol(Connection, AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # a variable
    """HTTP, parsed by httptools if it is installed, or by h11."""


class GatheringTransport:
    """A transport that sends what is written in one step of the event loop with one system call.

    Attributes:
        when_lost: Called when the connection has ended; None if nothing has to be done then.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._written: list[bytes] = []
        self._size = 0
        self.when_lost: Callable[[], object] | None = None

    def write(self, data: bytes) -> None:
        """Send *data* in the next turn of the event loop; at once if much data waits for it."""
        if not self._written:
            asyncio.get_running_loop().call_soon(self._flush)
        self._written.append(data)
        self._size += len(data)
        if self._size > _GATHERED:
            self._flush()

    def close(self) -> None:
        """Close the connection when everything is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        data, self._written, self._size = b"".join(self._written), [], 0
        if data and not self._transport.is_closing():  # else the client has left
            self._transport.write(data)

    def __getattr__(self, name: str) -> object:
        """Return an attribute of the connection's own transport."""
        return getattr(self._transport, name)


_GATHERED = 64 * 1024
"""Bytes that are sent at once, so that a long stream is not held in memory."""


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="error",  # not of requests that are invalid, or for websockets
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # a recorded one, or that of the service behind the proxy, is sent
        timeout_graceful_shutdown=1,
    )


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}"


def _listen(port: int | None) -> socket.socket:
    """Return a socket that listens on *port*.

    If *port* is None, it is `DEFAULT_PORT` or, if that is in use, any free port.

    Raises:
        HarnessError: The port cannot be used.
    """
    if port is not None:
        return _bind(port)
    try:
        return _bind(DEFAULT_PORT)
    except HarnessError:
        return _bind(0)


def _bind(port: int) -> socket.socket:
    # asyncio disables Nagle's algorithm only on sockets that name the protocol.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise HarnessError(
            f"the server cannot listen on {HOST}:{port}: {reason}; name another port: --port"
        ) from error
    return listening
