"""What is said of the arguments of a tool call that do not fit its schema."""

from __future__ import annotations

import pytest

from harness.providers.rules import check
from harness.types import Exchange

from .making import edited, foreign
from .zhipu_exchanges import TOOL

CITY = '\\"city\\": \\"Beijing\\"'


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (edited(TOOL, CITY, '\\"town\\": 1'), "in the arguments of get_weather: "),
        (edited(TOOL, CITY, '\\"city\\": 1'), "in the arguments of get_weather at /city: "),
    ],
    ids=["whole", "member"],
)
def test_a_finding_names_the_arguments_that_do_not_fit(changed: Exchange, where: str) -> None:
    """All of them, or the place within them."""
    findings = [f for f in check(foreign(changed)) if f.rule == "tool_arguments_fit"]
    assert [finding.message.startswith(f"{where}expected ") for finding in findings] == [True]
