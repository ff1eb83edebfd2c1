"""A budget as it is spent, so that nothing is asked that it does not allow."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from harness.drift.budget import Budget, plainly
from harness.drift.cost import NOTHING, Cost
from harness.errors import OverBudget


@dataclass
class SpendTracker:
    """What was really spent, over all recordings of one run; without a `budget` it is only counted.

    Every request that goes out is a call. What an answer costs is known when it has come: the last
    one may be dearer than was foreseen, but nothing is asked after it. `shut` says why nothing
    more may be asked; empty while something may.
    """

    budget: Budget | None = None
    calls: int = 0
    money: Decimal = NOTHING
    shut: str = ""

    @property
    def left(self) -> Decimal:
        """How much of the budget is left, in what it counts; may be less than nothing."""
        if self.budget is None:
            return Decimal("Infinity")
        return self.budget.most - (self.money if self.budget.is_money else self.calls)

    def foresee(self, cost: Cost) -> None:
        """What is asked next took so much when it was recorded. Raises OverBudget where that is
        more than is left."""
        price = self.budget.price(cost) if self.budget else None
        if not self.shut and self.budget and price is not None and price > self.left:
            told = self.budget.told(price)
            self.shut = f"the next step takes {told} as recorded, {plainly(self.left)} left"
        self._check()

    def request(self) -> None:
        """A request is about to go out. Raises OverBudget where it may not."""
        if not self.shut and self.budget and not self.budget.is_money and self.left < 1:
            self.shut = "more requests are needed than when it was recorded"
        self._check()
        self.calls += 1

    def pay(self, cost: Cost) -> None:
        """A turn took so much money; its requests were counted as they went out."""
        if self.budget is None or not self.budget.is_money:
            return
        self.money += cost.money or NOTHING
        if cost.money is None:
            self.shut = f"nobody knows what was spent: {cost.unpriced}"
        elif self.left < 0:
            self.shut = "answers were dearer than recorded"

    def _check(self) -> None:
        if self.shut:
            told = f"the budget of {self.budget} allows no more: {self.shut} (so far: {self})"
            raise OverBudget(told)

    def __str__(self) -> str:
        calls = "1 call" if self.calls == 1 else f"{self.calls} calls"
        if self.budget is None or not self.budget.is_money:
            return calls
        return f"{calls}, {self.budget.told(self.money)}"
