"""Looking for what is unused, and deleting it."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette import FOLDER, loads
from harness.cassette.artefacts import NAME
from harness.errors import BadCassette, CannotWrite, HarnessError
from harness.prune.judging import Judge, Unknown
from harness.prune.places import real, walk

LEFT_AFTER = 3600.0
"""A half-written file that is older is nobody's any more, in seconds."""

_REST = re.compile(r"\..+\.[a-z0-9_]{8}\.new")
_HASH = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Unused:
    """A file that nobody uses: what it is (cassette, artefact, rest), why, its size in bytes."""

    path: Path
    kind: str
    why: str
    size: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is unused, and which cassettes nobody can tell the users of."""

    unused: tuple[Unused, ...]
    unjudged: tuple[Path, ...]


def search(folders: Sequence[Path], judge: Judge) -> Pruning:
    """What is unused in folders. Raises HarnessError for what cannot be read."""
    unused: dict[Path, Unused] = {}
    unjudged: dict[Path, Path] = {}
    try:
        for root in folders:
            if not root.is_dir():
                raise HarnessError(f"{root}: there is no such folder")
            for where, inside, names in walk(root):
                files = [where / name for name in names]
                found = [*_rests(files), *_cassettes(files, judge, unjudged)]
                gone = {one.path for one in found}
                if FOLDER in inside:
                    found += _artefacts(where / FOLDER, [f for f in files if f not in gone])
                unused |= {real(one.path): one for one in found}
    except OSError as error:
        raise HarnessError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return Pruning(tuple(unused.values()), tuple(unjudged.values()))


def _rests(files: Iterable[Path]) -> Iterator[Unused]:
    for file in files:
        found = file.lstat()
        if _REST.fullmatch(file.name) and stat.S_ISREG(found.st_mode):
            age = time.time() - found.st_mtime
            if age > LEFT_AFTER:
                yield Unused(file, "rest", "a file that was never finished", found.st_size)


def _cassettes(files: Iterable[Path], judge: Judge, unjudged: dict[Path, Path]) -> Iterator[Unused]:
    for file in files:
        found = file.lstat()
        if file.suffix != ".yaml" or not stat.S_ISREG(found.st_mode):
            continue
        try:
            why = judge.why(file, loads(file.read_bytes()).provenance)
        except (BadCassette, Unknown):
            unjudged[real(file)] = file
            continue
        if why:
            yield Unused(file, "cassette", why, found.st_size)


def _artefacts(folder: Path, beside: Iterable[Path]) -> Iterator[Unused]:
    """Artefacts that no file beside their folder names, whatever that file is."""
    named: set[str] = set()
    for file in beside:
        if file.is_file():
            named |= {found.decode() for found in _HASH.findall(file.read_bytes())}
    for file in sorted(folder.iterdir()):
        found = file.lstat()
        is_one = NAME.fullmatch(file.name) and stat.S_ISREG(found.st_mode)
        if is_one and file.stem not in named:
            yield Unused(file, "artefact", "no file beside its folder names it", found.st_size)


def delete(unused: Iterable[Unused], roots: Iterable[Path]) -> None:
    """Delete files, and folders that are empty for it, but none of `roots`. Raises CannotWrite."""
    kept = {real(root) for root in roots}
    for one in unused:
        try:
            one.path.unlink(missing_ok=True)
            _drop_empty(real(one.path.parent), kept)
        except OSError as error:
            raise CannotWrite(f"{one.path} cannot be deleted: {error.strerror}") from None


def _drop_empty(folder: Path, kept: set[Path]) -> None:
    while folder not in kept and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
