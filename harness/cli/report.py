"""The command `report`: write a report about the recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cassette.age import period
from harness.cassette.store import Store, find
from harness.cli import app

if TYPE_CHECKING:
    from harness.report.build import Drawer

DEFAULT_PATH = Path("report/index.html")
"""Where the report is written if --report does not say."""


def report(
    names: list[str] | None = None,
    targets: list[str] | None = None,
    reports: list[Path] | None = None,
    history: Path | None = None,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    jobs: int | None = None,
    dask: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> None:
    """Write a page about the recordings: conversations, findings, formats, times, raw HTTP.

    Replays them offline first. The page is one file and needs no network. Without a folder of
    scenarios it is about the cassettes of the tests.
    """
    from harness.report import text, write
    from harness.report.build import replay_report, tests_report
    from harness.runner import batch, job_recordings

    if not names and (folders := app.folders_of_tests(scenarios, cassettes)):
        workers, keeps = app.workers(jobs, dask), app.kept(False, reports or [DEFAULT_PATH])
        files = find(folders, is_read_here=isinstance(workers, int))
        with app.progress() as steps:
            drawer = _drawer(reports or [DEFAULT_PATH])
            result = tests_report(files, period(since, until), workers, steps, keeps, drawer)
    else:
        todo = batch.jobs(batch.load_scenarios(names or [], scenarios), targets or [])
        store = Store(cassettes)
        todo = batch.with_repeats(todo, store)
        todo = job_recordings.jobs_recorded_in(period(since, until), todo, store)
        workers, keeps = app.workers(jobs, dask), app.kept(False, reports or [DEFAULT_PATH])
        with app.progress() as steps:
            result = replay_report(todo, store, steps, "Report", workers, keeps=keeps)
        if not names:
            result = app.with_left_out(result, scenarios, cassettes)
    result = app.with_history(result, history)
    for path in reports or [DEFAULT_PATH]:
        typer.echo(str(write(result, path)))
    if reason := text.reason(result):
        typer.echo(reason, err=True)
    app.print_left_out(result)
    raise typer.Exit(result.exit_code)


def _drawer(paths: Sequence[Path]) -> Drawer:
    """Return a function that draws sections early if *paths* are pages: others need transcripts."""
    from harness.report import ENDINGS
    from harness.report.build import draw_nothing

    if any(ENDINGS.get(path.suffix.lower()) != "html" for path in paths):
        return draw_nothing
    from harness.report import html

    return html.drawer
