"""The application of the replay server: recorded exchanges over HTTP, byte for byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.errors import CassetteMiss
from harness.intercept.context import Playback
from harness.serve.errors import error_response
from harness.serve.library import Library, Session
from harness.types import NO_STATUS, Exchange, Json, Request

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
STATUS_PATH = "/__harness/"
SESSION_HEADER = "x-harness-session"
CASSETTE_HEADER = "x-harness-cassette"

_SESSION = re.compile(r"/~(?P<name>[\w.-]+)(?P<rest>/.*|$)")

HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
     "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
"""Headers that concern one connection only (RFC 9110, section 7.6.1)."""


@dataclass
class Sessions:
    """The sessions of a replay server, by name and cassette; each begins with its first request.

    Attributes:
        library: The cassettes.
        pace: The factor by which recorded latencies are multiplied; 0 is instant.
    """

    library: Library
    pace: float = 0.0
    opened: dict[tuple[str, str], Session] = field(init=False, default_factory=dict)

    def get(self, name: str, cassette: str) -> Session:
        """Return the session *name* of a cassette ("" for all), which is opened if it is new."""
        key = name, cassette
        if key not in self.opened:
            self.opened[key] = Session(self.library, cassette)
        return self.opened[key]

    def status(self) -> dict[str, Json]:
        """Return what was answered, what was missed and what is unused, as JSON."""
        return {
            "cassettes": {n: len(c.exchanges) for n, c in self.library.cassettes.items()},
            "sessions": [
                {
                    "name": name,
                    "cassette": only,
                    "answered": session.answered,
                    "misses": list[Json](session.misses),
                    "unused": list[Json](session.unused_texts()),
                }
                for (name, only), session in self.opened.items()
            ],
        }


def application(sessions: Sessions) -> Starlette:
    """Return the ASGI application that answers from *sessions*."""

    async def status(request: HttpRequest) -> Response:
        if request.method == "DELETE":
            sessions.opened.clear()
        return JSONResponse(sessions.status())

    async def answer(http: HttpRequest) -> Response:
        request, name, cassette = await _read(http, sessions.library)
        if cassette and cassette not in sessions.library.cassettes:
            known = ", ".join(sessions.library.cassettes)
            message = f"there is no cassette {cassette}; served are {known}"
            return error_response(request, 404, "no_such_cassette", message)
        try:
            exchange = sessions.get(name, cassette).find(request)
        except CassetteMiss as miss:
            return error_response(request, 404, "cassette_miss", str(miss))
        if exchange.broken_off is not None and exchange.response.status == NO_STATUS:
            failure = f"{exchange.broken_off.kind}: {exchange.broken_off.message}"
            return error_response(request, 502, "network_failure", failure)
        return response_of(exchange, sessions.pace)

    return Starlette(
        routes=[
            Route(STATUS_PATH, status, methods=["GET", "DELETE"]),
            Route("/{path:path}", answer, methods=[*METHODS]),
        ]
    )


async def _read(http: HttpRequest, library: Library) -> tuple[Request, str, str]:
    """Return a request without the server's own base path, its session and its cassette."""
    raw: bytes = http.scope.get("raw_path") or http.url.path.encode()
    path, session = raw.decode("latin-1"), http.headers.get(SESSION_HEADER, "")
    if match := _SESSION.fullmatch(path):
        path, session = match["rest"] or "/", match["name"]
    cassette, path = library.split(path)
    cassette = cassette or http.headers.get(CASSETTE_HEADER, "")
    query = http.scope["query_string"].decode("latin-1")
    uri = f"http://{http.headers.get('host', 'localhost')}{path}{'?' if query else ''}{query}"
    headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in http.headers.raw)
    return Request(http.method, uri, headers, await http.body()), session, cassette


def response_of(exchange: Exchange, pace: float) -> Response:
    """Return the recorded response, sent in the recorded chunks with the recorded pauses.

    A pace of 0 sends it at once.
    """
    playback = Playback(exchange, pace)
    recorded = playback.response

    async def chunks() -> AsyncIterator[bytes]:
        for delay, chunk in playback.paced_chunks():
            if delay:
                await asyncio.sleep(delay)
            yield chunk
        if playback.broken_off is not None:  # the server closes the connection
            raise ConnectionResetError(playback.broken_off.message)

    single = not playback.exchange.chunks and not pace and playback.broken_off is None
    response = Response(recorded.body) if single else StreamingResponse(chunks())
    response.status_code = recorded.status
    response.raw_headers = _headers(recorded.headers, len(recorded.body) if single else None)
    return response


def _headers(recorded: tuple[tuple[str, str], ...], size: int | None) -> list[tuple[bytes, bytes]]:
    """Return recorded headers for a body of *size* bytes; None if it is sent in chunks."""
    own = HOP_BY_HOP | {"content-length"}
    kept = [(n, v) for n, v in recorded if n.lower() not in own]
    if size is not None:
        kept.append(("content-length", str(size)))
    return [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in kept]
