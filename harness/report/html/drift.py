"""Drift as the page shows it: the gravest first, with the changes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.html.sections import Section
from harness.report.report import Report

if TYPE_CHECKING:
    from harness.analysis.change import Verdict
    from harness.drift import Drift, DriftChange

MAX_CHANGES = 200
"""So many changes of one weight are listed; the JSON report has all."""

STYLES: Mapping[str, str] = {
    "same": "good",
    "wording only": "good",
    "new field": "warning",
    "breaking": "error",
}
"""How grave a verdict looks."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """All changes of one weight, but for those too many."""

    verdict: Verdict
    changes: tuple[DriftChange, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Drifted:
    """A drift with its anchor, that of its new conversation, and its changes, the gravest first."""

    anchor: str
    href: str
    drift: Drift
    weighed: tuple[Weighed, ...]

    @property
    def grave(self) -> bool:
        """Whether anything but wording changed."""
        return self.drift.verdict.rank > 1

    def count(self, verdict: str) -> int:
        """How many changes weigh so much."""
        return sum(change.verdict == verdict for change in self.drift.changes)


def drifted(report: Report, made: Sequence[Section]) -> tuple[Drifted, ...]:
    """Every drift of a report; those of one verdict in the order they came."""
    order = sorted(report.drifts, key=lambda drift: -drift.verdict.rank)
    talks = dict(_talks(report, made))
    return tuple(
        Drifted(f"d-{number}", talks.get((d.scenario, d.target), ""), d, tuple(_weighed(d)))
        for number, d in enumerate(order, start=1)
    )


def _talks(report: Report, made: Sequence[Section]) -> Iterator[tuple[tuple[str, str], str]]:
    for scenario, section in zip(report.scenarios, made, strict=True):
        for column in section.columns:
            yield (scenario, column.target), column.anchor


def _weighed(drift: Drift) -> Iterator[Weighed]:
    verdicts = sorted({change.verdict for change in drift.changes}, key=lambda v: -v.rank)
    for verdict in verdicts:
        found = drift.of(verdict)
        yield Weighed(verdict, found[:MAX_CHANGES], max(0, len(found) - MAX_CHANGES))


def counts(found: Sequence[Drifted]) -> tuple[tuple[Verdict, int], ...]:
    """How many targets have each verdict, the gravest first."""
    told = [one.drift.verdict for one in found]
    return tuple((verdict, told.count(verdict)) for verdict in dict.fromkeys(told))
