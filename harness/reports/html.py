"""A report as one HTML page that needs nothing else: no script, no font, no picture from afar."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.compare import Comparison, Layer, Matrix, Table
from harness.compare.pictures import picture
from harness.reading import Read
from harness.reports import words
from harness.reports.conversation import conversation
from harness.reports.report import Report
from harness.types import Finding, Origin, Severity

MAX_PICTURE = 2_000_000
"""A larger picture, in bytes, is told of and not shown."""

MAX_DIFFERENCES = 200
"""So many differences of one pair are listed; the JSON report has all."""

MAX_PATHS = 500
"""So many paths of one format are listed; the JSON report has all."""

_CHINESE = re.compile("[\u3400-\u9fff]")


def report(report: Report) -> str:
    """A report as an HTML page."""
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        sandbox=Origin.SANDBOX in report.origins,
        severities=[(s.value, len(report.of(s))) for s in Severity],
        sections=[_section(report, scenario) for scenario in report.scenarios],
    )


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("harness", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda told: words.plain(told) if type(told) is str else told,
    )
    made.filters |= {
        "count": words.count,
        "seconds": words.seconds,
        "number": words.number,
        "value": words.value,
        "language": language,
        "embedded": embedded,
        "short": lambda told: words.cut(words.line(told), 300),
    }
    return made


def language(text: str) -> str:
    """The language a text is marked with, so that its signs are drawn as its readers expect."""
    return "zh-Hans" if _CHINESE.search(text) else "en"


def embedded(data: bytes) -> str:
    """A picture as a data URL; empty for what is no picture, or a large one."""
    shown = picture(data)
    if shown is None or len(data) > MAX_PICTURE:
        return ""
    return f"data:{shown.media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _section(report: Report, scenario: str) -> Mapping[str, object]:
    mine = [read for read in report.reads if read.transcript.scenario == scenario]
    return {
        "name": scenario or "(no scenario)",
        "reads": [_column(report, read) for read in mine],
        "matrices": [_matrix(m) for m in report.matrices if m.scenario == scenario],
        "comparisons": [_parted(c) for c in report.comparisons if c.scenario == scenario],
        "problems": [p for p in report.problems if p.scenario == scenario],
        "findings": _sorted([f for f in report.findings if f.scenario == scenario]),
        "ignored": _sorted([f for f in report.ignored if f.scenario == scenario]),
    }


def _sorted(findings: list[Finding]) -> list[Finding]:
    order = list(Severity)
    return sorted(findings, key=lambda f: (order.index(f.severity), f.target))


def _column(report: Report, read: Read) -> Mapping[str, object]:
    told = read.transcript
    return {
        "target": told.target or told.source,
        "provenance": told.provenance,
        "skipped": told.skipped,
        "failed": any(
            f.severity is Severity.ERROR for f in report.findings_of(told.scenario, told.target)
        ),
        "talks": conversation(read),
    }


def _matrix(found: Matrix) -> Mapping[str, object]:
    return {
        "targets": found.targets,
        "facts": found.facts,
        "pairs": [(pair, _parted(pair.comparison)) for pair in found.pairs],
        "tables": [_format(table) for table in found.tables],
    }


def _format(table: Table) -> Mapping[str, object]:
    differing = set(table.differing)
    rows = [(row, row in differing) for row in table.rows]
    return {
        "part": table.part,
        "present": table.present,
        "rows": rows[:MAX_PATHS],
        "paths": len(rows),
        "differing": len(differing),
    }


def _parted(found: Comparison) -> Mapping[str, object]:
    layers = [layer for layer in Layer if layer is not Layer.VOLATILE]
    return {
        "left": found.left,
        "right": found.right,
        "count": len(found.differences),
        "volatile": len(found.of(Layer.VOLATILE)),
        "layers": [(layer.value, found.of(layer)[:MAX_DIFFERENCES]) for layer in layers],
        "more": sum(max(0, len(found.of(layer)) - MAX_DIFFERENCES) for layer in layers),
    }
