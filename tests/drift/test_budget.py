"""Which budgets there are, and how they are said."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.drift.plan import Budget, parse_budget
from harness.errors import HarnessError


@pytest.mark.parametrize(
    ("text", "result", "said"),
    [
        ("20", Budget(Decimal(20)), "20 calls"),
        ("1", Budget(Decimal(1)), "1 call"),
        ("0.50CNY", Budget(Decimal("0.5"), "CNY"), "0.5 CNY"),
        ("5 USD", Budget(Decimal(5), "USD"), "5 USD"),
        ("100 JPY", Budget(Decimal(100), "JPY"), "100 JPY"),
        ("0.00001EUR", Budget(Decimal("0.00001"), "EUR"), "0.00001 EUR"),
    ],
)
def test_budgets(text: str, result: Budget, said: str) -> None:
    """Calls, or money; told without exponents and without needless zeros."""
    assert parse_budget(text) == result
    assert str(parse_budget(text)) == said


def test_what_is_no_budget() -> None:
    """See tests/cli for all that is none."""
    with pytest.raises(
        HarnessError, match="'12 XTS' is not a valid budget; expected a whole number of"
    ):
        parse_budget("12 XTS")
