"""The rules in Chinese."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import contracts
from harness.cassette import age
from harness.drift import Kind
from harness.report.rule_texts import LAWS, Law
from harness.rules import CHINESE, RULES

KNOWN = {"DashScope", "HTTP", "ID", "JSON", "SDK", "SSE", "Schema", "UTF", "token"}
"""Words that are the same in Chinese; any other stands between backticks, as programs write it."""

_CODE = re.compile("`([^`]+)`")


def test_every_rule_has_its_law_in_chinese_and_no_other_has() -> None:
    """Whoever adds a rule, or takes one away, looks at its table too."""
    assert list(CHINESE) != []
    assert set(CHINESE) == {rule.name for rule in RULES}
    assert set(contracts.CHINESE) == set(contracts.CLAUSES)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_law_in_chinese(law: Law) -> None:
    """One sentence of Chinese, in which no English is left, with the code words of the English."""
    words = _CODE.sub("", law.chinese)
    assert len(re.findall("[\u4e00-\u9fff]", words)) >= 6
    assert set(re.findall("[A-Za-z]+", words)) <= KNOWN
    assert law.chinese.endswith("。")
    assert not re.search("[\u4e00-\u9fff] ?[,.:;()?!]", law.chinese)
    assert "  " not in law.chinese
    assert set(_CODE.findall(law.english)) <= set(_CODE.findall(law.chinese))
    assert set(re.findall("[0-9]+", law.english)) <= set(re.findall("[0-9]+", law.chinese))


def test_what_is_no_rule_has_its_law_too() -> None:
    """Age, and every kind of change since; what breaks a rule is told as that rule."""
    kinds = {f"drift_{kind.replace(' ', '_')}" for kind in Kind if kind is not Kind.RULE}
    assert kinds | {"drift_missing", age.RULE} <= set(LAWS)


def test_no_two_laws_are_the_same() -> None:
    """A line copied twice would be wrong once."""
    assert len({law.chinese for law in LAWS.values()}) == len(LAWS)


NEW_RULE = """
import sys
from harness import rules
from harness.rules.rule import Rule, Scope

def greets_nobody(reading):
    \"\"\"No greeting is sent.\"\"\"
    return iter(())

rules.RULES = (*rules.RULES, Rule(greets_nobody, Scope.EXCHANGE, evidence=("JSON",)))

from harness.cli.__main__ import main
sys.exit(main())
"""
"""The command line with one rule more, for which there is no Chinese sentence."""

CASSETTE = str(Path(__file__).parents[2] / "cassettes" / "slogan" / "zhipuai-glm-4.yaml")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rules", "--lang", "zh"], "No greeting is sent."),
        (["rules", "--lang", "zh", "--json"], '"chinese": "No greeting is sent."'),
        (["rules"], "No greeting is sent."),
        (["check", CASSETTE, "--html", "page.html"], "ok: 1 transcript"),
    ],
    ids=["chinese", "json", "english", "page"],
)
def test_a_rule_without_a_chinese_sentence_has_its_english_one(
    arguments: list[str], expected: str, tmp_path: Path
) -> None:
    """No command fails because a sentence is missing."""
    command = [sys.executable, "-c", NEW_RULE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)  # noqa: S603 - ours
    assert (done.stderr.decode(), done.returncode) == ("", 0)
    assert expected in done.stdout.decode()
