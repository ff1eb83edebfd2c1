"""The command that tells the rules, in English or in Chinese."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import AsJson, print_table
from harness.locale import CHINESE, mark, translate

if TYPE_CHECKING:
    from harness.rules.rule import Rule


class Language(StrEnum):
    """What the rules are told in."""

    EN = "en"
    ZH = "zh"


def rules(
    name: Annotated[
        str | None, typer.Argument(metavar="RULE", help="Explain this one in full.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="RULE", help="The same, said by name.")
    ] = None,
    lang: Annotated[
        Language, typer.Option("--lang", help="In English, or what must hold in Chinese.")
    ] = Language.EN,
    as_json: AsJson = False,
) -> None:
    """List the rules, or explain one: its text, examples, and where it is known from.

    Example: harness rules --explain usage_adds_up
    """
    from harness.cassette import age
    from harness.errors import HarnessError
    from harness.providers.rules import RULES, no_such_rule, unknown_names
    from harness.report import json_report
    from harness.report.rule_texts import RULE_TEXTS

    name = explain or name
    if name == age.RULE:
        typer.echo(f"{name} (--max-age)\n\n{age.TEXT}")
        return
    if name is not None and name in RULE_TEXTS and unknown_names([name]):
        typer.echo(f"{name} (harness contract check)\n\n{_law(name, lang)}")
        return
    if name is not None and unknown_names([name]):
        raise HarnessError(no_such_rule(name))
    chosen = [rule for rule in RULES if name in (None, rule.name)]
    if as_json:
        typer.echo(json_report.dumps([_told(rule, name is not None) for rule in chosen]))
    elif name is None:
        cells = [(r.name, _text(r.severity, lang), _law(r.name, lang)) for r in chosen]
        heads = tuple(_text(head, lang) for head in _HEADS)
        print_table([dict(zip(heads, row, strict=True)) for row in cells], heads)
    else:
        typer.echo(_explained(chosen[0], lang))


_HEADS = (mark("rule"), mark("severity"), mark("requirement"))
_SCOPES = (mark("exchange"), mark("conversation"), mark("sdk"))


def _law(name: str, lang: Language) -> str:
    from harness.report.rule_texts import RULE_TEXTS

    return _text(RULE_TEXTS[name], lang)


def _told(rule: Rule, with_example: bool) -> dict[str, object]:
    """A rule as a JSON object."""
    from harness.faults.explain import evidence

    return {
        "rule": rule.name,
        "scope": str(rule.scope),
        "severity": str(rule.severity),
        "text": rule.text,
        "chinese": _law(rule.name, Language.ZH),
        "evidence": list(evidence(rule)),
        **(_example(rule) if with_example else {}),
    }


def _example(rule: Rule) -> dict[str, object]:
    """Return a sample that passes, the same with a fault, and what the rule finds."""
    from harness.faults.explain import example

    shown = example(rule)
    if shown is None:
        return {"example": None}
    return {
        "example": {"name": shown.sample, "passes": shown.passes, "fails": shown.fails},
        "broken": shown.fault.description,
        "finding": shown.finding.message,
    }


def _explained(rule: Rule, lang: Language) -> str:
    """A rule on a page."""
    from harness.faults.explain import evidence

    return "\n\n".join(
        [
            _text(mark("{} ({}, {})"), lang).format(
                rule.name, _text(rule.severity, lang), _text(rule.scope, lang)
            ),
            *([_law(rule.name, lang)] if lang is not Language.EN else []),
            rule.text,
            *_shown_example(rule, lang),
            "\n".join([_text(mark("Evidence:"), lang), *(f"  {line}" for line in evidence(rule))]),
        ]
    )


def _shown_example(rule: Rule, lang: Language) -> list[str]:
    """Return the paragraphs of a rule's example; one that says so where it has none."""
    from harness.faults.explain import example

    shown = example(rule)
    if shown is None:
        return [_text(mark("No sample breaks this rule yet."), lang)]
    place = f" ({shown.finding.place})" if str(shown.finding.place) else ""
    return [
        _text(mark("This passes, in the example {!r}:"), lang).format(shown.sample),
        _indented(shown.passes),
        _text(mark("This fails (fault: {})"), lang).format(shown.fault.description),
        _indented(shown.fails),
        f"  {rule.name}{place}: {shown.finding.message}",
    ]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in (text or "(nothing)").splitlines())


def _text(message: str, lang: Language) -> str:
    """Return a message in a language."""
    return translate(message, _LANGUAGES[lang])


_LANGUAGES = {Language.EN: "en", Language.ZH: CHINESE}
