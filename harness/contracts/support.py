"""How much a clause can be relied on: one bound for every kind of clause.

A clause says that something never happened: a field was never missing, a value never null, a
string never outside a vocabulary. After n exchanges without it, the Wilson score interval (95 %)
says that what held n times out of n holds at least with probability n / (n + 3.84). From that
follows how much it weighs when it happens after all:

    at least 0.8   from 16 exchanges   an error
    at least 0.5   from 4 exchanges    a warning
    below          3 and fewer         told, no more

Exchanges are counted, never events: the thousand events of one stream are one observation.
Most fields are there always or by a rule of their own, so the real rate of false alarms is far
below what the bound alone allows; a test measures it on halves of real recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import comb

from harness.types import Severity

Counts = Mapping[str, Mapping[str, int]]
"""Exchanges by family of models and by state: `of` and `present`, `absent`, types of JSON."""

EVERY = "*"
"""All families that were met, taken together."""

_Z = 1.96
_SURE = 0.8
_LIKELY = 0.5
_CHANCE = 0.05


def lower_bound(held: int) -> float:
    """The Wilson lower bound (95 %) of what held every one of so many times."""
    return held / (held + _Z**2)


def severity(held: int) -> Severity:
    """How much it weighs that something happened which so many exchanges did without."""
    bound = lower_bound(held)
    if bound >= _SURE:
        return Severity.ERROR
    return Severity.WARNING if bound >= _LIKELY else Severity.INFO


def against(counts: Counts, state: str, family: str) -> int:
    """How many exchanges speak against a state: 0 where it was seen and so is allowed.

    A state that some families of models show and others never do is held against the others only
    where chance does not explain it. For a family that was never met, each family that was is one
    witness: its exchanges have in common what another family may not have.
    """
    having = frozenset(name for name, told in counts.items() if told.get(state))
    if family not in counts and family != EVERY:
        return 0 if having else len(counts)
    if having and (family in having or family == EVERY or not _differ(counts, state, having)):
        return 0
    return sum(told.get("present", 0) for name, told in counts.items() if name not in having)


def witnesses(counts: Counts, state: str, family: str) -> int:
    """How many exchanges showed a state; for a family that was never met, how many families."""
    if family in counts or family == EVERY:
        return sum(told.get(state, 0) for told in counts.values())
    return sum(1 for told in counts.values() if told.get(state))


def lighter(weight: Severity) -> Severity:
    """One step less."""
    return Severity.WARNING if weight is Severity.ERROR else Severity.INFO


def _differ(counts: Counts, state: str, having: frozenset[str]) -> bool:
    """Whether families really differ: Fisher's exact test, corrected for their choice.

    The chance that all exchanges with the state fall into these families if it had nothing to do
    with families, times the number of ways to choose as many families.
    """
    of = "of" if state == "absent" else "present"
    total = sum(told.get(of, 0) for told in counts.values())
    theirs = sum(counts[name].get(of, 0) for name in having)
    seen = sum(counts[name].get(state, 0) for name in having)
    chance = comb(theirs, seen) / comb(total, seen) if total >= seen else 1.0
    return chance * comb(len(counts), len(having)) <= _CHANCE
