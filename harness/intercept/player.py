"""A cassette being replayed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NoReturn

from harness.errors import CassetteMiss, ConnectionBlocked
from harness.intercept.clock import Clock
from harness.intercept.hooks import Match, compared, identity
from harness.intercept.matching import Key, closest, key_of
from harness.intercept.recorder import ResponseCapture
from harness.secrets.fingerprint import NONE, UNKNOWN, fingerprint
from harness.secrets.redactor import Redactor
from harness.secrets.shapes import without_keys
from harness.types import Cassette, Exchange, Request
from harness.wire.codings import drop_stale_content_encoding

Place = tuple[Key, str]
"""Which answers wait for a request: what it asks, and the refused key it asks with, if it is."""


@dataclass
class Player:
    """A cassette being replayed: each exchange answers once, in order; a poll's last one stays.

    Only GET requests are answered again by the last exchange of their kind: asking for a task's
    state changes nothing, so how often a client asks is its own affair. Answers and sleeps take
    `pace` times as long as when they were recorded.

    Requests are looked up as `match` gives them back, and it is given them without secrets. What
    was answered to a key that was refused is never an answer to another, nor the other way round;
    which of the keys that were not refused it is makes no difference: a replay has none of them.
    """

    cassette: Cassette
    redactor: Redactor = field(default_factory=Redactor)
    match: Match = identity
    pace: float = 0.0
    clock: Clock = field(init=False)
    _refused: frozenset[str] = field(init=False)
    _waiting: dict[Place, deque[int]] = field(init=False, default_factory=dict)
    _last: dict[Place, Exchange] = field(init=False, default_factory=dict)
    _verbatim: dict[tuple[str, str, bytes], Key] = field(init=False, default_factory=dict)
    _heard: list[Exchange] = field(init=False, default_factory=list)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.clock = Clock(self.pace)
        self._refused = refused_keys(self.cassette)
        for number, exchange in enumerate(self.cassette.exchanges):
            self._waiting.setdefault(self._recorded_at(exchange), deque()).append(number)

    def _recorded_at(self, exchange: Exchange) -> Place:
        key = self._key(exchange.request)
        if self.match is identity:
            self._verbatim[_words(exchange.request)] = key
        return key, self._lane(exchange.key)

    def _key(self, request: Request) -> Key:
        """A request's key; one asked in the very words of a recorded one is not read again."""
        known = self._verbatim.get(_words(request))
        return known or key_of(self._seen(request), self.cassette.provenance.volatile)

    def _seen(self, request: Request) -> Request:
        """A request as it is compared."""
        if self.match is identity:
            return request
        return compared(self.match, self.redactor.request(request))

    def _lane(self, key: str) -> str:
        """The key's fingerprint if it was refused; all others are one."""
        return key if key in self._refused else ""

    def find(self, request: Request) -> Exchange:
        """The next recorded answer to `request`."""
        lane = self._lane(fingerprint(request)) if self._refused else ""
        place = self._key(request), lane
        if place not in self._waiting:  # what was recorded is known by what it is without secrets
            request = self.redactor.request(request)
            place = self._key(request), lane
        with self._lock:
            waiting = self._waiting.get(place)
            if waiting:
                exchange = self.cassette.exchanges[waiting.popleft()]
                self._last[place] = exchange
            elif place in self._last and request.method.upper() == "GET":
                exchange = self._last[place]
            else:
                _refuse(self._told(self.redactor.request(request), place))
            self._heard.append(exchange)
        answer = drop_stale_content_encoding(exchange.response)
        return exchange if answer is exchange.response else replace(exchange, response=answer)

    def listen(self, request: Request) -> ResponseCapture:
        """Never called: a replay finds an answer or raises."""
        raise ConnectionBlocked(f"a replay has nothing to listen to: {request.uri}")

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

    def unused(self) -> tuple[Exchange, ...]:
        """Exchanges nobody asked for, in the order they were recorded."""
        left = sorted(number for waiting in self._waiting.values() for number in waiting)
        return tuple(self.cassette.exchanges[number] for number in left)

    def _told(self, request: Request, place: Place) -> str:
        asked = f"no recorded answer to {request.method} {without_keys(request.uri)}"
        key, lane = place
        if place in self._last:
            return f"{asked}: it was recorded {self._times(place)}, and asked once more"
        if any((key, other) in self._waiting for other in self._refused - {lane}):
            return f"{asked} with this key: it was recorded with {_OTHER}"
        if (key, "") in self._waiting:
            return f"{asked} with this key: when it was recorded with another, {_REFUSED}"
        clean = ((e, self.redactor.request(e.request)) for e in self.cassette.exchanges)
        recorded = [replace(e, request=self._seen(known)) for e, known in clean]
        volatile = self.cassette.provenance.volatile
        return f"{asked}; {closest(self._seen(request), recorded, volatile)}"

    def _times(self, place: Place) -> str:
        recorded = self.cassette.exchanges
        count = sum((self._key(e.request), self._lane(e.key)) == place for e in recorded)
        return "once" if count == 1 else f"{count} times"


def _refuse(told: str) -> NoReturn:
    """Raise CassetteMiss. No argument holds a key: test runners print those of the last frame."""
    raise CassetteMiss(told)


_OTHER = "another key, which was refused (HTTP 401), and its answer is none to this one"
_REFUSED = "this key was refused elsewhere on the cassette (HTTP 401), and never asked this"


def refused_keys(cassette: Cassette) -> frozenset[str]:
    """The fingerprints of keys that were refused with HTTP 401, and never had an answer.

    A key that ran out in mid-recording is none of them: a replay cannot know it from another.
    """
    refused = {e.key for e in cassette.exchanges if e.response.status == 401}
    served = {e.key for e in cassette.exchanges if e.response.status < 400}
    return frozenset(refused - (served - {NONE}) - {UNKNOWN})


def _words(request: Request) -> tuple[str, str, bytes]:
    return request.method, request.uri, request.body
