"""The tests of a project and their cassettes, as pytest collects them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.config.files import read_file
from harness.errors import HarnessError

_NOT_SEARCHED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__"})


def _fail(error: OSError) -> NoReturn:
    raise HarnessError(f"{error.filename}: cannot be read: {error.strerror}") from None


def walk_folders(
    root: Path, on_error: Callable[[OSError], None] = _fail
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield *root* and each folder below it, with the names of its subfolders and of its files.

    Linked folders and folders such as `.git` are left out. *on_error* is called with the error of a
    folder that cannot be read; by default, HarnessError is raised.
    """
    for folder, subfolders, names in os.walk(root, onerror=on_error):
        links = {name for name in subfolders if Path(folder, name).is_symlink()}
        subfolders[:] = sorted(set(subfolders) - links - _NOT_SEARCHED)
        yield Path(folder), list(subfolders), sorted(names)


def real_path(path: Path | str) -> Path:
    """Return the absolute path of a file, with all symbolic links resolved."""
    return Path(os.path.realpath(path))


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests in some folders and files, and their cassettes.

    Attributes:
        roots: The folders and files.
        cassettes: The path of each test's cassette, by the test's file and name; None for a test
            without the mark or fixture `cassette`.
        used: The paths in `cassettes`.
        files: The files with tests.
        source: The contents of all Python files in and beside the roots.
    """

    roots: tuple[Path, ...]
    cassettes: Mapping[tuple[Path, str], Path | None]
    used: frozenset[Path | None]
    files: frozenset[Path]
    source: bytes

    def is_in_source(self, path: Path) -> bool:
        """Return whether the file name of *path* occurs in any Python file."""
        return path.name.encode() in self.source


def collect(paths: Sequence[Path]) -> Tests:
    """Return the tests in *paths* that pytest collects, without running them.

    Raises:
        HarnessError: a path does not exist, or pytest could not collect all tests, so that the
            cassette of a test might be missed.
    """
    for path in paths:
        if not path.exists():
            raise HarnessError(f"{path}: there is no such file or folder")
    roots = tuple(map(real_path, paths))
    cassettes = {
        (real_path(test["file"]), test["test"]): _real_path_if_any(test["cassette"])
        for test in _list_cassettes(paths)
    }
    files = frozenset(file for file, _ in cassettes)
    try:
        source = b"\n".join(read_file(path) for path in _python_files(roots) if path.is_file())
    except OSError as error:
        _fail(error)
    return Tests(roots, cassettes, frozenset(cassettes.values()), files, source)


def _real_path_if_any(path: str | None) -> Path | None:
    return real_path(path) if path else None


def _list_cassettes(paths: Sequence[Path]) -> list[dict[str, str]]:
    """Return the entries that pytest writes with --list-cassettes: file, test and cassette each.

    Raises HarnessError if pytest could not collect all tests.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        file = Path(folder, "cassettes.json")
        done = subprocess.run(  # noqa: S603 - this Python's pytest, with the user's own paths
            [
                *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"),
                *(f"--list-cassettes={file}", "--", *map(str, paths)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not file.exists():
            raise _not_collected(paths, done)
        tests: list[dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
        return tests


def _not_collected(paths: Sequence[Path], done: subprocess.CompletedProcess[str]) -> HarnessError:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    arguments = " ".join(map(str, paths))
    last = f" ({lines[-1].strip(' =!')[:200]})" if lines else ""
    return HarnessError(
        f"pytest did not collect the tests of {arguments}{last}, so their cassettes are unknown; "
        f"see: pytest --collect-only {arguments}"
    )


def _folders(roots: Iterable[Path]) -> Iterator[tuple[Path, list[str], list[str]]]:
    for root in roots:
        yield from walk_folders(root if root.is_dir() else root.parent)


def _python_files(roots: Iterable[Path]) -> Iterator[Path]:
    for folder, _, names in _folders(roots):
        yield from (folder / name for name in names if name.endswith(".py"))


def cassette_folders(roots: Iterable[Path]) -> tuple[Path, ...]:
    """Return the folders named `cassettes` below *roots*, or below the folder of a root file."""
    folders = {
        folder / name
        for folder, subfolders, _ in _folders(roots)
        for name in subfolders
        if name == "cassettes"
    }
    return tuple(sorted(folders))
