"""A cassette being replayed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.errors import Miss, SocketShut
from harness.redact import Redactor
from harness.tape.clock import Clock
from harness.tape.lookup import Key, closest, key_of
from harness.tape.recorder import Listener
from harness.types import Cassette, Exchange, Request


@dataclass
class Player:
    """A cassette being replayed: each exchange answers once, in order; a poll's last one stays.

    Only GET requests are answered again by the last exchange of their kind: asking for a task's
    state changes nothing, so how often a client asks is its own affair. Answers and sleeps take
    `pace` times as long as when they were recorded.
    """

    cassette: Cassette
    redactor: Redactor = field(default_factory=Redactor)
    pace: float = 0.0
    clock: Clock = field(init=False)
    _waiting: dict[Key, deque[int]] = field(init=False, default_factory=dict)
    _last: dict[Key, Exchange] = field(init=False, default_factory=dict)
    _verbatim: dict[tuple[str, str, bytes], Key] = field(init=False, default_factory=dict)
    _heard: list[Exchange] = field(init=False, default_factory=list)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.clock = Clock(self.pace)
        for number, exchange in enumerate(self.cassette.exchanges):
            request = exchange.request
            key = self._verbatim[_words(request)] = self._key(request)
            self._waiting.setdefault(key, deque()).append(number)

    def _key(self, request: Request) -> Key:
        """A request's key; one asked in the very words of a recorded one is not read again."""
        known = self._verbatim.get(_words(request))
        return known or key_of(request, self.cassette.provenance.volatile)

    def find(self, request: Request) -> Exchange:
        """The next recorded answer to `request`."""
        key = self._key(request)
        if key not in self._waiting:  # what was recorded is known by what it is without secrets
            request = self.redactor.request(request)
            key = self._key(request)
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting:
                exchange = self.cassette.exchanges[waiting.popleft()]
                self._last[key] = exchange
            elif key in self._last and request.method.upper() == "GET":
                exchange = self._last[key]
            else:
                raise Miss(self._told(self.redactor.request(request), key))
            self._heard.append(exchange)
        return exchange

    def listen(self, request: Request) -> Listener:
        """Never called: a replay finds an answer or raises."""
        raise SocketShut(f"a replay has nothing to listen to: {request.uri}")

    @contextmanager
    def turn(self, number: int) -> Iterator[list[Exchange]]:
        """The exchanges played inside the context, whatever turn they were recorded in."""
        exchanges: list[Exchange] = []
        began = len(self._heard)
        try:
            yield exchanges
        finally:
            exchanges += self._heard[began:]

    def sleep(self, seconds: float) -> None:
        """No waiting, at full pace: what was waited for has happened."""
        self.clock.sleep(seconds)

    def unplayed(self) -> tuple[Exchange, ...]:
        """Exchanges nobody asked for, in the order they were recorded."""
        left = sorted(number for waiting in self._waiting.values() for number in waiting)
        return tuple(self.cassette.exchanges[number] for number in left)

    def _told(self, request: Request, key: Key) -> str:
        asked = f"no recorded answer to {request.method} {request.uri}"
        if key in self._last:
            return f"{asked}: it was recorded {self._times(key)}, and asked once more"
        volatile = self.cassette.provenance.volatile
        return f"{asked}; {closest(request, self.cassette.exchanges, volatile)}"

    def _times(self, key: Key) -> str:
        count = sum(self._key(e.request) == key for e in self.cassette.exchanges)
        return "once" if count == 1 else f"{count} times"


def _words(request: Request) -> tuple[str, str, bytes]:
    return request.method, request.uri, request.body
