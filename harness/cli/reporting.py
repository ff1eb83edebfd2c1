"""The command that writes a report: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import (
    CASSETTES,
    SCENARIOS,
    Cassettes,
    Jobs,
    Names,
    Scenarios,
    Since,
    Targets,
    Until,
    exit_code,
    progress,
)

PAGE = Path("report/index.html")


def report(
    names: Names = None,
    targets: Targets = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE|DIR",
            help="The page, if it ends with .html; else a folder for it and for the same as "
            "Markdown, JUnit, JSON and JSON Lines.",
        ),
    ] = PAGE,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    jobs: Jobs = 1,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write a page about what is on file: conversations, findings, formats, times, bytes.

    Replays it, offline, first. The page is one file and needs no network.
    """
    from harness import recordings, work
    from harness.filing import write_folder
    from harness.period import period
    from harness.reports import FILES, NAMES
    from harness.store import Store, put

    asked = period(since, until)
    todo = work.jobs(work.load_scenarios(names or [], scenarios), targets or [])
    store = Store(cassettes)
    todo = recordings.jobs_of(asked, work.with_repeats(todo, store), store)
    with progress() as told:
        made = work.replay_all(todo, store, told, "Report", jobs)
    if out.suffix in (".html", ".htm"):
        put(out, FILES["html"](made))
        typer.echo(str(out))
    else:
        write_folder(made, out)
        typer.echo(str(out / NAMES["html"]))
    raise typer.Exit(exit_code(made))
