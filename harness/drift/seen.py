"""What was seen before: a turn of a recording, and the same turn of its repeats.

What differs between them differs by itself. It is no news of a service that one more recording
differs there too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.analysis.endpoint import Role
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.drift.samples import Key, Sample, samples
from harness.types import Failure, Reply


@dataclass(frozen=True)
class Seen:
    """One turn of one or more recordings of the same, the one that is asked about first."""

    turns: Sequence[tuple[AnalyzedTranscript, AnalyzedTurn]]

    @cached_property
    def samples(self) -> tuple[dict[Key, Sample], ...]:
        """What each of them was answered, by form."""
        return tuple(samples(read, turn) for read, turn in self.turns)

    @cached_property
    def lasting(self) -> tuple[frozenset[Key], ...]:
        """The forms of each, without a task's states on the way."""
        return tuple(
            frozenset(key for key, sample in one.items() if not sample.passing)
            for one in self.samples
        )

    @property
    def ever(self) -> frozenset[Key]:
        """The forms that any of them had."""
        return frozenset().union(*self.lasting)

    @property
    def always(self) -> frozenset[Key]:
        """The forms that all of them had."""
        return self.lasting[0].intersection(*self.lasting[1:])

    def of(self, key: Key) -> tuple[Sample, ...]:
        """The samples of one form."""
        return tuple(one[key] for one in self.samples if key in one)

    @property
    def statuses(self) -> tuple[int, ...]:
        """The HTTP status that each ended with."""
        return tuple(final_status(turn) for _, turn in self.turns)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why each answer ended, where it says so."""
        told = [turn.outcome for _, turn in self.turns]
        return tuple(o.finish_reason for o in told if isinstance(o, Reply) and o.finish_reason)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of those that were refused."""
        told = (turn.outcome for _, turn in self.turns)
        return tuple(one.code for one in told if isinstance(one, Failure))


def seen(number: int, reads: Sequence[AnalyzedTranscript]) -> Seen | None:
    """A turn of recordings by its number; None where none has it."""
    found = [(read, turn) for read in reads for turn in read.turns if turn.turn.number == number]
    return Seen(found) if found else None


def final_status(turn: AnalyzedTurn) -> int:
    """The HTTP status that a turn ended with, pictures apart; 0 where nothing was answered."""
    told = [r for r in turn.readings if r.endpoint is None or r.endpoint.role is not Role.FILE]
    return (told or list(turn.readings))[-1].exchange.response.status if turn.readings else 0


def together(found: Sequence[Sample]) -> Sample:
    """Samples of one form as one: whatever any of them had."""
    if len(found) == 1:
        return found[0]
    one = replace(found[0], types={}, words={}, values={})
    for sample in found:
        for case, types in sample.types.items():
            for path, kinds in types.items():
                one.types.setdefault(case, {}).setdefault(path, set()).update(kinds)
        for path, words in sample.words.items():
            one.words.setdefault(path, set()).update(words)
        for path, values in sample.values.items():
            one.values.setdefault(path, Counter()).update(values)
    return one
