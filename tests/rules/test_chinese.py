"""The rules in Chinese."""

from __future__ import annotations

import re

import pytest

from harness import age, contracts
from harness.drift import Kind
from harness.reports.laws import LAWS, Law
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
