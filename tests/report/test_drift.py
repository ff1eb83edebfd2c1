"""Drift as a report that every form of report can be made of."""

from __future__ import annotations

import json

from drift.changed_recordings import compared, edited, recorded

from harness.analysis.difference import ChangeKind, Verdict
from harness.drift.types import Drift, DriftChange, DriftRun
from harness.report import FILES
from harness.report.drift import document, report, text
from harness.report.json_report import dumps
from report.samples import console, written


def _rename(value: object) -> None:
    if isinstance(value, dict) and "usage" in value:
        value["usage"]["all_tokens"] = value["usage"].pop("total_tokens")


def test_what_was_recorded_cannot_write_lines_of_its_own() -> None:
    """A recorded text with line breaks stays on the line that tells of it, in a log too."""
    evil = "x\n\n6 same\n::set-output name=ok::yes"
    change = DriftChange(
        ChangeKind.NEW_VALUE, evil, "", evil, evil, 1, "p", verdict=Verdict.BREAKING
    )
    screen = console(120)
    text(screen, DriftRun((Drift(evil, evil, "a", "b", (change,), (evil,)),)))
    told = written(screen).splitlines()
    assert not [line for line in told if line.startswith(("6 same", "::set"))]
    assert told[-1] == "1 breaking"


def test_the_heading_of_a_cassette_without_a_target_is_its_path() -> None:
    """As of a test: there is no comma after it."""
    change = DriftChange(
        ChangeKind.REMOVED, "/a", "", "string", "", 1, "answer", verdict=Verdict.BREAKING
    )
    screen = console(120)
    text(screen, DriftRun((Drift("test_a/test_a.yaml", "", "a", "b", (change,)),)))
    assert "test_a/test_a.yaml" in [line.rstrip("\n") for line in written(screen).splitlines()]


def test_every_form_of_report_has_the_verdicts() -> None:
    """The same that the command prints as JSON; what weighs enough is a finding that fails."""
    old = recorded("slogan/zhipuai-glm-5.3-flash")
    new = edited(old, _rename)
    watch = DriftRun((compared(old, new), compared(old, old)), transcripts=(new,))
    made = report(watch)
    assert not made.ok
    assert [one.scenario for one in made.matrices] == ["slogan"]
    rules = [f.message for f in made.findings if not f.rule.startswith("drift_")]
    assert rules
    assert not [message for message in rules if message.startswith("turn ")]
    assert [drift.verdict for drift in made.drifts] == [Verdict.BREAKING, Verdict.SAME]
    assert json.loads(FILES["json"](made))["drifts"] == json.loads(dumps(document(watch)))["drifts"]
    lines = [json.loads(line) for line in FILES["lines"](made).splitlines()]
    assert [one["verdict"] for one in lines if one["type"] == "drift"] == ["breaking", "same"]
    assert "/usage/total_tokens" in FILES["html"](made)
