"""`Player`, which answers HTTP requests with the exchanges recorded in a cassette."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from harness.errors import CassetteMiss, ConnectionBlocked
from harness.intercept.clock import Clock
from harness.intercept.context import raise_error
from harness.intercept.hooks import NormalizeRequest, identity, normalized
from harness.intercept.matching import (
    EQUAL,
    Distance,
    Key,
    key_of,
    masked_places,
    nearest,
    path_and_query,
)
from harness.intercept.recorder import ResponseCapture
from harness.secrets.fingerprint import NO_CREDENTIALS, UNKNOWN, fingerprint
from harness.secrets.redactor import Redactor
from harness.secrets.shapes import without_keys
from harness.types import NO_STATUS, Cassette, Exchange, Request
from harness.wire.codings import drop_stale_content_encoding

Slot = tuple[Key, str]
"""The key of recorded exchanges that answer the same request.

It consists of the request's matching key, and the fingerprint of its API key if the provider
refused that API key; otherwise an empty string.
"""


_Parts = tuple[str, tuple[str, str], bytes]
"""What the key of a request is computed of: method, path and query, body."""


@dataclass
class Player:
    """A `Tape` that replays a cassette: each exchange answers one request, in recorded order.

    Only a GET request may be repeated: after the last exchange that matches it, that exchange
    answers again. Polling a task changes nothing, so clients may poll more often than recorded.

    An exchange that was recorded with a refused API key answers only requests with the same key,
    and such requests get no other exchanges. All other API keys are interchangeable, because a
    replay has none of them.

    Attributes:
        cassette: The cassette to replay.
        redactor: Removes the secrets of requests before they are compared.
        normalize_request: The hook that returns a copy of a request for matching. It gets requests
            without secrets.
        pace: The factor by which latencies and sleeps are multiplied; 0 is instant.
        ignore_keys: Whether API keys are ignored, for clients that have none. Exchanges with
            refused keys are then replayed in recorded order like all others.
        advice: The end of the message of a CassetteMiss: the cassette, and how to record what is
            missing.
        names: The names of the exchanges in the message of a CassetteMiss; if empty, they are
            called by their numbers.
        clock: The simulated clock of the replay.
    """

    cassette: Cassette
    redactor: Redactor = field(default_factory=Redactor)
    normalize_request: NormalizeRequest = identity
    pace: float = 0.0
    ignore_keys: bool = False
    advice: str = ""
    names: Sequence[str] = ()
    clock: Clock = field(init=False)
    _refused: frozenset[str] = field(init=False)
    _is_in_order: bool = field(init=False)
    _in_order: int = field(init=False)
    _used: dict[Slot, int] = field(init=False)
    _known_keys: dict[_Parts, Key] = field(init=False, default_factory=dict)
    _last: tuple[Request, Request, Key] | None = field(init=False, repr=False, default=None)
    _peeked: set[int] = field(init=False, default_factory=set)
    _turn: list[Exchange] | None = field(init=False)
    _compared: list[Exchange] = field(init=False, default_factory=list)
    _compared_lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _lock: threading.Lock = field(init=False)

    def __post_init__(self) -> None:
        self._refused = frozenset() if self.ignore_keys else _refused_keys(self.cassette)
        self._rewind()
        if self.normalize_request is not identity:
            _ = self._index  # an error of the hook is raised at once

    def _rewind(self) -> None:
        """Begin the replay, with a clock of its own."""
        self.clock, self._lock = Clock(self.pace), threading.Lock()
        self._is_in_order = not self._refused and self.normalize_request is identity
        self._in_order, self._used, self._turn = 0, {}, None

    def rewound(self) -> Player:
        """Return a player that replays the same cassette from its beginning.

        It shares the matching keys of the recorded requests, which take long to compute.
        """
        _ = self._index, self._volatile  # computed before they are copied
        other = copy(self)
        other._rewind()
        return other

    @cached_property
    def _volatile(self) -> tuple[str, ...]:
        """The places in requests whose values are ignored."""
        masked = masked_places(exchange.request for exchange in self.cassette.exchanges)
        return (*self.cassette.provenance.volatile, *dict.fromkeys(masked))

    @cached_property
    def _index(self) -> dict[Slot, list[int]]:
        """The numbers of the recorded exchanges, by slot; computed for the first request."""
        index: dict[Slot, list[int]] = {}
        for number, exchange in enumerate(self.cassette.exchanges):
            index.setdefault(self._recorded_slot(exchange), []).append(number)
        return index

    def _recorded_slot(self, exchange: Exchange) -> Slot:
        key = self._key(exchange.request)
        if self.normalize_request is identity:
            self._known_keys[_parts(exchange.request)] = key
        return key, self._lane(exchange.key)

    def _key(self, request: Request) -> Key:
        """Return the matching key of *request*; it is cached for the recorded requests."""
        known = self._known_keys.get(_parts(request))
        return known or key_of(self._normalized(request), self._volatile)

    def _normalized(self, request: Request) -> Request:
        if self.normalize_request is identity:
            return request
        return normalized(self.normalize_request, self.redactor.request(request))

    def _lane(self, key: str) -> str:
        """Return *key*, an API key's fingerprint, if that API key was refused; otherwise ""."""
        return key if key in self._refused else ""

    @cached_property
    def has_failures(self) -> bool:
        """Whether any of the recorded exchanges was ended by a network failure."""
        return any(exchange.broken_off for exchange in self.cassette.exchanges)

    def find(self, request: Request) -> Exchange:
        """Return the next recorded exchange that answers *request*.

        Raises:
            CassetteMiss: the cassette has no exchange left that answers it.
        """
        exchange = self.take(request)
        if exchange is None:
            raise_error(CassetteMiss(self.explain_miss(request)[1] + self.advice))
        return exchange

    def take(self, request: Request) -> Exchange | None:
        """Return the next recorded exchange that answers *request*; None if none is left."""
        if self._is_in_order and (exchange := self._take_in_order(request)) is not None:
            return _playable(exchange)
        if not self._index:
            return None
        slot = self._slot(request)
        with self._lock:
            number = self._next(request, slot)
            if number is None:
                return None
            exchange = self.cassette.exchanges[number]
            self._used[slot] = min(self._used.get(slot, 0) + 1, len(self._index[slot]))
            self._note(exchange)
        return _playable(exchange)

    def _take_in_order(self, request: Request) -> Exchange | None:
        """Return the recorded exchange after those that were taken, if its request is *request*.

        As long as each request is byte for byte the next recorded one, no matching key is computed:
        the exchange would be the next of its slot, all earlier exchanges of which are used.
        """
        with self._lock:
            following = self.cassette.exchanges[self._in_order : self._in_order + 1]
            if not self._is_in_order or not following:
                return None
            (exchange,) = following
            if _parts(exchange.request) != _parts(request):
                return None
            self._in_order += 1
            self._note(exchange)
        return exchange

    def _leave_order(self) -> None:
        """Count the exchanges that were taken in order as those of their slots, from now on."""
        if self._is_in_order:
            self._is_in_order = False
            for exchange in self.cassette.exchanges[: self._in_order]:
                slot = self._recorded_slot(exchange)
                self._used[slot] = self._used.get(slot, 0) + 1

    def _note(self, exchange: Exchange) -> None:
        if self._turn is not None:
            self._turn.append(exchange)

    def peek(self, request: Request) -> Exchange | None:
        """Return the exchange that `take` would return for *request*, but do not use it up.

        Return None if none is left. `unused` no longer returns the exchange.
        """
        slot = self._slot(request)
        with self._lock:
            number = self._next(request, slot)
            if number is None:
                return None
            self._peeked.add(number)
        return _playable(self.cassette.exchanges[number])

    def _next(self, request: Request, slot: Slot) -> int | None:
        """Return the number of the next exchange of a slot; None if none is left."""
        self._leave_order()
        numbers, used = self._index.get(slot, []), self._used.get(slot, 0)
        if used == len(numbers) and (not numbers or request.method.upper() != "GET"):
            return None
        return numbers[min(used, len(numbers) - 1)]

    def _slot(self, request: Request) -> Slot:
        lane = self._lane(fingerprint(request)) if self._refused else ""
        slot = self._key(request), lane
        if slot in self._index:
            return slot
        return self._as_recorded(request)[1], lane

    def _as_recorded(self, request: Request) -> tuple[Request, Key]:
        """Return *request* without secrets, and its matching key.

        Those of the last request are kept: it is looked up, and then explained.
        """
        last = self._last
        if last is None or last[0] is not request:
            clean = self.redactor.request(request)
            self._last = last = request, clean, self._key(clean)
        return last[1:]

    def capture(self, request: Request) -> ResponseCapture:
        """Raise ConnectionBlocked: a replay sends nothing, so there is no response to capture."""
        raise ConnectionBlocked(f"a replay has no response to capture: {request.uri}")

    @contextmanager
    def turn(self, number: int) -> Iterator[list[Exchange]]:
        """Collect the exchanges that are replayed in the `with` block: one turn of a conversation.

        *number* is ignored; `Recorder.turn`, which has the same signature, needs it.

        Yields:
            A list, empty at first, to which each exchange is added when it is replayed.
        """
        exchanges: list[Exchange] = []
        self._turn = exchanges
        try:
            yield exchanges
        finally:
            self._turn = None

    def sleep(self, seconds: float) -> None:
        """Advance the simulated time by *seconds*; the real wait is `pace` times as long."""
        self.clock.sleep(seconds)

    def unused(self) -> tuple[Exchange, ...]:
        """Return the exchanges that `find`, `take` and `peek` never returned, in recorded order."""
        if self._is_in_order:
            return tuple(self.cassette.exchanges[self._in_order :])
        if not (self._used or self._peeked):
            return tuple(self.cassette.exchanges)
        left = (numbers[self._used.get(slot, 0) :] for slot, numbers in self._index.items())
        numbers = sorted({*chain(*left)} - self._peeked)
        return tuple(self.cassette.exchanges[number] for number in numbers)

    def _comparable(self) -> list[Exchange]:
        """Return the recorded exchanges, with their requests as a miss is compared with them.

        Computed once, for all players that `rewound` returned.
        """
        with self._compared_lock:
            for exchange in self.cassette.exchanges[len(self._compared) :]:
                request = self._normalized(self.redactor.request(exchange.request))
                self._compared.append(replace(exchange, request=request))
        return self._compared

    def explain_miss(self, request: Request) -> tuple[Distance, str]:
        """Return (distance to the closest recorded request, text that says why none answers).

        The distance is `EQUAL` if *request* was recorded, but less often or with another API key.
        """
        slot = key, lane = self._slot(request)
        request, _ = self._as_recorded(request)
        miss = f"no recorded answer to {request.method} {without_keys(request.uri)}"
        if slot in self._index:
            count = len(self._index[slot])
            times = "once" if count == 1 else f"{count} times"
            return EQUAL, f"{miss}: it was recorded {times} and is sent once more"
        miss_by_key = f"{miss} with this API key: it was recorded with another key"
        if any((key, other) in self._index for other in self._refused - {lane}):
            return EQUAL, f"{miss_by_key}, which {_REFUSED}"
        if (key, "") in self._index:
            return EQUAL, f"{miss_by_key}, and this key {_REFUSED}"
        distance, text = nearest(
            self._normalized(request), self._comparable(), self._volatile, self.names
        )
        return distance, f"{miss}; {text}"


_REFUSED = "was refused (HTTP 401) on this cassette"


def _playable(exchange: Exchange) -> Exchange:
    """Return an exchange to replay; that of another tool without the coding that was undone."""
    if exchange.timing is not None:  # recorded by the harness, with the header that was sent
        return exchange
    response = drop_stale_content_encoding(exchange.response)
    return exchange if response is exchange.response else replace(exchange, response=response)


def _refused_keys(cassette: Cassette) -> frozenset[str]:
    """Return the fingerprints of API keys that were refused with HTTP 401 and never accepted.

    A key that was accepted first and refused later, since it expired, is left out.
    """
    refused = {e.key for e in cassette.exchanges if e.response.status == 401}
    accepted = {e.key for e in cassette.exchanges if NO_STATUS < e.response.status < 400}
    return frozenset(refused - (accepted - {NO_CREDENTIALS}) - {UNKNOWN})


def _parts(request: Request) -> _Parts:
    return request.method, path_and_query(request), request.body
