"""The overview of a report: the result of each scenario with each target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.matrix import duration
from harness.types import Finding, Problem, Reply, Severity, Transcript

if TYPE_CHECKING:
    from harness.report.model import Report


T = TypeVar("T", Finding, Problem, Transcript)


class State(StrEnum):
    """The result of a scenario with a target, the worst first."""

    PROBLEM = "problem"
    FAILED = "failed"
    WARNED = "warned"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario with one target, its findings and its recordings in figures.

    Attributes:
        recorded_at: when its recording was made, as ISO 8601; empty if unknown.
        recorded_from: who answered then: `live`, `sandbox` or `unknown`; empty without a recording.
        total: mean time of its answered turns in seconds; None if no time was recorded.
    """

    scenario: str
    target: str
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    turns: int = 0
    exchanges: int = 0
    skipped: tuple[str, ...] = ()
    recorded_at: str = ""
    recorded_from: str = ""
    total: float | None = None

    @property
    def errors(self) -> int:
        """The number of findings that are errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        """The number of findings that are warnings."""
        return sum(finding.severity is Severity.WARNING for finding in self.findings)

    @property
    def state(self) -> State:
        """The result: `problem` if there is any problem, else by the most severe finding."""
        if self.problems:
            return State.PROBLEM
        if self.errors:
            return State.FAILED
        return State.WARNED if self.warnings else State.PASSED


def cells(report: Report) -> tuple[Cell, ...]:
    """Return a cell for each scenario with each of its targets."""
    return tuple(_cell(report, s, t) for s in report.scenarios for t in report.targets(s))


def _cell(report: Report, scenario: str, target: str) -> Cell:
    def mine(items: Iterable[T]) -> tuple[T, ...]:
        return tuple(one for one in items if (one.scenario, one.target) == (scenario, target))

    reads = [read for read in report.reads if mine([read.transcript])]
    provenance = reads[0].transcript.provenance if reads else None
    return Cell(
        scenario=scenario,
        target=target,
        findings=mine(report.findings),
        ignored=mine(report.ignored),
        problems=mine(report.problems),
        turns=sum(len(read.turns) for read in reads),
        exchanges=sum(len(read.readings) for read in reads),
        skipped=tuple(reason for read in reads for reason in read.transcript.skipped),
        recorded_at=provenance.recorded_at if provenance else "",
        recorded_from=provenance.recorded_from.value if provenance else "",
        total=_time(reads),
    )


def _time(reads: Sequence[AnalyzedTranscript]) -> float | None:
    turns = [turn for read in reads for turn in read.turns if isinstance(turn.outcome, Reply)]
    times = [time for time in map(duration, turns) if time is not None]
    return fmean(times) if times else None
