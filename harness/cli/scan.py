"""The command `scan`: look for secrets in files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import app

if TYPE_CHECKING:
    from harness.secrets.scanner import Leak

IGNORED_FOLDERS = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".hypothesis"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"}
)
"""The names of folders that are not searched: they do not hold the user's own files."""


def scan(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files of any tool, or folders.")
    ],
    as_json: app.AsJson = False,
) -> None:
    """Look for secrets in files: cassettes of any tool, HAR, JSON, .env, any text.

    Finds your own keys (from the environment and .env) in any encoding, and what looks like a key,
    a token, a cookie or a signed link. A secret is never printed, only where it is.
    """
    from harness.cassette.store import file_bytes
    from harness.config.environment import load_environment
    from harness.providers import PROVIDERS
    from harness.secrets.scanner import Scanner

    scanner = Scanner(load_environment(Path.cwd()).secrets(PROVIDERS.values()))
    leaks: list[tuple[str, Leak]] = []
    problems: list[str] = []
    files = 0
    with app.progress() as show:
        for path in _files(paths, problems):
            name = scanner.hide(str(path))
            show(f"Scan {name}")
            try:
                content = file_bytes(path)
            except OSError as error:
                problems.append(f"{name}: cannot be read: {error.strerror or error}")
                continue
            files += 1
            step = partial(_show_part, show, name)
            leaks += [(name, leak) for leak in scanner.scan(content, step)]
    _print(leaks, files, as_json)
    for problem in problems:
        typer.echo(f"harness: {problem}", err=True)
    raise typer.Exit(2 if problems else 1 if leaks else 0)


def _show_part(show: Callable[[str], None], name: str, part: float) -> None:
    show(f"Scan {name}: {part:.0%}")


def _files(paths: list[Path], problems: list[str]) -> Iterator[Path]:
    """Yield every file in *paths* and in folders among them.

    A message for each folder that cannot be read is added to *problems*.
    """

    def refused(error: OSError) -> None:
        problems.append(f"{error.filename}: cannot be read: {error.strerror}")

    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path, onerror=refused):
            folders[:] = sorted(name for name in folders if name not in IGNORED_FOLDERS)
            files = (Path(folder, name) for name in sorted(names))
            # Reading a pipe would block; a broken link has no content.
            yield from (file for file in files if file.is_file())


def _print(leaks: list[tuple[str, Leak]], files: int, as_json: bool) -> None:
    if as_json:
        app.print_json([{"file": name, **asdict(leak)} for name, leak in leaks])
        return
    for name, leak in leaks:
        where = f" at {leak.where}" if leak.where else ""
        typer.echo(f"{name}:{leak.line}: {leak.kind}{where} ({leak.fingerprint})")
    affected = len({name for name, _ in leaks})
    summary = f"{len(leaks)} in {affected}" if leaks else "none"
    typer.echo(f"secrets: {summary} of {files} {'file' if files == 1 else 'files'}")
