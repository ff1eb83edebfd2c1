"""What a recording spends as it goes, and who may say that it is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.cassette.journal import Journal
from harness.types import Exchange, Turn


class Meter(Protocol):
    """Is told what is about to be asked, and what was answered; what `step` and `request` raise
    ends the recording before anything else is asked."""

    def step(self) -> None:
        """The next step is about to be asked."""

    def request(self) -> None:
        """A request is about to go out: a question, the same again, a poll, a file."""

    def turn(self, turn: Turn) -> None:
        """A step was answered, or refused."""


class Unmetered:
    """Nobody counts."""

    def step(self) -> None:
        """Any step may be asked."""

    def request(self) -> None:
        """Any request may go out."""

    def turn(self, turn: Turn) -> None:
        """Whatever it cost."""


UNMETERED = Unmetered()


@dataclass(frozen=True, slots=True)
class Metered:
    """A journal, and a meter that is told of each request before it goes out."""

    journal: Journal
    meter: Meter

    def ready(self) -> None:
        """Be sure that an answer can be kept, and may be asked for. Raises HarnessError."""
        self.journal.ready()
        self.meter.request()

    def append(self, number: int, exchange: Exchange) -> None:
        """Keep the answer to the number-th request. Raises CannotWrite."""
        self.journal.append(number, exchange)
