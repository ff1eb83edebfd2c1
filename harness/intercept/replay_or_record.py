"""The tape that answers requests from a cassette and records those that are not on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.intercept.clock import Clock
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder, ResponseCapture
from harness.types import Exchange, Request


@dataclass
class ReplayOrRecord:
    """The tape of `use_cassette`: it replays, and records requests that are not on the cassette.

    Attributes:
        player: The tape that replays the cassette.
        recorder: The tape that gets the requests that `player` cannot answer. Without it, they
            raise CassetteMiss.
    """

    player: Player
    recorder: Recorder | None = None
    _passed: list[Exchange | ResponseCapture] = field(init=False, default_factory=list)

    @property
    def clock(self) -> Clock | None:
        """The player's simulated clock; None with a recorder, because a server takes real time."""
        return self.player.clock if self.recorder is None else None

    @property
    def pace(self) -> float:
        """The factor by which recorded latencies are multiplied; 0 is instant."""
        return self.player.pace

    @property
    def has_failures(self) -> bool:
        """Whether any of the recorded exchanges was ended by a network failure."""
        return self.player.has_failures

    def find(self, request: Request) -> Exchange | None:
        """Return the recorded exchange that answers *request*; None if it is to be sent.

        Raises:
            CassetteMiss: no recorded exchange answers it, and nothing may be recorded.
        """
        exchange = self.player.take(request)
        if exchange is not None:
            self._passed.append(exchange)
            return exchange
        if self.recorder is None:
            return self.player.find(request)  # which raises
        capture = self.recorder.take(request)
        self._passed += [capture] if capture else []
        return capture.exchange if capture else None

    def peek(self, request: Request) -> Exchange | None:
        """Return the recorded exchange that would answer *request*, but do not use it.

        Return None if there is none and the request may be recorded.

        Raises:
            CassetteMiss: no recorded exchange answers it, and nothing may be recorded.
        """
        exchange = self.player.peek(request)
        if exchange is None and self.recorder is None:
            return self.player.find(request)  # which raises
        return exchange

    def capture(self, request: Request) -> ResponseCapture:
        """Return the recorder's capture for the response to *request*.

        Raises ConnectionBlocked without a recorder, and NotRecordable if the request must not be
        sent.
        """
        capture = (self.recorder or self.player).capture(request)
        if self.recorder is None or self.recorder.is_holding:
            self._passed.append(capture)
        return capture

    def finish(self) -> None:
        """End the recording, if there is a recorder.

        Raises the first error that occurred when an exchange was stored.
        """
        if self.recorder is not None:
            self.recorder.finish()

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return all exchanges, replayed or recorded, in request order and without secrets."""
        return tuple(self._exchanges(self._passed))

    def replayed(self) -> tuple[Exchange, ...]:
        """Return the exchanges whose responses came from the cassette."""
        return tuple(item for item in self._passed if isinstance(item, Exchange))

    def recorded(self) -> tuple[Exchange, ...]:
        """Return the exchanges whose responses came from the network, without secrets.

        Those of an interrupted run, from which the recorder continues, are included.
        """
        return tuple(self._exchanges(i for i in self._passed if not isinstance(i, Exchange)))

    @property
    def count(self) -> int:
        """The number of requests that were replayed or sent."""
        return len(self._passed)

    def used_network(self) -> bool:
        """Return whether any request was sent to the network, even if no response arrived."""
        return any(not isinstance(item, Exchange) for item in self._passed)

    def _exchanges(self, items: Iterable[Exchange | ResponseCapture]) -> Iterator[Exchange]:
        for item in items:
            if isinstance(item, Exchange):
                yield item
            elif self.recorder is not None and (kept := self.recorder.kept(item)) is not None:
                yield kept
