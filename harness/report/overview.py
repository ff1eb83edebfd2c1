"""The overview of a report: the result of each scenario with each target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from harness.checks.outline import Outline
from harness.types import Finding, Problem, Provenance, Severity

if TYPE_CHECKING:
    from harness.report.model import Report


T = TypeVar("T", Finding, Problem)
Pair = tuple[str, str]
"""A scenario and a target."""


class State(StrEnum):
    """The result of a scenario with a target; the worst result is first."""

    PROBLEM = "problem"
    FAILED = "failed"
    WARNED = "warned"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario with one target, its findings and its recordings in figures.

    Attributes:
        recorded_at: the time of the recording, in ISO 8601; empty if unknown.
        recorded_from: the origin: `live`, `sandbox` or `unknown`; empty without a recording.
        total: mean time of the answered turns in seconds; None if no time was recorded.
        test: the test that the cassette belongs to, `<file>::<name>`; empty if none.
        models: the models that requests name.
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
        """The name in lists: that of the test, or else of the scenario.

        Without a test, a target that is a cassette's path gives the last two parts of that path.
        """
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
    outlines: dict[Pair, list[Outline]] = {}
    for one in report.outlines:
        outlines.setdefault((one.scenario, one.target), []).append(one)
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
            outlines.get(pair, []),
        )
        for pair in ((s, t) for s in report.scenarios for t in report.targets(s))
    )


def _grouped(items: Iterable[T]) -> dict[Pair, list[T]]:
    """Return *items* by scenario and target."""
    groups: dict[Pair, list[T]] = {}
    for one in items:
        groups.setdefault((one.scenario, one.target), []).append(one)
    return groups


def _cell(found: Cell, outlines: Sequence[Outline]) -> Cell:
    """Return *found* with the figures of its recordings."""
    provenance = outlines[0].provenance if outlines else Provenance()
    return replace(
        found,
        turns=sum(len(one.facts) for one in outlines),
        exchanges=sum(one.exchanges for one in outlines),
        skipped=tuple(reason for one in outlines for reason in one.skipped),
        recorded_at=provenance.recorded_at,
        recorded_from=provenance.recorded_from.value if outlines else "",
        total=_time(outlines),
        test=provenance.test.rpartition("/")[2],
        models=tuple(dict.fromkeys(model for one in outlines for model in one.models)),
    )


def _time(outlines: Sequence[Outline]) -> float | None:
    turns = [turn for one in outlines for turn in one.facts if turn.outcome == "reply"]
    times = [turn.total for turn in turns if turn.total is not None]
    return fmean(times) if times else None
