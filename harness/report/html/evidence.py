"""From an exchange that shows something to where the page has it, as it travelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from harness.compare.fields import Evidence
from harness.report.html.sections import MAX_EXCHANGES, Section
from harness.report.report import Report


def anchors(report: Report, made: Sequence[Section]) -> Callable[[Evidence], str]:
    """Tells the anchor of an exchange; empty where the page has it not, or has several recordings
    from files that are called alike."""
    often = Counter(read.transcript.source for read in report.reads)
    known: dict[str, str] = {}
    for scenario, section in zip(report.scenarios, made, strict=True):
        reads = [read for read in report.reads if read.transcript.scenario == scenario]
        for read, column in zip(reads, section.columns, strict=True):
            if often[read.transcript.source] == 1:
                known[read.transcript.source] = column.anchor

    def anchor(seen: Evidence) -> str:
        column = known.get(seen.source, "")
        return f"{column}-x{seen.exchange}" if column and seen.exchange <= MAX_EXCHANGES else ""

    return anchor
