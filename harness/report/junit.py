"""A report as JUnit XML, for CI: a suite per scenario, a case per target."""

from __future__ import annotations

from xml.etree import ElementTree

from harness.report.findings import describe, headline
from harness.report.report import Report
from harness.types import Finding, Severity
from harness.wire.text import cut, line, plain


def report(report: Report) -> str:
    """A report as JUnit XML."""
    root = ElementTree.Element("testsuites", name=plain(report.title))
    for scenario in report.scenarios:
        root.append(_suite(report, scenario))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{report.duration:.3f}")
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _suite(report: Report, scenario: str) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=plain(scenario) or "(no scenario)")
    for target in report.targets(scenario):
        suite.append(_case(report, scenario, target))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(_with(suite, "failure")))
    suite.set("errors", str(_with(suite, "error")))
    suite.set("skipped", "0")
    return suite


def _with(suite: ElementTree.Element, tag: str) -> int:
    return sum(1 for case in suite if case.find(tag) is not None)


def _case(report: Report, scenario: str, target: str) -> ElementTree.Element:
    name = plain(target) or "(no target)"
    case = ElementTree.Element("testcase", name=name, classname=plain(scenario) or "(no scenario)")
    for problem in report.problems:
        if (problem.scenario, problem.target) == (scenario, target):
            _tell(case, "error", "problem", problem.text, problem.text)
    findings = report.findings_of(scenario, target)
    for finding in findings:
        if finding.severity is Severity.ERROR:
            _tell(case, "failure", finding.rule or "finding", headline(finding), describe(finding))
    told = [*_skipped(report, scenario, target), *_lesser(findings)]
    told += _ignored(report, scenario, target)
    if told:
        ElementTree.SubElement(case, "system-out").text = plain("\n\n".join(told))
    return case


def _tell(case: ElementTree.Element, tag: str, kind: str, message: str, text: str) -> None:
    told = ElementTree.SubElement(case, tag, type=plain(kind), message=cut(line(message), 500))
    told.text = plain(text)


def _skipped(report: Report, scenario: str, target: str) -> list[str]:
    told = (read.transcript for read in report.reads)
    mine = (t for t in told if (t.scenario, t.target) == (scenario, target))
    return [f"skipped: {reason}" for transcript in mine for reason in transcript.skipped]


def _ignored(report: Report, scenario: str, target: str) -> list[str]:
    mine = [f for f in report.ignored if (f.scenario, f.target) == (scenario, target)]
    return [f"ignored: {headline(finding)}" for finding in mine]


def _lesser(findings: tuple[Finding, ...]) -> list[str]:
    return [describe(f) for f in findings if f.severity is not Severity.ERROR]
