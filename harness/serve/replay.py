"""The application of the replay server: recorded exchanges over HTTP, and its own errors."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.analysis.transcript import transcript_of
from harness.errors import BadFault
from harness.faults import InjectedFault
from harness.intercept.context import Playback
from harness.providers import endpoints
from harness.providers.clients import error_body
from harness.providers.rules import judge, project_rules
from harness.secrets.redactor import HOP_BY_HOP
from harness.serve.cassettes import ReplaySession, ServedCassettes
from harness.serve.links import Links
from harness.types import Cassette, Json, NetworkError, Request

HEADERS = {"x-harness-error": "1", "x-should-retry": "false"}
"""Headers of every such response; SDKs that read the second one do not ask again."""


def error_response(request: Request, status: int, code: str, message: str) -> JSONResponse:
    """Return an error response with *code* and *message*, in the form of the API of *request*."""
    return JSONResponse(error_body(request, code, message), status, HEADERS)


STATUS_PATH = "/__harness/"
SESSION_HEADER = "x-harness-session"
CASSETTE_HEADER = "x-harness-cassette"

NO_WEBSOCKETS = "websockets are neither recorded nor replayed; only HTTP requests are"

_SESSION = re.compile(r"/~(?P<name>[\w.-]+)(?P<rest>/.*|$)")

NOT_PASSED_ON = HOP_BY_HOP | {"proxy-authorization", "transfer-encoding"}
"""Headers of one connection, which the server has of its own (RFC 9110, section 7.6.1)."""


@dataclass
class Sessions:
    """The sessions of a replay server, by name and cassette; each begins with its first request.

    Attributes:
        cassettes: The cassettes.
        pace: The factor by which recorded latencies are multiplied; 0 is instant.
        links: The links that are rewritten in answers; None if answers are sent as recorded.
        faults: Faults that some requests of each session get instead of their answers.
        opened: The sessions by (name, cassette).
    """

    cassettes: ServedCassettes
    pace: float = 0.0
    links: Links | None = None
    faults: Sequence[InjectedFault] = ()
    opened: dict[tuple[str, str], ReplaySession] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.cassettes.players("")  # so that the first request does not wait for them

    def get(self, name: str, cassette: str) -> ReplaySession:
        """Return the session *name* of a cassette, given by name ("" for all).

        A new session is opened if there is none.
        """
        key = name, cassette
        if key not in self.opened:
            self.opened[key] = ReplaySession(self.cassettes, cassette, self.faults)
        return self.opened[key]

    def served(self) -> Mapping[str, Cassette]:
        """Return the cassettes that answered requests, each with the exchanges that did."""
        used = set[int]().union(*(session.used() for session in self.opened.values()))
        every = {
            name: tuple(e for e in cassette.exchanges if id(e) in used)
            for name, cassette in self.cassettes.by_name.items()
        }
        cassettes = self.cassettes.by_name
        return {n: replace(cassettes[n], exchanges=own) for n, own in every.items() if own}

    def findings(self) -> Iterator[Json]:
        """Yield the findings of the project's rules in the exchanges that were used, as JSON."""
        rules = project_rules(Path.cwd())
        for name, cassette in self.served().items():
            transcript = transcript_of(cassette, endpoints.recognise, source=name)
            for finding in judge(rules.apply_to(transcript)).findings:
                yield {
                    "cassette": name,
                    "rule": finding.rule,
                    "severity": finding.severity.value,
                    "message": finding.message,
                }

    def status(self) -> dict[str, Json]:
        """Return the state of the server as JSON, with the keys cassettes, findings and sessions.

        Each cassette has its number of exchanges. Each session has the numbers of its answers and
        injected faults, and a text for each request without an answer and each unused exchange.
        """
        return {
            "cassettes": {n: len(c.exchanges) for n, c in self.cassettes.by_name.items()},
            "findings": [*self.findings()],
            "sessions": [
                {
                    "name": name,
                    "cassette": only,
                    "answered": session.answered,
                    "faults": len(session.injector.injected),
                    "misses": list[Json](session.misses),
                    "unused": list[Json](session.unused_texts()),
                }
                for (name, only), session in self.opened.items()
            ],
        }


def application(sessions: Sessions) -> ASGIApp:
    """Return the ASGI application that answers from *sessions*."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        with suppress(ClientDisconnect):  # before the whole request has come
            response = await _answer(http, sessions)
            await response(scope, receive, send)

    return answer


async def _answer(http: HttpRequest, sessions: Sessions) -> Response:
    """Return the response to a request: from a session, of the server itself, or an error."""
    asked = await _read(http, sessions.cassettes)
    request, cassette = asked.request, asked.cassette
    if http.scope["path"].rstrip("/") == STATUS_PATH.rstrip("/"):
        return _status(http.method, request, sessions)
    if cassette and cassette not in sessions.cassettes.by_name:
        known = ", ".join(sessions.cassettes.by_name)
        message = f"there is no cassette {cassette}; served are {known}"
        return error_response(request, 404, "no_such_cassette", message)
    if http.headers.get("upgrade", "").lower() == "websocket":
        return error_response(request, 501, "no_websockets", NO_WEBSOCKETS)
    links = sessions.links
    place = f"{http.base_url}".rstrip("/") + asked.prefix if links else ""
    if links:
        request = links.restored(request, place)
    session = sessions.get(asked.session, cassette)
    try:
        if len(request.body) < _LARGE:
            playback = session.find(request, sessions.pace)
        else:  # others are answered while this request is searched for secrets
            playback = await asyncio.to_thread(session.find, request, sessions.pace)
    except BadFault as error:
        return error_response(request, 404, "bad_fault", str(error))
    if playback is None:  # others are answered while this request is compared with the recorded
        miss = await asyncio.to_thread(session.add_miss, request)
        return error_response(request, 404, "cassette_miss", miss)
    if links:
        playback = replace(playback, recorded=links.rewritten(playback.recorded, place))
    return response_of(playback)


_LARGE = 2**18
"""Bytes of a body whose look-up may take some hundredths of a second."""


def _status(method: str, request: Request, sessions: Sessions) -> Response:
    """Return the state of all sessions; with DELETE, after each has ended."""
    if method not in ("GET", "HEAD", "DELETE"):
        return error_response(request, 405, "method_not_allowed", f"{STATUS_PATH} has no {method}")
    if method == "DELETE":
        sessions.opened.clear()
    return JSONResponse(sessions.status())


class _SessionRequest(NamedTuple):
    """A request, and the session that it is for.

    Attributes:
        request: The request as its service would get it.
        prefix: The beginning of its path that names session and cassette, which was removed.
        session: The name of the session; "" for the usual one.
        cassette: The name of the cassette; "" for all.
    """

    request: Request
    prefix: str
    session: str
    cassette: str


async def _read(http: HttpRequest, cassettes: ServedCassettes) -> _SessionRequest:
    raw: bytes = http.scope.get("raw_path") or http.url.path.encode()
    path, session = raw.decode("latin-1"), http.headers.get(SESSION_HEADER, "")
    if match := _SESSION.fullmatch(path):
        path, session = match["rest"] or "/", match["name"]
    cassette, path = cassettes.split(path)
    prefix = raw.decode("latin-1").removesuffix(path) if path != "/" else ""
    cassette = cassette or http.headers.get(CASSETTE_HEADER, "")
    query = http.scope["query_string"].decode("latin-1")
    uri = f"http://{http.headers.get('host', 'localhost')}{path}{'?' if query else ''}{query}"
    headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in http.headers.raw)
    request = Request(http.method, uri, headers, await http.body())
    return _SessionRequest(request, prefix, session, cassette)


def response_of(playback: Playback) -> Response:
    """Return the recorded response, sent in the recorded chunks with the recorded pauses.

    A pace of 0 sends it without pauses. If the exchange ended in a network failure, so does the
    response.
    """
    recorded = playback.response
    if playback.broken_off is not None:
        return _BrokenOff(playback)
    if playback.recorded.request.method.upper() == "HEAD" or recorded.status in (204, 304):
        response, size = Response(), recorded.header("content-length")
    elif playback.pace or playback.extra_delay:
        response, size = StreamingResponse(_chunks(playback)), None
    elif playback.exchange.chunks:
        response, size = _AtOnce(playback), None
    else:
        response, size = Response(recorded.body), str(len(recorded.body))
    response.status_code = recorded.status
    response.raw_headers = _headers(recorded.headers, size)
    return response


async def _chunks(playback: Playback) -> AsyncIterator[bytes]:
    for delay, chunk in playback.paced_chunks():
        if delay:
            await asyncio.sleep(delay)
        yield chunk


class _PlaybackResponse(Response):
    """A response that is sent from a playback."""

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self._playback = playback


class _AtOnce(_PlaybackResponse):
    """A response in the recorded chunks, without a task that waits for the client to leave."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and all chunks."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        for chunk in self._playback.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class _BrokenOff(_PlaybackResponse):
    """A response that ends as the recorded one did: the connection is closed or reset.

    Before any response, if none was recorded. Failures that a server cannot repeat, such as of a
    name that was not resolved or of a timeout, are resets, too.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what was recorded, and cut the connection."""
        playback = self._playback
        if playback.has_response:
            headers = _headers(playback.response.headers, None)
            status = playback.response.status
            await send({"type": "http.response.start", "status": status, "headers": headers})
            async for chunk in _chunks(playback):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(playback.delay_of_failure or _BEFORE_CUT)
        elif playback.delay_of_failure:
            await asyncio.sleep(playback.delay_of_failure)
        transport: asyncio.Transport = scope["state"]["transport"]
        if playback.is_silent:
            pass
        elif playback.broken_off and playback.broken_off.kind in _CLOSED:
            transport.close()
        else:  # without lingering, a closed socket sends RST instead of FIN
            transport.get_extra_info("socket").setsockopt(*_NO_LINGER)
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


_CLOSED = (NetworkError.CLOSED, NetworkError.PROTOCOL)
_BEFORE_CUT = 0.02
"""Seconds in which clients read what was sent, before a reset that may throw it away."""
_NO_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _headers(recorded: tuple[tuple[str, str], ...], size: str | None) -> list[tuple[bytes, bytes]]:
    """Return recorded headers for a body of *size* bytes; None if it has no Content-Length."""
    own = NOT_PASSED_ON | {"content-length"}
    kept = [(n, v) for n, v in recorded if n.lower() not in own]
    if size is not None:
        kept.append(("content-length", size))
    return [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in kept]
