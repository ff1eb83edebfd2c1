"""A report at a glance: how each scenario went with each target, and how fast each was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from harness.reading import Read, ReadTurn
from harness.reports.report import Report
from harness.types import Reply, Severity


class State(StrEnum):
    """How a scenario went with a target, the worst that can be said of it."""

    PROBLEM = "problem"
    FAILED = "failed"
    WARNED = "warned"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario with one target. Times, in seconds, are the mean of its answered turns."""

    scenario: str
    target: str
    state: State
    errors: int = 0
    warnings: int = 0
    turns: int = 0
    skipped: tuple[str, ...] = ()
    recorded_at: str = ""
    first_byte: float | None = None
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
    first_byte, total = _times(reads)
    return Cell(
        scenario=scenario,
        target=target,
        state=_state(problem, errors, warnings),
        errors=errors,
        warnings=warnings,
        turns=sum(len(read.turns) for read in reads),
        skipped=tuple(reason for read in reads for reason in read.transcript.skipped),
        recorded_at=reads[0].transcript.provenance.recorded_at if reads else "",
        first_byte=first_byte,
        total=total,
    )


def _name(read: Read) -> tuple[str, str]:
    return read.transcript.scenario, read.transcript.target


def _state(problem: bool, errors: int, warnings: int) -> State:
    if problem:
        return State.PROBLEM
    if errors:
        return State.FAILED
    return State.WARNED if warnings else State.PASSED


def _times(reads: Sequence[Read]) -> tuple[float | None, float | None]:
    turns = [turn for read in reads for turn in read.turns if isinstance(turn.outcome, Reply)]
    known = [span for span in map(elapsed, turns) if span is not None]
    if not known:
        return None, None
    return fmean(first for first, _ in known), fmean(whole for _, whole in known)


def elapsed(turn: ReadTurn) -> tuple[float, float] | None:
    """Seconds from a turn's first request to its answer's first byte, and to the end of all; the
    time between polls counts too. None where nobody noted it.
    """
    timed = [r.exchange.timing for r in turn.readings if r.exchange.timing]
    answered = turn.answered.exchange.timing if turn.answered else None
    if not timed or answered is None:
        return None
    began = min(timing.start for timing in timed)
    ended = max(timing.start + timing.total for timing in timed)
    return max(0.0, answered.start + answered.first_byte - began), max(0.0, ended - began)


@dataclass(frozen=True, slots=True)
class Race:
    """The targets of one scenario, the fastest first."""

    scenario: str
    cells: tuple[Cell, ...]

    @property
    def slowest(self) -> float:
        """The longest of their times, in seconds."""
        return max(cell.total or 0.0 for cell in self.cells)


def races(found: Sequence[Cell]) -> Iterator[Race]:
    """Every scenario that at least two targets answered."""
    for scenario in dict.fromkeys(cell.scenario for cell in found):
        mine = [cell for cell in found if cell.scenario == scenario and cell.total is not None]
        if len(mine) > 1:
            yield Race(scenario, tuple(sorted(mine, key=lambda cell: cell.total or 0.0)))
