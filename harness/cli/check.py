"""The command `check`: check cassettes by the rules for response formats."""

from __future__ import annotations

from pathlib import Path

from harness.cassette import age
from harness.cli import app
from harness.config.files import cache_folder


def check(
    paths: list[Path],
    since: str | None = None,
    until: str | None = None,
    max_age: str | None = None,
    max_age_fails: bool = False,
    jobs: int | None = None,
    dask: str | None = None,
    no_cache: bool = False,
    reports: list[Path] | None = None,
    history: Path | None = None,
    as_json: bool = False,
) -> None:
    """Check any vcrpy cassettes by the rules for response formats, those of other tools too.

    No scenario is needed: the provider is recognized by the address of the requests.

    What has not changed since the last check is not checked again; see docs/performance.md.
    """
    from harness.cassette.workers import rare_collections
    from harness.checks.cache import ResultCache
    from harness.checks.check import CheckedFile, CheckOptions
    from harness.report.build import add_age_findings, check_report

    limit = age.limit_of_options(max_age, max_age_fails)
    options = CheckOptions(
        age.period(since, until),
        app.workers(jobs, dask),
        ResultCache(None if no_cache else cache_folder(), CheckedFile),
        app.kept(as_json, reports or ()),
    )
    with app.progress() as shown, rare_collections():
        report = check_report(paths, shown, options)
    report = add_age_findings(report, limit)
    app.deliver(app.with_history(report, history), as_json, reports)
