"""Every rule has a source and an example."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.faults.explain import EVIDENCE, evidence, example
from harness.providers.rules import RULES
from harness.rules.rule import Rule

ROOT = Path(__file__).parents[2]
WIRE_FACTS = "docs/WIRE_FACTS.md"
HEADINGS = [
    line.lstrip("# ").strip()
    for line in (ROOT / WIRE_FACTS).read_text(encoding="utf-8").splitlines()
    if line.startswith("#")
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_sources(rule: Rule) -> None:
    """At least one, and all of them are listed."""
    assert rule.evidence
    assert set(rule.evidence) <= set(EVIDENCE)
    assert len(evidence(rule)) == len(rule.evidence)


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence_is_there(name: str) -> None:
    """A section of the wire facts, by the beginning of its heading; a page of ours; a standard."""
    text = EVIDENCE[name]
    file, _, heading = text.partition(", ")
    if file == WIRE_FACTS:
        assert any(title.startswith(heading) for title in HEADINGS)
    elif "ARCHITECTURE.md" in text:
        assert "## Decisions" in (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    else:
        assert text.startswith(("RFC ", "WHATWG ", "JSON Schema", "the scenario"))


def test_all_evidence_is_used() -> None:
    """No source is unused."""
    assert {name for rule in RULES for name in rule.evidence} == set(EVIDENCE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_an_example(rule: Rule) -> None:
    """What passes and what fails differ, and the finding is about what fails."""
    shown = example(rule)
    assert shown is not None
    assert shown.passes != shown.fails
    assert len(shown.passes) < 1500
    assert shown.fault.description.endswith(".")
    assert shown.finding.expected
