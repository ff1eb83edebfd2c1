"""The result of `harness drift` as text, as a JSON object, and as a `Report`."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.analysis.difference import ChangeKind, Verdict
from harness.comparison.matrix import matrix
from harness.config.prices import Price
from harness.config.settings import load_prices
from harness.drift.plan import (
    NOTHING,
    Budget,
    Candidate,
    Plan,
    RecordingCost,
    SpendTracker,
    plain_number,
)
from harness.drift.types import Drift, DriftChange, DriftRun
from harness.locale import LANGUAGE, Language, localized, localized_error, mark
from harness.report import json_report, tables
from harness.report.console import draw, print_message, print_text
from harness.report.drift_groups import RENAMED, change_groups
from harness.report.format import localized_message
from harness.report.model import Report
from harness.report.tables import Table
from harness.report.text import describe_problem
from harness.types import Finding, Place, Severity
from harness.wire.text import count, cut, line

FORMAT = "llm-conversation-harness/drift"
VERSION = 1

_MAX_PATHS = 6
_MAX_LENGTH = 400


def text(console: Console, run: DriftRun) -> None:
    """Print the plan, the changes and the problems of a run, then the number of each verdict."""
    if run.plan is not None:
        plan_text(console, run.plan)
    if run.drifts:
        draw(console, tables.drifts(run.drifts))
    for drift in run.drifts:
        _changes(console, drift)
    for unmatched in run.unmatched:
        names = (unmatched.scenario, unmatched.target, unmatched.source)
        where = ", ".join(filter(None, names))
        print_message(
            console, f"only on the {unmatched.side} side, not compared: {where}", "yellow"
        )
    for problem in run.problems:
        print_text(console, describe_problem(problem), "bold red")
    if run.spent is not None:
        most = f"; budget: {run.spent.budget}" if run.spent.budget else ""
        print_message(console, f"\nspent: {run.spent}{most}")
    counts = Counter(drift.verdict for drift in run.drifts)
    each = [f"{counts[one]} {localized(one.value)}" for one in Verdict if counts[one]]
    print_text(console, f"\n{', '.join(each) or localized('nothing was compared')}", "bold")


def _changes(console: Console, drift: Drift) -> None:
    """Print each change worse than wording on a line, then the paths of changed wording."""
    severe = [c for c in drift.changes if c.verdict.rank > Verdict.WORDING.rank]
    notes = drift.notes if drift.changes else ()
    if severe or notes:
        names = filter(None, (line(drift.scenario), line(drift.target)))
        print_text(console, f"\n{', '.join(names)}", "bold")
    for note in notes:
        print_message(console, f"  note: {cut(line(note), _MAX_LENGTH)}", "dim")
    groups = [group for group in change_groups((drift,)) if group.kind == RENAMED]
    new_paths = {(group.part, group.path): group.after for group in groups}
    replacing = {(group.part, group.after) for group in groups}
    for change in severe:
        place = (change.part, change.path)
        if change.kind is ChangeKind.ADDED and place in replacing:
            continue  # shown with the field that it replaces
        new_path = new_paths.get(place, "") if change.kind is ChangeKind.REMOVED else ""
        text = cut(line(_described(change, new_path)), _MAX_LENGTH)
        message = f"  {localized(change.verdict.value)}: {text}"
        print_text(console, message, tables.VERDICT_STYLES[change.verdict.value])
    if severe:
        print_message(console, _wording(drift), "dim")


def _described(change: DriftChange, new_path: str = "") -> str:
    """Return a change as its `str`, in the language of the user.

    *new_path* is the path that a removed field was renamed to, if it was.
    """
    if LANGUAGE.get() is Language.EN and not new_path:
        return str(change)
    turn = localized("turn {}").format(change.turn) if change.turn is not None else ""
    where = localized(", ").join(filter(None, (turn, change.part, change.path)))
    if new_path:
        return f"{where}{localized(': ')}{localized(RENAMED)} -> {new_path}"
    if change.kind is ChangeKind.RULE:
        return f"{where}{localized(': ')}{change.rule}: {localized_message(str(change.after))}"
    before, after = change.before or localized("nothing"), change.after or localized("nothing")
    reason = f" ({localized_error(change.reason)})" if change.reason else ""
    return f"{where}{localized(': ')}{localized(change.kind.value)}: {before} -> {after}{reason}"


def _wording(drift: Drift) -> str:
    paths = list(dict.fromkeys(c.path or c.part or c.rule for c in drift.of(Verdict.WORDING)))
    more = f" and {len(paths) - _MAX_PATHS} more" if len(paths) > _MAX_PATHS else ""
    return f"  wording: {', '.join(paths[:_MAX_PATHS]) or 'nothing'}{more}"


def plan_text(console: Console, plan: Plan) -> None:
    """Print the recordings to make again with their cost, and those omitted with the reason.

    The column `exercises` has the number of checks (rules and clauses of a contract) that apply to
    a recording; `new` counts only checks that apply to no recording in the rows above.
    """
    checks = (mark("exercises"), mark("new")) if plan.of else ()
    numbers = (mark("calls"), mark("polls"), mark("files"), *_currency(plan.budget), *checks)
    rows = []
    covered: frozenset[str] = frozenset()
    for candidate in plan.chosen:
        new = len(candidate.covers - covered)
        covered |= candidate.covers
        cost = candidate.cost
        money = [plain_number(cost.money or NOTHING) for _ in _currency(plan.budget)]
        exercised = (len(candidate.covers), new) if plan.of else ()
        cells = (cost.calls, cost.polls, cost.files, *money, *exercised)
        rows.append((candidate.name, *map(str, cells)))
    draw(
        console,
        Table(
            (mark("record again") if plan.of else mark("record"), *numbers), rows, numbers=numbers
        ),
    )
    for omitted in plan.omitted:
        print_message(console, f"omitted: {omitted.candidate.name}: {omitted.reason}", "dim")
    prices = _prices(plan)
    if prices:
        print_text(console, f"\n{localized('Prices behind the costs, without guarantee')}", "dim")
    for price in prices:
        source = f"{localized_error(price.dated)}, {price.source}"
        print_text(console, line(f"{price.provider}/{price.model}: {source}"), "dim")
    print_text(console, f"\n{_summary(plan)}\n", "bold")


def _prices(plan: Plan) -> list[Price]:
    """Return the prices that costs are computed by; none if the budget is not money."""
    prices = plan.cost.prices if _currency(plan.budget) else ()
    return sorted(prices, key=lambda price: (price.provider, price.model))


def _currency(budget: Budget | None) -> list[str]:
    """Return a list with the budget's currency; an empty list if the budget is not money."""
    return [budget.currency] if budget is not None and budget.is_money else []


def _summary(plan: Plan) -> str:
    cost = plan.cost
    kinds = [(cost.polls, "poll"), (cost.files, "file")]
    counts = (localized_error(count(number, noun)) for number, noun in kinds if number)
    among = localized(" and ").join(counts)
    calls = localized_error(count(cost.calls, "call"))
    calls += localized(" ({} among them)").format(among) if among else ""
    money = [f"{plain_number(cost.money or NOTHING)} {name}" for name in _currency(plan.budget)]
    if not plan.of:
        return ", ".join([calls, *money])
    share = localized("{} of {} checks ({})")
    share = share.format(len(plan.covers), len(plan.of), f"{plan.share:.0%}")
    text = localized("{}; exercises {} that recordings here can")
    return text.format(", ".join([calls, *money]), share)


# ------------------------------------------------------------------------------ as JSON


def document(run: DriftRun) -> dict[str, Any]:
    """Return the result of a run as the JSON object that `harness drift --json` prints."""
    counts = Counter(drift.verdict for drift in run.drifts)
    return {
        "format": FORMAT,
        "version": VERSION,
        "ok": run.exit_code == 0,
        "fail_on": run.fail_on.value,
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
        "drifts": [json_report.drift(drift) for drift in run.drifts],
        "unmatched": [asdict(unmatched) for unmatched in run.unmatched],
        "problems": [asdict(problem) for problem in run.problems],
        "plan": None if run.plan is None else plan_document(run.plan),
        "spent": None if run.spent is None else _spent(run.spent),
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as a JSON object: its budget and cost, chosen and omitted recordings."""
    budget = plan.budget
    limit = budget and {"most": float(budget.most), "currency": budget.currency or None}
    return {
        "budget": limit,
        **_cost(plan.cost),
        "chosen": [_candidate(candidate) for candidate in plan.chosen],
        "omitted": [{**_candidate(o.candidate), "reason": o.reason} for o in plan.omitted],
        "exercises": len(plan.covers),
        "of": len(plan.of),
        "not_exercised": sorted(plan.of - plan.covers),
        "prices": [asdict(price) for price in _prices(plan)],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    cost = _cost(candidate.cost)
    return {"name": candidate.name, **cost, "exercises": len(candidate.covers)}


def _cost(cost: RecordingCost) -> dict[str, Any]:
    money = None if cost.money is None else float(cost.money)
    return {"calls": cost.calls, "polls": cost.polls, "files": cost.files, "money": money}


def _spent(spent: SpendTracker) -> dict[str, Any]:
    """Return what was spent; `stopped` is why further requests were refused, or empty."""
    is_money = spent.budget is not None and spent.budget.is_money
    money = float(spent.money) if is_money else None
    return {"calls": spent.calls, "money": money, "stopped": spent.exhausted}


# ----------------------------------------------------------------------------- as a report


def report(run: DriftRun) -> Report:
    """Return a run as a report with a finding for each change.

    A change whose verdict is at least as severe as `run.fail_on` is an error.
    """
    findings = [_finding(run, drift, change) for drift in run.drifts for change in drift.changes]
    prices, by_scenario = load_prices(Path.cwd()), defaultdict[str, list[int]](list)
    for position, one in enumerate(run.transcripts):  # of which few are in memory
        by_scenario[one.transcript.scenario].append(position)
    findings += [
        Finding(
            f"only on the {unmatched.side} side, not compared: {unmatched.source}",
            rule="drift_missing",
            severity=Severity.INFO,
            scenario=unmatched.scenario,
            target=unmatched.target,
        )
        for unmatched in run.unmatched
    ]
    return Report(
        "Drift",
        reads=run.transcripts,
        matrices=tuple(
            matrix([run.transcripts[position] for position in group], prices)
            for group in by_scenario.values()
        ),
        findings=tuple(findings),
        problems=run.problems,
        duration=run.duration,
        drifts=run.drifts,
        spent="" if run.spent is None else str(run.spent),
    )


def _finding(run: DriftRun, drift: Drift, change: DriftChange) -> Finding:
    lesser = Severity.WARNING if change.verdict is Verdict.NEW_FIELD else Severity.INFO
    failing = change.verdict.rank >= run.fail_on.rank
    finding = Finding(
        str(change.after if change.kind is ChangeKind.RULE else change),
        Place(turn=change.turn, pointer=change.path),
        rule=change.rule or f"drift_{change.kind.replace(' ', '_')}",
        severity=Severity.ERROR if failing else lesser,
        scenario=drift.scenario,
        target=drift.target,
        source=drift.new if os.path.isfile(drift.new) else drift.old,
    )
    if change.kind is ChangeKind.RULE:
        return finding
    return replace(finding, expected=str(change.before), actual=str(change.after))
