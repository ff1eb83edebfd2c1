"""The figures of several runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from drift.changed_recordings import recorded

from harness.errors import HarnessError
from harness.report import Report, html, json_report
from harness.report.trends import FIELDS, FINDINGS, Trend, run_of, trends, with_report
from harness.types import Finding


def test_runs_are_sorted_by_date_and_this_one_is_last(tmp_path: Path) -> None:
    """A rule that a run did not break has no findings there; other files are left out."""
    broken = Report("r", findings=(Finding("x", rule="adds_up"),))
    for number, (day, report) in enumerate((("2026-02-01", Report("r")), ("2026-01-01", broken))):
        document = json_report.document(report)
        document["made"] = {"date": day}
        (tmp_path / f"{number}.json").write_text(json_report.dumps(document))
    (tmp_path / "other.json").write_text("[1]")
    twice = replace(broken, findings=broken.findings * 2)
    runs = with_report(tmp_path, twice)
    assert [run.date for run in runs[:2]] == ["2026-01-01", "2026-02-01"]
    assert trends(runs)[FINDINGS] == (Trend("adds_up", (1.0, 0.0, 2.0)),)


def test_the_trend_of_a_field_names_its_pointer() -> None:
    """A service may use the name of one field for another; of several pointers, the first."""
    reads = (recorded("slogan/zhipuai-glm-5.3-flash"),)
    run = run_of(json_report.document(Report("r", reads=reads)))
    names = {name.partition(": ")[2] for title, name in run.values if title == FIELDS}
    assert "output tokens (/usage/completion_tokens)" in names
    assert "content (/choices/0/message/content, …)" in names


def test_the_page_says_since_when_a_rule_is_broken(tmp_path: Path) -> None:
    """On the overview: the first of the last runs with as many findings, and its commit."""
    broken = Report("r", findings=(Finding("x", rule="adds_up"),))
    for day, report in (
        ("2026-01-01", Report("r")),
        ("2026-02-01", broken),
        ("2026-03-01", broken),
    ):
        document = json_report.document(report)
        document["made"] = {"date": day, "commit": f"c0ffee-{day}"}
        (tmp_path / f"{day}.json").write_text(json_report.dumps(document))
    page = html.report(replace(broken, history=with_report(tmp_path, broken)))
    overview = page.partition('id="changed"')[2].partition("</section>")[0]
    assert re.sub("<[^>]+>", "", overview).count("since the run of 2026-02-01 · c0ffee-2026-") == 1
    assert "0 → <b>1</b>" in overview


@pytest.mark.parametrize(
    ("values", "since"), [((1.0, 2.0, 2.0), 1), ((1.0, 2.0, 1.0), 2), ((1.0, None), 1), ((1.0,), 0)]
)
def test_a_value_is_there_since_a_run(values: tuple[float | None, ...], since: int) -> None:
    """The first of the last runs that have the value of the last one."""
    assert Trend("x", values).since == since


def test_a_trend_is_drawn_from_left_to_right() -> None:
    """The largest value is at the top; a run without a value is skipped."""
    assert Trend("x", (1.0, None, 2.0)).points == "0.0,10.0 100.0,1.0"
    assert not Trend("x", (1.0, 1.0)).changed


def test_a_damaged_report_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    """With the file, or with what to do."""
    (tmp_path / "a.json").write_text(json.dumps({"format": json_report.FORMAT, "findings": 1}))
    with pytest.raises(HarnessError, match=r"a\.json: a JSON report that is damaged"):
        with_report(tmp_path, Report("r"))
    with pytest.raises(HarnessError, match="there is no such folder"):
        with_report(tmp_path / "none", Report("r"))
