"""The command `doctor`: show keys, SDK versions, addresses and the states of cassettes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.batch import Job


def doctor(
    scenarios: app.Scenarios = app.SCENARIOS,
    cassettes: app.Cassettes = app.CASSETTES,
    as_json: app.AsJson = False,
) -> None:
    """Show what is set up here: keys, SDK versions, addresses, cassettes out of date."""
    from harness import batch
    from harness.config.environment import load_environment
    from harness.providers import PROVIDERS

    environment = load_environment(Path.cwd())
    rows = [
        {
            "provider": provider.name,
            "SDK": _version(provider.distribution),
            "key": f"{provider.key_variable} is "
            + ("set" if environment.has_key(provider) else "not set"),
            "address": environment.address(provider) or provider.address,
        }
        for provider in PROVIDERS.values()
    ]
    jobs = batch.jobs(batch.load_scenarios([], scenarios), []) if scenarios.is_dir() else ()
    states, warnings = _states(jobs, cassettes), batch.model_warnings(jobs)
    if as_json:
        app.print_json({"providers": rows, "cassettes": states, "warnings": warnings})
        return
    app.print_warnings(warnings)
    app.print_table([row.values() for row in rows], ("provider", "SDK", "key", "address"))
    listed = ", ".join(f"{count} {state}" for state, count in states.items())
    typer.echo(f"\ncassettes in {cassettes}: {listed or 'no scenarios here'}")


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _states(jobs: Iterable[Job], cassettes: Path) -> dict[str, int]:
    """Return the number of cassettes in each state, as `batch.state`."""
    from collections import Counter

    from harness import batch
    from harness.cassette.store import Store

    store = Store(cassettes)
    return dict(Counter(batch.state(job, store)[0] for job in jobs))
