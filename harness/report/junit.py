"""A report as JUnit XML, for CI: a suite per scenario, a case per target."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from harness.report.format import describe, headline
from harness.report.model import Cell, Report
from harness.types import Severity
from harness.wire.text import cut, line, plain


def report(report: Report) -> str:
    """Return a report as JUnit XML."""
    root = ElementTree.Element("testsuites", name=plain(report.title))
    cells: dict[str, list[Cell]] = {scenario: [] for scenario in report.scenarios}
    for cell in report.overview:
        cells[cell.scenario].append(cell)
    for scenario, own in cells.items():
        name = plain(scenario) or "(no scenario)"
        suite = ElementTree.SubElement(root, "testsuite", name=name)
        suite.extend(map(_case, own))
        suite.set("tests", str(len(suite)))
        for attribute, tag in (("failures", "failure"), ("errors", "error")):
            suite.set(attribute, str(sum(case.find(tag) is not None for case in suite)))
        suite.set("skipped", "0")
    for attribute in ("tests", "failures", "errors"):
        root.set(attribute, str(sum(int(suite.get(attribute, "0")) for suite in root)))
    root.set("time", f"{report.duration:.3f}")
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _case(cell: Cell) -> ElementTree.Element:
    names = plain(cell.target) or "(no target)", plain(cell.scenario) or "(no scenario)"
    case = ElementTree.Element("testcase", name=names[0], classname=names[1])
    for problem in cell.problems:
        _add(case, "error", "problem", problem.text, problem.text)
    for finding in cell.findings:
        if finding.severity is Severity.ERROR:
            _add(case, "failure", finding.rule or "finding", headline(finding), describe(finding))
    notes = "\n\n".join(_notes(cell))
    if notes:
        ElementTree.SubElement(case, "system-out").text = plain(notes)
    return case


def _add(case: ElementTree.Element, tag: str, kind: str, message: str, text: str) -> None:
    child = ElementTree.SubElement(case, tag, type=plain(kind), message=cut(line(message), 500))
    child.text = plain(text)


def _notes(cell: Cell) -> Iterator[str]:
    """Yield a text per skipped step, finding below the severity of errors, and ignored finding."""
    yield from (f"skipped: {reason}" for reason in cell.skipped)
    yield from (describe(f) for f in cell.findings if f.severity is not Severity.ERROR)
    yield from (f"ignored: {headline(finding)}" for finding in cell.ignored)
