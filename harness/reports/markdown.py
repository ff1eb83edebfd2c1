"""A report as Markdown, for the summary of a CI step or a comment on a pull request.

Every recorded word stands in a code span: it can neither lay out the text nor call for anybody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.reports.overview import Cell, Race, State, cells, races
from harness.reports.report import Report
from harness.reports.words import count, cut, line, seconds
from harness.types import Finding, Severity

if TYPE_CHECKING:
    from harness.drift import Drift

MAX_FINDINGS = 50
"""So many findings are told: where a summary is shown there is a limit to its length."""

MAX_CELLS = 500
"""So many rows a table has at most."""

_SIGNS = {State.PASSED: "✅", State.WARNED: "⚠️", State.FAILED: "❌", State.PROBLEM: "🚫"}


def report(report: Report) -> str:
    """A report as Markdown."""
    glance = cells(report)
    parts = [
        f"## {'✅' if report.ok else '❌'} {code(report.title)}",
        _sums(report),
        f"_{report.origin}._" if report.origin else "",
        "\n".join(_drifts(report.drifts)),
        "\n".join(_table(glance)),
        "\n".join(_problems(report)),
        "\n".join(_findings(report)),
        "\n".join(_races(list(races(glance)))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def code(text: str, length: int = 500) -> str:
    """A text on one line as a code span, whatever is in it, that may stand in a table too."""
    told = cut(line(text), length).replace("|", "\u2758") or "–"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", told)), default=0))
    return f"{fence} {told} {fence}" if "`" in told else f"`{told}`"


def _sums(report: Report) -> str:
    told = [
        count(len(report.reads), "transcript"),
        count(report.turns, "turn"),
        count(report.exchanges, "exchange"),
        count(len(report.of(Severity.ERROR)), "error"),
        count(len(report.of(Severity.WARNING)), "warning"),
        count(len(report.problems), "problem"),
        seconds(report.duration),
    ]
    return ", ".join(told)


def _table(glance: Sequence[Cell]) -> Iterator[str]:
    if glance:
        yield "| scenario | target | | errors | warnings | skipped | recorded | time of a turn |"
        yield "|---|---|---|--:|--:|--:|---|--:|"
    for cell in glance[:MAX_CELLS]:
        told = [
            code(cell.scenario),
            code(cell.target),
            f"{_SIGNS[cell.state]} {cell.state}",
            str(cell.errors),
            str(cell.warnings),
            str(len(cell.skipped)),
            code(cell.recorded_at[:10]),
            seconds(cell.total),
        ]
        yield f"| {' | '.join(told)} |"
    if len(glance) > MAX_CELLS:
        yield f"\nAnd {len(glance) - MAX_CELLS} more."


def _drifts(found: Sequence[Drift]) -> Iterator[str]:
    """The verdict of each; what changed is told as findings."""
    if found:
        yield "### Drift\n"
        yield "| scenario | target | verdict | breaking | new field | wording only |"
        yield "|---|---|---|--:|--:|--:|"
    for drift in found[:MAX_CELLS]:
        counts = Counter(change.verdict.value for change in drift.changes)
        kinds = [str(counts[kind]) for kind in ("breaking", "new field", "wording only")]
        told = [code(drift.scenario), code(drift.target), f"**{drift.verdict.value}**", *kinds]
        yield f"| {' | '.join(told)} |"
    if len(found) > MAX_CELLS:
        yield f"\nAnd {len(found) - MAX_CELLS} more."


def _problems(report: Report) -> Iterator[str]:
    if report.problems:
        yield "### Not playable\n"
    for problem in report.problems[:MAX_FINDINGS]:
        yield f"- {code(problem.scenario)} {code(problem.target)}: {code(problem.text)}"


def _findings(report: Report) -> Iterator[str]:
    order = list(Severity)
    found = sorted(report.findings, key=lambda finding: order.index(finding.severity))
    if found:
        yield "### Findings\n"
    yield from map(_finding, found[:MAX_FINDINGS])
    if len(found) > MAX_FINDINGS:
        yield f"\nAnd {len(found) - MAX_FINDINGS} more."


def _finding(found: Finding) -> str:
    place = f", {code(str(found.place))}" if str(found.place) else ""
    rule = code(found.rule or "finding")
    whose = f"{code(found.scenario)} {code(found.target)}{place}"
    return f"- **{found.severity}** {rule} {whose}: {code(found.message)}"


def _races(found: Sequence[Race]) -> Iterator[str]:
    if found:
        yield "### Who was faster\n"
    for race in found[:MAX_CELLS]:
        told = ", ".join(f"{code(cell.target)} {seconds(cell.total)}" for cell in race.cells)
        yield f"- {code(race.scenario)}: {told}"
