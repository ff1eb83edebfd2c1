"""What is worth being asked anew: the recordings that exercise the most for the least.

Finding the best choice is NP-hard (budgeted maximum coverage). The greedy choice by gain per price,
or the best single candidate where that gains more, is never worse than (1 - 1/e) / 2 of the best
(Khuller, Moss and Naor, 1999), and the same every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.analysis.transcript import AnalyzedTranscript
from harness.contracts import Contract
from harness.contracts.changes import clauses
from harness.contracts.sections import sections
from harness.drift.budget import Budget, plainly
from harness.drift.cost import NOTHING, Cost
from harness.faults.registry import RULE_FAULTS, injected


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording that could be made anew: what it takes, and what it exercises."""

    name: str
    cost: Cost
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OnInterrupted:
    """A candidate that is not chosen, and why."""

    candidate: Candidate
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is chosen, in the order of choice; `covers` of `of` is exercised by it."""

    chosen: tuple[Candidate, ...]
    left: tuple[OnInterrupted, ...]
    covers: frozenset[str]
    of: frozenset[str]
    budget: Budget | None = None

    @property
    def cost(self) -> Cost:
        """What all of it takes, as recorded."""
        return sum((candidate.cost for candidate in self.chosen), Cost())

    @property
    def share(self) -> float:
        """Which share is exercised, from 0 to 1; 1 where there is nothing to exercise."""
        return len(self.covers) / len(self.of) if self.of else 1.0


def everything(candidates: Iterable[Candidate]) -> Plan:
    """The plan without a budget."""
    chosen = tuple(candidates)
    covered = _covered(chosen)
    return Plan(chosen, (), covered, covered)


def plan(candidates: Iterable[Candidate], budget: Budget) -> Plan:
    """The plan within a budget. What has no price is never taken for free: it is left out."""
    every = sorted(candidates, key=lambda c: c.name)
    shop = _Shop(budget)
    known = [c for c in every if budget.price(c.cost) is not None]
    chosen = shop.greedy(known, [])
    while (kept := shop.without_needless(chosen)) != chosen:  # what that saves may buy another
        chosen = shop.greedy(known, kept)
    affordable = [c for c in known if shop.price(c) <= budget.most]
    single = max(affordable, key=lambda c: (len(c.covers), -shop.price(c)), default=None)
    if single is not None and len(single.covers) > len(_covered(chosen)):
        chosen = [single]
    covered, rest = _covered(chosen), budget.most - shop.spent(chosen)
    left = tuple(OnInterrupted(c, shop.why(c, covered, rest)) for c in every if c not in chosen)
    return Plan(tuple(chosen), left, covered, _covered(every), budget)


@dataclass(frozen=True, slots=True)
class _Shop:
    """Where candidates have prices, in what the budget counts."""

    budget: Budget

    def price(self, candidate: Candidate) -> Decimal:
        """The price of one that has a price."""
        return self.budget.price(candidate.cost) or NOTHING

    def spent(self, chosen: Iterable[Candidate]) -> Decimal:
        """What they take together."""
        return sum(map(self.price, chosen), NOTHING)

    def greedy(self, every: Sequence[Candidate], begun: Sequence[Candidate]) -> list[Candidate]:
        """These, and the best gain per price again and again for as long as the budget lasts."""
        chosen = list(begun)
        while True:
            covered, rest = _covered(chosen), self.budget.most - self.spent(chosen)
            gains = {
                c: len(c.covers - covered)
                for c in every
                if self.price(c) <= rest and c.covers - covered
            }
            if not gains:
                return chosen
            chosen.append(min(gains, key=lambda c: (-self._rate(c, gains[c]), *self._order(c))))

    def _rate(self, candidate: Candidate, gain: int) -> Decimal:
        price = self.price(candidate)
        return gain / price if price else Decimal("Infinity")

    def _order(self, candidate: Candidate) -> tuple[Decimal, str]:
        return self.price(candidate), candidate.name

    def without_needless(self, chosen: list[Candidate]) -> list[Candidate]:
        """Those whose every gain a later choice has too are dropped, the dearest first."""
        kept = list(chosen)
        for candidate in sorted(chosen, key=lambda c: (-self.price(c), c.name)):
            others = [c for c in kept if c is not candidate]
            if candidate.covers <= _covered(others):
                kept = others
        return kept

    def why(self, candidate: Candidate, covered: frozenset[str], rest: Decimal) -> str:
        """Why one is left out, with so much of the budget left."""
        if self.budget.price(candidate.cost) is None:
            return f"nobody knows what it costs: {candidate.cost.unpriced}"
        gain = len(candidate.covers - covered)
        if not gain:
            return "adds nothing to what is chosen"
        price = self.budget.told(self.price(candidate))
        return f"takes {price} of {plainly(rest)} left; would add {gain}"


def _covered(candidates: Iterable[Candidate]) -> frozenset[str]:
    return frozenset(item for candidate in candidates for item in candidate.covers)


# ------------------------------------------------------------------- what recordings exercise


def rules_exercised(read: AnalyzedTranscript) -> frozenset[str]:
    """The rules that a recording gives something to check, each with whose wire it is.

    A rule is exercised where it can be broken: where one of its faults can be injected. That
    one service keeps it says nothing of another.
    """
    whose = {r.endpoint.dialect for r in read.readings if r.endpoint}
    broken: set[str | None] = set()
    for fault in RULE_FAULTS:
        if fault.breaks_rule not in broken and any(injected(fault, read)):
            broken.add(fault.breaks_rule)
    return frozenset(f"{dialect}: {rule}" for dialect in whose for rule in broken)


def clauses_exercised(read: AnalyzedTranscript, contract: Contract) -> frozenset[str]:
    """The clauses of a contract that a recording has answers for."""
    met = {section for reading in read.readings for section, _ in sections(reading)}
    return frozenset(
        f"{section}: {path} {word}"
        for section in met & contract.sections.keys()
        for path, word in clauses(contract, section)
    )
