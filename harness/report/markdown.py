"""A report as Markdown, for the summary of a CI step or a comment on a pull request.

Every recorded word stands in a code span: it can neither lay out the text nor call for anybody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.compare import Price
from harness.report.field_map import Apart, Topic, topics
from harness.report.format import money, number, seconds
from harness.report.overview import Cell, State, cells
from harness.report.ranking import Entry, Ranking, Sum, contests, races, verdict
from harness.report.report import Report
from harness.types import Finding, Severity
from harness.wire.text import count, cut, line

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
        "\n".join(f"See, too: {code(title)}, {code(address)}" for title, address in report.pages),
        "\n\n".join(_contests(contests(report))),
        "\n".join(_races(races(report))),
        "\n\n".join(_topics(topics(report.reads))),
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


def _contests(found: Sequence[Ranking]) -> Iterator[str]:
    """A table for the targets that share their scenarios, and who was fastest and cheapest."""
    if found:
        yield "### Models"
    for contest in found:
        listed = ", ".join(map(code, contest.scenarios))
        told = [f"{listed}, {count(contest.turns, 'turn')} each: {verdict(contest, code)}"]
        told.append("_Times and tokens are the sandbox's, not the services'._")
        yield "  \n".join(told if contest.sandbox else told[:1])
        yield "\n".join(_entries(contest))


def _entries(contest: Ranking) -> Iterator[str]:
    yield "| target | tokens in | out | first token | time of a turn | cost | price |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for entry in contest.entries:
        told = [
            code(entry.target),
            _sum(entry.input_tokens),
            _sum(entry.output_tokens),
            seconds(entry.first_token),
            seconds(entry.total),
            _cost(entry),
            "; ".join(_price(price) for price in entry.prices) or "unknown",
        ]
        yield f"| {' | '.join(told)} |"


def _sum(found: Sum) -> str:
    partly = f" (known of {found.known} of {found.of})" if 0 < found.known < found.of else ""
    return f"{number(found.amount)}{partly}"


def _cost(entry: Entry) -> str:
    if not entry.costs:
        return "unknown"
    told = ", ".join(code(money(cost)) for cost in entry.costs)
    left = entry.turns - entry.priced
    return f"{told}, unknown of {count(left, 'turn')}" if left else told


def _price(price: Price) -> str:
    return f"{price.dated}, {code(price.source)}"


def _races(found: Sequence[Ranking]) -> Iterator[str]:
    if found:
        yield "### Who was faster, who was cheaper\n"
    for race in found[:MAX_CELLS]:
        told = ", ".join(f"{code(one.target)} {_run(one)}" for one in race.entries)
        best = f"; cheapest {code(race.cheapest)}" if race.cheapest else ""
        yield f"- {code(race.scenarios[0])}: {told}{best}"


def _run(entry: Entry) -> str:
    return f"{seconds(entry.total)} {money(entry.cost)}" if entry.cost else seconds(entry.total)


def _topics(found: Sequence[Topic]) -> Iterator[str]:
    """In which fields the ways of asking part, and where each has them."""
    if found:
        yield "### Where formats differ"
    for topic in found:
        if topic.apart:
            yield "\n".join(map(_apart, topic.apart))
        yield "\n".join(_places(topic))


def _apart(found: Apart) -> str:
    both = f"- {code(str(found.left))} and {code(str(found.right))}"
    if not found.names:
        return f"{both}: each of {found.of} values stands in the same place"
    told = f"{len(found.names)} of {found.of} values stand elsewhere"
    return f"{both}: {told}: {', '.join(found.names)}"


def _places(topic: Topic) -> Iterator[str]:
    yield f"| {topic.name} | {' | '.join(code(str(way)) for way in topic.ways)} |"
    yield f"|{'---|' * (len(topic.ways) + 1)}"
    for meaning in topic.glance:
        cells = ("<br>".join(code(stand.path) for stand in cell) for cell in meaning.cells)
        yield f"| {meaning.name} | {' | '.join(cell or '–' for cell in cells)} |"
