"""The command that looks for secrets in files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import AsJson, progress

if TYPE_CHECKING:
    from harness.secrets.scanner import Leak

NOT_SEARCHED = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".hypothesis"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"}
)
"""Folders that are no work of the user's."""


def scan(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files of any tool, or folders.")
    ],
    as_json: AsJson = False,
) -> None:
    """Look for secrets in files: cassettes of any tool, HAR, JSON, .env, any text.

    Finds your own keys (from the environment and .env) in any encoding, and what looks like a key,
    a token, a cookie or a signed link. A secret is never printed, only where it is.
    """
    from harness.config.environment import environment
    from harness.secrets.scanner import Scanner

    scanner = Scanner(environment(Path.cwd()).secrets())
    found: list[tuple[str, Leak]] = []
    problems: list[str] = []
    files = 0
    with progress() as told:
        for path in _files(paths, problems):
            name = scanner.hide(str(path))
            told(f"Scan {name}")
            try:
                content = _content(path)
            except OSError as error:
                problems.append(f"{name}: cannot be read: {error.strerror or error}")
                continue
            files += 1
            found += [(name, leak) for leak in scanner.scan(content)]
    _print(found, files, as_json)
    for problem in problems:
        typer.echo(f"harness: {problem}", err=True)
    raise typer.Exit(2 if problems else 1 if found else 0)


def _files(paths: list[Path], problems: list[str]) -> Iterator[Path]:
    """Every file among `paths`, folders searched; what cannot be searched becomes a problem."""

    def refused(error: OSError) -> None:
        problems.append(f"{error.filename}: cannot be read: {error.strerror}")

    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path, onerror=refused):
            folders[:] = sorted(name for name in folders if name not in NOT_SEARCHED)
            inside = [Path(folder, name) for name in sorted(names)]
            # A pipe would keep us waiting; a link that leads nowhere holds nothing.
            yield from (file for file in inside if file.is_file())


def _content(path: Path) -> bytes:
    """A file's bytes. Raises OSError for what is no file, or too large."""
    from harness.cassette.store import LARGEST

    if path.exists() and not path.is_file():
        raise OSError("not a file")
    if path.stat().st_size > LARGEST:
        raise OSError(f"larger than {LARGEST // 2**20} MiB")
    return path.read_bytes()


def _print(found: list[tuple[str, Leak]], files: int, as_json: bool) -> None:
    from harness.report import json_report

    if as_json:
        typer.echo(json_report.dumps([{"file": name, **asdict(leak)} for name, leak in found]))
        return
    for name, leak in found:
        where = f" at {leak.where}" if leak.where else ""
        typer.echo(f"{name}:{leak.line}: {leak.kind}{where} ({leak.fingerprint})")
    holding = len({name for name, _ in found})
    summary = f"{len(found)} in {holding}" if found else "none"
    typer.echo(f"secrets: {summary} of {files} {'file' if files == 1 else 'files'}")
