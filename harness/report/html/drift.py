"""Drift on the page: the most severe first, with the changes of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.html.sections import ScenarioSection
from harness.report.model import Report

if TYPE_CHECKING:
    from harness.analysis.difference import Verdict
    from harness.drift.types import Drift, DriftChange

MAX_CHANGES = 200
"""The largest number of changes that are listed for one verdict; the JSON report has all."""


@dataclass(frozen=True, slots=True)
class ShownDrift:
    """A drift as the page shows it.

    Attributes:
        anchor: the id of the drift's HTML element.
        href: the id of the element with the new recording's conversation; empty if there is none.
        drift: the drift.
    """

    anchor: str
    href: str
    drift: Drift

    @property
    def groups(self) -> list[tuple[Verdict, tuple[DriftChange, ...]]]:
        """The verdicts of the changes, the most severe first, each with its changes."""
        verdicts = sorted({change.verdict for change in self.drift.changes}, key=lambda v: -v.rank)
        return [(verdict, self.drift.of(verdict)) for verdict in verdicts]

    def count(self, verdict: str) -> int:
        """Return the number of changes with *verdict*."""
        return sum(change.verdict == verdict for change in self.drift.changes)


def shown_drifts(report: Report, sections: Sequence[ScenarioSection]) -> tuple[ShownDrift, ...]:
    """Return every drift of a report, the most severe first."""
    order = sorted(report.drifts, key=lambda drift: -drift.verdict.rank)
    columns = (column for section in sections for column in section.columns)
    anchors = {(c.transcript.scenario, c.target): c.anchor for c in columns}
    return tuple(
        ShownDrift(f"d-{number}", anchors.get((d.scenario, d.target), ""), d)
        for number, d in enumerate(order, start=1)
    )
