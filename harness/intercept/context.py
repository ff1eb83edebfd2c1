"""Which tape a request belongs to: the one whose context it was made in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import repeat
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import anyio

from harness.errors import NoActiveCassette
from harness.intercept.hosts import NO_HOSTS, Hosts
from harness.intercept.recorder import ResponseCapture
from harness.types import Exchange, Request

if TYPE_CHECKING:
    from harness.intercept.clock import Clock


class Tape(Protocol):
    """What a request meets instead of the network, or on its way to it."""

    @property
    def clock(self) -> Clock | None:
        """The time of whoever asks in this tape's context; None where it is the real one."""

    @property
    def pace(self) -> float:
        """How many times as long as when it was recorded an answer takes; 0 is at once."""

    def find(self, request: Request) -> Exchange | None:
        """The recorded exchange that answers `request`; None lets it go to the network.

        Raises CassetteMiss where it may do neither.
        """

    def listen(self, request: Request) -> ResponseCapture:
        """Something that hears the network's answer to `request` as it passes."""

    def turn(self, number: int) -> Any:
        """A context in which every exchange belongs to turn `number`; yields their list."""

    def sleep(self, seconds: float) -> None:
        """Let time pass, where passing time has a point."""


current: ContextVar[Tape | None] = ContextVar("harness_tape", default=None)
allowed: ContextVar[Hosts] = ContextVar("harness_allowed", default=NO_HOSTS)
on_the_way: ContextVar[bool] = ContextVar("harness_on_the_way", default=False)


def tape_for(method: str, uri: str) -> Tape:
    """The tape of this context. Raises NoActiveCassette, without the query: that may hold a key."""
    tape = current.get()
    if tape is None:
        asked = f"{method} {uri.partition('?')[0]}"
        _refuse(asked)
    return tape


def _refuse(asked: str) -> NoReturn:
    """Raise NoActiveCassette. No argument holds a key: test runners print the last frame."""
    raise NoActiveCassette(
        f"{asked} was asked where no tape is in place, while one is elsewhere: a thread or "
        "task has the tape that was in place when it began"
    )


def passes(uri: str) -> bool:
    """Whether a request has nothing to do with the tape: its host is an allowed one."""
    return allowed.get().pass_request(uri)


@contextmanager
def letting_through() -> Iterator[None]:
    """A context in which connections may be opened, by the library whose request is heard, and
    in which time is real."""
    token = on_the_way.set(True)
    try:
        yield
    finally:
        on_the_way.reset(token)


async def pause(seconds: float) -> None:
    """Really wait, if there is anything to wait for."""
    if seconds:
        with letting_through():
            await anyio.sleep(seconds)


def chunks_of(found: Exchange) -> Iterator[bytes]:
    """The recorded body, cut where the network cut it."""
    body, at = found.response.body, 0
    for size in found.chunks:
        yield body[at : at + size]
        at += size
    if at < len(body):
        yield body[at:]


def paced(found: Exchange, pace: float) -> Iterator[tuple[float, bytes]]:
    """The same chunks, each with the seconds to wait before it."""
    return zip(_gaps(found, pace), chunks_of(found), strict=False)


def _gaps(found: Exchange, pace: float) -> Iterator[float]:
    """As recorded, `pace` times as long, without end; 0 where it is not known when a chunk came."""
    timing = found.timing
    if timing is not None and pace:
        before = 0.0
        for came in timing.arrived or (timing.first_byte,):
            gap = came - before
            yield pace * gap if 0 < gap < math.inf else 0.0
            before = max(before, came)
    yield from repeat(0.0)
