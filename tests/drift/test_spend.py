"""A budget as it is spent; where harness drift --live uses it, see tests/cli/test_drift_anew.py."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.drift.plan import RecordingCost, SpendTracker, parse_budget
from harness.errors import OverBudget


def test_without_a_budget_all_is_counted() -> None:
    """And nothing is refused."""
    spent = SpendTracker()
    for _ in range(3):
        spent.reserve(RecordingCost(1_000))
        spent.request()
        spent.charge(RecordingCost(1, money=None, unpriced="no price"))
    assert (spent.calls, spent.exhausted, str(spent)) == (3, "", "3 calls")


def test_the_last_call_is_made_and_no_other() -> None:
    """Whatever was foreseen; what is shut stays shut."""
    spent = SpendTracker(parse_budget("2"))
    spent.reserve(RecordingCost(2))
    spent.request()
    spent.request()
    with pytest.raises(OverBudget) as raised:
        spent.request()
    assert str(raised.value) == (
        "the budget of 2 calls allows no more: more requests are needed than when it was recorded "
        "(spent: 2 calls)"
    )
    assert spent.calls == 2
    with pytest.raises(OverBudget):
        spent.reserve(RecordingCost(0))


def test_a_step_that_takes_more_than_is_left() -> None:
    """Is not begun, in calls and in money."""
    spent = SpendTracker(parse_budget("3"))
    spent.request()
    with pytest.raises(OverBudget, match="the next step costs 3 calls as recorded, 2 remaining"):
        spent.reserve(RecordingCost(1, 2))
    spent = SpendTracker(parse_budget("0.5CNY"))
    spent.reserve(RecordingCost(1, money=Decimal("0.5")))
    spent.charge(RecordingCost(1, money=Decimal("0.3")))
    spent.reserve(RecordingCost(1, money=Decimal("0.2")))
    message = r"costs 0.21 CNY as recorded, 0.2 remaining \(spent: 0 calls, 0.3 CNY\)"
    with pytest.raises(OverBudget, match=message):
        spent.reserve(RecordingCost(1, money=Decimal("0.21")))


def test_money_does_not_limit_requests() -> None:
    """A poll that costs nothing is a call, and no money."""
    spent = SpendTracker(parse_budget("0.5CNY"))
    for _ in range(100):
        spent.request()
    spent.charge(RecordingCost(1, 99, money=Decimal("0.5")))
    spent.reserve(RecordingCost(1, money=Decimal(0)))
    assert (spent.calls, spent.money) == (100, Decimal("0.5"))


@pytest.mark.parametrize(
    ("cost", "why"),
    [
        (RecordingCost(1, money=Decimal("0.51")), "answers cost more than recorded"),
        (
            RecordingCost(1, money=None, unpriced="no usage"),
            "the amount spent is unknown: no usage",
        ),
    ],
    ids=["dearer", "unknown"],
)
def test_after_an_answer_too_dear_nothing_is_asked(cost: RecordingCost, why: str) -> None:
    """The answer itself is kept: it is paid for."""
    spent = SpendTracker(parse_budget("0.5CNY"))
    spent.charge(cost)
    assert spent.exhausted == why
    with pytest.raises(OverBudget, match=why):
        spent.request()
