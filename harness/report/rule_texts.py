"""The law behind a finding, in both languages, by the name that the finding gives its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.contracts import clauses
from harness.rules import CHINESE, RULES
from harness.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Law:
    """What must hold, in a sentence; what a program would write stands between backticks."""

    english: str
    chinese: str


def law_of(rule: Rule) -> Law:
    """Return the law of a rule, in English twice where it has no Chinese sentence."""
    return Law(rule.law, CHINESE.get(rule.name, rule.law))


_OTHERS: Mapping[str, Law] = MappingProxyType(
    {
        "cassette_age": Law(
            "A recording is not older than `--max-age` allows.",
            "录制的时间不超过 `--max-age` 允许的期限。",
        ),
        "drift_missing": Law(
            "What is on one side is on the other side, too.", "一方有的录制，另一方也有。"
        ),
        "drift_removed": Law(
            "A field that was there is still there.", "以前有的字段现在仍然存在。"
        ),
        "drift_retyped": Law("A field keeps its types.", "字段的类型没有改变。"),
        "drift_newly_null": Law(
            "A field that had a value is not `null`.", "以前有值的字段没有变成 `null`。"
        ),
        "drift_added": Law("No field is there that was not.", "不出现以前没有的字段。"),
        "drift_no_longer_null": Law(
            "A field that was `null` is still `null`.", "以前为 `null` 的字段仍为 `null`。"
        ),
        "drift_new_value": Law("A word is one that was seen before.", "取值是以前见过的。"),
        "drift_status": Law(
            "The HTTP status is the same; what was answered is not refused.",
            "HTTP 状态码不变；以前得到回答的请求不被拒绝。",
        ),
        "drift_answer_gone": Law(
            "A turn that was answered is answered.", "以前有回答的轮次仍有回答。"
        ),
        "drift_answer_added": Law("No answer is there that was not.", "不出现以前没有的回答。"),
        "drift_value": Law("Texts, ids and times are the same.", "文本、编号和时间不变。"),
        "drift_count": Law("There are as many of them.", "数量与以前相同。"),
    }
)
"""What findings hold against recordings that are no rule's and no contract's: their age, and what
changed since."""

LAWS: Mapping[str, Law] = MappingProxyType(
    dict(_OTHERS)
    | {rule.name: law_of(rule) for rule in RULES}
    | {name: Law(text, clauses.CHINESE.get(name, text)) for name, text in clauses.CLAUSES.items()}
)
"""The laws of all rules, of the clauses of contracts, and of what is neither."""
