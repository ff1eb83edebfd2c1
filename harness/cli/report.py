"""The command `report`: write a report about the recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import app

PAGE = Path("report/index.html")


def report(
    names: app.Names = None,
    targets: app.Targets = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE|DIR",
            help="The page, if it ends with .html; else a folder for it and for the same as "
            "Markdown, JUnit, JSON and JSON Lines.",
        ),
    ] = PAGE,
    scenarios: app.Scenarios = app.SCENARIOS,
    cassettes: app.Cassettes = app.CASSETTES,
    jobs: app.Jobs = 1,
    since: app.Since = None,
    until: app.Until = None,
) -> None:
    """Write a page about the recordings: conversations, findings, formats, times, raw HTTP.

    Replays them offline first. The page is one file and needs no network.
    """
    from harness import batch, recordings
    from harness.cassette.age import period
    from harness.cassette.store import Store
    from harness.report import NAMES, write_folder, write_form
    from harness.report.build import replay_report

    asked = period(since, until)
    todo = batch.jobs(batch.load_scenarios(names or [], scenarios), targets or [])
    store = Store(cassettes)
    todo = recordings.jobs_recorded_in(asked, batch.with_repeats(todo, store), store)
    with app.progress() as steps:
        result = replay_report(todo, store, steps, "Report", jobs)
    if out.suffix in (".html", ".htm"):
        write_form(out, "html", result)
        typer.echo(str(out))
    else:
        write_folder(result, out)
        typer.echo(str(out / NAMES["html"]))
    raise typer.Exit(result.exit_code)
