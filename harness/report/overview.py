"""A report at a glance: how each scenario went with each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare.facts import duration
from harness.report.report import Report
from harness.types import Reply, Severity


class State(StrEnum):
    """How a scenario went with a target, the worst that can be said of it."""

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
    skipped: tuple[str, ...] = ()
    recorded_at: str = ""
    total: float | None = None


def cells(report: Report) -> tuple[Cell, ...]:
    """Every scenario with every target of it that anything is said about."""
    pairs = [(s, t) for s in report.scenarios for t in report.targets(s)]
    return tuple(_cell(report, scenario, target) for scenario, target in pairs)


def _cell(report: Report, scenario: str, target: str) -> Cell:
    found = report.findings_of(scenario, target)
    errors = sum(f.severity is Severity.ERROR for f in found)
    warnings = sum(f.severity is Severity.WARNING for f in found)
    problem = any((p.scenario, p.target) == (scenario, target) for p in report.problems)
    reads = [r for r in report.reads if _name(r) == (scenario, target)]
    return Cell(
        scenario=scenario,
        target=target,
        state=_state(problem, errors, warnings),
        errors=errors,
        warnings=warnings,
        turns=sum(len(read.turns) for read in reads),
        skipped=tuple(reason for read in reads for reason in read.transcript.skipped),
        recorded_at=reads[0].transcript.provenance.recorded_at if reads else "",
        total=_time(reads),
    )


def _name(read: AnalyzedTranscript) -> tuple[str, str]:
    return read.transcript.scenario, read.transcript.target


def _state(problem: bool, errors: int, warnings: int) -> State:
    if problem:
        return State.PROBLEM
    if errors:
        return State.FAILED
    return State.WARNED if warnings else State.PASSED


def _time(reads: Sequence[AnalyzedTranscript]) -> float | None:
    turns = [turn for read in reads for turn in read.turns if isinstance(turn.outcome, Reply)]
    known = [time for time in map(duration, turns) if time is not None]
    return fmean(known) if known else None
