"""Texts of reports: a sentence for each rule, by the rule's name, and labels of the HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from harness.contracts.judge import CLAUSES
from harness.providers.rules import RULES

_TEXTS = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))

LABELS: Mapping[str, str] = MappingProxyType(_TEXTS["labels"])
"""The words that the page shows for values of the report whose own name is not shown."""

RULE_TEXTS: Mapping[str, str] = MappingProxyType(
    _TEXTS["rules"] | {rule.name: rule.law for rule in RULES} | dict(CLAUSES)
)
"""The English texts of all rules, of contract clauses, and of findings on age and drift.

`harness.locale` has the translations.
"""
