"""A report as JSON Lines."""

from __future__ import annotations

import json

from harness.comparison.fields import FIELDS
from harness.report import json_report

from .samples import sample


def test_each_line_is_one_thing() -> None:
    """First the report, then a line for each thing that it tells of."""
    told = [json.loads(line) for line in json_report.lines(sample()).splitlines()]
    kinds = [one["type"] for one in told]
    assert kinds == [
        "report",
        *["transcript"] * 3,
        "problem",
        *["finding"] * 2,
        *["model"] * 2,
        *["drift"] * 2,
        *["form"] * 3,
        *["field"] * len(FIELDS),
    ]
    assert told[0]["counts"]["errors"] == 1
    assert told[0]["recorded_from"] == ["sandbox"]
    assert told[6]["rule"] == "odd"


def test_lines_say_the_same_as_the_document() -> None:
    """Each line is what the JSON report has."""
    whole = json.loads(json_report.report(sample()))
    told = [json.loads(line) for line in json_report.lines(sample()).splitlines()]
    for kind in ("transcript", "problem", "finding", "model", "drift"):
        mine = [one for one in told if one["type"] == kind]
        assert mine == [{"type": kind, **one} for one in whole[f"{kind}s"]]


def test_a_line_stays_one_line() -> None:
    """Whatever was recorded, a line break in it is none of the file."""
    text = json_report.lines(sample("a\nb\r\u2028c"))
    assert len(text.split("\n")) == len(json_report.lines(sample()).split("\n"))
