"""Drift on the page: the most severe first, with the changes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.html.sections import ScenarioSection
from harness.report.model import Report

if TYPE_CHECKING:
    from harness.analysis.difference import Verdict
    from harness.drift.types import Drift, DriftChange

MAX_CHANGES = 200
"""The largest number of changes that are listed for one verdict; the JSON report has all."""

STYLES: Mapping[str, str] = {
    "same": "good",
    "wording only": "good",
    "new field": "warning",
    "breaking": "error",
}
"""The CSS class of each verdict."""


@dataclass(frozen=True, slots=True)
class VerdictChanges:
    """The changes of a drift that have one verdict.

    Attributes:
        verdict: the verdict.
        changes: the first `MAX_CHANGES` changes.
        more: the number of the other changes.
    """

    verdict: Verdict
    changes: tuple[DriftChange, ...]
    more: int


@dataclass(frozen=True, slots=True)
class ShownDrift:
    """A drift as the page shows it.

    Attributes:
        anchor: the id of the drift's HTML element.
        href: the id of the element with the new recording's conversation; empty if there is none.
        drift: the drift.
        groups: the changes by verdict, the most severe first.
    """

    anchor: str
    href: str
    drift: Drift
    groups: tuple[VerdictChanges, ...]

    def count(self, verdict: str) -> int:
        """Return the number of changes with *verdict*."""
        return sum(change.verdict == verdict for change in self.drift.changes)


def shown_drifts(report: Report, sections: Sequence[ScenarioSection]) -> tuple[ShownDrift, ...]:
    """Return every drift of a report, the most severe first."""
    order = sorted(report.drifts, key=lambda drift: -drift.verdict.rank)
    columns = (column for section in sections for column in section.columns)
    anchors = {(c.transcript.scenario, c.target): c.anchor for c in columns}
    return tuple(
        ShownDrift(f"d-{number}", anchors.get((d.scenario, d.target), ""), d, tuple(_groups(d)))
        for number, d in enumerate(order, start=1)
    )


def _groups(drift: Drift) -> Iterator[VerdictChanges]:
    verdicts = sorted({change.verdict for change in drift.changes}, key=lambda v: -v.rank)
    for verdict in verdicts:
        found = drift.of(verdict)
        yield VerdictChanges(verdict, found[:MAX_CHANGES], max(0, len(found) - MAX_CHANGES))
