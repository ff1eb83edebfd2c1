"""The table of all rules, common ones and providers' own, and functions that apply them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from harness import rules
from harness.config.settings import RuleSelection, load_settings
from harness.providers import PROVIDERS
from harness.providers.endpoints import recognise
from harness.rules import Judged
from harness.rules.rule import Rule
from harness.types import Finding, Transcript

RULES: tuple[Rule, ...] = (
    *rules.COMMON_RULES,
    *(rule for provider in PROVIDERS.values() for rule in provider.rules),
)
"""Every rule."""


def judge(transcript: Transcript) -> Judged:
    """Return the findings of all rules in *transcript*; those of its ignored rules are separate."""
    return rules.judge(transcript, recognise, RULES)


def check(transcript: Transcript) -> tuple[Finding, ...]:
    """Return the findings in *transcript* of all rules that it does not ignore."""
    return judge(transcript).findings


def project_rules(folder: Path) -> RuleSelection:
    """Return the rule selection in the pyproject.toml of the project that *folder* belongs to.

    Raises:
        BadSettings: The file is invalid, or names a rule that does not exist.
    """
    project = load_settings(folder)
    for name in unknown_names(project.rules.names):
        raise project.error(f"rules: {no_such_rule(name)}")
    return project.rules


def unknown_names(names: Iterable[str]) -> list[str]:
    """Return the items of *names* that are not the name of a rule."""
    known = {rule.name for rule in RULES}
    return [name for name in names if name not in known]


def no_such_rule(name: str) -> str:
    """Return the error message for an unknown rule name, with suggestions."""
    similar = get_close_matches(name, [rule.name for rule in RULES], n=2, cutoff=0.75)
    hint = f"did you mean {' or '.join(similar)}?" if similar else "`harness rules` lists them"
    return f"there is no rule {name!r}; {hint}"
