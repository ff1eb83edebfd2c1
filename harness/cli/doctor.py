"""The command `doctor`: show keys, addresses, installed packages, clashes, and cassettes."""

from __future__ import annotations

import platform
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cassette.store import Store
from harness.cli import app
from harness.config.environment import load_environment
from harness.config.extras import install_command
from harness.config.packages import installed_version, this_environment
from harness.config.plugins import OWN
from harness.locale import localized, mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.runner.batch import Job


def doctor(
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    as_json: bool = False,
) -> None:
    """Show what is set up here: keys, addresses, extras, versions, clashes, cassettes out of date.

    For each package it shows the lowest and the newest version that the harness is tested with.
    """
    from harness.runner import batch

    jobs = batch.jobs(batch.load_scenarios([], scenarios), []) if scenarios.is_dir() else ()
    states, warnings = _states(jobs, cassettes), batch.warnings(jobs)
    plugged = {"providers": _providers(), "plug_ins": _plug_ins()}
    report = {**_system(), **plugged, **_packages(), "cassettes": states}
    if as_json:
        app.print_json({**report, "warnings": warnings})
        return
    app.print_warnings(warnings)
    typer.echo(f"harness {report['harness']}, Python {report['python']}, {report['platform']}\n")
    _print_rows(report["providers"])
    typer.echo()
    if report["plug_ins"]:
        _print_rows(report["plug_ins"])
        typer.echo()
    _print_rows(report["packages"])
    typer.echo()
    for name, extra in report["extras"].items():
        missing = ", ".join(extra["missing"])
        cure = extra["excluded"] or extra["install"]
        lacks = localized("lacks {}: {}").format(missing, cure) if missing else localized("ok")
        typer.echo(f"[{name}] {lacks}")
    for clash in report["clashes"]:
        app.echo(f"clash: {' and '.join(clash['packages'])}: {clash['text']}")
    listed = ", ".join(f"{count} {localized(state)}" for state, count in states.items())
    text = localized("cassettes in {}: {}")
    typer.echo("\n" + text.format(cassettes, listed or localized("no scenarios here")))


def _print_rows(rows: list[Mapping[str, Any]]) -> None:
    """Print a table whose columns are the keys of the rows; a dash for an empty value."""
    cells = [[value or "–" for value in row.values()] for row in rows]
    app.print_table(cells, list(rows[0]) if rows else (), words=("SDK", "key", "state", "plug-in"))


def _system() -> dict[str, str]:

    from harness import __version__

    return {
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _providers() -> list[dict[str, str]]:
    from harness.providers import PROVIDERS

    environment = load_environment(Path.cwd())
    return [
        {
            mark("provider"): provider.name,
            "SDK": installed_version(provider.distribution) or "not installed",
            mark("key"): f"{provider.key_variable} is "
            + ("set" if environment.has_key(provider) else "not set"),
            mark("address"): environment.address(provider) or provider.address,
            "from": provider.origin,
        }
        for provider in PROVIDERS.values()
    ]


def _plug_ins() -> list[dict[str, str]]:
    """Return the rules and reports that other packages add; providers are in a table of all."""
    from harness import report
    from harness.providers.rules import RULES

    found = [("rule", rule.name, rule.origin) for rule in RULES if rule.origin != OWN]
    found += [("report", form.name, form.origin) for form in report.added()]
    return [
        {mark("plug-in"): kind, mark("name"): name, "from": origin} for kind, name, origin in found
    ]


def _packages() -> dict[str, Any]:

    here = this_environment()
    return {
        "extras": {
            name: {
                "missing": missing,
                "install": install_command(name),
                "excluded": here.excluded(missing),
            }
            for name, missing in here.extras().items()
        },
        "packages": [
            {
                mark("package"): one.name,
                mark("extras"): ", ".join(one.extras),
                mark("installed"): one.installed,
                mark("lowest tested"): one.lowest,
                mark("newest tested"): one.newest,
                "state": one.state,
            }
            for one in here.packages
        ],
        "clashes": [{"packages": one.packages, "text": one.text} for one in here.clashes()],
    }


def _states(jobs: Iterable[Job], cassettes: Path) -> dict[str, int]:
    """Return the number of cassettes in each state, as `batch.cassette_state`."""
    from harness.runner import batch

    store = Store(cassettes)
    return dict(Counter(batch.cassette_state(job, store)[0] for job in jobs))
