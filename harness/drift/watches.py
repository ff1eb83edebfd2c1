"""Drift told: as a table, as JSON, and as a report that every form of report can be made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.transcript import AnalyzedTranscript
from harness.drift import plans
from harness.drift.planning import Plan
from harness.drift.spend import SpendTracker
from harness.drift.types import Change, Drift, Kind, Verdict
from harness.report import Report, json_report
from harness.types import Finding, Place, Problem, Severity
from harness.wire.text import cut, line, plain

FORMAT = "llm-conversation-harness/drift"
VERSION = 1

_STYLES = {
    Verdict.SAME: "green",
    Verdict.WORDING: "green",
    Verdict.NEW_FIELD: "yellow",
    Verdict.BREAKING: "bold red",
}
_SHOWN = 6
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class UnmatchedRecording:
    """A recording that one side only has."""

    scenario: str
    target: str
    source: str
    side: str


@dataclass(frozen=True, slots=True)
class Watch:
    """All that one look for drift has to say. `fail_on` is the least verdict that fails it;
    `spent` is what asking took, where anybody was asked."""

    drifts: tuple[Drift, ...] = ()
    reads: tuple[AnalyzedTranscript, ...] = ()
    missing: tuple[UnmatchedRecording, ...] = ()
    problems: tuple[Problem, ...] = ()
    plan: Plan | None = None
    fail_on: Verdict = Verdict.BREAKING
    duration: float = 0.0
    spent: SpendTracker | None = None

    @property
    def failed(self) -> tuple[Drift, ...]:
        """The drifts that are as grave as that."""
        return tuple(d for d in self.drifts if d.verdict.rank >= self.fail_on.rank)

    @property
    def exit_code(self) -> int:
        """0 ok, 1 drift, 2 where there is none but something could not be compared."""
        if self.failed:
            return 1
        return 2 if self.problems else 0


def text(console: Console, watch: Watch) -> None:
    """Everything, the verdict last."""
    if watch.plan is not None:
        plans.text(console, watch.plan)
    if watch.drifts:
        console.print(_table(watch.drifts))
    for drift in watch.drifts:
        _changes(console, drift)
    for missing in watch.missing:
        where = ", ".join(w for w in (missing.scenario, missing.target, missing.source) if w)
        _say(console, f"only in the {missing.side} one, so not compared: {where}", "yellow")
    for problem in watch.problems:
        where = ", ".join(word for word in (problem.scenario, problem.target) if word)
        _say(console, f"{where}: {problem.text}" if where else problem.text, "bold red")
    if watch.spent is not None:
        most = f"; the budget: {watch.spent.budget}" if watch.spent.budget else ""
        _say(console, f"\nspent: {watch.spent}{most}")
    told = Counter(drift.verdict for drift in watch.drifts)
    listed = ", ".join(f"{told[verdict]} {verdict}" for verdict in Verdict if told[verdict])
    _say(console, f"\n{listed or 'nothing was compared'}", "bold")


def _say(console: Console, words: str, style: str = "") -> None:
    console.print(Text(plain(words), style), soft_wrap=not console.is_terminal)


def _table(drifts: Sequence[Drift]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("scenario", "target", "verdict"):
        table.add_column(column, overflow="fold")
    for column in Verdict.BREAKING, Verdict.NEW_FIELD, Verdict.WORDING:
        table.add_column(column.value, justify="right", no_wrap=True)
    for drift in drifts:
        verdict = Text(drift.verdict, _STYLES[drift.verdict])
        kinds = (Verdict.BREAKING, Verdict.NEW_FIELD, Verdict.WORDING)
        counts = [str(len(drift.of(kind)) or "–") for kind in kinds]
        table.add_row(line(drift.scenario), line(drift.target), verdict, *counts)
    return table


def _changes(console: Console, drift: Drift) -> None:
    """What weighs something, each on a line; texts, ids and counts in one line together."""
    grave = [c for c in drift.changes if c.verdict.rank > Verdict.WORDING.rank]
    notes = drift.notes if drift.changes else ()
    if grave or notes:
        _say(console, f"\n{line(drift.scenario)}, {line(drift.target)}", "bold")
    for note in notes:
        _say(console, f"  note: {cut(line(note), _LONGEST)}", "dim")
    for change in grave:
        told = f"  {change.verdict}: {cut(line(str(change)), _LONGEST)}"
        _say(console, told, _STYLES[change.verdict])
    if grave:
        _say(console, _wording(drift), "dim")


def _wording(drift: Drift) -> str:
    paths = list(dict.fromkeys(c.path or c.part or c.rule for c in drift.of(Verdict.WORDING)))
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"  wording: {', '.join(paths[:_SHOWN]) or 'nothing'}{more}"


# ----------------------------------------------------------------------------- for machines


def document(watch: Watch) -> dict[str, Any]:
    """A look for drift as a JSON object."""
    told = Counter(drift.verdict for drift in watch.drifts)
    return {
        "format": FORMAT,
        "version": VERSION,
        "ok": watch.exit_code == 0,
        "fail_on": watch.fail_on.value,
        "counts": {verdict.value: told[verdict] for verdict in Verdict},
        "drifts": [json_report.drift(drift) for drift in watch.drifts],
        "missing": [asdict(missing) for missing in watch.missing],
        "problems": [asdict(problem) for problem in watch.problems],
        "plan": None if watch.plan is None else plans.document(watch.plan),
        "spent": None if watch.spent is None else plans.spent(watch.spent),
    }


def report(watch: Watch) -> Report:
    """The same as a report, whose findings fail where the verdict does; it has the verdicts too."""
    findings = [
        _finding(watch, drift, change) for drift in watch.drifts for change in drift.changes
    ]
    findings += [
        Finding(
            f"only in the {missing.side} one, so not compared: {missing.source}",
            rule="drift_missing",
            severity=Severity.INFO,
            scenario=missing.scenario,
            target=missing.target,
        )
        for missing in watch.missing
    ]
    return Report(
        "Drift",
        reads=watch.reads,
        findings=tuple(findings),
        problems=watch.problems,
        duration=watch.duration,
        drifts=watch.drifts,
    )


def _finding(watch: Watch, drift: Drift, change: Change) -> Finding:
    lesser = Severity.WARNING if change.verdict is Verdict.NEW_FIELD else Severity.INFO
    failing = change.verdict.rank >= watch.fail_on.rank
    found = Finding(
        str(change),
        Place(turn=change.turn, pointer=change.path),
        rule=change.rule or f"drift_{change.kind.replace(' ', '_')}",
        severity=Severity.ERROR if failing else lesser,
        scenario=drift.scenario,
        target=drift.target,
        source=drift.new,
    )
    if change.kind is Kind.RULE:
        return found
    return replace(found, expected=change.before, actual=change.after)
