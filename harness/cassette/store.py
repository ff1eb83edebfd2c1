"""Files on the disk: where a cassette lives, and how one is put in place whole or not at all."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.cassette import FOLDER, Written, is_of, line_of, loads, put_back
from harness.errors import BadCassette, CannotWrite, HarnessError, NoCassette
from harness.types import Artefact, Cassette, Target

LARGEST = 256 * 2**20
"""A larger file is not taken for a cassette or an artefact, in bytes."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of cassettes: `<scenario>/<provider>-<model>.yaml`.

    A second recording of the same lies beside the first, as `<provider>-<model>~2.yaml`: no name
    of a target has that sign. `repeat` says which of them this is a folder of, from 1.
    """

    folder: Path
    repeat: int = 1

    def path(self, scenario: str, target: Target) -> Path:
        """Where the cassette of a scenario with a target lives."""
        number = f"{REPEAT}{self.repeat}" if self.repeat > 1 else ""
        return self.folder / scenario / f"{target.slug}{number}.yaml"

    def repeats(self, scenario: str, target: Target) -> tuple[int, ...]:
        """The numbers of the recordings that lie beside the first one."""
        return tuple(repeats_of(self.path(scenario, target)))

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


REPEAT = "~"
"""Stands before the number of a repeat in the name of its file."""

_REPEATED = re.compile(rf"(.+){REPEAT}([2-9]|[1-9][0-9]+)\.yaml")


def repeats_of(first: Path) -> dict[int, Path]:
    """The repeats of a recording by their numbers, in order; none of a repeat itself."""
    found = {}
    for path in first.parent.glob("*.yaml") if first.parent.is_dir() else ():
        named = _REPEATED.fullmatch(path.name)
        if named and f"{named.group(1)}.yaml" == first.name:
            found[int(named.group(2))] = path
    return dict(sorted(found.items()))


def is_repeat(path: Path) -> bool:
    """Whether a file is a repeat of a recording that lies beside it."""
    named = _REPEATED.fullmatch(path.name)
    return named is not None and path.with_name(f"{named.group(1)}.yaml").exists()


def read(path: Path) -> Cassette:
    """Read one cassette file, its artefacts put back in their places.

    Raises BadCassette, naming the file, for anything else.
    """
    content = _content(path)
    return put_back(_loaded(content, path), partial(_artefact, path, content))


def read_text_only(path: Path) -> Cassette:
    """Read a cassette file away from its artefacts, as git hands over an old one: these are named
    in their answers, whose bodies are empty. Raises BadCassette."""
    return loads(_content(path), str(path))


@dataclass
class _Remembered:
    """Cassettes by the very bytes they were read from, so that nothing stale is ever given out.

    Up to `room` bytes of text are kept, the last used ones; nobody has to know of it.
    """

    room: int
    _known: OrderedDict[bytes, Cassette] = field(init=False, default_factory=OrderedDict)
    _used: int = field(init=False, default=0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def get(self, content: bytes) -> Cassette | None:
        """The cassette that was read from this text, if it is remembered."""
        with self._lock:
            if content not in self._known:
                return None
            self._known.move_to_end(content)
            return self._known[content]

    def keep(self, content: bytes, cassette: Cassette) -> None:
        """Remember what was read, in place of what nobody asked for the longest."""
        with self._lock:
            if content in self._known or len(content) > self.room:
                return
            self._known[content] = cassette
            self._used += len(content)
            while self._used > self.room:
                self._used -= len(self._known.popitem(last=False)[0])


_REMEMBERED = _Remembered(room=16 * 2**20)


def _loaded(content: bytes, path: Path) -> Cassette:
    cassette = _REMEMBERED.get(content)
    if cassette is None:
        cassette = loads(content, str(path))
        _REMEMBERED.keep(content, cassette)
    return cassette


def _content(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BadCassette("cannot be read: not a file", path)
        if found.st_size > LARGEST:
            raise BadCassette(f"larger than {LARGEST // 2**20} MiB", path)
        return path.read_bytes()
    except OSError as error:
        raise BadCassette(f"cannot be read: {error.strerror}", path) from None


def _artefact(cassette: Path, content: bytes, number: int, named: Artefact) -> bytes:
    """The artefact that an exchange names; whatever else may lie there, it is told by its line."""
    file = cassette.parent / FOLDER / named.name
    try:
        amiss, body = _fetched(file, named)
    except OSError as error:
        amiss, body = f"cannot be read: {error.strerror}", b""
    if amiss:
        told = f"the artefact {FOLDER}/{named.name} {amiss}; restore it, or record anew"
        raise BadCassette(told, cassette, line_of(content, number))
    return body


def _fetched(file: Path, named: Artefact) -> tuple[str, bytes]:
    """What is wrong with a file, if anything, and its bytes.

    The name holds nothing but a hash, so it leads nowhere else; a link may, but only to the bytes
    that the cassette names.
    """
    if not file.exists():
        return "is missing", b""
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        return "is not a file", b""
    if found.st_size > LARGEST:
        return f"is larger than {LARGEST // 2**20} MiB", b""
    body = file.read_bytes()
    if len(body) != named.size:
        return f"was altered: it has {len(body)} bytes, not {named.size}", b""
    return ("", body) if is_of(named.name, body) else ("was altered: its hash is another", b"")


def put_cassette(path: Path, cassette: Written) -> None:
    """Write a cassette, its artefacts first: it never names what is not there.

    Raises CannotWrite; what was there before is then untouched.
    """
    for name, body in cassette.artefacts.items():
        _put_artefact(path.parent / FOLDER / name, body)
    put(path, cassette.text)


def _put_artefact(path: Path, body: bytes) -> None:
    """Write a file that is named by its bytes; nothing, if it is there already."""
    if len(body) > LARGEST:
        raise CannotWrite(f"{path} cannot be written: larger than {LARGEST // 2**20} MiB")
    with suppress(OSError):
        found = path.stat()
        same = stat.S_ISREG(found.st_mode) and found.st_size == len(body)
        if same and path.read_bytes() == body:
            return
    _put(path, body)


def put(path: Path, text: str) -> None:
    """Write a file so that at every moment the old or the new one is there, and whole.

    Raises CannotWrite where the disk refuses; then what was there before is untouched.
    """
    _put(path, text.encode())


def _put(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _beside(path) as file:
            file.write_bytes(content)
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
