"""Cassette files: their names, reading them, and writing them atomically."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from harness.cassette.artefacts import (
    FOLDER,
    CassetteFiles,
    artefact_line,
    has_hash,
    with_artefacts,
)
from harness.cassette.reader import loads
from harness.errors import BadCassette, CannotWrite, HarnessError, NoCassette
from harness.types import Artefact, Cassette, Target

LARGEST = 256 * 2**20
"""The largest cassette or artefact that is read or written, in bytes."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of cassettes: `<scenario>/<provider>-<model>.yaml`.

    Further recordings of the same scenario and target are repeats, `<provider>-<model>~2.yaml`: the
    slug of a target has no `~`. `repeat` is the number of the recordings in this store, from 1.
    """

    folder: Path
    repeat: int = 1

    def path(self, scenario: str, target: Target) -> Path:
        """Return the path of the cassette of a scenario and target."""
        number = f"{REPEAT}{self.repeat}" if self.repeat > 1 else ""
        return self.folder / scenario / f"{target.slug}{number}.yaml"

    def repeats(self, scenario: str, target: Target) -> tuple[int, ...]:
        """Return the numbers of the repeats beside the first recording."""
        return tuple(repeats_of(self.path(scenario, target)))

    def writing(self) -> AbstractContextManager[None]:
        """Return the context in which a file is written; subclasses may refuse to enter it."""
        return nullcontext()

    def when_stopped(self, do: Callable[[], None]) -> None:
        """Have *do* called when work is stopped; this store is never stopped."""

    def load(self, scenario: str, target: Target) -> Cassette:
        """Read the cassette of a scenario and target. Raises NoCassette and BadCassette."""
        path = self.path(scenario, target)
        if not os.path.lexists(path):
            raise NoCassette(
                f"{scenario} with {target} was never recorded: there is no {path}; "
                f"record it with: harness record {scenario} --target {target.slug}"
            )
        return read(path)


REPEAT = "~"
"""The separator before the number of a repeat in its file name."""

_REPEAT_NAME = re.compile(rf"(.+){REPEAT}([2-9]|[1-9][0-9]+)\.yaml")


def repeats_of(first: Path) -> dict[int, Path]:
    """Return the repeats of the recording at *first*, by number in order."""
    repeats = {}
    for path in first.parent.glob("*.yaml") if first.parent.is_dir() else ():
        match = _REPEAT_NAME.fullmatch(path.name)
        if match and f"{match[1]}.yaml" == first.name:
            repeats[int(match[2])] = path
    return dict(sorted(repeats.items()))


def is_repeat(path: Path) -> bool:
    """Return whether a file is a repeat of a recording beside it."""
    match = _REPEAT_NAME.fullmatch(path.name)
    return match is not None and path.with_name(f"{match[1]}.yaml").exists()


# --------------------------------------------------------------------------------- reading


def read(path: Path) -> Cassette:
    """Read a cassette with its artefacts. Raises BadCassette."""
    content = _content(path)
    return with_artefacts(_loads(content, path), partial(_read_artefact, path, content))


def read_text_only(path: Path) -> Cassette:
    """Read a cassette without artefacts, whose bodies are left empty. Raises BadCassette."""
    return loads(_content(path), str(path))


def _loads(content: bytes, path: Path) -> Cassette:
    return _cached_loads(content, str(path)) if len(content) < 2**20 else loads(content, str(path))


_cached_loads = lru_cache(maxsize=16)(loads)
"""Cached by the content, so that a changed file is read again: tests replay a cassette often."""


def _content(path: Path) -> bytes:
    try:
        return _file_bytes(path)
    except OSError as error:
        raise BadCassette(f"cannot be read: {error.strerror}", path) from None


def _file_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file of at most `LARGEST` bytes. Raises OSError."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file")
    if status.st_size > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {LARGEST // 2**20} MiB")
    return path.read_bytes()


def _read_artefact(cassette: Path, content: bytes, index: int, artefact: Artefact) -> bytes:
    """Read an artefact of the exchange at *index*. Raises BadCassette with the exchange's line.

    The file may be a link, since its bytes have to have the hash in the cassette.
    """
    try:
        body = _file_bytes(cassette.parent / FOLDER / artefact.name)
        if len(body) != artefact.size:
            problem = f"was altered: it has {len(body)} bytes, not {artefact.size}"
        elif has_hash(artefact.name, body):
            return body
        else:
            problem = "was altered: its hash differs"
    except FileNotFoundError:
        problem = "is missing"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    message = f"the artefact {FOLDER}/{artefact.name} {problem}; restore it, or record anew"
    raise BadCassette(message, cassette, artefact_line(content, index))


def find(paths: list[Path]) -> list[Path]:
    """Return every cassette among *paths*; folders are searched, in sorted order.

    Raises:
        HarnessError: A path does not exist, or a folder has no cassettes.
    """
    cassettes: list[Path] = []
    for path in paths:
        if not path.exists():
            raise HarnessError(f"{path}: there is no such file or folder")
        inside = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        if not inside:
            raise HarnessError(f"{path}: no cassette (*.yaml) in this folder")
        cassettes += inside
    return cassettes


# --------------------------------------------------------------------------------- writing


def write_cassette(path: Path, files: CassetteFiles) -> None:
    """Write a cassette after its artefacts, so that it never refers to a missing one.

    Raises CannotWrite; an existing cassette is then unchanged.
    """
    for name, body in files.artefacts.items():
        _write_artefact(path.parent / FOLDER / name, body)
    write_text(path, files.text)


def _write_artefact(path: Path, body: bytes) -> None:
    """Write an artefact unless it exists already."""
    if len(body) > LARGEST:
        raise CannotWrite(f"{path} cannot be written: larger than {LARGEST // 2**20} MiB")
    with suppress(OSError):
        status = path.stat()
        is_same_size = stat.S_ISREG(status.st_mode) and status.st_size == len(body)
        if is_same_size and path.read_bytes() == body:
            return
    _write(path, body)


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: at every moment the old or the new file is complete.

    Raises CannotWrite; an existing file is then unchanged.
    """
    _write(path, text.encode())


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary_file(path) as file:
            file.write_bytes(content)
            _sync(file)
            file.replace(path)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """Create a file beside *path*, and delete it afterwards unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    os.fchmod(handle, 0o644)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _sync(file: Path) -> None:
    """Flush a file to the disk, before it is renamed."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
