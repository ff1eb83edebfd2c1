"""The command `rules`: list the rules, or explain one, in English or in Chinese."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from harness.cassette import age
from harness.cli import app
from harness.config.plugins import OWN
from harness.errors import HarnessError, MissingExtra
from harness.locale import CHINESE, localized, localized_error, mark, translate

if TYPE_CHECKING:
    from harness.rules.rule import Rule


def rules(
    name: str | None = None,
    explain: str | None = None,
    as_json: bool = False,
) -> None:
    """List the rules, or explain one: what it checks, an example, and the sources.

    Example: harness rules --explain usage_adds_up
    """
    from harness.providers.rules import RULES, no_such_rule, unknown_names
    from harness.report.rule_texts import RULE_TEXTS

    name = explain or name
    if name == age.RULE:
        text = "\n\n".join(map(_paragraph, age.RULE_TEXT.split("\n\n")))
        typer.echo(f"{name} (--max-age)\n\n{text}")
        return
    if name is not None and name in RULE_TEXTS and unknown_names([name]):
        typer.echo(f"{name} (harness contract check)\n\n{localized(RULE_TEXTS[name])}")
        return
    if name is not None and unknown_names([name]):
        raise HarnessError(no_such_rule(name))
    chosen = [rule for rule in RULES if name in (None, rule.name)]
    if as_json:
        app.print_json([_as_json(rule, name is not None) for rule in chosen])
    elif name is None:
        _print_list(chosen)
    else:
        typer.echo(explained(chosen[0]))


_HEADS = (mark("rule"), mark("severity"), mark("requirement"), mark("from"))
_PARTS = (mark("evidence"), mark("sample"), mark("translation"))


def _print_list(chosen: list[Rule]) -> None:
    heads = _HEADS if any(rule.origin != OWN for rule in chosen) else _HEADS[:-1]
    cells = [
        (rule.name, localized(rule.severity), localized(rule.law), rule.origin)[: len(heads)]
        for rule in chosen
    ]
    app.print_table(cells, [localized(head) for head in heads])
    for rule in chosen:
        if lacking := _lacking(rule):
            typer.echo(f"{rule.name}: {_lacks(lacking)}")


def _lacking(rule: Rule) -> list[str]:
    """Return what a rule lacks of evidence, sample and translation; it is applied nevertheless."""
    from harness.faults.registry import breaking

    has = (rule.evidence, breaking(rule.name), translate(rule.law, CHINESE) != rule.law)
    return [part for part, present in zip(_PARTS, has, strict=True) if not present]


def _lacks(lacking: list[str]) -> str:
    parts = ", ".join(localized(part) for part in lacking)
    return localized("still lacks: {}").format(parts)


def _as_json(rule: Rule, with_example: bool) -> dict[str, object]:
    from harness.faults.explain import evidence

    return {
        "rule": rule.name,
        "scope": str(rule.scope),
        "severity": str(rule.severity),
        "from": rule.origin,
        "text": rule.text,
        "chinese": translate(rule.law, CHINESE),
        "evidence": list(evidence(rule)),
        "lacks": _lacking(rule),
        **(_example_as_json(rule) if with_example else {}),
    }


def _example_as_json(rule: Rule) -> dict[str, object]:
    """Return a sample that passes, the same with a fault, and the finding, as JSON.

    Without a sample, `example` is null.
    """
    from harness.faults.explain import example

    try:
        shown = example(rule)
    except MissingExtra as error:
        return {"example": None, "not_checked": str(error)}
    if shown is None:
        return {"example": None}
    return {
        "example": {"name": shown.sample, "passes": shown.passes, "fails": shown.fails},
        "broken": shown.fault.description,
        "finding": shown.finding.message,
    }


def explained(rule: Rule) -> str:
    """Return the full explanation of a rule as text in the language of the user."""
    from harness.faults.explain import evidence

    title = localized("{} ({}, {})").format(
        rule.name, localized(rule.severity), localized(rule.scope)
    )
    lacking = _lacking(rule)
    sources = [localized("Evidence:"), *(f"  {line}" for line in evidence(rule))]
    return "\n\n".join(
        [
            title,
            *map(_paragraph, rule.text.split("\n\n")),
            *_example(rule),
            *(["\n".join(sources)] if rule.evidence else []),
            *([localized("From: {}").format(rule.origin)] if rule.origin != OWN else []),
            *([_lacks(lacking)] if lacking else []),
        ]
    )


def _paragraph(text: str) -> str:
    """Return a paragraph of a docstring in the language of the user, else as it is."""
    joined = " ".join(text.split())
    found = localized(joined)
    return text if found == joined else found


def _example(rule: Rule) -> list[str]:
    """Return the paragraphs of a rule's example; an empty list if the rule has no sample."""
    from harness.faults.explain import example
    from harness.report import headline

    try:
        shown = example(rule)
    except MissingExtra as error:
        return [localized_error(f"not checked: {error}")]
    if shown is None:
        return []
    return [
        localized("This passes, in the example {!r}:").format(shown.sample),
        _indented(shown.passes),
        localized("This fails (fault: {})").format(localized(shown.fault.description)),
        _indented(shown.fails),
        f"  {headline(replace(shown.finding, rule=rule.name))}",
    ]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in (text or "(nothing)").splitlines())
