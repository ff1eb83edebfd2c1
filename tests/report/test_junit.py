"""A report as JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from harness.report import Report, junit
from harness.types import Finding, Problem, Severity

from .samples import exchange, sample, told


def suites(report: Report) -> ElementTree.Element:
    """The report's XML, read back as UTF-8."""
    return ElementTree.fromstring(junit.report(report).encode("utf-8"))  # noqa: S314 - our own


def test_a_suite_per_scenario_and_a_case_per_target() -> None:
    """Each scenario is a suite, each of its targets a case; what failed is counted."""
    root = suites(sample())
    (suite,) = root
    assert [case.get("name") for case in suite] == [
        "ours/one",
        "ours/two",
        "ours/three",
        "ours/four",
    ]
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "time")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "time": "1.250"}
    assert suite.get("name") == suite[0].get("classname") == "问候"


def test_an_error_is_a_failure_and_a_warning_is_told() -> None:
    """A finding that is an error fails its case; a warning and a skipped step are output."""
    one, two, *_ = suites(sample())[0]
    failure, told = one.find("failure"), two.find("system-out")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == (
        "adds_up",
        "adds_up (turn 1, exchange 1, byte 3, /x): bad: 你好",
    )
    assert "read more: harness rules --explain adds_up" in (failure.text or "")
    assert two.find("failure") is None
    assert told is not None
    assert "warning: odd" in (told.text or "")
    assert one.findtext("system-out") == "skipped: 你好"


def test_a_problem_is_an_error_of_its_target() -> None:
    """What could not be played at all is an error."""
    *_, four = suites(sample())[0]
    error = four.find("error")
    assert error is not None
    assert error.text == "no cassette: 你好"


def test_each_failure_is_told_and_the_case_counts_once() -> None:
    """Several errors of one target are several failures of one case."""
    found = tuple(Finding(m, scenario="s", target="t") for m in "ab")
    root = suites(Report("r", findings=found))
    assert (len(root.findall(".//failure")), root.get("failures")) == (2, "1")


def test_what_xml_cannot_hold_is_replaced() -> None:
    """Control characters and halves of characters do not break the XML."""
    bad = "\x00\x1b\ud800\ufffe]]><b>&"
    found = Finding(bad, scenario=bad, target=bad, rule=bad, severity=Severity.ERROR)
    report = Report(bad, (told([exchange({})]),), (found,), problems=(Problem("", "", bad),))
    assert suites(report).get("name") == "\ufffd\ufffd\ufffd\ufffd]]><b>&"


def test_an_empty_report_is_xml() -> None:
    """A run that did nothing has a report."""
    assert suites(Report("nothing")).get("tests") == "0"
