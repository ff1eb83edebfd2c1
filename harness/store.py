"""Files on the disk: where a cassette lives, and how one is put in place whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.cassette import loads
from harness.errors import BadCassette, CannotWrite, HarnessError, NoCassette
from harness.types import Cassette, Target

LARGEST = 256 * 2**20
"""A larger file is not taken for a cassette, in bytes."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of cassettes: `<scenario>/<provider>-<model>.yaml`."""

    folder: Path

    def path(self, scenario: str, target: Target) -> Path:
        """Where the cassette of a scenario with a target lives."""
        return self.folder / scenario / f"{target.slug}.yaml"

    def writing(self) -> AbstractContextManager[None]:
        """The context in which files are made here; entering it raises where none may be made."""
        return nullcontext()

    def when_stopped(self, do: Callable[[], None]) -> None:
        """Have something done if the work in this folder is stopped; nobody stops a plain one."""

    def load(self, scenario: str, target: Target) -> Cassette:
        """A cassette that was recorded. Raises NoCassette, or BadCassette if it cannot be read."""
        path = self.path(scenario, target)
        if not os.path.lexists(path):
            raise NoCassette(
                f"{scenario} with {target} was never recorded: there is no {path}; "
                f"record it with: harness record {scenario} --target {target.slug}"
            )
        return read(path)


def read(path: Path) -> Cassette:
    """Read one cassette file. Raises BadCassette, naming the file, for anything else."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BadCassette("cannot be read: not a file", path)
        if found.st_size > LARGEST:
            raise BadCassette(f"larger than {LARGEST // 2**20} MiB", path)
        content = path.read_bytes()
    except OSError as error:
        raise BadCassette(f"cannot be read: {error.strerror}", path) from None
    return loads(content, str(path))


def put(path: Path, text: str) -> None:
    """Write a file so that at every moment the old or the new one is there, and whole.

    Raises CannotWrite where the disk refuses; then what was there before is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _beside(path) as file:
            file.write_text(text, encoding="utf-8", newline="\n")
            _sync(file)
            file.replace(path)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name in the same folder, for a file that does not outlive a failure."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    os.fchmod(handle, 0o644)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _sync(file: Path) -> None:
    """Have the bytes on the disk before the name points at them."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def find(paths: list[Path]) -> list[Path]:
    """Every cassette file among `paths`, folders searched; sorted.

    Raises HarnessError for a path that is not there and for a folder without cassettes.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise HarnessError(f"{path}: there is no such file or folder")
        inside = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        if not inside:
            raise HarnessError(f"{path}: no cassette (*.yaml) in this folder")
        found += inside
    return found
