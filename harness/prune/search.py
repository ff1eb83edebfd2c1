"""The owners of cassettes, the search for unused files, and their deletion."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette.artefacts import FILE_NAME, FOLDER
from harness.cassette.reader import loads
from harness.cassette.store import Store
from harness.config.files import read_file
from harness.errors import BadCassette, CannotWrite, HarnessError
from harness.prune.tests import Tests, real_path, walk_folders
from harness.runner.batch import Job, with_repeats
from harness.types import Provenance

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

        Raises UnknownOwner if it names no owner, or its owner was not searched for.
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
    """An unused file.

    Attributes:
        path: The path of the file.
        kind: `cassette`, `artefact` or, for a temporary file, `rest`.
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
        unknown: The cassettes that are kept because their owners are unknown, or because they
            cannot be read.
    """

    unused: tuple[UnusedFile, ...]
    unknown: tuple[Path, ...]


def search(
    folders: Sequence[Path], owners: Owners, skip: Callable[[HarnessError], None]
) -> SearchResult:
    """Search *folders* for unused files.

    What cannot be read is passed to *skip*, and counts as used: a cassette, all artefacts of a
    folder in which a file cannot be read, or all of a folder.

    Raises HarnessError if a folder does not exist.
    """
    unused: dict[Path, UnusedFile] = {}
    unknown: dict[Path, Path] = {}

    def skip_unreadable(error: OSError) -> None:
        skip(HarnessError(f"{error.filename}: cannot be read: {error.strerror}"))

    for root in folders:
        if not root.is_dir():
            raise HarnessError(f"{root}: there is no such folder")
        for folder, subfolders, names in walk_folders(root, skip_unreadable):
            files = [folder / name for name in names]
            here = [*_temporary(files), *_cassettes(files, owners, unknown, skip_unreadable)]
            if FOLDER in subfolders:
                paths = {file.path for file in here}
                try:
                    here += _artefacts(folder / FOLDER, [f for f in files if f not in paths])
                except OSError as error:
                    skip_unreadable(error)
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
    skip: Callable[[OSError], None],
) -> Iterator[UnusedFile]:
    for file in files:
        status = file.lstat()
        if file.suffix != ".yaml" or not stat.S_ISREG(status.st_mode):
            continue
        try:
            reason = owners.reason_unused(file, loads(read_file(file)).provenance)
        except (BadCassette, UnknownOwner):
            unknown[real_path(file)] = file
            continue
        except OSError as error:
            skip(error)
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
    """Delete unused files, then folders that became empty, except *roots*.

    Raises CannotWrite, after all others, if a file or folder cannot be deleted.
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
