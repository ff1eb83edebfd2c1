"""The command `doctor`: show keys, SDK versions, addresses and the states of cassettes."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.app import CASSETTES, SCENARIOS, AsJson, Cassettes, Scenarios, print_table


def doctor(
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """Show what is set up here: keys, SDK versions, addresses, cassettes out of date."""
    from importlib.metadata import version

    from harness.config.environment import load_environment
    from harness.providers import PROVIDERS
    from harness.report import json_report

    environment = load_environment(Path.cwd())
    rows = [
        {
            "provider": provider.name,
            "SDK": version(provider.distribution),
            "key": f"{provider.key_variable} is "
            + ("set" if environment.has_key(provider) else "not set"),
            "address": environment.address(provider) or provider.address,
        }
        for provider in PROVIDERS.values()
    ]
    states = _states(scenarios, cassettes)
    if as_json:
        typer.echo(json_report.dumps({"providers": rows, "cassettes": states}))
        return
    print_table(rows, ("provider", "SDK", "key", "address"))
    listed = ", ".join(f"{count} {state}" for state, count in states.items())
    typer.echo(f"\ncassettes in {cassettes}: {listed or 'no scenarios here'}")


def _states(scenarios: Path, cassettes: Path) -> dict[str, int]:
    """Return the number of cassettes in each state."""
    from collections import Counter

    from harness import batch
    from harness.cassette.store import Store

    if not scenarios.is_dir():
        return {}
    store = Store(cassettes)
    jobs = batch.jobs(batch.load_scenarios([], scenarios), [])
    return dict(Counter(batch.state(job, store)[0] for job in jobs))
