"""The tape that replays what a cassette holds and records the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.errors import CassetteMiss
from harness.intercept.clock import Clock
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder, ResponseCapture
from harness.types import Exchange, Request


@dataclass
class ReplayOrRecord:
    """The tape of `use_cassette`: requests that `player` cannot answer go to `recorder`, if any.

    It notes all exchanges, in the order of their requests.
    """

    player: Player
    recorder: Recorder | None = None
    misses: list[CassetteMiss] = field(init=False, default_factory=list)
    """The errors of all requests that were refused, also where the caller swallowed them."""
    _passed: list[Exchange | ResponseCapture] = field(init=False, default_factory=list)

    @property
    def clock(self) -> Clock | None:
        """The player's clock; None if something may be recorded, as a server takes real time."""
        return self.player.clock if self.recorder is None else None

    @property
    def pace(self) -> float:
        """The player's pace."""
        return self.player.pace

    def find(self, request: Request) -> Exchange | None:
        """Return the recorded exchange that answers *request*; None lets it be sent.

        Raises:
            CassetteMiss: there is none, and nothing may be recorded.
        """
        try:
            exchange = self.player.find(request)
        except CassetteMiss as miss:
            if self.recorder is None:
                self.misses.append(miss)
                raise
            capture = self.recorder.take(request)
            self._passed += [capture] if capture else []
            return capture.exchange if capture else None
        self._passed.append(exchange)
        return exchange

    def capture(self, request: Request) -> ResponseCapture:
        """Return the recorder's capture for the response."""
        capture = (self.recorder or self.player).capture(request)
        self._passed.append(capture)
        return capture

    def finish(self) -> None:
        """End the recording. Raises the error that kept an exchange from being stored."""
        if self.recorder is not None:
            self.recorder.finish()

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return all exchanges, replayed or recorded, without secrets."""
        return tuple(self._exchanges(self._passed))

    def replayed(self) -> tuple[Exchange, ...]:
        """Return the exchanges that came from the cassette."""
        return tuple(item for item in self._passed if isinstance(item, Exchange))

    def recorded(self) -> tuple[Exchange, ...]:
        """Return the exchanges that came from the network, without secrets."""
        return tuple(self._exchanges(i for i in self._passed if not isinstance(i, Exchange)))

    def used_network(self) -> bool:
        """Return whether any request was sent, answered or not."""
        return any(not isinstance(item, Exchange) for item in self._passed)

    def _exchanges(self, items: Iterable[Exchange | ResponseCapture]) -> Iterator[Exchange]:
        for item in items:
            if isinstance(item, Exchange):
                yield item
            elif self.recorder is not None and (kept := self.recorder.kept(item)) is not None:
                yield kept
