"""Commands that record: record, sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import (
    CASSETTES,
    SCENARIOS,
    AsJson,
    Cassettes,
    Folder,
    Jobs,
    Names,
    Scenarios,
    Targets,
    progress,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.batch import Job
    from harness.types import Problem


def record(
    names: Names = None,
    targets: Targets = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="From a sandbox on this machine: no keys, no real answers."),
    ] = False,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    jobs: Jobs = 1,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with interrupted recordings, and record what has no cassette that fits; "
            "the rest is left as it is.",
        ),
    ] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Throw away the answers of interrupted recordings.")
    ] = False,
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            min=1,
            metavar="N",
            help="Record everything N times, side by side: what varies then is no difference "
            "between models.",
        ),
    ] = 1,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Play scenarios to the live services and keep every exchange. Needs keys, costs money.

    Keys come from ZHIPUAI_API_KEY and DASHSCOPE_API_KEY, or from a file .env. What could not be
    recorded leaves the cassette that was there before untouched. Answers of a recording that was
    interrupted are kept: --resume goes on with it, and pays for nothing twice. The page of
    --report is of a replay of what was recorded.
    """
    from contextlib import nullcontext

    from harness import batch
    from harness.cassette.store import Store
    from harness.config.environment import environment
    from harness.errors import HarnessError
    from harness.intercept.resume import OnInterrupted
    from harness.sandbox import LIFELIKE

    if resume and afresh:
        raise HarnessError("--resume uses what --afresh throws away: say one of them")
    left = (
        OnInterrupted.RESUME if resume else OnInterrupted.AFRESH if afresh else OnInterrupted.REFUSE
    )
    known = environment(Path.cwd())
    todo = batch.jobs(batch.load_scenarios(names or [], scenarios), targets or [])
    todo = batch.repeated(todo, repeat)
    every = len(todo)
    todo = batch.not_recorded(todo, Store(cassettes)) if resume else todo
    source = batch.sandboxed(LIFELIKE, known) if sandbox else nullcontext(batch.live(known))
    with source as opened, progress() as told:
        problems = batch.record_all(todo, opened, Store(cassettes), told, jobs, left)
    if folder is not None:
        with progress() as told:
            made = batch.recorded(todo, problems, Store(cassettes), told, jobs)
        from harness.report.folder import write_folder

        write_folder(made, folder)
    _tell(todo, problems, "sandbox" if sandbox else "live service", cassettes, as_json)
    if every > len(todo) and not as_json:
        typer.echo(f"left as recorded before: {every - len(todo)}")
    raise typer.Exit(2 if problems else 0)


def _tell(
    todo: Sequence[Job], problems: Sequence[Problem], origin: str, folder: Path, as_json: bool
) -> None:
    from harness.report import json_report

    if as_json:
        told = [{"scenario": p.scenario, "target": p.target, "problem": p.text} for p in problems]
        recorded = len(todo) - len(problems)
        typer.echo(json_report.dumps({"recorded": recorded, "from": origin, "problems": told}))
        return
    for text in dict.fromkeys(problem.text for problem in problems):
        typer.echo(f"harness: {text}", err=True)
    typer.echo(f"recorded {len(todo) - len(problems)} of {len(todo)} from the {origin} to {folder}")


def sandbox(
    port: Annotated[
        int | None, typer.Option("--port", help="Listen here; 8765 or a free port, if not said.")
    ] = None,
    latency: Annotated[
        float, typer.Option("--latency", min=0, help="Seconds before each answer.")
    ] = 0.0,
    gap: Annotated[
        float, typer.Option("--chunk-gap", min=0, help="Seconds between a stream's chunks, about.")
    ] = 0.001,
    pending: Annotated[
        int, typer.Option("--pending-polls", min=0, help="Polls a task answers with PENDING.")
    ] = 1,
    running: Annotated[
        int, typer.Option("--running-polls", min=0, help="Polls a task answers with RUNNING.")
    ] = 1,
    throttle: Annotated[
        int, typer.Option("--throttle-every", min=0, help="Refuse each N-th request with 429.")
    ] = 0,
) -> None:
    """Run the sandbox: a server on loopback that speaks both providers' wire formats.

    It is not the real service: it has no model, and what it says is made up by rule.
    """
    from harness.providers.servers import PROVIDER_SERVERS
    from harness.sandbox import Options, run_forever

    options = Options(
        port=port,
        latency=latency,
        chunk_gap=gap,
        pending_polls=pending,
        running_polls=running,
        throttle_every=throttle,
    )

    def announce(base: str) -> None:
        from harness.providers import PROVIDERS

        typer.echo("The sandbox is running. It is not the real service. Ctrl-C stops it.\n")
        for name, speaker in PROVIDER_SERVERS.items():
            provider = PROVIDERS[name]
            typer.echo(f"export {provider.address_variable}={base}{speaker.prefix}")
            typer.echo(f"export {provider.key_variable}={speaker.key}")

    run_forever(options, PROVIDER_SERVERS, announce)
