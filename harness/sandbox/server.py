"""The server: the speakers' applications put together, and run on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.errors import HarnessError
from harness.sandbox.house import House
from harness.sandbox.options import HOST, USUAL_PORT, Options
from harness.sandbox.speaker import ProviderServer

MARK = ("x-sandbox", "harness")
"""The header on every answer, so that nobody takes a sandbox for the real service."""

_WELCOME = """\
This is the sandbox of the conversation harness. It is NOT the real service of any provider:
it answers on this machine, without a model, in the format the providers use.

{addresses}
"""


def assemble(options: Options, speakers: Mapping[str, ProviderServer]) -> Starlette:
    """The application: every speaker below its prefix, and the pictures below /files."""
    house = House(options)

    async def welcome(request: Request) -> Response:
        host, port = request.scope["server"]
        lines = [f"{name}: http://{host}:{port}{s.prefix}" for name, s in speakers.items()]
        return PlainTextResponse(_WELCOME.format(addresses="\n".join(lines)))

    async def show(request: Request) -> Response:
        picture = house.gallery.show(request.path_params["name"])
        if picture is None:
            return PlainTextResponse("There is no such picture.\n", 404)
        return Response(picture, media_type="image/png")

    keys = options.keys
    rooms = [
        Mount(speaker.prefix, speaker.build(house, keys.get(name, speaker.key)))
        for name, speaker in speakers.items()
    ]
    app = Starlette(routes=[Route("/", welcome), Route("/files/{name:path}", show), *rooms])
    app.add_middleware(_Marked)
    return app


class _Marked:
    """Puts the mark on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append(*MARK)
            await send(message)

        await self._app(scope, receive, marked)


@contextmanager
def served(app: Starlette, port: int | None) -> Iterator[str]:
    """Run an application in a thread of its own; yields its address, and stops it afterwards."""
    listening = _listen(port)
    server = uvicorn.Server(_config(app))
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="sandbox", daemon=True
    )
    thread.start()
    try:
        _await_start(server, thread)
        yield _address(listening)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


def serve_forever(app: Starlette, port: int | None, announce: Callable[[str], None]) -> None:
    """Run an application in this thread until it is interrupted; `announce` gets its address."""
    listening = _listen(port)
    announce(_address(listening))
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(_config(app)).run(sockets=[listening])


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    while not server.started:
        if not thread.is_alive():
            raise HarnessError("the sandbox did not start")
        time.sleep(0.002)


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}"


def _listen(port: int | None) -> socket.socket:
    """A listening socket; the usual port, or any free one, where none is asked for."""
    if port is not None:
        return _bind(port)
    try:
        return _bind(USUAL_PORT)
    except HarnessError:
        return _bind(0)


def _bind(port: int) -> socket.socket:
    # asyncio switches Nagle's delay off only where the protocol is named.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        raise HarnessError(f"the sandbox cannot listen on {HOST}:{port}: {error}") from error
    return listening
