"""Answers for the requests of an SDK: recorded responses from memory, or over a real connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.intercept.http_client import WITHOUT_BODY, read_plain_head
from harness.intercept.patch import use_tape
from harness.intercept.recorder import ResponseCapture
from harness.sandbox.scripted_server import Script, response_script, serve_scripts
from harness.types import Exchange, Request, Response
from harness.wire.codings import drop_stale_content_encoding

ADDRESS = "http://127.0.0.1"
"""The scheme and host that requests go to; a real connection has a port, too."""


@dataclass
class Answering:
    """What answers the requests of an SDK.

    Attributes:
        address: The scheme, host and, for a real connection, port that requests are sent to.
        requests: The number of requests that were answered.
    """

    address: str = ADDRESS
    requests: int = 0


@contextmanager
def answered(exchange: Exchange) -> Iterator[Answering]:
    """Answer each request in the `with` block with the response of *exchange*.

    The SDK and its HTTP library are the real ones. A response whose head every HTTP library reads
    as it is written is handed to the library from memory, by the tape that replays use. Any other,
    such as one with an invalid header, comes over a real connection, since what the parts of a
    library below the tape make of it matters.
    """
    response = in_memory(exchange)
    with over_connection(exchange) if response is None else from_memory(response) as answering:
        yield answering


def in_memory(exchange: Exchange) -> Exchange | None:
    """Return what the tape answers with to show an SDK what a server would send.

    Return None if only a real connection shows the response as a server sends it.
    """
    sent = drop_stale_content_encoding(exchange.response)
    if sent.status in WITHOUT_BODY or not sent.reason.isprintable():
        return None
    (head, *_) = response_script(sent)
    try:
        headers = read_plain_head(head.decode("ascii")) if isinstance(head, bytes) else None
    except UnicodeDecodeError:
        return None
    # HTTP libraries differ in the spaces around a value that they keep.
    if headers is None or any(value != value.strip() for _, value in headers):
        return None
    response = Response(sent.status, sent.reason, tuple(headers), sent.body)
    return Exchange(exchange.request, response, chunks=exchange.chunks)


class _Tape(Answering):
    """A tape that answers every request with the response of one exchange."""

    clock = None
    pace = 0.0
    has_failures = False

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def find(self, request: Request) -> Exchange:
        """Return the exchange, whatever *request* is."""
        self.requests += 1
        return self._exchange

    def capture(self, request: Request) -> ResponseCapture:
        """Raise NotImplementedError: no request is sent."""
        raise NotImplementedError


@contextmanager
def from_memory(exchange: Exchange) -> Iterator[Answering]:
    """Answer each request in the `with` block with an exchange of `in_memory`."""
    tape = _Tape(exchange)
    with use_tape(tape):
        yield tape


@contextmanager
def over_connection(exchange: Exchange) -> Iterator[Answering]:
    """Answer each request in the `with` block over a connection of this machine to itself."""
    script = response_script(drop_stale_content_encoding(exchange.response), exchange.chunks)
    answering = Answering()

    def respond(head: bytes, body: bytes) -> Script:
        answering.requests += 1
        return script

    with serve_scripts(respond) as answering.address:
        yield answering
