"""The table of all rules, common ones and providers' own, and functions that apply them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, NamedTuple

from harness import rules
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.config import plugins
from harness.config.settings import ALL_RULES, RuleSelection, load_settings
from harness.providers import INSTALLED, SHIPPED, Provider
from harness.providers.endpoints import recognise
from harness.providers.forms import in_forms
from harness.rules import Judged
from harness.rules.rule import Rule
from harness.types import Finding, Transcript


def _all_rules() -> Iterator[Rule]:
    """Yield every rule; its name is that of no other rule.

    Raises:
        HarnessError: A plug-in cannot be used.
    """
    of_providers = (rule for provider in SHIPPED.values() for rule in provider.rules)
    own = (*rules.COMMON_RULES, *of_providers, *in_forms("rules", "RULES"))
    yield from own
    origins = {rule.name: rule.origin for rule in own}
    for plugin, rule in _added_rules():
        if not isinstance(rule, Rule):
            raise plugin.broken(f"it should have rules, and has a {type(rule).__name__}")
        if rule.name in origins:
            raise plugin.broken(f"there is a rule {rule.name!r} of {origins[rule.name]} already")
        origins[rule.name] = plugin.origin
        yield replace(rule, origin=plugin.origin, broken=plugin.broken)


def _added_rules() -> Iterator[tuple[plugins.Plugin[Any], Rule]]:
    """Yield each rule of another package with its plug-in, those of a provider included."""
    for added in plugins.load("harness.rules", (Rule, tuple)):
        for rule in added.value if isinstance(added.value, tuple) else (added.value,):
            yield added, rule
    for provider in plugins.load("harness.providers", Provider):
        for rule in INSTALLED[provider.value.name].rules:
            yield provider, rule


RULES: tuple[Rule, ...] = tuple(_all_rules())
"""Every rule."""


def judge(transcript: Transcript) -> Judged:
    """Apply all rules to *transcript*, and return the findings.

    Findings of rules that the transcript ignores are separate from the others.
    """
    return rules.judge(analyze(transcript, recognise), RULES)


def check(transcript: Transcript) -> tuple[Finding, ...]:
    """Return the findings in *transcript* of all rules that it does not ignore."""
    return judge(transcript).findings


class Examined(NamedTuple):
    """The result of `examine`: an analyzed transcript, and the findings of the rules in it."""

    transcript: AnalyzedTranscript
    judged: Judged


def examine(transcript: Transcript, selection: RuleSelection = ALL_RULES) -> Examined:
    """Analyze *transcript* and check it by the rules that apply.

    These are the rules that *selection*, of the project's settings, and the transcript's scenario
    select.
    """
    return examine_analyzed(analyze(transcript, recognise), selection)


def examine_analyzed(read: AnalyzedTranscript, selection: RuleSelection = ALL_RULES) -> Examined:
    """Check a transcript that is analyzed already; the rules are those that `examine` applies."""
    selected = replace(read, transcript=selection.apply_to(read.transcript))
    return Examined(selected, rules.judge(selected, RULES))


def project_rules(folder: str | os.PathLike[str]) -> RuleSelection:
    """Return the rule selection in the pyproject.toml of the project that *folder* belongs to.

    Raises:
        BadSettings: The file is invalid, or names a rule that does not exist.
    """
    project = load_settings(folder)
    for name in unknown_names(project.rules.names) if project.rules.names else ():
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
