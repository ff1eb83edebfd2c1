"""The command `check`: check cassettes by the rules for response formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import app


def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="vcrpy cassettes, or folders of them.")
    ],
    since: app.Since = None,
    until: app.Until = None,
    max_age: app.MaxAge = None,
    max_age_fails: app.MaxAgeFails = False,
    reports: app.Reports = None,
    as_json: app.AsJson = False,
) -> None:
    """Check any vcrpy cassettes by the rules for response formats, those of other tools too.

    No scenario is needed: the provider is recognized by the address of the requests.
    """
    from harness.cassette import age
    from harness.cassette.age import period
    from harness.report.build import add_age_findings, check_report

    limit, recorded = age.limit_of_options(max_age, max_age_fails), period(since, until)
    with app.progress() as shown:
        report = check_report(paths, shown, recorded)
    report = add_age_findings(report, limit)
    app.deliver(report, as_json, reports)
