"""The nouns of drift: changes between recordings of one scenario, with a verdict per target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.analysis.change import Change, ChangeKind, Verdict
from harness.analysis.transcript import AnalyzedTranscript
from harness.types import Problem

if TYPE_CHECKING:
    from harness.drift.plan import Plan
    from harness.drift.spend import SpendTracker


KINDS = (
    ChangeKind.REMOVED,
    ChangeKind.RETYPED,
    ChangeKind.NEWLY_NULL,
    ChangeKind.ADDED,
    ChangeKind.NO_LONGER_NULL,
    ChangeKind.NEW_VALUE,
    ChangeKind.STATUS,
    ChangeKind.ANSWER_REMOVED,
    ChangeKind.ANSWER_ADDED,
    ChangeKind.RULE,
    ChangeKind.VALUE,
    ChangeKind.COUNT,
)
"""The kinds of change that drift reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftChange(Change):
    """One place where the new recording differs from the old one.

    `part` is the endpoint and the form of answer. `before` and `after` are texts: types, such as
    `integer|null`; for the kinds `new value`, `status` and `count` the values; for the kind `rule`
    `after` is the message of the finding and `rule` its name. `reason` says why a change is less
    severe than its kind.
    """

    verdict: Verdict
    rule: str = ""
    reason: str = ""

    def __str__(self) -> str:
        turn = f"turn {self.turn}" if self.turn is not None else ""
        where = ", ".join(word for word in (turn, self.part, self.path) if word)
        if self.kind is ChangeKind.RULE:
            return f"{where}: {self.rule}: {self.after}" if where else f"{self.rule}: {self.after}"
        text = f"{where}: {self.kind}: {self.before or 'nothing'} -> {self.after or 'nothing'}"
        return f"{text} ({self.reason})" if self.reason else text


@dataclass(frozen=True, slots=True)
class Drift:
    """The changes from an old to a new recording of one scenario with one target.

    `old` and `new` are the sources of the recordings. `notes` are differences in how they were
    made, such as other request parameters.
    """

    scenario: str
    target: str
    old: str
    new: str
    changes: tuple[DriftChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The most severe verdict of all changes."""
        return max((c.verdict for c in self.changes), key=lambda v: v.rank, default=Verdict.SAME)

    def of(self, verdict: Verdict) -> tuple[DriftChange, ...]:
        """Return the changes with one verdict."""
        return tuple(change for change in self.changes if change.verdict is verdict)

    def joined(self, others: Iterable[Drift]) -> Drift:
        """Return the changes in any of several new recordings, each change once."""
        drifts = (self, *others)
        changes = dict.fromkeys(change for drift in drifts for change in drift.changes)
        return replace(
            self,
            changes=most_severe_first(changes),
            notes=tuple(dict.fromkeys(note for drift in drifts for note in drift.notes)),
        )


def most_severe_first(changes: Iterable[DriftChange]) -> tuple[DriftChange, ...]:
    """Return changes by verdict, the most severe first, else in their order."""
    return tuple(sorted(changes, key=lambda change: -change.verdict.rank))


@dataclass(frozen=True, slots=True)
class UnmatchedRecording:
    """A recording that only one side has; `side` is `old` or `new`."""

    scenario: str
    target: str
    source: str
    side: str


@dataclass(frozen=True, slots=True)
class DriftRun:
    """The result of one run: a drift for each recording, and what could not be compared.

    `fail_on` is the least severe verdict that fails the run; `spent` is what requests cost, where
    any were made; `duration` is in seconds.
    """

    drifts: tuple[Drift, ...] = ()
    transcripts: tuple[AnalyzedTranscript, ...] = ()
    unmatched: tuple[UnmatchedRecording, ...] = ()
    problems: tuple[Problem, ...] = ()
    plan: Plan | None = None
    fail_on: Verdict = Verdict.BREAKING
    duration: float = 0.0
    spent: SpendTracker | None = None

    @property
    def failed(self) -> tuple[Drift, ...]:
        """The drifts that are as severe as `fail_on`."""
        return tuple(d for d in self.drifts if d.verdict.rank >= self.fail_on.rank)

    @property
    def exit_code(self) -> int:
        """The exit code: 0 ok, 1 drift, 2 no drift but something could not be compared."""
        if self.failed:
            return 1
        return 2 if self.problems else 0
