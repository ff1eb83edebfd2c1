"""The tape of the current context, and the interception of a request by it.

An intercepted request gets a `Playback` of a recorded response, or it is sent to the network with a
`ResponseCapture` that records the response.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from harness.config.hosts import NO_HOSTS, AllowedHosts
from harness.errors import NoActiveCassette
from harness.types import NO_STATUS, BrokenOff, Exchange, Request, Response
from harness.wire.codings import with_coding

if TYPE_CHECKING:
    from harness.intercept.clock import Clock
    from harness.intercept.recorder import ResponseCapture

Patch = tuple[Any, str, Callable[[Any], Any]]
"""A patch of one attribute: its owner, its name, and a function that wraps the original value."""


class Tape(Protocol):
    """The interface of an object that gets every HTTP request of a context before it is sent."""

    @property
    def clock(self) -> Clock | None:
        """The simulated clock of this tape's context; None if time is real."""

    @property
    def pace(self) -> float:
        """The factor by which recorded latencies are multiplied; 0 is instant."""

    @property
    def has_failures(self) -> bool:
        """Whether any of the recorded exchanges was ended by a network failure."""

    def find(self, request: Request) -> Exchange | None:
        """Return the recorded exchange that answers *request*; None if it is to be sent.

        Raises:
            CassetteMiss: the request has no recorded answer and must not be sent.
        """

    def capture(self, request: Request) -> ResponseCapture:
        """Return a capture that records the network's response to *request*."""


current_tape: ContextVar[Tape | None] = ContextVar("harness_tape", default=None)
allowed_hosts: ContextVar[AllowedHosts] = ContextVar("harness_allowed_hosts", default=NO_HOSTS)
in_passthrough: ContextVar[bool] = ContextVar("harness_passthrough", default=False)


@dataclass(frozen=True)
class Playback:
    """The replay of a recorded exchange as the answer to a request.

    Attributes:
        recorded: The recorded exchange.
        pace: The factor by which recorded latencies are multiplied; 0 is instant.
    """

    recorded: Exchange
    pace: float

    @cached_property
    def exchange(self) -> Exchange:
        """The recorded exchange, its response as it was sent, with its content coding."""
        return with_coding(self.recorded)

    @property
    def response(self) -> Response:
        """The recorded response as it was sent."""
        return self.exchange.response

    @property
    def broken_off(self) -> BrokenOff | None:
        """The network failure that ended the exchange; None if there was none."""
        return self.recorded.broken_off

    @property
    def has_response(self) -> bool:
        """Whether a response arrived, and not only a network failure."""
        return self.broken_off is None or self.response.status != NO_STATUS

    def chunks(self) -> Iterator[bytes]:
        """Yield the response body in the chunks that were recorded; whole if none were."""
        body, start = self.response.body, 0
        for size in self.exchange.chunks:
            yield body[start : start + size]
            start += size
        if start < len(body):
            yield body[start:]

    def paced_chunks(self) -> Iterator[tuple[float, bytes]]:
        """Return an iterator over pairs: the seconds to wait before a chunk, and the chunk."""
        return zip(self.delays(), self.chunks(), strict=False)

    def delays(self) -> Iterator[float]:
        """Yield the seconds to wait before each chunk, then 0 without end.

        All are 0 if the pace is 0 or the exchange was recorded without times.
        """
        timing = self.exchange.timing
        if timing is not None and self.pace:
            previous = 0.0
            for arrival in timing.arrived or (timing.first_byte,):
                yield self._delay(arrival - previous)
                previous = max(previous, arrival)
        yield from repeat(0.0)

    @property
    def delay_of_failure(self) -> float:
        """The seconds to wait before the network failure, after the last chunk."""
        timing = self.exchange.timing
        if timing is None:
            return 0.0
        arrived = timing.arrived or ((timing.first_byte,) if self.response.body else (0.0,))
        return self._delay(timing.total - max(arrived))

    def _delay(self, seconds: float) -> float:
        return self.pace * seconds if 0 < seconds < math.inf else 0.0


def intercept(request: Request) -> Playback | ResponseCapture:
    """Return the answer of the current context's tape to *request*.

    Returns:
        A playback of the recorded response. If the request has to be sent instead, a capture that
        the caller has to feed with the network's response.

    Raises:
        NoActiveCassette: no tape is in use in this context.
        CassetteMiss: the request has no recorded response, and nothing may be recorded.
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
    """Raise *error* in a frame of its own, whose arguments hold no secrets.

    Test runners print the arguments of the frame that raises.
    """
    raise error from cause


def bypasses_tape(uri: str) -> bool:
    """Return whether a request to *uri* is sent without the tape, because its host is allowed."""
    return allowed_hosts.get().admits_request(uri)


@contextmanager
def passthrough() -> Iterator[None]:
    """Disable interception and simulated time in the `with` block, which sends a request."""
    token = in_passthrough.set(True)
    try:
        yield
    finally:
        in_passthrough.reset(token)


async def wait(seconds: float) -> None:
    """Wait for *seconds* in real time; return at once if they are 0.

    Libraries that run on other event loops than asyncio's use anyio.
    """
    if seconds:
        with passthrough():
            await sys.modules.get("anyio", asyncio).sleep(seconds)
