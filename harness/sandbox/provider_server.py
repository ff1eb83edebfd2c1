"""How a sandbox serves one provider: its routes as data, and helpers to build responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

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
"""Headers of a response, in their order."""

Handler = Callable[[SandboxState, Request], Awaitable[Response]]
"""Responds to one authorized request."""


@dataclass(frozen=True, slots=True)
class ProviderServer:
    """How the sandbox serves one provider.

    Attributes:
        prefix: The path of the base URL that clients are given.
        key: The accepted API key, unless the options name another.
        check_key: Raises Refused for a (token, accepted key) that do not match.
        routes: (method, path below the prefix, handler).
        refuse: Returns the response to a refused request.
    """

    prefix: str
    key: str
    check_key: Callable[[str, str], None]
    routes: tuple[tuple[str, str, Handler], ...]
    refuse: Callable[[Request, Refused], Response]

    def build(self, state: SandboxState, key: str) -> Starlette:
        """Return the application to mount at the prefix, which accepts *key*."""
        routes = [
            Route(path, self._authorized(handler, state, key), methods=[method])
            for method, path, handler in self.routes
        ]
        kinds = (Refused, HTTPException, Exception)
        return Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, self._refused))

    async def _refused(self, request: Request, error: Exception) -> Response:
        """Respond to an exception; Starlette raises unexpected ones again, so they are logged."""
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
    """Return the key or token in the Authorization header; "" for an unknown scheme."""
    value = request.headers.get("authorization", "").strip()
    if not value:
        raise Refused(Reason.NO_KEY)
    scheme, _, token = value.rpartition(" ")
    return token if scheme.strip().lower() in ("", "bearer") else ""


def arrival_time(request: Request) -> datetime:
    """Return when a request arrived; the current time if no route matched it."""
    return getattr(request.state, "arrived", None) or now()


def json_response(value: Json, headers: Headers, status: int = 200) -> Response:
    """Return a JSON response without Content-Length: like the services', it is sent chunked."""
    return _with_headers(Response(compact_bytes(value), status), headers)


def stream_response(chunks: AsyncIterator[bytes], headers: Headers) -> Response:
    """Return a streamed response."""
    return _with_headers(StreamingResponse(chunks), headers)


def _with_headers(response: Response, headers: Headers) -> Response:
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers
    ]
    return response
