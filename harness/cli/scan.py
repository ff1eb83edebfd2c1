"""The command `scan`: look for secrets in files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import NamedTuple

import typer

from harness.cassette.remote import location
from harness.cassette.store import file_bytes
from harness.cassette.workers import Workers, in_order
from harness.checks.cache import ResultCache
from harness.cli import app
from harness.config.files import cache_folder
from harness.locale import localized, localized_count, localized_error
from harness.providers.masking import project_secrets
from harness.secrets.scanner import Leak, Scanner

IGNORED_FOLDERS = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".hypothesis"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"}
)
"""The names of folders that are not searched: they do not hold the user's own files."""


def scan(
    paths: list[Path],
    jobs: int | None = None,
    dask: str | None = None,
    no_cache: bool = False,
    as_json: bool = False,
) -> None:
    """Look for secrets in files: cassettes of any tool, HAR, JSON, .env, any text.

    Finds your own keys (from the environment and .env) in any encoding, and what looks like a key,
    a token, a cookie or a signed link. A secret is never printed, only where it is.

    What has not changed since the last scan is not scanned again; see docs/performance.md.
    """
    leaks: list[tuple[str, Leak]] = []
    problems: list[str] = []
    files = list(_files(paths, problems))
    folder = None if no_cache else cache_folder()
    scanned = 0
    with app.progress() as show:
        for name, found in _scanned(files, folder, app.workers(jobs, dask), show):
            show(f"[{scanned + len(problems)}/{len(files)}] scanned {name}")
            if isinstance(found, str):
                problems.append(found)
            else:
                scanned += 1
                leaks += [(name, leak) for leak in found]
    _print(leaks, scanned, as_json)
    for problem in problems:
        app.print_error(problem)
    raise typer.Exit(2 if problems else 1 if leaks else 0)


class ScannedFile(NamedTuple):
    """The result of the scan of a file.

    Attributes:
        leaks: The secrets in the file.
    """

    leaks: tuple[Leak, ...]


def _scanned(
    files: list[Path], folder: Path | None, workers: Workers, show: Callable[[str], None]
) -> Iterator[tuple[str, Sequence[Leak] | str]]:
    """Yield the result of `_scan` of each file, in order; known ones are kept in *folder*."""
    secrets = project_secrets()
    scanner = Scanner(secrets)
    shown = show if isinstance(workers, int) else _show_nothing
    with ResultCache(folder, ScannedFile, secrets).opened(files) as known:
        earlier = dict(known.of)
        new = in_order(
            partial(_scan, scanner, shown), [one for one in files if one not in earlier], workers
        )
        for path in files:
            if path in earlier:
                yield scanner.hide(str(path)), earlier[path].leaks
                continue
            name, found = next(new)
            if not isinstance(found, str):
                known.write(path, ScannedFile(tuple(found)))
            yield name, found


def _scan(
    scanner: Scanner, show: Callable[[str], None], path: Path
) -> tuple[str, list[Leak] | str]:
    """Return the name of a file without secrets, and its leaks or why it cannot be read."""
    name = scanner.hide(str(path))
    try:
        return name, scanner.scan(file_bytes(path), partial(_show_part, show, name))
    except OSError as error:
        return name, f"{name}: cannot be read: {error.strerror or error}"


def _show_nothing(text: str) -> None:
    """Do nothing with *text*: another machine has no progress to show."""


def _show_part(show: Callable[[str], None], name: str, part: float) -> None:
    """Show how much of a file is done, unless several processes work on files."""
    if parent_process() is None:
        show(f"Scan {name}: {part:.0%}")


def _files(paths: list[Path], problems: list[str]) -> Iterator[Path]:
    """Yield every file in *paths* and in folders among them.

    A message for each folder that cannot be read, or has no file, is added to *problems*.
    """

    def refused(error: OSError) -> None:
        problems.append(f"{error.filename}: cannot be read: {error.strerror}")

    for path in map(location, paths):
        if not path.is_dir():
            yield path
            continue
        before = len(problems)
        is_empty = True
        for folder, folders, names in os.walk(path, onerror=refused):
            folders[:] = sorted(name for name in folders if name not in IGNORED_FOLDERS)
            files = (path / os.path.relpath(folder, path) / name for name in sorted(names))
            # Reading a pipe would block; a broken link has no content.
            for file in filter(Path.is_file, files):
                is_empty = False
                yield file
        if is_empty and len(problems) == before:
            problems.append(f"{path}: no file in this folder")


def _print(leaks: list[tuple[str, Leak]], files: int, as_json: bool) -> None:
    if as_json:
        app.print_json([{"file": name, **asdict(leak)} for name, leak in leaks])
        return
    for name, leak in leaks:
        where = localized(" at {}").format(leak.where) if leak.where else ""
        kind = localized_error(leak.kind)
        typer.echo(f"{name}:{leak.line}: {kind}{where} ({localized_error(leak.fingerprint)})")
    affected = len({name for name, _ in leaks})
    every = localized_count(files, "{} file", "{} files")
    if leaks:
        typer.echo(localized("secrets: {} in {} of {}").format(len(leaks), affected, every))
    else:
        typer.echo(localized("secrets: none of {}").format(every))
