"""The command `drift`: compare recordings with older ones, or with the service now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from harness.cassette.store import Store
from harness.cli import app
from harness.config.environment import load_environment
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.analysis.difference import Verdict
    from harness.drift.judge import Criteria
    from harness.drift.live import RecordedJob
    from harness.drift.plan import Plan
    from harness.drift.types import DriftRun


class FailOn(StrEnum):
    """The values of `--fail-on`: the least severe verdict that makes the command exit with 1."""

    NEW_FIELD = "new-field"
    BREAKING = "breaking"


def drift(
    names: list[str] | None = None,
    live: bool = False,
    sandbox: bool = False,
    targets: list[str] | None = None,
    budget: str | None = None,
    plan: bool = False,
    out: Path | None = None,
    contract: Path | None = None,
    fail_on: FailOn = FailOn.BREAKING,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    jobs: int | None = None,
    reports: list[Path] | None = None,
    as_json: bool = False,
) -> None:
    """Detect whether a service's answers changed since they were recorded, and whether it matters.

    Each target is: same, wording only (texts, ids, times, counts), new field (a field or a word
    was added), or breaking (a field is gone, has another type or is null now; a request is refused
    that was answered; a rule or the contract is violated that was not). What varies between
    repeats of a recording is no drift. Exit codes: 0 nothing as severe as --fail-on, 1 drift, 2 no
    drift, but something could not be compared, or the budget was exhausted. Recordings on file are
    never changed.

    Examples: harness drift last-week cassettes --report drift;
    harness drift --live --budget 0.50CNY --out new
    """
    from harness.analysis.difference import Verdict
    from harness.drift.judge import project_criteria
    from harness.drift.live import plan_again
    from harness.drift.plan import parse_budget
    from harness.drift.run import compare_folders
    from harness.runner import batch

    arguments = names or []
    if live and sandbox:
        raise HarnessError("--live and --sandbox exclude each other: give one of them")
    if plan and reports:
        raise HarnessError("--plan has no findings for --report")
    limit = None if budget is None else parse_budget(budget)
    criteria = project_criteria(contract)
    least = Verdict[fail_on.name]
    if live or sandbox or plan:
        work = batch.jobs(batch.load_scenarios(arguments, scenarios), targets or [])
        store = Store(cassettes)
        recorded, chosen = plan_again(work, store, not sandbox, limit, criteria.contract)
        if plan:
            app.print_plan(chosen, as_json)
            return
        run = _record_again(recorded, chosen, sandbox, out, cassettes, criteria, least)
        _deliver(run, as_json, reports)
    if len(arguments) != 2:
        raise HarnessError(
            "expected two cassettes or folders, the old and the new one; or --live, --sandbox or "
            "--plan, to record scenarios again"
        )
    if budget is not None or out is not None or targets:
        raise HarnessError("--budget, --out and --target need --live, --sandbox or --plan")
    from harness.report.spool import SpooledReads

    reads = SpooledReads()
    keep = reads.append if reports else None
    with app.progress() as report_progress:
        old, new = map(Path, arguments)
        processes = app.processes(jobs)
        run = compare_folders(old, new, criteria, least, report_progress, processes, keep)
    _deliver(replace(run, transcripts=reads), as_json, reports)


def _record_again(
    jobs: Sequence[RecordedJob],
    plan: Plan,
    sandbox: bool,
    out: Path | None,
    cassettes: Path,
    criteria: Criteria,
    least: Verdict,
) -> DriftRun:

    from harness.drift.live import check_keys, output_folder, record_and_compare
    from harness.runner import batch

    variables = load_environment(Path.cwd())
    if not sandbox:
        check_keys(jobs, variables)
    with (
        output_folder(out, cassettes) as folder,
        batch.servers(sandbox, variables) as source,
        app.progress() as report_progress,
    ):
        run = record_and_compare(
            jobs, source, folder, criteria, least, report_progress, plan.budget
        )
    return replace(run, plan=plan)


def _deliver(run: DriftRun, as_json: bool, reports: Sequence[Path] | None) -> NoReturn:
    """Print the result of a run, write its reports, and exit with its exit code."""
    from harness.report import drift

    if as_json:
        app.print_json(drift.document(run))
    else:
        drift.text(app.console(), run)
    app.write_reports(drift.report(run), reports)
    raise typer.Exit(run.exit_code)
