"""The law behind a finding, in both languages, by the name that the finding gives its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.contracts import clauses
from harness.rules import CHINESE, RULES


@dataclass(frozen=True, slots=True)
class Law:
    """What must hold, in a sentence; what a program would write stands between backticks."""

    english: str
    chinese: str


LAWS: Mapping[str, Law] = MappingProxyType(
    {rule.name: Law(rule.law, CHINESE[rule.name]) for rule in RULES}
    | {name: Law(text, clauses.CHINESE[name]) for name, text in clauses.CLAUSES.items()}
)
"""The laws of all rules, and of the clauses of contracts."""
