"""Commands that look: compare, list, schema, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import (
    CASSETTES,
    SCENARIOS,
    AsJson,
    Cassettes,
    Folder,
    Scenarios,
    Since,
    Until,
    console,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.transcript import AnalyzedTranscript
    from harness.batch import Job
    from harness.cassette.store import Store
    from harness.compare import Matrix


def compare(
    sides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SIDE...", help="scenario, scenario/target, cassette or folder of cassettes."
        ),
    ] = None,
    fields: Annotated[
        bool, typer.Option("--fields", help="Tell where each provider keeps what; see below.")
    ] = False,
    fail: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if formats or answers differ.")
    ] = False,
    since: Since = None,
    until: Until = None,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Compare recordings: formats first, then what was answered.

    Two sides are compared spot by spot. One scenario alone, or more than two sides, give the
    matrix of all targets in them. Ids, times and other values that differ between any two answers
    are kept apart, and what differs between repeats (harness record --repeat N) of one of them.

    With --fields: where every field of an answer (content, tool calls, tokens, errors ...) stands
    with each target, at once, streamed or as a task, how often, and in which exchange; of all
    scenarios, if no side is named.

    Recordings of one target of several days are told apart by their day: harness compare june july,
    with a folder of cassettes for each. --since and --until leave out what is of other days.
    """
    from harness import recordings
    from harness.cassette.period import period
    from harness.cassette.store import Store
    from harness.errors import HarnessError
    from harness.report import compare as reports

    asked = period(since, until)
    named, store = sides or [], Store(cassettes)
    if not named and not fields:
        raise HarnessError("name at least one side, or ask for --fields; see: harness compare -h")
    reads = [
        recordings.recorded_in(asked, recordings.read_side(name, scenarios, store), name)
        for name in named
    ]
    every = [read for side in reads for read in side]
    groups: Sequence[Sequence[AnalyzedTranscript]]
    if fields:
        every = every or recordings.read_recorded(scenarios, store, asked)
        groups, differs = recordings.group_sides([every]), _fields(every, as_json)
    elif len(reads) == 2:
        groups = pairs = recordings.pair_sides(*reads)
        differs = _comparisons(pairs, as_json)
    else:
        groups = recordings.group_sides(reads)
        differs = _matrices(groups, as_json)
    if folder is not None:
        from harness.report import write_folder

        write_folder(reports.compared(groups), folder)
    raise typer.Exit(1 if fail and differs else 0)


def _fields(reads: list[AnalyzedTranscript], as_json: bool) -> bool:
    from harness.compare import field_matrix
    from harness.report import field_text, json_report

    found = field_matrix(reads)
    if as_json:
        typer.echo(json_report.dumps(json_report.fields(found)))
    else:
        field_text.fields(console(), found)
    return found.has_differences


def _matrices(groups: Sequence[Sequence[AnalyzedTranscript]], as_json: bool) -> bool:
    from harness.compare import matrix
    from harness.config.settings import load_prices
    from harness.recordings import read_repeats
    from harness.report import comparison_text, json_report

    prices = load_prices(Path.cwd())
    found = [matrix(group, prices, read_repeats(group)) for group in groups]
    if as_json:
        told = [json_report.matrix(one) for one in found]
        typer.echo(json_report.dumps(told[0] if len(told) == 1 else told))
    else:
        for one in found:
            comparison_text.matrix(console(), one)
        _models(groups, found)
    return any(pair.shape or pair.answer for one in found for pair in one.pairs)


def _comparisons(
    pairs: Sequence[tuple[AnalyzedTranscript, AnalyzedTranscript]], as_json: bool
) -> bool:
    from harness.compare import compare as laid
    from harness.compare import side_by_side
    from harness.config.settings import load_prices
    from harness.recordings import read_repeats
    from harness.report import comparison_text, json_report

    prices = load_prices(Path.cwd())
    found = [(laid(*pair, read_repeats(pair)), side_by_side(pair, prices)) for pair in pairs]
    if as_json:
        told = [
            json_report.comparison(one) | {"facts": json_report.facts(both)} for one, both in found
        ]
        typer.echo(json_report.dumps(told))
    else:
        for comparison, both in found:
            comparison_text.comparison(console(), comparison)
            comparison_text.figures(console(), both)
        _models(pairs, [both for _, both in found])
    return any(comparison.differences for comparison, _ in found)


def _models(groups: Sequence[Sequence[AnalyzedTranscript]], found: Sequence[Matrix]) -> None:
    """Who was faster and cheaper, and the prices behind that."""
    from harness.report import compare as reports
    from harness.report import comparison_text

    comparison_text.rankings(console(), reports.ranked(groups, found))
    comparison_text.sources(console(), found)


def list_(
    since: Since = None,
    until: Until = None,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """List every scenario with every target, and the state of its cassette."""
    from harness import batch, recordings
    from harness.cassette.period import period
    from harness.cassette.store import Store
    from harness.report import json_report

    asked, store = period(since, until), Store(cassettes)
    jobs = recordings.jobs_recorded_in(
        asked, batch.jobs(batch.load_scenarios([], scenarios), []), store
    )
    rows = [_state(job, store) for job in jobs]
    numbers = [1 + len(store.repeats(job.scenario.name, job.target)) for job in jobs]
    if as_json:
        told = zip(rows, numbers, strict=True)
        typer.echo(json_report.dumps([{**row, "recordings": number} for row, number in told]))
        return
    for row, number in zip(rows, numbers, strict=True):
        row["cassette"] += f" ×{number}" if number > 1 else ""
    shown = [{**row, "age": _days(row)} for row in rows]
    print_table(shown, ("scenario", "target", "cassette", "recorded", "age", "from"))


def _days(row: dict[str, Any]) -> str:
    """An age for a reader; nothing where there is no cassette to be read."""
    if row["cassette"] in ("missing", "unreadable"):
        return ""
    days = row["age_days"]
    return "unknown" if days is None else f"{days} d"


def _state(job: Job, store: Store) -> dict[str, Any]:
    """One row of the list."""
    from harness.batch import state
    from harness.cassette.age import days, now

    word, told = state(job, store)
    return {
        "scenario": job.scenario.name,
        "target": str(job.target),
        "cassette": word,
        "recorded": told.recorded_at,
        "age_days": days(told, now()),
        "from": told.recorded_from.value if told.recorded_at else "",
    }


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from harness.report import json_report
    from harness.scenario import json_schema

    typer.echo(json_report.dumps(json_schema()))


def doctor(
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """Say what is set up here: keys, SDK versions, addresses, cassettes out of date."""
    from importlib.metadata import version

    from harness.config.environment import load_environment
    from harness.providers import PROVIDERS
    from harness.report import json_report

    known = load_environment(Path.cwd())
    rows = [
        {
            "provider": provider.name,
            "SDK": version(provider.distribution),
            "key": f"{provider.key_variable} is {'set' if known.has_key(provider) else 'not set'}",
            "address": known.address(provider) or provider.address,
        }
        for provider in PROVIDERS.values()
    ]
    tended = _tended(scenarios, cassettes)
    if as_json:
        typer.echo(json_report.dumps({"providers": rows, "cassettes": tended}))
        return
    print_table(rows, ("provider", "SDK", "key", "address"))
    told = ", ".join(f"{count} {state}" for state, count in tended.items()) or "no scenarios here"
    typer.echo(f"\ncassettes in {cassettes}: {told}")


def _tended(scenarios: Path, cassettes: Path) -> dict[str, int]:
    """How many cassettes are in which state."""
    from collections import Counter

    from harness import batch
    from harness.cassette.store import Store

    if not scenarios.is_dir():
        return {}
    todo = batch.jobs(batch.load_scenarios([], scenarios), [])
    return dict(Counter(_state(job, Store(cassettes))["cassette"] for job in todo))
