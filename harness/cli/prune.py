"""The command `prune`: list or delete unused cassettes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli import app
from harness.locale import localized, localized_count, localized_error
from harness.wire.text import count, line

if TYPE_CHECKING:
    from harness.runner.batch import Job
    from harness.runner.prune import SearchResult, Tests


def prune(
    paths: list[Path] | None = None,
    tests: list[Path] | None = None,
    delete: bool = False,
    fail: bool = False,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    as_json: bool = False,
) -> None:
    """List unused cassettes, artefacts and temporary files; --delete deletes them.

    A cassette recorded by a scenario or by a test's mark is unused if that scenario or test does
    not exist; tests are known with --tests only. Cassettes of harness.use_cassette are never
    listed, since which ones code opens cannot be known. An artefact is unused if no file in its
    cassette's folder names it. What cannot be read is kept and named; the exit code is then 2.
    """
    from harness.runner.prune import cassette_folders, collect, find_owners, search
    from harness.runner.prune import delete as delete_files

    jobs = _jobs(scenarios, tests)
    collected = collect(tests) if tests else None
    folders = paths or [cassettes, *cassette_folders(tests or [])]
    searched = [folder for folder in dict.fromkeys(folders) if paths or folder.is_dir()]
    with app.skipping() as skip:
        result = search(searched, find_owners(cassettes, jobs, collected), skip)
        if delete:
            delete_files(result.unused, searched)
        if as_json:
            _print_json(result, searched, jobs, collected, delete)
        else:
            _print(result, searched, _summary(jobs, collected, scenarios), delete)
        raise typer.Exit(1 if fail and result.unused else 0)


def _jobs(scenarios: Path, tests: list[Path] | None) -> tuple[Job, ...] | None:
    """Return every scenario with every target; None if there are no scenarios."""
    from harness.runner import batch

    if not scenarios.is_dir() and (tests or scenarios == app.SCENARIOS):
        return None
    return batch.jobs(batch.load_scenarios([], scenarios), [])


def _summary(jobs: tuple[Job, ...] | None, tests: Tests | None, scenarios: Path) -> str:
    counted = localized("{} in {}").format(len(jobs or ()), scenarios)
    in_scenarios = counted if jobs is not None else localized("none")
    not_searched = localized("not searched; name them with --tests PATH")
    in_tests = str(len(tests.cassettes)) if tests else not_searched
    return localized("scenarios with their targets: {}; tests: {}").format(in_scenarios, in_tests)


def _print_json(
    result: SearchResult,
    folders: list[Path],
    jobs: tuple[Job, ...] | None,
    tests: Tests | None,
    deleted: bool,
) -> None:
    searched = {
        "folders": [str(folder) for folder in folders],
        "scenarios": None if jobs is None else len(jobs),
        "tests": len(tests.cassettes) if tests else None,
    }
    unused = [
        {"file": str(file.path), "kind": file.kind, "why": file.reason, "bytes": file.size}
        for file in result.unused
    ]
    unknown = [str(path) for path in result.unknown]
    app.print_json(
        {"looked_at": searched, "unused": unused, "not_judged": unknown, "deleted": deleted}
    )


def _print(result: SearchResult, folders: list[Path], summary: str, deleted: bool) -> None:

    searched = ", ".join(map(str, folders)) or localized("no folder")
    typer.echo(localized("searched {}; {}").format(searched, summary))
    for file in result.unused:
        size = localized_error(count(file.size, "byte"))
        reason = localized_error(file.reason)
        typer.echo(line(f"{file.path}: {localized(file.kind)}, {size}: {reason}"))
    if result.unknown:
        unknown = localized_count(len(result.unknown), "{} cassette", "{} cassettes")
        typer.echo(localized("not judged, owner unknown: {}").format(unknown))
    files = localized_count(len(result.unused), "{} file", "{} files")
    size = localized_count(sum(file.size for file in result.unused), "{} byte", "{} bytes")
    if not result.unused:
        typer.echo(localized("nothing is unused"))
    elif deleted:
        typer.echo(localized("deleted: {}, {}").format(files, size))
    else:
        text = localized("unused: {}, {}; nothing was deleted, --delete does it")
        typer.echo(text.format(files, size))
