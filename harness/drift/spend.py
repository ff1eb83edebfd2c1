"""Tracking of what a run spends, so that no request exceeds its budget."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from harness.drift.plan import NOTHING, Budget, RecordingCost, plain_number
from harness.errors import OverBudget
from harness.wire.text import count


@dataclass
class SpendTracker:
    """A counter of the requests and the money that one run spends.

    A request is counted before it is sent. The cost of an answer is known when it has arrived, so
    the last answer may exceed the budget; no request is sent after it.

    Attributes:
        budget: The budget; None for no limit.
        calls: Number of requests so far.
        money: Amount spent so far, in the budget's currency; 0 if the budget is not money.
        exhausted: Why no more requests are allowed; empty while they are.
    """

    budget: Budget | None = None
    calls: int = 0
    money: Decimal = NOTHING
    exhausted: str = ""

    @property
    def remaining(self) -> Decimal:
        """The rest of the budget in its unit: negative if overspent, infinite without a budget."""
        if self.budget is None:
            return Decimal("Infinity")
        return self.budget.most - (self.money if self.budget.is_money else self.calls)

    def reserve(self, cost: RecordingCost) -> None:
        """Check that the rest of the budget covers the next step.

        Args:
            cost: The cost of the step in the recording on file.

        Raises:
            OverBudget: The budget is exhausted, or does not cover *cost*.
        """
        price = self.budget.price(cost) if self.budget else None
        if not self.exhausted and self.budget and price is not None and price > self.remaining:
            rest = plain_number(self.remaining)
            next_step = self.budget.format(price)
            self.exhausted = f"the next step costs {next_step} as recorded, {rest} remaining"
        self._check()

    def request(self) -> None:
        """Count a request that is about to be sent.

        Raises:
            OverBudget: The budget is exhausted, so the request must not be sent.
        """
        limited = self.budget is not None and not self.budget.is_money
        if not self.exhausted and limited and self.remaining < 1:
            self.exhausted = "more requests are needed than when it was recorded"
        self._check()
        self.calls += 1

    def charge(self, cost: RecordingCost) -> None:
        """Charge the money of a turn to the budget; its requests are counted by `request`."""
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
