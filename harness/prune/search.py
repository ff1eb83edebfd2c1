"""The search for unused files, and their deletion."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette.artefacts import FOLDER, NAME
from harness.cassette.reader import loads
from harness.errors import BadCassette, CannotWrite, HarnessError
from harness.prune.owners import Owners, UnknownOwner
from harness.prune.tests import real_path, walk

TEMPORARY_FOR = 3600.0
"""The age in seconds from which a temporary file is not being written any more."""

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.new")
_HASH = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class UnusedFile:
    """An unused file: its kind (cassette, artefact or rest), the reason, its size in bytes."""

    path: Path
    kind: str
    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The unused files, and the cassettes whose owners are unknown."""

    unused: tuple[UnusedFile, ...]
    unknown: tuple[Path, ...]


def search(folders: Sequence[Path], owners: Owners) -> SearchResult:
    """Search *folders* for unused files. Raises HarnessError for what cannot be read."""
    unused: dict[Path, UnusedFile] = {}
    unknown: dict[Path, Path] = {}
    try:
        for root in folders:
            if not root.is_dir():
                raise HarnessError(f"{root}: there is no such folder")
            for folder, subfolders, names in walk(root):
                files = [folder / name for name in names]
                here = [*_temporary(files), *_cassettes(files, owners, unknown)]
                if FOLDER in subfolders:
                    paths = {file.path for file in here}
                    here += _artefacts(folder / FOLDER, [f for f in files if f not in paths])
                unused |= {real_path(file.path): file for file in here}
    except OSError as error:
        raise HarnessError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return SearchResult(tuple(unused.values()), tuple(unknown.values()))


def _temporary(files: Iterable[Path]) -> Iterator[UnusedFile]:
    for file in files:
        status = file.lstat()
        is_temporary = _TEMPORARY.fullmatch(file.name) and stat.S_ISREG(status.st_mode)
        if is_temporary and time.time() - status.st_mtime > TEMPORARY_FOR:
            yield UnusedFile(file, "rest", "a file that was never finished", status.st_size)


def _cassettes(
    files: Iterable[Path], owners: Owners, unknown: dict[Path, Path]
) -> Iterator[UnusedFile]:
    for file in files:
        status = file.lstat()
        if file.suffix != ".yaml" or not stat.S_ISREG(status.st_mode):
            continue
        try:
            reason = owners.reason_unused(file, loads(file.read_bytes()).provenance)
        except (BadCassette, UnknownOwner):
            unknown[real_path(file)] = file
            continue
        if reason:
            yield UnusedFile(file, "cassette", reason, status.st_size)


def _artefacts(folder: Path, beside: Iterable[Path]) -> Iterator[UnusedFile]:
    """Yield the artefacts whose hash is in no file beside their folder."""
    hashes: set[str] = set()
    for file in beside:
        if file.is_file():
            hashes |= {digest.decode() for digest in _HASH.findall(file.read_bytes())}
    for file in sorted(folder.iterdir()):
        status = file.lstat()
        is_artefact = NAME.fullmatch(file.name) and stat.S_ISREG(status.st_mode)
        if is_artefact and file.stem not in hashes:
            reason = "no file beside its folder names it"
            yield UnusedFile(file, "artefact", reason, status.st_size)


def delete(unused: Iterable[UnusedFile], roots: Iterable[Path]) -> None:
    """Delete files, and folders that become empty except *roots*. Raises CannotWrite."""
    kept = {real_path(root) for root in roots}
    for file in unused:
        try:
            file.path.unlink(missing_ok=True)
            _delete_empty(real_path(file.path.parent), kept)
        except OSError as error:
            raise CannotWrite(f"{file.path} cannot be deleted: {error.strerror}") from None


def _delete_empty(folder: Path, kept: set[Path]) -> None:
    while folder not in kept and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
