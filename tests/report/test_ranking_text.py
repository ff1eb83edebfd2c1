"""Who was faster and who was cheaper, on a console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.config.prices import Price
from harness.report import comparison_text, text
from harness.types import Origin, Verbosity

from .samples import console, written
from .test_ranking import ONE, TWO, played, report


def printed(*times: Sequence[float], prices: Sequence[Price] = ()) -> str:
    """What is told of targets that answered turns in such times."""
    names = ("ours/one", "ours/two")
    reads = [played(name, *turns) for name, turns in zip(names, times, strict=True)]
    on = console(120)
    comparison_text.rankings(on, report(reads, prices=prices).rankings)
    return written(on)


def test_the_fastest_and_the_cheapest_are_named() -> None:
    """With what it follows from: tokens, times and costs of all turns."""
    told = printed((1, 3), (2, 2.5), prices=(ONE, TWO))
    assert "Times, tokens and costs are those of the sandbox." in told
    assert "\ns, 2 turns each: fastest: ours/one; cheapest: ours/two\n" in told
    (one,) = [line for line in told.splitlines() if line.startswith("ours/one")]
    assert one.split() == ["ours/one", "14", "10", "1.00", "s", "2.00", "s", "0.000108", "CNY"]


@pytest.mark.parametrize(
    ("prices", "cheapest"),
    [
        ((ONE,), "unknown (no price, or no token counts, of ours/two)"),
        ((ONE, replace(TWO, currency="USD")), "unknown (different currencies)"),
        ((ONE, replace(TWO, input=2)), "tie: ours/one, ours/two"),
    ],
    ids=["no price", "currencies", "same"],
)
def test_nobody_is_the_cheapest(prices: Sequence[Price], cheapest: str) -> None:
    """And why."""
    told = printed((1,), (1,), prices=prices)
    assert f"s, 1 turn each: fastest: tie; cheapest: {cheapest}\n" in told


def test_it_stands_in_a_whole_report() -> None:
    """Of recordings from the live services no sandbox is told."""
    on = console(120)
    both = [played(f"ours/{name}", 1, origin=Origin.LIVE) for name in ("one", "two")]
    text.report(on, report(both), Verbosity.FULL)
    assert "Models: speed and cost" in (told := written(on))
    assert "those of the sandbox" not in told


def test_one_target_has_no_race() -> None:
    """Nothing is told."""
    on = console(120)
    comparison_text.rankings(on, report([played("ours/one", 1)]).rankings)
    assert written(on) == ""
