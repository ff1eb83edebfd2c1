"""Cassette files: their names, reading them, and writing them atomically."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from harness.cassette import remote, safe_yaml
from harness.cassette.artefacts import FOLDER, CassetteFiles, has_hash, with_artefacts
from harness.cassette.fast_reader import NotCanonical, has_provenance, load_provenance
from harness.cassette.reader import loads
from harness.cassette.remote import RemotePath, located, location
from harness.cassette.writer import spliced
from harness.config.files import LARGEST as LARGEST
from harness.config.files import file_parts as local_parts
from harness.config.files import read_ends, read_file
from harness.errors import BadCassette, CannotWrite, HarnessError, NoCassette
from harness.types import Artefact, Cassette, Origin, Provenance, Target

if TYPE_CHECKING:
    from harness.cassette.workers import Workers


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of cassettes, with the paths `<scenario>/<provider>-<model>.yaml`.

    Further recordings of the same scenario and target are repeats, `<provider>-<model>~2.yaml`. The
    slug of a target has no `~`.

    Attributes:
        folder: The folder. If it is created with an address such as `s3://bucket/cassettes`, this
            is the path of the local copy.
        repeat: The number of the recording that the methods of this store refer to: 1 for the first
            recording, 2 for its first repeat.
    """

    folder: Path
    repeat: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", location(self.folder))

    def path(self, scenario: str, target: Target) -> Path:
        """Return the path of the cassette of a scenario and target, which may not exist yet."""
        number = f"{REPEAT}{self.repeat}" if self.repeat > 1 else ""
        return self.folder / scenario / f"{target.slug}{number}.yaml"

    def repeats(self, scenario: str, target: Target) -> tuple[int, ...]:
        """Return the numbers of the existing repeats of a cassette, in ascending order from 2."""
        return tuple(repeat_paths(self.path(scenario, target)))

    def writing(self) -> AbstractContextManager[None]:
        """Return a context manager to hold while a file is written.

        This one does nothing. A subclass may return one that raises on entry, to prevent writing.
        """
        return nullcontext()

    def when_stopped(self, do: Callable[[], None]) -> None:
        """Register *do*, to be called when recordings into this store are stopped.

        Here it is ignored; in a subclass, recordings can be stopped.
        """

    def load(self, scenario: str, target: Target) -> Cassette:
        """Return the cassette of a scenario and target, with its artefacts.

        Raises NoCassette if there is none, and BadCassette if it cannot be read.
        """
        return read(self._existing(scenario, target))

    def load_provenance(self, scenario: str, target: Target) -> Provenance:
        """Return the provenance of the cassette of a scenario and target.

        Raises NoCassette if there is none, and BadCassette if it cannot be read.
        """
        return read_provenance(self._existing(scenario, target))

    def _existing(self, scenario: str, target: Target) -> Path:
        path = self.path(scenario, target)
        if not os.path.lexists(path):
            raise NoCassette(
                f"{scenario} with {target} was never recorded: there is no {path}; "
                f"record it with: {how_to_record(scenario, target)}"
            )
        return path


def how_to_record(scenario: str, target: Target, recorded: Provenance | None = None) -> str:
    """Return the command that records *scenario* with *target*, and a remark about its cost.

    *recorded* is the provenance of the last recording, whose kind of server the command uses again;
    None if there was none.
    """
    command = f"harness record {scenario} --target {target.slug}"
    if recorded is not None and recorded.recorded_from is Origin.SANDBOX:
        return f"{command} --sandbox"
    if recorded is not None and recorded.recorded_from is Origin.LIVE:
        return f"{command} (a live recording costs money)"
    return f"{command} (a live recording costs money; with --sandbox it does not)"


REPEAT = "~"
"""The separator before the number of a repeat in its file name."""

_REPEAT_NAME = re.compile(rf"(.+){REPEAT}([2-9]|[1-9][0-9]+)\.yaml")


def repeat_paths(first: Path) -> dict[int, Path]:
    """Return the paths of the repeats of the recording at *first* by number, in ascending order."""
    repeats = {}
    for name in os.listdir(first.parent) if first.parent.is_dir() else ():
        match = _REPEAT_NAME.fullmatch(name)
        if match and f"{match[1]}.yaml" == first.name:
            repeats[int(match[2])] = first.with_name(name)
    return dict(sorted(repeats.items()))


def is_repeat(path: Path) -> bool:
    """Return whether the cassette at *path* is a repeat of a first recording beside it."""
    match = _REPEAT_NAME.fullmatch(path.name)
    return match is not None and path.with_name(f"{match[1]}.yaml").exists()


# --------------------------------------------------------------------------------- reading


def read(path: Path) -> Cassette:
    """Return the cassette at *path* with its artefacts. Raises BadCassette if it cannot be read."""
    return parsed(read_content(path), path)


def parsed(content: bytes, path: Path) -> Cassette:
    """Return the cassette in *content*, the bytes of the file at *path*, with its artefacts.

    Raises BadCassette if it cannot be read.
    """
    return with_artefacts(_loads(content, path), partial(_read_artefact, path, content))


def read_text_only(path: Path) -> Cassette:
    """Return the cassette at *path* without reading its artefacts, whose bodies are then empty.

    Raises BadCassette if it cannot be read.
    """
    return loads(read_content(path), str(path))


def read_provenance(path: Path) -> Provenance:
    """Return the provenance of the cassette at *path*.

    If the harness wrote the cassette, only the beginning and the end of the file are read. If vcrpy
    wrote it, the provenance is empty. Raises BadCassette if it cannot be read.
    """
    try:
        return load_provenance(*read_ends(path, _HEAD_SIZE, _END_SIZE))
    except OSError as error:
        raise BadCassette(f"cannot be read: {error.strerror}", path) from None
    except NotCanonical:
        return read(path).provenance if has_provenance(read_content(path)) else Provenance()


_HEAD_SIZE, _END_SIZE = 2**14, 2**4
"""Numbers of bytes. A longer head is read with its whole file."""


def _loads(content: bytes, path: Path) -> Cassette:
    return _cached_loads(content, str(path)) if len(content) < 2**20 else loads(content, str(path))


_cached_loads = lru_cache(maxsize=16)(loads)
"""`loads` with a cache, since tests replay a cassette often.

The cache is by content, so that a changed file is read again.
"""


def read_content(path: Path) -> bytes:
    """Return the bytes of the cassette at *path*. Raises BadCassette if it cannot be read."""
    try:
        return file_bytes(path)
    except OSError as error:
        raise BadCassette(f"cannot be read: {error.strerror}", path) from None


def file_stamp(path: Path) -> tuple[int, ...]:
    """Return (inode, size in bytes, modification time in ns) of a file, to detect changes.

    Return an empty tuple if there is no such file.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a null byte
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def file_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file.

    A file in a remote store is downloaded first. Raises OSError if the file cannot be read, or has
    more than `LARGEST` bytes.
    """
    remote.fetch(path)
    return read_file(path, LARGEST)


def file_parts(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a regular file in parts. Raises OSError if `file_bytes` does."""
    remote.fetch(path)
    yield from local_parts(path, LARGEST)


def artefact_path(cassette: Path, name: str) -> Path:
    """Return the path of the artefact *name* of a cassette, in the folder `artefacts` beside it.

    In a store, that folder may be beside any folder above the cassette: the nearest one that has
    the artefact is used.
    """
    own = cassette.parent / FOLDER / name
    if isinstance(cassette, RemotePath):
        for parent in cassette.parents[: cassette.key.count("/")]:
            path = parent / FOLDER / name
            remote.fetch(path)
            if path.exists():
                return path
    return own


def _read_artefact(cassette: Path, content: bytes, index: int, artefact: Artefact) -> bytes:
    """Return the bytes of the artefact of the exchange at *index* of a cassette.

    The file may be a link, since the hash of its bytes is compared with that in the cassette.

    Raises:
        BadCassette: The file is missing, unreadable or altered. The error names the line of the
            cassette's *content*.
    """
    try:
        body = file_bytes(artefact_path(cassette, artefact.name))
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
    message = f"the artefact {FOLDER}/{artefact.name} {problem}; restore it, or record it again"
    line = safe_yaml.line_at(content, ("interactions", index, "response", "body", "artefact"))
    raise BadCassette(message, cassette, line)


def find(paths: list[Path], is_read_here: bool = True) -> list[Path]:
    """Return the cassette files at *paths*: files as they are, and all *.yaml files below folders.

    The files of each folder are sorted. A folder below one of *paths* that cannot be read is
    returned like a file, so that reading it reports the error. For an address, the paths of the
    local copies are returned; the files are downloaded only if *is_read_here* is true.

    Raises:
        NoCassette: A folder has no cassettes.
        HarnessError: A path does not exist, or a folder cannot be read.
    """
    paths = [location(path, is_read_here) for path in paths]
    not_copied = {path for path in paths if isinstance(path, RemotePath) if not is_read_here}
    for path in paths:
        if path not in not_copied:
            require_path(path)
    cassettes: list[Path] = []
    for path in paths:
        if path in not_copied:
            inside = sorted(one for one in remote.files(path) if one.suffix == ".yaml")
        else:
            inside = sorted(_below(path)) if path.is_dir() else [path]
        if not inside:
            raise NoCassette(f"{path}: no cassette (*.yaml) in this folder")
        cassettes += inside
    return cassettes


def require_path(path: Path) -> None:
    """Raise HarnessError if there is nothing at *path*, or if *path* cannot be examined."""
    try:
        path.stat()
    except FileNotFoundError:
        from difflib import get_close_matches

        beside = [one.name for one in path.parent.glob("*")]
        near = get_close_matches(path.name, beside, n=1)
        if near:
            guess = path.with_name(near[0])
            raise HarnessError(f"{path}: there is no such file; did you mean {guess}?") from None
        raise HarnessError(f"{path}: there is no such file or folder") from None
    except OSError as error:
        raise HarnessError(f"{path!s:.200}: cannot be read: {error.strerror}") from None


def _below(folder: Path) -> Iterator[Path]:
    """Yield the *.yaml files below *folder*, and the folders in it that cannot be read.

    Links to folders are not followed. Raises HarnessError if *folder* itself cannot be read.
    """
    closed: list[Path] = []

    def on_error(error: OSError) -> None:
        if error.filename == os.fspath(folder):
            text = f"{folder}: this folder cannot be read: {error.strerror}"
            raise HarnessError(text) from None
        closed.append(Path(error.filename))

    for parent, _, names in os.walk(folder, onerror=on_error):
        inside = folder / os.path.relpath(parent, folder)
        yield from (inside / name for name in names if name.endswith(".yaml"))
    yield from closed


T = TypeVar("T")
Skip: TypeAlias = Callable[[BadCassette], None]
"""A function that is called with each file that is left out, since it cannot be read."""


def skip_nothing(error: BadCassette) -> None:
    """Raise *error*: the default of *skip* parameters, with which no unreadable file is skipped."""
    raise error


def read_all(
    paths: Sequence[Path],
    read_one: Callable[[Path], T],
    skip: Skip,
    workers: Workers = 1,
    shown: Callable[[str], None] = lambda text: None,
    known: Callable[[Sequence[Path]], Mapping[Path, T]] = lambda files: {},
    order: Callable[[Path], str] | None = None,
) -> Iterator[tuple[Path, T]]:
    """Yield (path, content) of each file in *paths* and of the *.yaml files below its folders.

    Args:
        paths: Files and folders, which may be addresses.
        read_one: Returns the content of a file; raises BadCassette if it cannot be read.
        skip: Called with the error of each unreadable file that was found in a folder.
        workers: The number of processes that read, or the address of a Dask scheduler.
        shown: Called for each file with a text: its number, the number of all files, and its path.
        known: Called once with all files; returns the contents of those that need not be read.
        order: Returns the text by which the files are sorted; without it, they are in the order of
            `find`.

    Raises:
        BadCassette: One of *paths* is a file that cannot be read.
        HarnessError: A path does not exist, or a folder has no cassettes.
    """
    from harness.cassette.workers import in_order  # only here: it imports multiprocessing

    named = {located(path) for path in paths}
    files = find(list(paths), is_read_here=isinstance(workers, int))
    files = sorted(files, key=order) if order else files
    contents = dict(known(files))
    unknown = [path for path in files if path not in contents]
    with closing(in_order(partial(_read_or_error, read_one), unknown, workers)) as results:
        for number, path in enumerate(files, start=1):
            shown(f"[{number}/{len(files)}] {path}")
            if path in contents:
                yield path, contents[path]
                continue
            content, error = next(results)
            if error is None:
                yield path, content[0]
            elif path in named:
                raise error
            else:
                skip(error)


def _read_or_error(
    read_one: Callable[[Path], T], path: Path
) -> tuple[tuple[T, ...], BadCassette | None]:
    try:
        return (read_one(path),), None
    except BadCassette as error:
        return (), error


# --------------------------------------------------------------------------------- writing


def write_cassette(path: Path, files: CassetteFiles) -> None:
    """Write the artefacts in *files*, then the text, so that it never refers to a missing artefact.

    *path* is the path of the cassette. If writing fails, CannotWrite is raised, and an existing
    cassette is unchanged.
    """
    _write_artefacts(path, files)
    write_text(path, files.text)


def write_spliced(path: Path, head: Cassette, parts: Iterable[CassetteFiles]) -> None:
    """Write a cassette and its artefacts, with only one exchange in memory at a time.

    In a store, the whole text is in memory. If writing fails, CannotWrite is raised, and an
    existing cassette is unchanged.

    Args:
        path: The path of the cassette.
        head: A cassette with the provenance, and without exchanges.
        parts: For each exchange, the files of a cassette with only this exchange.
    """

    def texts() -> Iterator[str]:
        for files in parts:
            _write_artefacts(path, files)
            yield files.text

    _write(path, (piece.encode() for piece in spliced(head, texts())))


def _write_artefacts(path: Path, files: CassetteFiles) -> None:
    folder = remote.root(path) / FOLDER
    for name, body in files.artefacts.items():
        _write_artefact(folder / name, body)


def _write_artefact(path: Path, body: bytes) -> None:
    """Write an artefact, unless the file exists with the same bytes. Raises CannotWrite."""
    if len(body) > LARGEST:
        raise CannotWrite(f"{path} cannot be written: larger than {LARGEST // 2**20} MiB")
    with suppress(OSError):
        status = path.stat()
        is_same_size = stat.S_ISREG(status.st_mode) and status.st_size == len(body)
        if is_same_size and path.read_bytes() == body:
            return
    _write(path, [body])


def write_text(path: Path, text: str) -> None:
    """Write *text* to *path* atomically: at every moment the old or the new file is complete.

    If writing fails, CannotWrite is raised, and an existing file is unchanged.
    """
    write_texts(path, [text])


def write_texts(path: Path, texts: Iterable[str]) -> None:
    """Write *texts*, one after the other, to *path* as `write_text` does."""
    _write(path, (text.encode() for text in texts))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    if isinstance(path, RemotePath):
        remote.upload(path, b"".join(pieces))
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        real = path.resolve() if path.is_symlink() or not path.name else path
        check_replaceable(path)
        with _temporary_file(real) as file:
            with file.open("wb") as opened:
                opened.writelines(pieces)
            _sync(file)
            file.replace(real)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}") from None


def check_replaceable(path: Path) -> None:
    """Raise CannotWrite if *path* exists and is not a file, but a folder, a device or a pipe."""
    if path.exists() and not path.is_file():
        reason = os.strerror(errno.EISDIR) if path.is_dir() else "not a file"
        raise CannotWrite(f"{path} cannot be written: {reason}")


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """Create an empty file beside *path*, and delete it afterwards unless it was renamed.

    It has the permissions of *path* or, if there is no such file, those that the umask allows.

    Yields:
        The path of the file.
    """
    file = path.with_name(f".{path.name}.{token_hex(4)}.new")
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with suppress(FileNotFoundError):
            os.fchmod(handle, stat.S_IMODE(path.stat().st_mode))
        os.close(handle)
        yield file
    finally:
        file.unlink(missing_ok=True)


def _sync(file: Path) -> None:
    """Flush *file* to the disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
