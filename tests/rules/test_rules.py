"""Each rule finds its violations, at their places, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.config.settings import RuleSelection
from harness.providers.rules import RULES, check, judge, unknown_names
from harness.types import Finding, Severity, Transcript

from . import broken_sdk, broken_wire
from .broken import Broken
from .making import edited, foreign
from .zhipu_exchanges import REFUSED, SYNC

BROKEN = broken_wire.BROKEN + broken_sdk.BROKEN


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_broken_rule_is_the_only_finding(broken: Broken) -> None:
    """One violation gives one finding, whose message has what was expected."""
    findings = [f for f in check(broken.transcript) if f.rule not in broken.also.split()]
    assert {finding.rule for finding in findings} == {broken.rule}
    assert "; ".join(_shown(finding) for finding in findings) == broken.place
    assert broken.says in findings[0].message
    assert all(f"expected {f.expected}, actual {f.actual}" in f.message for f in findings)


def _shown(finding: Finding) -> str:
    """Return the place, without the byte if it has a pointer (see test_places)."""
    place = finding.place
    return str(replace(place, offset=None) if place.pointer else place)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_explains_itself(rule: object) -> None:
    """The first line of a rule's text is a sentence for users."""
    text = getattr(rule, "text", "")
    assert text.partition("\n")[0].rstrip().endswith((".", "]"))


def test_rule_names_are_unique() -> None:
    """A scenario ignores a rule by its name."""
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("transcript", broken_sdk.AGREEING.values(), ids=broken_sdk.AGREEING)
def test_an_sdk_that_agrees_gives_no_finding(transcript: Transcript) -> None:
    """An SDK may raise, show empty values, or retry."""
    assert check(transcript) == ()


@pytest.mark.parametrize("transcript", broken_wire.CARRIED.values(), ids=broken_wire.CARRIED)
def test_a_history_that_is_carried_gives_no_finding(transcript: Transcript) -> None:
    """Only a request that continues an earlier one has to carry it."""
    assert [f for f in check(transcript) if f.rule == "history_is_carried"] == []


def test_an_ignored_rule_is_not_applied() -> None:
    """The transcript says which rules do not apply to it, and why."""
    wrong = foreign(edited(SYNC, '"total_tokens":12', '"total_tokens":13'))
    assert check(replace(wrong, ignored={"usage_adds_up": "known"})) == ()


WRONG = edited(edited(SYNC, '"total_tokens":12', '"total_tokens":13'), '"stop"', '"halt"')


def test_ignored_findings_are_kept_apart() -> None:
    """A report can count them."""
    judged = judge(replace(foreign(WRONG), ignored={"usage_adds_up": "known"}))
    assert [f.rule for f in judged.findings] == ["finish_reason_is_known"]
    assert [f.rule for f in judged.ignored] == ["usage_adds_up"]


def test_only_selected_rules_apply() -> None:
    """If any are selected."""
    transcript = replace(foreign(WRONG), selected=("usage_adds_up",))
    assert [f.rule for f in check(transcript)] == ["usage_adds_up"]


def test_a_transcript_overrides_severities() -> None:
    """In either direction."""
    weights = {"usage_adds_up": Severity.INFO, "finish_reason_is_known": Severity.ERROR}
    findings = check(replace(foreign(WRONG), severities=weights))
    assert {f.rule: f.severity for f in findings} == weights


def test_a_scenarios_own_choice_comes_first() -> None:
    """What the project says holds where the scenario says nothing."""
    project = RuleSelection(("x",), {"a": "project", "b": "project"}, {"c": Severity.INFO})
    own = replace(
        foreign(), selected=("y",), ignored={"a": "own"}, severities={"c": Severity.ERROR}
    )
    transcript = project.apply_to(own)
    assert transcript.selected == ("y",)
    assert transcript.ignored == {"a": "own", "b": "project"}
    assert transcript.severities == {"c": Severity.ERROR}
    assert project.apply_to(foreign()).selected == ("x",)


def test_a_finding_is_complete() -> None:
    """It has the rule, its severity, and the scenario, target and file of the transcript."""
    wrong = replace(foreign(edited(REFUSED, '"1113"', '""')), scenario="s", target="t/m")
    (finding,) = check(wrong)
    signed = (finding.rule, finding.severity, finding.scenario, finding.target, finding.source)
    assert signed == (
        "failure_has_code_and_message",
        Severity.ERROR,
        "s",
        "t/m",
        "test.yaml",
    )


def test_unknown_names_are_returned() -> None:
    """A misspelt rule in a scenario is not silently ignored."""
    assert unknown_names(["usage_adds_up", "usage_ads_up"]) == ["usage_ads_up"]
