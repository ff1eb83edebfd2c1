"""The command `list`: every scenario with every target, and the state of its cassette."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cassette.age import Period, days, period, utc_now
from harness.cassette.store import Store, find, read_provenance
from harness.cli import app
from harness.config.plugins import OWN
from harness.errors import HarnessError
from harness.locale import localized, localized_error, mark

if TYPE_CHECKING:
    from harness.runner.batch import Job


def list_(
    since: str | None = None,
    until: str | None = None,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    strict: bool = False,
    as_json: bool = False,
) -> None:
    """List every scenario with every target, and the state of its cassette.

    Without a folder of scenarios, the cassettes of the tests are listed.
    What continues another recording (harness record NAME/TARGET@N --target) stands below it.
    """
    from harness.runner import batch, job_recordings

    if folders := app.folders_of_tests(scenarios, cassettes):
        _list_cassettes(find(folders), period(since, until), as_json)
        return
    store = Store(cassettes)
    loaded, unread = (
        batch.readable_scenarios(scenarios) if strict else (batch.load_scenarios([], scenarios), [])
    )
    jobs = batch.jobs(loaded, [])
    recorded = job_recordings.jobs_recorded_in(period(since, until), jobs, store)
    rows = _tree([_row(job, store) for job in recorded])
    warnings = batch.warnings(recorded)
    problems = [*unread, *batch.problems(recorded)] if strict else []
    if as_json:
        app.print_json(rows)
    else:
        app.print_warnings(warnings)
        _print(rows)
    for problem in problems:
        typer.echo(f"{localized('error')}: {localized_error(problem)}", err=True)
    if strict and (problems or warnings):
        raise typer.Exit(1)


def _list_cassettes(paths: list[Path], period: Period, as_json: bool) -> None:

    rows = []
    with app.skipping() as skip:
        for path in paths:
            try:
                made = read_provenance(path)
            except HarnessError as error:
                skip(error)
                continue
            if made in period:
                age = {"recorded": made.recorded_at, "age_days": days(made, utc_now())}
                rows.append({"cassette": str(path), **age, "from": made.recorded_from.value})
        if as_json:
            app.print_json(rows)
        else:
            cells = [
                [value if value is not None else "–" for value in row.values()] for row in rows
            ]
            names = ["cassette", "recorded", mark("age in days"), "from"]
            app.print_table(cells, names, words=("from",))


def _print(rows: list[dict[str, Any]]) -> None:
    columns = ["scenario", "target", mark("cassette"), "recorded", mark("age"), "from"]
    if any(row["provider_from"] != OWN for row in rows):
        columns.append(mark("provider_from"))
    shown = [
        {**row, "scenario": _name(row), "cassette": _cassette(row), "age": _age(row)}
        for row in rows
    ]
    cells = [[row[column] for column in columns] for row in shown]
    app.print_table(cells, columns, words=("from",))


def _tree(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with each recording before those that continue it, and their depth."""
    below: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        below.setdefault(row["parent"].partition("@")[0], []).append(row)
    names = {row["recording"] for row in rows}
    ordered: list[dict[str, Any]] = []

    def add(row: dict[str, Any], depth: int) -> None:
        ordered.append({**row, "depth": depth})
        for child in below.pop(row["recording"], []):
            add(child, depth + 1)

    for row in rows:
        if row["parent"].partition("@")[0] not in names:
            add(row, 0)
    return ordered


def _name(row: dict[str, Any]) -> str:
    turn = row["parent"].rpartition("@")[2]
    if not row["depth"]:
        return str(row["scenario"])
    start = localized("from turn {}").format(turn)
    return f"{'  ' * (row['depth'] - 1)}└ {start}{localized(': ')}{row['scenario']}"


def _row(job: Job, store: Store) -> dict[str, Any]:
    from harness.providers import find_provider
    from harness.runner import batch
    from harness.runner.batch import cassette_state

    word, provenance = cassette_state(job, store)
    return {
        "scenario": job.scenario.name,
        "target": str(job.target),
        "cassette": word,
        "recorded": provenance.recorded_at,
        "age_days": days(provenance, utc_now()),
        "from": provenance.recorded_from.value if provenance.recorded_at else "",
        "warnings": batch.warnings([job]),
        "provider_from": find_provider(job.target.provider).origin,
        "recording": f"{job.scenario.name}/{job.target.slug}",
        "parent": job.scenario.form.parent or "",
        "recordings": 1 + len(store.repeats(job.scenario.name, job.target)),
    }


def _cassette(row: dict[str, Any]) -> str:
    repeats = f" ×{row['recordings']}" if row["recordings"] > 1 else ""
    return f"{localized(row['cassette'])}{repeats}"


def _age(row: dict[str, Any]) -> str:
    """Return a cassette's age as text: `12 d` or `unknown`; empty without a readable cassette."""
    if row["cassette"] in ("missing", "unreadable"):
        return ""
    days = row["age_days"]
    return localized("unknown") if days is None else localized("{} d").format(days)
