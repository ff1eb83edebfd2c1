"""The search for unused cassettes, artefacts and temporary files, and their deletion.

A file counts as unused only if that is certain. A cassette names its owner, a scenario or a test.
It is unused if the owner was searched for and does not exist, or uses another cassette. Cassettes
that name no owner, such as those of `harness.use_cassette`, never count as unused.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.cassette.artefacts import FILE_NAME, FOLDER
from harness.cassette.reader import loads
from harness.cassette.store import Store
from harness.config.files import read_file
from harness.errors import BadCassette, CannotWrite, HarnessError
from harness.runner.batch import Job, with_repeats
from harness.types import Provenance

_NOT_SEARCHED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__"})


def _unreadable(error: OSError) -> HarnessError:
    return HarnessError(f"{error.filename}: cannot be read: {error.strerror}")


def _fail(error: OSError) -> NoReturn:
    raise _unreadable(error) from None


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
            env={**os.environ, "PYTHONWARNINGS": "ignore"},  # the last line is to be pytest's own
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
    """Return the folders named `cassettes` below *roots*; of a file, below its folder."""
    folders = {
        folder / name
        for folder, subfolders, _ in _folders(roots)
        for name in subfolders
        if name == "cassettes"
    }
    return tuple(sorted(folders))


# ------------------------------------------------------------------------------------------ owners


class UnknownOwner(Exception):
    """The owner of a cassette cannot be known, so the cassette is kept."""


@dataclass(frozen=True, slots=True)
class Owners:
    """All scenarios and tests that may own cassettes.

    Attributes:
        folder: The folder of the scenarios' cassettes.
        by_scenarios: The paths of the scenarios' cassettes; None if scenarios were not searched.
        tests: The tests and their cassettes; None if tests were not searched.
    """

    folder: Path
    by_scenarios: frozenset[Path] | None
    tests: Tests | None

    def reason_unused(self, path: Path, provenance: Provenance) -> str:
        """Return why the cassette at *path* is unused, or "" if it is used.

        Args:
            path: The path of the cassette.
            provenance: The provenance in the cassette, which names its owner.

        Raises:
            UnknownOwner: The cassette names no owner, or its owner was not searched for.
        """
        real = real_path(path)
        if real in (self.by_scenarios or ()) or (self.tests and real in self.tests.used):
            return ""
        if provenance.test:
            reasons = [self._missing_test(real, test) for test in provenance.test.splitlines()]
            reason = reasons[0] if all(reasons) else ""
        else:
            reason = self._missing_scenario(real, provenance)
        return "" if self.tests and self.tests.is_in_source(path) else reason

    def _missing_scenario(self, path: Path, provenance: Provenance) -> str:
        """Return why no scenario uses a cassette: the scenario or its target does not exist.

        Raises UnknownOwner if scenarios were not searched, the cassette names no scenario, or it is
        not in its scenario's folder, where it may be a copy.
        """
        scenario = provenance.scenario
        if self.by_scenarios is None or not scenario or path.parent != self.folder / scenario:
            raise UnknownOwner
        return f"no scenario {scenario} with {provenance.target or path.stem}"

    def _missing_test(self, path: Path, test: str) -> str:
        """Return why no test uses a cassette: its test does not exist or uses another cassette.

        Raises UnknownOwner if the test was not searched for, or may use the cassette although
        pytest did not collect it. The test's file is never opened.
        """
        relative, _, name = test.partition("::")
        file = Path(os.path.normpath(path.parent / relative))
        if self.tests is None or not any(file.is_relative_to(root) for root in self.tests.roots):
            raise UnknownOwner
        if file not in self.tests.files:
            if os.path.lexists(file):
                raise UnknownOwner  # such as a module that is skipped on this machine only
            return f"its tests are gone: {file.name}"
        if (file, name) not in self.tests.cassettes:
            return f"no test {name} in {file.name}"
        if self.tests.cassettes[file, name] is None:
            raise UnknownOwner  # the test may open the cassette while it runs
        return f"the test {name} in {file.name} has another"


def find_owners(folder: Path, jobs: Sequence[Job] | None, tests: Tests | None) -> Owners:
    """Return the owners of cassettes.

    Args:
        folder: The folder of the scenarios' cassettes.
        jobs: All scenarios with their targets; None if scenarios are not searched.
        tests: The tests and their cassettes; None if tests are not searched.
    """
    store = Store(folder)
    every = with_repeats(jobs or (), store)
    paths = [job.own(store).path(job.scenario.name, job.target) for job in every]
    by_scenarios = None if jobs is None else frozenset(map(real_path, paths))
    return Owners(real_path(folder), by_scenarios, tests)


# ------------------------------------------------------------------------------ search and deletion

TEMPORARY_FOR = 3600.0
"""The age in seconds from which a temporary file counts as abandoned."""

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.new")
_HASH = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class UnusedFile:
    """A file that can be deleted, since no scenario, test or cassette uses it.

    Attributes:
        path: The path of the file.
        kind: `cassette`, `artefact`, or `rest` for an abandoned temporary file.
        reason: The reason why it is unused.
        size: The size in bytes.
    """

    path: Path
    kind: str
    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search for unused files.

    Attributes:
        unused: The unused files.
        unknown: The cassettes that are kept because their owners are unknown.
    """

    unused: tuple[UnusedFile, ...]
    unknown: tuple[Path, ...]


def search(
    folders: Sequence[Path], owners: Owners, skip: Callable[[HarnessError], None]
) -> SearchResult:
    """Search *folders* for unused files.

    *owners* are the scenarios and tests that may use cassettes. *skip* is called with the error of
    a file or folder that cannot be read. An unreadable file counts as used, as do all artefacts in
    its folder; so does everything in an unreadable folder.

    Raises HarnessError if a folder does not exist.
    """
    unused: dict[Path, UnusedFile] = {}
    unknown: dict[Path, Path] = {}

    for root in folders:
        if not root.is_dir():
            raise HarnessError(f"{root}: there is no such folder")
        for folder, subfolders, names in walk_folders(root, lambda error: skip(_unreadable(error))):
            files = [folder / name for name in names]
            here = [*_temporary(files), *_cassettes(files, owners, unknown, skip)]
            if FOLDER in subfolders:
                paths = {file.path for file in here}
                try:
                    here += _artefacts(folder / FOLDER, [f for f in files if f not in paths])
                except OSError as error:
                    skip(_unreadable(error))
            unused |= {real_path(file.path): file for file in here}
    return SearchResult(tuple(unused.values()), tuple(unknown.values()))


def _temporary(files: Iterable[Path]) -> Iterator[UnusedFile]:
    for file in files:
        status = file.lstat()
        is_temporary = _TEMPORARY.fullmatch(file.name) and stat.S_ISREG(status.st_mode)
        if is_temporary and time.time() - status.st_mtime > TEMPORARY_FOR:
            yield UnusedFile(file, "rest", "a file that was never finished", status.st_size)


def _cassettes(
    files: Iterable[Path],
    owners: Owners,
    unknown: dict[Path, Path],
    skip: Callable[[HarnessError], None],
) -> Iterator[UnusedFile]:
    for file in files:
        status = file.lstat()
        if file.suffix != ".yaml" or not stat.S_ISREG(status.st_mode):
            continue
        try:
            reason = owners.reason_unused(file, loads(read_file(file), str(file)).provenance)
        except UnknownOwner:
            unknown[real_path(file)] = file
            continue
        except BadCassette as error:
            skip(error)
            continue
        except OSError as error:
            skip(_unreadable(error))
            continue
        if reason:
            yield UnusedFile(file, "cassette", reason, status.st_size)


def _artefacts(folder: Path, beside: Iterable[Path]) -> list[UnusedFile]:
    """Return the artefacts in *folder* whose hash none of the files *beside* it contains.

    Raises OSError if one of these files, or the folder, cannot be read.
    """
    unused: list[UnusedFile] = []
    hashes: set[str] = set()
    for file in beside:
        if file.is_file():
            hashes |= {digest.decode() for digest in _HASH.findall(read_file(file))}
    for file in sorted(folder.iterdir()):
        status = file.lstat()
        is_artefact = FILE_NAME.fullmatch(file.name) and stat.S_ISREG(status.st_mode)
        if is_artefact and file.stem not in hashes:
            reason = "no file beside its folder names it"
            unused.append(UnusedFile(file, "artefact", reason, status.st_size))
    return unused


def delete(unused: Iterable[UnusedFile], roots: Iterable[Path]) -> None:
    """Delete unused files, and the folders that become empty, except *roots*.

    If a file or folder cannot be deleted, raises CannotWrite after deleting all others.
    """
    kept = {real_path(root) for root in roots}
    problems = []
    for file in unused:
        try:
            file.path.unlink(missing_ok=True)
            _delete_empty(real_path(file.path.parent), kept)
        except OSError as error:
            problems.append(f"{file.path} cannot be deleted: {error.strerror}")
    if problems:
        raise CannotWrite("; ".join(problems))


def _delete_empty(folder: Path, kept: set[Path]) -> None:
    while folder not in kept and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
