"""A report as Markdown, for the summary of a CI step or a comment on a pull request.

Every recorded text is in a code span, so it can neither format the page nor mention a user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.report import tables
from harness.report.field_map import Contrast, Topic
from harness.report.format import money, seconds
from harness.report.model import Report, State
from harness.report.ranking import Entry, Ranking
from harness.report.tables import Table
from harness.types import Finding, Severity
from harness.wire.text import count, cut, line

MAX_FINDINGS = 50
"""The largest number of findings: CI services limit the length of summaries."""

MAX_ROWS = 500
"""The largest number of rows of a table."""

_SIGNS = {State.PASSED: "✅", State.WARNED: "⚠️", State.FAILED: "❌", State.PROBLEM: "🚫"}


def report(report: Report) -> str:
    """Return a report as Markdown."""
    parts = [
        f"## {'✅' if report.ok else '❌'} {code(report.title)}",
        report.sums,
        f"_{report.origin}_" if report.origin else "",
        _section("Drift", _table(tables.drifts(report.drifts))),
        _table(tables.overview(report.overview)),
        _section("Problems", "\n".join(_problems(report))),
        _section("Findings", "\n".join(_findings(report))),
        "\n".join(
            f"Example of a failing report: {code(title)}, {code(address)}"
            for title, address in report.pages
        ),
        _section("Models", "\n\n".join(_rankings(report.rankings))),
        _section("Speed and cost by scenario", "\n".join(_by_scenario(report.scenario_rankings))),
        _section("Field mapping", "\n\n".join(_topics(report.topics))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def code(text: str, length: int = 500) -> str:
    """Return *text* on one line as a code span, which is also valid in a cell of a table.

    Text after *length* characters is cut off.
    """
    shown = cut(line(text), length).replace("|", "\u2758") or "–"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def _section(title: str, text: str) -> str:
    return f"### {title}\n\n{text}" if text else ""


def _table(table: Table) -> str:
    """Return a Markdown table; empty if it has no rows.

    Cells are code, except in columns of the report's own words and numbers.
    """
    if not table.rows:
        return ""
    sides = ("--:" if column in table.numbers else "---" for column in table.columns)
    lines = [f"| {' | '.join(table.columns)} |", f"|{'|'.join(sides)}|"]
    own = {*table.numbers, *table.words}
    for row in table.rows[:MAX_ROWS]:
        cells = zip(table.columns, row, strict=True)
        shown = [_word(text) if column in own else code(text) for column, text in cells]
        lines.append(f"| {' | '.join(shown)} |")
    if len(table.rows) > MAX_ROWS:
        lines.append(f"\nAnd {len(table.rows) - MAX_ROWS} more.")
    return "\n".join(lines)


def _word(text: str) -> str:
    return f"{_SIGNS[State(text)]} {text}" if text in _SIGNS else text


def _problems(report: Report) -> Iterator[str]:
    for problem in report.problems[:MAX_FINDINGS]:
        yield f"- {code(problem.scenario)} {code(problem.target)}: {code(problem.text)}"


def _findings(report: Report) -> Iterator[str]:
    order = list(Severity)
    findings = sorted(report.findings, key=lambda finding: order.index(finding.severity))
    yield from map(_finding, findings[:MAX_FINDINGS])
    if len(findings) > MAX_FINDINGS:
        yield f"\nAnd {len(findings) - MAX_FINDINGS} more."


def _finding(finding: Finding) -> str:
    place = f", {code(str(finding.place))}" if str(finding.place) else ""
    where = f"{code(finding.scenario)} {code(finding.target)}{place}"
    rule = code(finding.rule or "finding")
    return f"- **{finding.severity}** {rule} {where}: {code(finding.message)}"


def _rankings(rankings: Sequence[Ranking]) -> Iterator[str]:
    for ranking in rankings:
        scenarios = ", ".join(map(code, ranking.scenarios))
        lines = [f"{scenarios}, {count(ranking.turns, 'turn')} each: {ranking.verdict(code)}"]
        if ranking.sandbox:
            lines.append("_Times, tokens and costs are those of the sandbox._")
        yield "  \n".join(lines)
        yield _table(tables.ranking(ranking))


def _by_scenario(rankings: Sequence[Ranking]) -> Iterator[str]:
    for ranking in rankings[:MAX_ROWS]:
        entries = ", ".join(f"{code(entry.target)} {_figures(entry)}" for entry in ranking.entries)
        cheapest = f"; cheapest: {code(ranking.cheapest)}" if ranking.cheapest else ""
        yield f"- {code(ranking.scenarios[0])}: {entries}{cheapest}"


def _figures(entry: Entry) -> str:
    cost = f" {money(entry.cost)}" if entry.cost else ""
    return f"{seconds(entry.total)}{cost}"


def _topics(topics: Sequence[Topic]) -> Iterator[str]:
    for topic in topics:
        if topic.contrasts:
            yield "\n".join(map(_contrast, topic.contrasts))
        yield "\n".join(_places(topic))


def _contrast(contrast: Contrast) -> str:
    both = f"- {code(str(contrast.left))} and {code(str(contrast.right))}"
    if not contrast.names:
        return f"{both}: all {contrast.of} fields at the same paths"
    differing = f"{len(contrast.names)} of {contrast.of} fields at different paths"
    return f"{both}: {differing}: {', '.join(contrast.names)}"


def _places(topic: Topic) -> Iterator[str]:
    yield f"| {topic.name} | {' | '.join(code(str(form)) for form in topic.forms)} |"
    yield f"|{'---|' * (len(topic.forms) + 1)}"
    for field in topic.glance:
        cells = ("<br>".join(code(place.path) for place in cell) for cell in field.cells)
        yield f"| {field.name} | {' | '.join(cell or '–' for cell in cells)} |"
