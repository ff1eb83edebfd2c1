"""Commands that judge: replay, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import (
    CASSETTES,
    SCENARIOS,
    AsJson,
    Cassettes,
    Folder,
    Html,
    Jobs,
    Junit,
    MaxAge,
    MaxAgeFails,
    Names,
    Pace,
    Scenarios,
    Since,
    Targets,
    Until,
    deliver,
    progress,
)


def replay(
    names: Names = None,
    targets: Targets = None,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    jobs: Jobs = 1,
    pace: Pace = 0.0,
    max_age: MaxAge = None,
    max_age_fails: MaxAgeFails = False,
    junit: Junit = None,
    html: Html = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Play scenarios to their cassettes, offline, and check what the SDKs make of them.

    Needs no key and opens no connection. Every rule of the wire and of the SDKs is applied, and
    the expectations of the scenario.
    """
    from harness import batch
    from harness.cassette import age
    from harness.cassette.store import Store
    from harness.intercept import checked_pace

    factor = checked_pace(pace)
    allowed = age.limits(max_age, max_age_fails)
    todo = batch.jobs(batch.load_scenarios(names or [], scenarios), targets or [])
    store = Store(cassettes)
    todo = batch.with_repeats(todo, store)
    with progress() as told:
        report = batch.replay_all(todo, store, told, "Replay", jobs, factor)
    deliver(age.aged(report, allowed), as_json=as_json, junit=junit, html=html, folder=folder)


def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="vcrpy cassettes, or folders of them.")
    ],
    since: Since = None,
    until: Until = None,
    max_age: MaxAge = None,
    max_age_fails: MaxAgeFails = False,
    junit: Junit = None,
    html: Html = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Check any vcrpy cassettes by the rules of the wire, those of other tools too.

    No scenario is needed: which provider answered is recognised by the address.
    """
    from harness import recordings
    from harness.cassette import age
    from harness.cassette.period import period

    allowed, asked = age.limits(max_age, max_age_fails), period(since, until)
    with progress() as told:
        report = recordings.check_cassettes(paths, told, asked)
    deliver(age.aged(report, allowed), as_json=as_json, junit=junit, html=html, folder=folder)
