"""The budget of a run as it is spent, so that no request exceeds it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from harness.drift.plan import NOTHING, Budget, Cost, plain_number
from harness.errors import OverBudget
from harness.wire.text import count


@dataclass
class SpendTracker:
    """What all recordings of one run really cost; without a `budget` it is only counted.

    Each request is counted as it is sent. What an answer costs is known once it has arrived: the
    last one may cost more than expected, but no request follows it. `exhausted` says why no more
    requests are allowed; empty while they are.
    """

    budget: Budget | None = None
    calls: int = 0
    money: Decimal = NOTHING
    exhausted: str = ""

    @property
    def remaining(self) -> Decimal:
        """The rest of the budget in its unit; may be negative."""
        if self.budget is None:
            return Decimal("Infinity")
        return self.budget.most - (self.money if self.budget.is_money else self.calls)

    def reserve(self, cost: Cost) -> None:
        """Check that the rest allows the *cost* that the next step had when it was recorded.

        Raises OverBudget where it does not.
        """
        price = self.budget.price(cost) if self.budget else None
        if not self.exhausted and self.budget and price is not None and price > self.remaining:
            rest = plain_number(self.remaining)
            next_step = self.budget.format(price)
            self.exhausted = f"the next step costs {next_step} as recorded, {rest} remaining"
        self._check()

    def request(self) -> None:
        """Count a request that is about to be sent. Raises OverBudget where it may not be."""
        limited = self.budget is not None and not self.budget.is_money
        if not self.exhausted and limited and self.remaining < 1:
            self.exhausted = "more requests are needed than when it was recorded"
        self._check()
        self.calls += 1

    def charge(self, cost: Cost) -> None:
        """Charge the money of a turn; its requests were counted as they were sent."""
        if self.budget is None or not self.budget.is_money:
            return
        self.money += cost.money or NOTHING
        if cost.money is None:
            self.exhausted = f"the amount spent is unknown: {cost.unpriced}"
        elif self.remaining < 0:
            self.exhausted = "answers cost more than recorded"

    def _check(self) -> None:
        if self.exhausted:
            raise OverBudget(
                f"the budget of {self.budget} allows no more: {self.exhausted} (spent: {self})"
            )

    def __str__(self) -> str:
        calls = count(self.calls, "call")
        if self.budget is None or not self.budget.is_money:
            return calls
        return f"{calls}, {self.budget.format(self.money)}"
