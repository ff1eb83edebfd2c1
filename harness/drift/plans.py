"""A plan told: as a table, and as JSON; and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.compare import Price
from harness.drift.budget import Budget, plainly
from harness.drift.cost import NOTHING, Cost
from harness.drift.planning import Candidate, Plan
from harness.drift.spend import SpendTracker
from harness.report import json_report
from harness.wire.text import count, line, plain


def text(console: Console, plan: Plan) -> None:
    """What is asked anew, what it takes, what is left out and why."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("asked anew", overflow="fold")
    for column in ("calls", "polls", "files", *_currency(plan.budget), "exercises", "new"):
        table.add_column(column, justify="right", no_wrap=True)
    covered: frozenset[str] = frozenset()
    for one in plan.chosen:
        new = len(one.covers - covered)
        covered |= one.covers
        cost = one.cost
        money = [plainly(cost.money or NOTHING) for _ in _currency(plan.budget)]
        told = (cost.calls, cost.polls, cost.files, *money, len(one.covers), new)
        table.add_row(plain(one.name), *map(str, told))
    console.print(table)
    for left in plan.left:
        _say(console, f"left out: {left.candidate.name}: {left.why}", "dim")
    for number, price in enumerate(_prices(plan)):
        _say(console, price if number else f"\n{price}", "dim")
    _say(console, f"\n{_summary(plan)}\n", "bold")


def _known(plan: Plan) -> list[Price]:
    """The prices that money was counted by, where money counts."""
    every = plan.cost.prices if _currency(plan.budget) else ()
    return sorted(every, key=lambda price: (price.provider, price.model))


def _prices(plan: Plan) -> Iterator[str]:
    """Each price's model, day and source, as `harness compare` names them."""
    for number, price in enumerate(_known(plan)):
        if not number:
            yield "Prices behind the costs, without guarantee"
        yield line(f"{price.provider}/{price.model}: {price.dated}, {price.source}")


def _say(console: Console, words: str, style: str) -> None:
    console.print(Text(plain(words), style), soft_wrap=not console.is_terminal)


def _currency(budget: Budget | None) -> list[str]:
    """The name of a column for money, where money counts."""
    return [budget.currency] if budget is not None and budget.is_money else []


def _summary(plan: Plan) -> str:
    cost = plan.cost
    kinds = [(cost.polls, "poll"), (cost.files, "file")]
    among = " and ".join(count(number, word) for number, word in kinds if number)
    calls = count(cost.calls, "call") + (f" ({among} among them)" if among else "")
    money = [f"{plainly(cost.money or NOTHING)} {name}" for name in _currency(plan.budget)]
    share = f"{len(plan.covers)} of {len(plan.of)} checks ({plan.share:.0%})"
    return f"{', '.join([calls, *money])}; exercises {share} that recordings here can"


def document(plan: Plan) -> dict[str, Any]:
    """A plan as a JSON object."""
    return {
        "budget": _budget(plan.budget),
        **_cost(plan.cost),
        "chosen": [_candidate(candidate) for candidate in plan.chosen],
        "left": [{**_candidate(left.candidate), "why": left.why} for left in plan.left],
        "exercises": len(plan.covers),
        "of": len(plan.of),
        "not_exercised": sorted(plan.of - plan.covers),
        "prices": [json_report.price(price) for price in _known(plan)],
    }


def _budget(budget: Budget | None) -> dict[str, Any] | None:
    """The most that may be spent, in calls (no currency) or in money."""
    if budget is None:
        return None
    return {"most": float(budget.most), "currency": budget.currency or None}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    told = _cost(candidate.cost)
    return {"name": candidate.name, **told, "exercises": len(candidate.covers)}


def _cost(cost: Cost) -> dict[str, Any]:
    money = None if cost.money is None else float(cost.money)
    return {"calls": cost.calls, "polls": cost.polls, "files": cost.files, "money": money}


def spent(purse: SpendTracker) -> dict[str, Any]:
    """What was really spent as a JSON object; `stopped` says why no more was, empty if it was not
    for the budget."""
    is_money = purse.budget is not None and purse.budget.is_money
    money = float(purse.money) if is_money else None
    return {"calls": purse.calls, "money": money, "stopped": purse.shut}
