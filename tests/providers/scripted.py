"""A server on loopback that gives the answers a test lists, and keeps the requests it got."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.sandbox.scripted_server import Reset, Script, serve_scripts


@dataclass(frozen=True)
class Answer:
    """An answer; `hangs_up` closes the connection before the end of the body."""

    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    hangs_up: bool = False


RESET = Answer(hangs_up=True)
"""The connection is reset instead of an answer."""


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as the server got it; the names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


@dataclass
class Server:
    """The server's address, and its requests in order."""

    address: str = ""
    requests: list[ReceivedRequest] = field(default_factory=list)


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """Return an answer in JSON; header names are written with underscores."""
    more = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    body = json.dumps(value, ensure_ascii=False)
    return Answer(status, body, (("content-type", "application/json"), *more))


def stream_answer(*events: str) -> Answer:
    """Return an answer that is a stream of these events."""
    body = "".join(f"{event}\n\n" for event in events)
    return Answer(200, body, (("content-type", "text/event-stream;charset=UTF-8"),))


@contextmanager
def serve_answers(*answers: Answer) -> Iterator[Server]:
    """Run a server that gives these answers, one per request; the last one is repeated."""
    server = Server()

    def respond(head: bytes, body: bytes) -> Script:
        answer = answers[min(len(server.requests), len(answers) - 1)]
        server.requests.append(_received(head, body))
        return _script(answer)

    with serve_scripts(respond) as address:
        server.address = address
        yield server


def _received(head: bytes, body: bytes) -> ReceivedRequest:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = (line.partition(":") for line in lines)
    return ReceivedRequest(method, path, {n.lower(): v.strip() for n, _, v in headers}, body)


def _script(answer: Answer) -> Script:
    if answer == RESET:
        return [Reset()]
    body = answer.body.encode()
    missing = len(answer.body) if answer.hangs_up else 0
    lines = [
        f"HTTP/1.1 {answer.status} Status",
        *(f"{name}: {text}" for name, text in answer.headers),
        f"content-length: {len(body) + missing}",
        "connection: close",
    ]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]
