"""Which tape a request belongs to: the one whose context it was made in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from harness.errors import NoTape
from harness.tape.hosts import NO_HOSTS, Hosts
from harness.tape.recorder import Listener
from harness.types import Exchange, Request


class Tape(Protocol):
    """What a request meets instead of the network, or on its way to it."""

    def find(self, request: Request) -> Exchange | None:
        """The recorded exchange that answers `request`; None lets it go to the network.

        Raises Miss where it may do neither.
        """

    def listen(self, request: Request) -> Listener:
        """Something that hears the network's answer to `request` as it passes."""

    def turn(self, number: int) -> Any:
        """A context in which every exchange belongs to turn `number`; yields their list."""

    def sleep(self, seconds: float) -> None:
        """Let time pass, where passing time has a point."""


current: ContextVar[Tape | None] = ContextVar("harness_tape", default=None)
allowed: ContextVar[Hosts] = ContextVar("harness_allowed", default=NO_HOSTS)
on_the_way: ContextVar[bool] = ContextVar("harness_on_the_way", default=False)


def tape_for(method: str, uri: str) -> Tape:
    """The tape of this context. Raises NoTape, without the query: that may hold a key."""
    tape = current.get()
    if tape is None:
        asked = f"{method} {uri.partition('?')[0]}"
        raise NoTape(f"{asked} was asked where no tape is in place, while one is elsewhere")
    return tape


def passes(uri: str) -> bool:
    """Whether a request has nothing to do with the tape: its host is an allowed one."""
    return allowed.get().pass_request(uri)


@contextmanager
def letting_through() -> Iterator[None]:
    """A context in which connections may be opened, by the library whose request is heard."""
    token = on_the_way.set(True)
    try:
        yield
    finally:
        on_the_way.reset(token)


def chunks_of(found: Exchange) -> Iterator[bytes]:
    """The recorded body, cut where the network cut it."""
    body, at = found.response.body, 0
    for size in found.chunks:
        yield body[at : at + size]
        at += size
    if at < len(body):
        yield body[at:]
