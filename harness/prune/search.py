"""The search for unused files, and their deletion."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette.artefacts import FOLDER, NAME
from harness.cassette.reader import loads
from harness.config.files import read_file
from harness.errors import BadCassette, CannotWrite, HarnessError
from harness.prune.owners import Owners, UnknownOwner
from harness.prune.tests import real_path, walk

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
        for folder, subfolders, names in walk(root, skip_unreadable):
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
        is_artefact = NAME.fullmatch(file.name) and stat.S_ISREG(status.st_mode)
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
