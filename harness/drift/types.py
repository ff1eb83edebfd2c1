"""The types of drift: changes between recordings of a scenario, each with a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.analysis.difference import Change, ChangeKind, Verdict
from harness.analysis.transcript import AnalyzedTranscript
from harness.types import Problem

if TYPE_CHECKING:
    from harness.drift.plan import Plan, SpendTracker


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftChange(Change):
    """One place at which the new recording differs from the old one.

    Attributes:
        part: The endpoint, the form of answer and a task's state, as one text.
        before: The types in the old recording, such as `integer|null`; for the kinds `new value`,
            `status` and `count`, the values.
        after: The types or values in the new recording; for the kind `rule`, the finding's message.
        verdict: What the change means for programs that read the format.
        rule: The name of the violated rule, for the kind `rule`.
        reason: The reason why the verdict is less severe than usual for this kind of change; empty
            if it is not.
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

    Attributes:
        scenario: The scenario's name.
        target: The target's name.
        old: The file of the old recording.
        new: The file of the new recording.
        changes: The changes, the most severe first.
        notes: Differences in how the recordings were made, such as other request parameters.
        recorded_at: When the old and the new recording were made, in ISO 8601; empty if unknown.
    """

    scenario: str
    target: str
    old: str
    new: str
    changes: tuple[DriftChange, ...] = ()
    notes: tuple[str, ...] = ()
    recorded_at: tuple[str, str] = ("", "")

    @property
    def verdict(self) -> Verdict:
        """The most severe verdict of all changes; `SAME` without changes."""
        return max((c.verdict for c in self.changes), key=lambda v: v.rank, default=Verdict.SAME)

    def of(self, verdict: Verdict) -> tuple[DriftChange, ...]:
        """Return the changes that have exactly this *verdict*."""
        return tuple(change for change in self.changes if change.verdict is verdict)

    def joined(self, others: Iterable[Drift]) -> Drift:
        """Return a drift with the changes and notes of this one and *others*, each once."""
        drifts = (self, *others)
        changes = dict.fromkeys(change for drift in drifts for change in drift.changes)
        return replace(
            self,
            changes=most_severe_first(changes),
            notes=tuple(dict.fromkeys(note for drift in drifts for note in drift.notes)),
        )


def most_severe_first(changes: Iterable[DriftChange]) -> tuple[DriftChange, ...]:
    """Return the changes sorted by verdict, the most severe first."""
    return tuple(sorted(changes, key=lambda change: -change.verdict.rank))


@dataclass(frozen=True, slots=True)
class UnmatchedRecording:
    """A recording that has no counterpart in the other folder.

    Attributes:
        scenario: The scenario's name.
        target: The target's name.
        source: The file.
        side: The folder with the recording: `old` or `new`.
    """

    scenario: str
    target: str
    source: str
    side: str


@dataclass(frozen=True, slots=True)
class DriftRun:
    """The result of comparing recordings, after recording them again or from two folders.

    Attributes:
        drifts: The changes between each old recording and its new one.
        transcripts: The new recordings.
        unmatched: The recordings that only one side has.
        problems: Errors of recordings that could not be made or compared.
        plan: The plan by which recordings were made; None if two folders were compared.
        fail_on: The least severe verdict that fails the run.
        duration: The time of the run, in seconds.
        spent: The requests and the money that were spent; None if nothing was recorded.
    """

    drifts: tuple[Drift, ...] = ()
    transcripts: Sequence[AnalyzedTranscript] = ()
    unmatched: tuple[UnmatchedRecording, ...] = ()
    problems: tuple[Problem, ...] = ()
    plan: Plan | None = None
    fail_on: Verdict = Verdict.BREAKING
    duration: float = 0.0
    spent: SpendTracker | None = None

    @property
    def failed(self) -> tuple[Drift, ...]:
        """The drifts whose verdict is `fail_on` or more severe."""
        return tuple(d for d in self.drifts if d.verdict.rank >= self.fail_on.rank)

    @property
    def exit_code(self) -> int:
        """The exit code: 0 ok, 1 drift, 2 no drift but something could not be compared."""
        if self.failed:
            return 1
        return 2 if self.problems else 0
