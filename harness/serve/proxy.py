"""The application of the recording proxy: requests go on to the services, answers onto a tape."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import httpx
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.errors import HarnessError, InterceptError
from harness.providers.clients import ClientVariables, all_clients
from harness.serve.replay import NOT_PASSED_ON, error_response
from harness.types import Request

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
        client: The environment variables by which its clients are configured.
        address: Its base URL.
    """

    client: ClientVariables
    address: str

    @property
    def origin(self) -> str:
        """The scheme and host of the base URL."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    def proxied(self, server: str) -> str:
        """Return the base URL for clients that are to use the proxy at *server*."""
        return f"{server}/{self.client.name}{urlsplit(self.address).path.rstrip('/')}"


def upstreams(named: Sequence[str], environment: Mapping[str, str]) -> tuple[Upstream, ...]:
    """Return the services: at the base URL of *environment* if it has one, else at their own.

    Args:
        named: Texts `NAME=URL` that replace the base URL of a service.
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
                f"--upstream {text}: expected NAME=URL with one of {', '.join(names)}"
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

    It is run inside of a `ProxyCassette` block, whose tape records what is forwarded.

    Args:
        services: The services.
        stored: What the end of each answer waits for.
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
