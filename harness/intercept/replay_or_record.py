"""A player and a recorder in one: what the cassette has is played, the rest may be recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.errors import CassetteMiss
from harness.intercept.clock import Clock
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder, ResponseCapture
from harness.types import Exchange, Request


@dataclass
class ReplayOrRecord:
    """Replays what `player` has; other requests go to `recorder` or, without one, are a miss.

    It notes everything that passes, in the order in which it was asked.
    """

    player: Player
    recorder: Recorder | None = None
    missed: list[CassetteMiss] = field(init=False, default_factory=list)
    """Every request that was refused, whether or not its error reached anybody."""
    _notes: list[Exchange | ResponseCapture] = field(init=False, default_factory=list)

    @property
    def clock(self) -> Clock | None:
        """The player's; the real one, if anybody may have to be waited for."""
        return self.player.clock if self.recorder is None else None

    @property
    def pace(self) -> float:
        """The player's."""
        return self.player.pace

    def find(self, request: Request) -> Exchange | None:
        """The recorded answer, or None where it is to be fetched and recorded."""
        try:
            found = self.player.find(request)
        except CassetteMiss as miss:
            if self.recorder is None:
                self.missed.append(miss)
                raise
            slot = self.recorder.take(request)
            self._notes += [slot] if slot else []
            return slot.exchange if slot else None
        self._notes.append(found)
        return found

    def listen(self, request: Request) -> ResponseCapture:
        """A listener of the recorder."""
        listener = (self.recorder or self.player).listen(request)
        self._notes.append(listener)
        return listener

    @contextmanager
    def turn(self, number: int) -> Iterator[list[Exchange]]:
        """The exchanges inside the context, of whichever kind."""
        exchanges: list[Exchange] = []
        began = len(self._notes)
        try:
            yield exchanges
        finally:
            exchanges += self._exchanges(self._notes[began:])

    def sleep(self, seconds: float) -> None:
        """Really wait, if anybody may have to be waited for."""
        (self.recorder or self.player).sleep(seconds)

    def exchanges(self) -> tuple[Exchange, ...]:
        """All that passed, played or recorded, secrets removed."""
        return tuple(self._exchanges(self._notes))

    def played(self) -> tuple[Exchange, ...]:
        """What came from the cassette."""
        return tuple(note for note in self._notes if isinstance(note, Exchange))

    def recorded(self) -> tuple[Exchange, ...]:
        """What came from the network, secrets removed."""
        notes = [note for note in self._notes if not isinstance(note, Exchange)]
        return tuple(self._exchanges(notes))

    def went_out(self) -> bool:
        """Whether any request went to the network, answered or not."""
        return any(not isinstance(note, Exchange) for note in self._notes)

    def finish(self) -> None:
        """See that all that was heard is kept; what kept any from being kept is raised."""
        if self.recorder is not None:
            self.recorder.finish()

    def unused(self) -> tuple[Exchange, ...]:
        """What the cassette has and nobody asked for."""
        return self.player.unused()

    def _exchanges(self, notes: Sequence[Exchange | ResponseCapture]) -> Iterator[Exchange]:
        """Those of the notes that came to something."""
        for note in notes:
            if isinstance(note, Exchange):
                yield note
            elif self.recorder is not None and (kept := self.recorder.kept(note)) is not None:
                yield kept
