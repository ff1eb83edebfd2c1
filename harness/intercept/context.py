"""The tape of a context, and what an intercepted request gets: a recording or a capture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

import anyio

from harness.config.hosts import NO_HOSTS, AllowedHosts
from harness.errors import NoActiveCassette
from harness.types import Exchange, Request, Response

if TYPE_CHECKING:
    from harness.intercept.clock import Clock
    from harness.intercept.recorder import ResponseCapture

Patch = tuple[Any, str, Callable[[Any], Any]]
"""What to patch: an owner, the name of its attribute, and a function that wraps the original."""


class Tape(Protocol):
    """What every HTTP request of a context is handed to, before it may reach the network."""

    @property
    def clock(self) -> Clock | None:
        """The simulated time of this tape's context; None where time is real."""

    @property
    def pace(self) -> float:
        """The factor by which recorded latencies are multiplied; 0 is instant."""

    def find(self, request: Request) -> Exchange | None:
        """Return the recorded exchange that answers *request*; None lets it go to the network.

        Raises:
            CassetteMiss: the request has no recorded answer and must not be sent.
        """

    def capture(self, request: Request) -> ResponseCapture:
        """Return a capture that records the network's response to *request*."""


current_tape: ContextVar[Tape | None] = ContextVar("harness_tape", default=None)
allowed_hosts: ContextVar[AllowedHosts] = ContextVar("harness_allowed_hosts", default=NO_HOSTS)
in_passthrough: ContextVar[bool] = ContextVar("harness_passthrough", default=False)


class Playback(NamedTuple):
    """A recorded exchange that answers a request, and the pace at which it is replayed."""

    exchange: Exchange
    pace: float

    @property
    def response(self) -> Response:
        """The recorded response."""
        return self.exchange.response

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks of the body as they arrived from the network."""
        body, start = self.response.body, 0
        for size in self.exchange.chunks:
            yield body[start : start + size]
            start += size
        if start < len(body):
            yield body[start:]

    def paced_chunks(self) -> Iterator[tuple[float, bytes]]:
        """Yield each chunk of the body after the seconds to wait before it."""
        return zip(self.delays(), self.chunks(), strict=False)

    def delays(self) -> Iterator[float]:
        """Yield the seconds to wait before each chunk, without end; 0 where none is recorded."""
        timing = self.exchange.timing
        if timing is not None and self.pace:
            previous = 0.0
            for arrival in timing.arrived or (timing.first_byte,):
                gap = arrival - previous
                yield self.pace * gap if 0 < gap < math.inf else 0.0
                previous = max(previous, arrival)
        yield from repeat(0.0)


def intercept(request: Request) -> Playback | ResponseCapture:
    """Hand *request* to the tape of this context.

    Returns:
        The playback of its recorded answer, or the capture that has to record the network's.

    Raises:
        NoActiveCassette: no tape is in use in this context.
        CassetteMiss: there is no recorded answer, and nothing may be recorded.
    """
    tape = current_tape.get()
    if tape is None:  # without the query, which may hold a key
        description = f"{request.method} {request.uri.partition('?')[0]}"
        raise_error(
            NoActiveCassette(
                f"{description} was sent where no tape is in use, while one is elsewhere: "
                "a thread or task uses the tape that was in use when it began"
            )
        )
    exchange = tape.find(request)
    return tape.capture(request) if exchange is None else Playback(exchange, tape.pace)


def raise_error(error: BaseException, cause: BaseException | None = None) -> NoReturn:
    """Raise *error* from a frame without secrets: test runners print the last frame's arguments."""
    raise error from cause


def bypasses_tape(uri: str) -> bool:
    """Return whether a request to *uri* is not for the tape, because its host is allowed."""
    return allowed_hosts.get().admits_request(uri)


@contextmanager
def passthrough() -> Iterator[None]:
    """Open connections in real time inside: an HTTP library sends a request of the tape."""
    token = in_passthrough.set(True)
    try:
        yield
    finally:
        in_passthrough.reset(token)


async def wait(seconds: float) -> None:
    """Wait in real time."""
    if seconds:
        with passthrough():
            await anyio.sleep(seconds)
