"""The command `replay`: replay scenarios offline, and check them."""

from __future__ import annotations

from pathlib import Path

from harness.cassette import age
from harness.cassette.store import Store
from harness.cli import app
from harness.config.files import cache_folder


def replay(
    names: list[str] | None = None,
    targets: list[str] | None = None,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    jobs: int | None = None,
    pace: float = 0.0,
    no_network: bool = False,
    max_age: str | None = None,
    max_age_fails: bool = False,
    no_cache: bool = False,
    reports: list[Path] | None = None,
    history: Path | None = None,
    as_json: bool = False,
) -> None:
    """Replay scenarios from their cassettes, offline, and check what the SDKs return.

    Needs no key and opens no connection. Checks every rule for response formats and for SDKs, and
    the expectations of the scenario.

    What has not changed since the last replay is not replayed again; see docs/performance.md.
    """
    store = Store(cassettes)
    if no_network:
        from harness.intercept import namespace

        namespace.isolate()
    from harness.checks.replays import replay_cache
    from harness.intercept.clock import checked_pace
    from harness.report.build import add_age_findings, replay_report
    from harness.runner import batch
    from harness.types import Verbosity

    speed, limit = checked_pace(pace), age.limit_of_options(max_age, max_age_fails)
    work = batch.jobs(batch.load_scenarios(names or [], scenarios), targets or [])
    if not as_json:
        app.print_warnings(batch.parameter_warnings(work))
    work = batch.with_repeats(work, store)
    with app.progress() as shown:
        is_compared = as_json or Verbosity(app.VERBOSITY.get()) is Verbosity.FULL
        keeps = app.kept(is_compared, reports or ())
        cache = replay_cache(None if no_cache else cache_folder(), work)
        workers = app.processes(jobs)
        report = replay_report(work, store, shown, "Replay", workers, speed, keeps, cache)
    report = add_age_findings(report, limit)
    if not names:
        report = app.with_left_out(report, scenarios, cassettes)
    app.deliver(app.with_history(report, history), as_json, reports)
