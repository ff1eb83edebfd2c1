"""A speaker: one provider's language as data, and the application that all of them become alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.sandbox.house import House, now
from harness.sandbox.refusal import Reason, Refused

Endpoint = Callable[[House, Request], Awaitable[Response]]
"""Answers one request that was let in."""


@dataclass(frozen=True, slots=True)
class ProviderServer:
    """One provider's language.

    It is spoken below `prefix`. `check_key` refuses a token that does not go with the accepted
    key, which is `key` unless the options name another. `endpoints` are methods, paths and what
    answers there. `refuse` puts a refusal, `no_such_path` meets a path or method that is not
    among the endpoints, `broken` an error of our own.
    """

    prefix: str
    key: str
    check_key: Callable[[str, str], None]
    endpoints: tuple[tuple[str, str, Endpoint], ...]
    refuse: Callable[[Request, Refused], Awaitable[Response]]
    no_such_path: Callable[[Request, HTTPException], Awaitable[Response]]
    broken: Callable[[Request, Exception], Awaitable[Response]]

    def build(self, house: House, key: str) -> Starlette:
        """The endpoints below the base address that the SDK is given."""
        routes = [
            Route(path, self._behind_the_door(endpoint, house, key), methods=[method])
            for method, path, endpoint in self.endpoints
        ]
        # Any: each handler takes the very exception it is listed for.
        handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
            Refused: self.refuse,
            HTTPException: self.no_such_path,
            Exception: self.broken,
        }
        return Starlette(routes=routes, exception_handlers=handlers)

    def _behind_the_door(
        self, endpoint: Endpoint, house: House, key: str
    ) -> Callable[[Request], Awaitable[Response]]:
        async def enter(request: Request) -> Response:
            request.state.arrived = now()
            self.check_key(bearer(request), key)
            await house.welcome()
            return await endpoint(house, request)

        return enter


def bearer(request: Request) -> str:
    """The key or token a request carries."""
    value = request.headers.get("authorization", "").strip()
    if not value:
        raise Refused(Reason.NO_KEY)
    scheme, _, token = value.rpartition(" ")
    return token if scheme.strip().lower() in ("", "bearer") else ""


def arrival(request: Request) -> datetime:
    """When a request came; this moment, where it came to no endpoint."""
    return getattr(request.state, "arrived", None) or now()
