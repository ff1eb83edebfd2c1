"""The command that looks for drift: between two recordings, or between one and the service now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import (
    CASSETTES,
    SCENARIOS,
    AsJson,
    Cassettes,
    Files,
    Folder,
    Html,
    Junit,
    Scenarios,
    Targets,
    console,
    progress,
)

if TYPE_CHECKING:
    from harness.drift import Verdict
    from harness.drift.budget import Budget
    from harness.drift.live import Filed
    from harness.drift.planning import Plan
    from harness.drift.run import Measure
    from harness.drift.watches import Watch


class FailOn(StrEnum):
    """From which verdict on the command ends with 1."""

    NEW_FIELD = "new-field"
    BREAKING = "breaking"


def drift(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OLD NEW | SCENARIO...",
            help="Two cassettes or folders of them; with --live or --sandbox, scenarios.",
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the live services anew. Needs keys, costs money."),
    ] = False,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="The same with a sandbox on this machine, to try it.")
    ] = False,
    targets: Targets = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="N|MONEY",
            help="Spend at most so many calls (20) or so much money (0.50CNY): those recordings "
            "are made anew that exercise the most rules for it, and nothing is asked beyond it.",
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be asked anew, and ask nothing.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Keep the new recordings in this folder."),
    ] = None,
    contract: Annotated[
        Path | None,
        typer.Option("--contract", metavar="FILE", help="Hold both sides to this contract too."),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="From which verdict on to end with 1.")
    ] = FailOn.BREAKING,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    junit: Junit = None,
    html: Html = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a service's answers changed since they were recorded, and whether it matters.

    Each target is: same, wording only (texts, ids, times, counts), new field (a field or a word
    was added), or breaking (a field is gone, has another type or is null now; a request is refused
    that was answered; a rule or the contract is broken that was not). What varies between repeats
    of a recording is no news. Exit codes: 0 nothing as grave as --fail-on, 1 drift, 2 no drift,
    but something could not be compared, or the budget did not last. What is on file is never
    changed.

    Examples: harness drift last-week cassettes --report drift;
    harness drift --live --budget 0.50CNY --out anew
    """
    from harness.drift import Verdict, run
    from harness.drift.budget import budget as parsed
    from harness.errors import HarnessError

    given = names or []
    if live and sandbox:
        raise HarnessError("--live asks the services, --sandbox does not: say one of them")
    if plan and (junit or html or folder):
        raise HarnessError("--plan finds nothing that --junit, --html or --report could tell")
    most = None if budget is None else parsed(budget)
    files = Files(junit=junit, html=html, folder=folder)
    measured = run.measure(contract)
    least = Verdict[fail_on.name]
    if live or sandbox or plan:
        asked = _Asked(given, targets or [], scenarios, cassettes, most, sandbox, out)
        if plan:
            _show_plan(asked, measured, as_json)
            return
        _deliver(_anew(asked, measured, least), as_json, files)
    if len(given) != 2:
        raise HarnessError(
            "say two cassettes or folders, the old and the new; or, to have scenarios asked anew, "
            "--live, --sandbox or --plan"
        )
    if budget is not None or out is not None or targets:
        raise HarnessError("--budget, --out and --target go with --live, --sandbox or --plan")
    with progress() as told:
        watch = run.on_disk(Path(given[0]), Path(given[1]), measured, least, told)
    _deliver(watch, as_json, files)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be asked anew."""

    names: Sequence[str]
    targets: Sequence[str]
    scenarios: Path
    cassettes: Path
    budget: Budget | None
    sandbox: bool
    out: Path | None


def _planned(asked: _Asked, measured: Measure) -> tuple[list[Filed], Plan]:
    """The recordings to be made anew, and the plan they are chosen by."""
    from harness import batch
    from harness.cassette.store import Store
    from harness.drift import live
    from harness.errors import HarnessError

    todo = batch.jobs(batch.load_scenarios(asked.names, asked.scenarios), asked.targets)
    found, left = live.filed(todo, Store(asked.cassettes), live=not asked.sandbox)
    if not found:
        why = left[0].why if left else "no scenario here has a step that is asked"
        raise HarnessError(f"nothing on file to compare with: {why}")
    plan = live.planned(found, left, asked.budget, measured.contract)
    if not plan.chosen:
        why = f": {plan.left[0].why}" if plan.left else ""
        raise HarnessError(f"no recording can be made anew with --budget {asked.budget}{why}")
    named = {one.name: one for one in found}
    return [named[candidate.name] for candidate in plan.chosen], plan


def _show_plan(asked: _Asked, measured: Measure, as_json: bool) -> None:
    from harness.drift import plans
    from harness.report import json_report

    _, plan = _planned(asked, measured)
    if as_json:
        typer.echo(json_report.dumps(plans.document(plan)), nl=False)
    else:
        plans.text(console(), plan)


def _anew(asked: _Asked, measured: Measure, least: Verdict) -> Watch:
    from dataclasses import replace

    from harness.config.environment import load_environment
    from harness.drift import live

    chosen, plan = _planned(asked, measured)
    known = load_environment(Path.cwd())
    if not asked.sandbox:
        live.check_keys(chosen, known)
    with (
        live.scratch(asked.out, asked.cassettes) as out,
        live.source(known, asked.sandbox) as source,
        progress() as told,
    ):
        watch = live.anew(chosen, source, out, measured, least, told, asked.budget)
    return replace(watch, plan=plan)


def _deliver(watch: Watch, as_json: bool, files: Files) -> None:
    """Print it, write its files, and end with the exit code it deserves."""
    from harness.drift import watches
    from harness.report import json_report

    if as_json:
        typer.echo(json_report.dumps(watches.document(watch)), nl=False)
    else:
        watches.text(console(), watch)
    files.write(watches.report(watch))
    raise typer.Exit(watch.exit_code)
