"""How each scenario went with each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare.facts import duration
from harness.types import Reply, Severity

if TYPE_CHECKING:
    from harness.report.model import Report


class State(StrEnum):
    """How a scenario went with a target, the worst first."""

    PROBLEM = "problem"
    FAILED = "failed"
    WARNED = "warned"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario with one target. `total` is the mean time of its answered turns, in seconds."""

    scenario: str
    target: str
    state: State
    errors: int = 0
    warnings: int = 0
    turns: int = 0
    exchanges: int = 0
    skipped: tuple[str, ...] = ()
    recorded_at: str = ""
    recorded_from: str = ""
    total: float | None = None


def cells(report: Report) -> tuple[Cell, ...]:
    """Return every scenario with each of its targets."""
    return tuple(_cell(report, s, t) for s in report.scenarios for t in report.targets(s))


def _cell(report: Report, scenario: str, target: str) -> Cell:
    findings = report.findings_of(scenario, target)
    errors = sum(f.severity is Severity.ERROR for f in findings)
    warnings = sum(f.severity is Severity.WARNING for f in findings)
    problem = any((p.scenario, p.target) == (scenario, target) for p in report.problems)
    mine = (scenario, target)
    reads = [r for r in report.reads if (r.transcript.scenario, r.transcript.target) == mine]
    provenance = reads[0].transcript.provenance if reads else None
    return Cell(
        scenario=scenario,
        target=target,
        state=_state(problem, errors, warnings),
        errors=errors,
        warnings=warnings,
        turns=sum(len(read.turns) for read in reads),
        exchanges=sum(len(read.readings) for read in reads),
        skipped=tuple(reason for read in reads for reason in read.transcript.skipped),
        recorded_at=provenance.recorded_at if provenance else "",
        recorded_from=provenance.recorded_from.value if provenance else "",
        total=_time(reads),
    )


def _state(problem: bool, errors: int, warnings: int) -> State:
    if problem:
        return State.PROBLEM
    if errors:
        return State.FAILED
    return State.WARNED if warnings else State.PASSED


def _time(reads: Sequence[AnalyzedTranscript]) -> float | None:
    turns = [turn for read in reads for turn in read.turns if isinstance(turn.outcome, Reply)]
    times = [time for time in map(duration, turns) if time is not None]
    return fmean(times) if times else None
