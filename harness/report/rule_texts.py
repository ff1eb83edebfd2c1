"""The sentence that reports print for each rule, by the rule's name in findings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.contracts.judge import CLAUSES
from harness.locale import mark
from harness.providers.rules import RULES

RULE_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "cassette_age": mark("A recording is not older than `--max-age` allows."),
        "drift_missing": mark("What is recorded on one side is recorded on the other."),
        "drift_removed": mark("A field that was present is still present."),
        "drift_retyped": mark("A field keeps its types."),
        "drift_newly_null": mark("A field that had a value is not `null`."),
        "drift_added": mark("No new field is present."),
        "drift_no_longer_null": mark("A field that was `null` is still `null`."),
        "drift_new_value": mark("A value of a vocabulary was seen before."),
        "drift_status": mark("The HTTP status is the same; an accepted request is not refused."),
        "drift_answer_removed": mark("A turn that was answered is still answered."),
        "drift_answer_added": mark("No new answer is present."),
        "drift_value": mark("Texts, ids and times are the same."),
        "drift_count": mark("The counts are the same."),
    }
    | {rule.name: rule.law for rule in RULES}
    | dict(CLAUSES)
)
"""The English texts of all rules, of contract clauses, and of findings on age and drift.

`harness.locale` has the translations.
"""
