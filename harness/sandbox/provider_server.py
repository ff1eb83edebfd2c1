"""The interface between the sandbox and a provider: routes as data, and response helpers."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from harness.sandbox.requests import Reason, Refused
from harness.sandbox.state import SandboxState, now
from harness.types import Json
from harness.wire import compact_bytes

Headers = list[tuple[str, str]]
"""The (name, value) pairs of response headers, in order."""

Handler = Callable[[SandboxState, Request], Awaitable[Response]]
"""A function that returns the response to a request, whose API key is already checked."""


def check_key(token: str, key: str) -> None:
    """Raise Refused unless *token* is the API key *key*."""
    if not hmac.compare_digest(token.encode(), key.encode()):
        raise Refused(Reason.WRONG_KEY)


@dataclass(frozen=True, slots=True)
class ProviderServer:
    """The description of a provider's server in the sandbox.

    Attributes:
        prefix: The path of the base URL for clients, such as `/api/v1`.
        key: The accepted API key, unless `Options.keys` has another.
        routes: (HTTP method, path below the prefix, handler) of each route.
        refuse: Returns the error response for a request and the Refused that it raised.
        check_key: Called with the token in a request and the accepted key; raises Refused if the
            token is not valid.
        open_routes: Routes, as in `routes`, that need no API key.
        other_prefix: A second path at which the routes are, too; usually empty.
    """

    prefix: str
    key: str
    routes: tuple[tuple[str, str, Handler], ...]
    refuse: Callable[[Request, Refused], Response]
    check_key: Callable[[str, str], None] = check_key
    open_routes: tuple[tuple[str, str, Handler], ...] = ()
    other_prefix: str = ""

    def build(self, state: SandboxState, key: str) -> Starlette:
        """Return the ASGI application of this server, which accepts the API key *key*.

        *state* is passed to all handlers.
        """
        routes = [
            Route(path, self._authorized(handler, state, key), methods=[method])
            for method, path, handler in self.routes
        ]
        routes += [
            Route(path, partial(handler, state), methods=[method])
            for method, path, handler in self.open_routes
        ]
        kinds = (Refused, HTTPException, Exception)
        return Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, self._refused))

    async def _refused(self, request: Request, error: Exception) -> Response:
        """Return the error response for an exception.

        Starlette raises an unexpected exception again after the response, so that it is logged.
        """
        if isinstance(error, HTTPException):
            is_method = error.status_code == 405
            error = Refused(Reason.WRONG_METHOD if is_method else Reason.NO_SUCH_PATH)
        elif not isinstance(error, Refused):
            error = Refused(Reason.INTERNAL_ERROR)
        return self.refuse(request, error)

    def _authorized(
        self, handler: Handler, state: SandboxState, key: str
    ) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            request.state.arrived = now()
            self.check_key(bearer_token(request), key)
            await state.admit()
            return await handler(state, request)

        return respond


def bearer_token(request: Request) -> str:
    """Return the API key in the Authorization header or, without that, in the header x-api-key.

    Returns "" if the Authorization header has another scheme than Bearer.

    Raises:
        Refused: The request has neither header.
    """
    value = request.headers.get("authorization", "").strip()
    value = value or request.headers.get("x-api-key", "").strip()
    if not value:
        raise Refused(Reason.NO_KEY)
    scheme, _, token = value.rpartition(" ")
    return token if scheme.strip().lower() in ("", "bearer") else ""


def arrival_time(request: Request) -> datetime:
    """Return the time when *request* arrived; the current time if that was not noted."""
    return getattr(request.state, "arrived", None) or now()


def json_response(value: Json, headers: Headers, status: int = 200) -> Response:
    """Return a JSON response with exactly these headers; it is sent chunked, as the services do."""
    return _with_headers(Response(compact_bytes(value), status), headers)


def bytes_response(body: bytes, headers: Headers) -> Response:
    """Return a response with status 200, exactly these headers, and *body*, the bytes of a file."""
    return _with_headers(Response(body), headers)


def stream_response(chunks: AsyncIterator[bytes], headers: Headers) -> Response:
    """Return a response with status 200 and exactly these headers, whose body is *chunks*."""
    return _with_headers(StreamingResponse(chunks), headers)


def _with_headers(response: Response, headers: Headers) -> Response:
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers
    ]
    return response
