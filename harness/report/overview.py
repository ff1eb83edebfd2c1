"""The overview of a report: the result of each scenario with each target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.matrix import duration
from harness.types import Finding, Problem, Provenance, Reply, Severity
from harness.wire import resolve

if TYPE_CHECKING:
    from harness.report.model import Report


T = TypeVar("T", Finding, Problem)
Pair = tuple[str, str]
"""A scenario and a target."""


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
        test: the test that its cassette belongs to, `<file>::<name>`; empty if none.
        models: the models that its requests name.
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
    test: str = ""
    models: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The test; else the scenario, or the last parts of the path of a file without one."""
        path = PurePath(self.target)
        is_file = path.suffix in (".yaml", ".yml")
        return self.test or (
            "/".join(path.with_suffix("").parts[-2:]) if is_file else self.scenario
        )

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
    reads: dict[Pair, list[AnalyzedTranscript]] = {}
    for read in report.reads:
        reads.setdefault((read.transcript.scenario, read.transcript.target), []).append(read)
    findings, ignored = _grouped(report.findings), _grouped(report.ignored)
    problems = _grouped(report.problems)
    return tuple(
        _cell(
            Cell(
                *pair,
                findings=tuple(findings.get(pair, ())),
                ignored=tuple(ignored.get(pair, ())),
                problems=tuple(problems.get(pair, ())),
            ),
            reads.get(pair, []),
        )
        for pair in ((s, t) for s in report.scenarios for t in report.targets(s))
    )


def _grouped(items: Iterable[T]) -> dict[Pair, list[T]]:
    """Return *items* by scenario and target."""
    groups: dict[Pair, list[T]] = {}
    for one in items:
        groups.setdefault((one.scenario, one.target), []).append(one)
    return groups


def _cell(found: Cell, reads: Sequence[AnalyzedTranscript]) -> Cell:
    """Return *found* with the figures of its recordings."""
    provenance = reads[0].transcript.provenance if reads else Provenance()
    bodies = (one.request_json.value for read in reads for one in read.readings)
    models = (resolve(body, "/model") for body in bodies)
    return replace(
        found,
        turns=sum(len(read.turns) for read in reads),
        exchanges=sum(len(read.readings) for read in reads),
        skipped=tuple(reason for read in reads for reason in read.transcript.skipped),
        recorded_at=provenance.recorded_at,
        recorded_from=provenance.recorded_from.value if reads else "",
        total=_time(reads),
        test=provenance.test.rpartition("/")[2],
        models=tuple(dict.fromkeys(model for model in models if isinstance(model, str))),
    )


def _time(reads: Sequence[AnalyzedTranscript]) -> float | None:
    turns = [turn for read in reads for turn in read.turns if isinstance(turn.outcome, Reply)]
    times = [time for time in map(duration, turns) if time is not None]
    return fmean(times) if times else None
