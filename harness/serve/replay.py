"""The application of the replay server: recorded exchanges over HTTP, and its own errors."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
from harness.types import Response as RecordedResponse

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

        Each cassette has its number of exchanges. Each session has the numbers of its answers,
        injected faults and requests without an answer, and a text for each of the first such
        requests and each unused exchange.
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
                    "missed": session.missed,
                    "misses": list[Json](session.misses),
                    "unused": list[Json](session.unused_texts()),
                }
                for (name, only), session in self.opened.items()
            ],
        }


def application(sessions: Sessions) -> ASGIApp:
    """Return the ASGI application that answers from *sessions*."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        if body is None:
            return
        answered = await _answer(_read(scope, body, sessions.cassettes), sessions)
        if isinstance(answered, Playback):
            await send_playback(answered, scope, receive, send)
        else:
            await answered(scope, receive, send)

    return answer


async def whole_body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if the client leaves before it is complete."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body
    parts = [message]
    while message.get("more_body"):
        message = await receive()
        parts.append(message)
    if message["type"] == "http.disconnect":
        return None
    return b"".join([part.get("body", b"") for part in parts])


async def _answer(asked: _SessionRequest, sessions: Sessions) -> Playback | Response:
    """Return the answer to a request: from a session, of the server itself, or an error."""
    request, cassette = asked.request, asked.cassette
    if asked.path.rstrip("/") == STATUS_PATH.rstrip("/"):
        return _status(request, sessions)
    if cassette and cassette not in sessions.cassettes.by_name:
        known = ", ".join(sessions.cassettes.by_name)
        message = f"there is no cassette {cassette}; served are {known}"
        return error_response(request, 404, "no_such_cassette", message)
    if asked.upgrade.lower() == "websocket":
        return error_response(request, 501, "no_websockets", NO_WEBSOCKETS)
    links = sessions.links
    place = f"{asked.origin}{asked.prefix}" if links else ""
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
    return playback


_LARGE = 2**18
"""Bytes of a body whose look-up may take some hundredths of a second."""


def _status(request: Request, sessions: Sessions) -> Response:
    """Return the state of all sessions; with DELETE, after each has ended."""
    if request.method not in ("GET", "HEAD", "DELETE"):
        message = f"{STATUS_PATH} has no {request.method}"
        return error_response(request, 405, "method_not_allowed", message)
    if request.method == "DELETE":
        sessions.opened.clear()
    return JSONResponse(sessions.status())


class _SessionRequest(NamedTuple):
    """A request, and the session that it is for.

    Attributes:
        request: The request as its service would get it.
        path: The whole path that the client asked for.
        origin: The scheme and the host by which the client reached this server.
        prefix: The beginning of its path that names session and cassette, which was removed.
        session: The name of the session; "" for the usual one.
        cassette: The name of the cassette; "" for all.
        upgrade: The protocol that the client asks for instead of HTTP; "" for none.
    """

    request: Request
    path: str
    origin: str
    prefix: str
    session: str
    cassette: str
    upgrade: str


def _read(scope: Scope, body: bytes, cassettes: ServedCassettes) -> _SessionRequest:
    headers = tuple([(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]])
    first = dict(reversed(headers))
    whole: str = scope["raw_path"].decode("latin-1")
    path, session = whole, first.get(SESSION_HEADER, "")
    if match := _SESSION.fullmatch(path):
        path, session = match["rest"] or "/", match["name"]
    cassette, path = cassettes.split(path)
    prefix = whole.removesuffix(path) if path != "/" else ""
    origin = f"http://{first.get('host') or 'localhost'}"
    query = scope["query_string"].decode("latin-1")
    uri = f"{origin}{path}?{query}" if query else f"{origin}{path}"
    return _SessionRequest(
        Request(scope["method"], uri, headers, body),
        whole,
        origin,
        prefix,
        session,
        cassette or first.get(CASSETTE_HEADER, ""),
        first.get("upgrade", ""),
    )


async def send_playback(playback: Playback, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a recorded response in the recorded chunks with the recorded pauses.

    A pace of 0 sends it without pauses. If the exchange ended in a network failure, so does the
    response.
    """
    recorded = playback.response
    if playback.broken_off is not None:
        await _break_off(playback, scope, receive, send)
    elif playback.recorded.request.method.upper() == "HEAD":
        await send(_head(recorded, recorded.header("content-length")))
        await send({"type": "http.response.body"})
    elif recorded.status in (204, 304):
        await send(_head(recorded, None))
        await send({"type": "http.response.body"})
    elif playback.pace or playback.extra_delay:  # until the client leaves
        response = StreamingResponse(_chunks(playback), recorded.status)
        response.raw_headers = [*_headers(recorded.headers, None)]
        await response(scope, receive, send)
    elif playback.exchange.chunks:
        await send(_head(recorded, None))
        for chunk in playback.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
    else:
        body, end = recorded.body, 0
        await send(_head(recorded, str(len(body))))
        while len(body) - end > _PIECE:  # so that a slow client has little of it waiting here
            piece, end = body[end : end + _PIECE], end + _PIECE
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": body[end:] if end else body})


_PIECE = 2**16
"""Bytes of a long body that are sent at a time."""


def _head(recorded: RecordedResponse, size: str | None) -> Message:
    """Return the beginning of a response with *size* bytes; None if that is not known."""
    headers = _headers(recorded.headers, size)
    return {"type": "http.response.start", "status": recorded.status, "headers": headers}


async def _chunks(playback: Playback) -> AsyncIterator[bytes]:
    for delay, chunk in playback.paced_chunks():
        if delay:
            await asyncio.sleep(delay)
        yield chunk


async def _break_off(playback: Playback, scope: Scope, receive: Receive, send: Send) -> None:
    """End a response as the recorded one ended: the connection is closed or reset.

    Before any response, if none was recorded. Failures that a server cannot repeat, such as of a
    name that was not resolved or of a timeout, are resets, too.
    """
    if playback.has_response:
        await send(_head(playback.response, None))
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


@lru_cache(maxsize=1024)
def _headers(
    recorded: tuple[tuple[str, str], ...], size: str | None
) -> tuple[tuple[bytes, bytes], ...]:
    """Return recorded headers for a body of *size* bytes; None if it has no Content-Length."""
    own = NOT_PASSED_ON | {"content-length"}
    kept = [(n, v) for n, v in recorded if n.lower() not in own]
    if size is not None:
        kept.append(("content-length", size))
    return tuple([(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in kept])
