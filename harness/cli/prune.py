"""The command that finds files nobody uses any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import CASSETTES, SCENARIOS, AsJson, Cassettes, Scenarios

if TYPE_CHECKING:
    from harness.batch import Job
    from harness.prune import Pruning, Tests


def prune(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER...",
            help="Folders to look in; if none, that of --cassettes and those among the tests.",
        ),
    ] = None,
    tests: Annotated[
        list[Path] | None,
        typer.Option(
            "--tests",
            metavar="PATH",
            help="Have pytest collect these tests, and judge their cassettes too. "
            "May be given again.",
        ),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", "--yes", help="Delete what is listed; else nothing is.")
    ] = False,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """List cassettes, artefacts and half-written files that nobody uses; --delete removes them.

    A cassette that a scenario or a test's mark recorded is unused if that scenario or test is gone;
    tests are only known with --tests. Cassettes of harness.use_cassette are never listed: code
    cannot be asked which it opens. An artefact is unused if no file in its cassette's folder
    names it.
    """
    from harness import prune as pruning

    jobs = _jobs(scenarios, tests)
    asked = pruning.collect(tests) if tests else None
    folders = paths or [cassettes, *pruning.folders(tests or [])]
    there = [folder for folder in dict.fromkeys(folders) if paths or folder.is_dir()]
    found = pruning.search(there, pruning.judge(cassettes, jobs, asked))
    if delete:
        pruning.delete(found.unused, there)
    looked: dict[str, object] = {
        "folders": [str(folder) for folder in there],
        "scenarios": None if jobs is None else len(jobs),
        "tests": len(asked.cassettes) if asked else None,
    }
    if as_json:
        _print_json(found, looked, delete)
    else:
        _print(found, there, _looked(jobs, asked, scenarios), delete)


def _jobs(scenarios: Path, tests: list[Path] | None) -> tuple[Job, ...] | None:
    """Every scenario with every target; None where there are only tests to ask."""
    from harness import batch

    if tests and not scenarios.is_dir():
        return None
    return batch.jobs(batch.load_scenarios([], scenarios), [])


def _looked(jobs: tuple[Job, ...] | None, tests: Tests | None, scenarios: Path) -> str:
    mine = f"{len(jobs)} in {scenarios}" if jobs is not None else "none"
    theirs = str(len(tests.cassettes)) if tests else "not looked at; say where with --tests PATH"
    return f"scenarios with their targets: {mine}; tests: {theirs}"


def _print_json(found: Pruning, looked: dict[str, object], deleted: bool) -> None:
    from harness.report import json_report

    unused = [
        {"file": str(one.path), "kind": one.kind, "why": one.why, "bytes": one.size}
        for one in found.unused
    ]
    told = {
        "looked_at": looked,
        "unused": unused,
        "not_judged": [str(path) for path in found.unjudged],
        "deleted": deleted,
    }
    typer.echo(json_report.dumps(told))


def _print(found: Pruning, folders: list[Path], looked: str, deleted: bool) -> None:
    from harness.wire.text import count, line

    typer.echo(f"looked in {', '.join(map(str, folders)) or 'no folder'}; {looked}")
    for one in found.unused:
        typer.echo(line(f"{one.path}: {one.kind}, {count(one.size, 'byte')}: {one.why}"))
    if found.unjudged:
        told = count(len(found.unjudged), "cassette")
        typer.echo(f"not judged, as nobody can say who uses them: {told}")
    files = count(len(found.unused), "file")
    size = count(sum(one.size for one in found.unused), "byte")
    if not found.unused:
        typer.echo("nothing is unused")
    elif deleted:
        typer.echo(f"deleted: {files}, {size}")
    else:
        typer.echo(f"unused: {files}, {size}; nothing was deleted, --delete does it")
