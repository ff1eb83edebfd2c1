"""What a torture is: one way in which an answer may be changed on its way."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.faults.transport.recorded import Recorded
from harness.faults.transport.sent import Sent


class Verdict(StrEnum):
    """What a client made of a changed answer.

    The same as of the untouched one, a typed error, another answer without any error, no end
    within its timeout, or an error that says only that its own code failed.
    """

    SAME = "same"
    ERROR = "error"
    WRONG = "wrong"
    HANG = "hang"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of change. `places` are where it can be made in an answer, none where it cannot.

    A harmless change leaves the answer the same, and a client must too; after a harmful one it
    must end in a typed error.
    """

    change: Callable[[Recorded, int], Sent]
    places: Callable[[Recorded], Sequence[int]]
    harmful: bool = False

    @property
    def name(self) -> str:
        """The function's name is the kind's."""
        return self.change.__name__

    @property
    def text(self) -> str:
        """The function's docstring explains it, in one line."""
        return " ".join((inspect.getdoc(self.change) or "").split())

    def right(self, sent: Sent) -> frozenset[Verdict]:
        """What may come of it. Where a client may not have needed what a harmful change took, it
        may give the same answer just as well as refuse it."""
        if not self.harmful:
            return frozenset({Verdict.SAME})
        kept = {Verdict.SAME} if sent.keeps else set()
        return frozenset({Verdict.ERROR} | kept)
