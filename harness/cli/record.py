"""The command `record`: record scenarios with the live services or the sandbox."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cassette.store import Store
from harness.cli import app
from harness.cli.serve import record_through_proxy
from harness.config.environment import load_environment
from harness.errors import HarnessError
from harness.intercept.resume import OnInterrupted
from harness.locale import localized
from harness.sandbox import LIFELIKE
from harness.types import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.runner.batch import Job


def record(
    context: typer.Context,
    names: list[str] | None = None,
    targets: list[str] | None = None,
    sandbox: bool = False,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    jobs: int = 1,
    resume: bool = False,
    afresh: bool = False,
    repeat: int = 1,
    to: Path | None = None,
    upstream: list[str] | None = None,
    say: str = "",
    budget: str | None = None,
    plan: bool = False,
    reports: list[Path] | None = None,
    as_json: bool = False,
) -> None:
    """Run scenarios against the live services and record every HTTP exchange.

    Needs keys and costs money. Keys come from ZHIPUAI_API_KEY and DASHSCOPE_API_KEY, or from a file
    .env. A recording that fails leaves the existing cassette unchanged. The responses of an
    interrupted recording are kept: --resume continues it and requests nothing twice. The page of
    --report shows a replay of what was recorded.

    NAME/TARGET@N requests turn N of a recording again, and later turns whose requests its answer
    changes; all others keep their bytes. With --target provider/model or --say it leaves that
    recording as it is and continues it: a new scenario has the turns before N as they were
    recorded, and requests the rest. --budget stops before the request that would exceed it.

    Examples: harness record multi-turn/zhipuai@3;
    harness record multi-turn/zhipuai@3 --target dashscope/qwen-plus;
    harness record --budget 2CNY --plan

    With `-- COMMAND`, the command is run and what it asks is recorded to --to FILE, through a proxy
    on this machine whose address it gets in ZHIPUAI_BASE_URL, OPENAI_BASE_URL and so on.
    """
    from harness.drift.live import meters, plan_to_record
    from harness.drift.plan import parse_budget
    from harness.runner import batch

    if command := app.child_command(context):
        if names or to is None:
            raise HarnessError("with a command after `--`, name no scenario, but --to FILE")
        record_through_proxy(
            to,
            command,
            upstream,
            None,
            resume=resume,
            afresh=afresh,
            reports=reports,
            as_json=as_json,
        )
    if to is not None or upstream:
        raise HarnessError(
            "--to and --upstream are for a command: harness record --to F -- COMMAND"
        )
    on_interrupted, store = _on_interrupted(resume, afresh), Store(cassettes)
    environment = load_environment(Path.cwd())
    every = _jobs(names or [], targets or [], say, scenarios, store)
    every = batch.repeated(every, repeat)
    work = batch.not_recorded(every, store) if resume else every
    warnings = batch.warnings(work)
    if not as_json:
        app.print_warnings(warnings)
    limit = None if budget is None else parse_budget(budget)
    if plan:
        app.print_plan(plan_to_record(work, store, limit), as_json)
        return
    servers = batch.servers(sandbox, environment, LIFELIKE)
    with servers as source, app.progress() as shown:
        meter = meters(source, limit, store)
        at_once = 1 if limit else jobs
        problems = batch.record_all(work, source, store, shown, at_once, on_interrupted, meter)
    if reports:
        from harness.report.build import record_report

        with app.progress() as shown:
            app.write_reports(record_report(work, problems, store, shown, jobs), reports)
    origin = "sandbox" if sandbox else "live service"
    _print(work, problems, origin, cassettes, warnings if as_json else None)
    if len(every) > len(work) and not as_json:
        typer.echo(localized("left as recorded before: {}").format(len(every) - len(work)))
    raise typer.Exit(2 if problems else 0)


_TURN = re.compile(r"(?P<scenario>[^/@]+)/(?P<target>[^@]+)@(?P<turn>[1-9][0-9]{0,3})")


def _jobs(
    names: Sequence[str], targets: Sequence[str], say: str, scenarios: Path, store: Store
) -> tuple[Job, ...]:
    """Return the jobs to record; those of a name with a turn are one turn, or a fork from there."""
    from harness.convert.porting import fork, write_fork
    from harness.runner import batch

    turns = [match for name in names if (match := _TURN.fullmatch(name))]
    if not turns:
        if say:
            raise HarnessError("--say is for one turn of a recording: NAME/TARGET@N")
        return batch.jobs(batch.load_scenarios(names, scenarios), targets)
    if len(turns) < len(names):
        raise HarnessError("name either scenarios or turns of recordings, not both")
    every: list[Job] = []
    for match in turns:
        loaded = batch.load_scenarios([match["scenario"]], scenarios)
        (job, *others), turn = batch.jobs(loaded, [match["target"]]), int(match["turn"])
        if others:
            raise HarnessError(f"{match['target']} names several targets; name one by its model")
        if not targets and not say:
            every.append(replace(job, again=turn))
            continue
        for target in targets or [""]:
            text, losses = fork(job.scenario, job.target, turn, store, target, say)
            goal = target or str(job.target)
            app.print_warnings(f"{goal} has no counterpart of: {loss}" for loss in losses)
            path = write_fork(text, scenarios)
            every += batch.jobs(batch.load_scenarios([str(path)], scenarios), [])
    return tuple(every)


def _on_interrupted(resume: bool, afresh: bool) -> OnInterrupted:

    if resume and afresh:
        raise HarnessError("--resume uses what --afresh throws away: say one of them")
    if resume:
        return OnInterrupted.RESUME
    return OnInterrupted.AFRESH if afresh else OnInterrupted.REFUSE


def _print(
    work: Sequence[Job],
    problems: Sequence[Problem],
    origin: str,
    folder: Path,
    warnings: list[str] | None,
) -> None:
    """Print the result, as JSON with these *warnings* unless they are None."""
    recorded = len(work) - len(problems)
    if warnings is not None:
        listed = [{"scenario": p.scenario, "target": p.target, "problem": p.text} for p in problems]
        app.print_json(
            {"recorded": recorded, "from": origin, "problems": listed, "warnings": warnings}
        )
        return
    for text in dict.fromkeys(problem.text for problem in problems):
        app.print_error(text)
    text = localized("recorded {} of {} from the {} to {}")
    typer.echo(text.format(recorded, len(work), localized(origin), folder))
