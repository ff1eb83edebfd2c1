"""The journal of a recording: every exchange is on the disk before the next request is sent.

The journal is the file `.<cassette>.journal` beside its cassette. It exists, and is locked, while a
recording is in progress. An interrupted recording can be resumed from it. Each record is appended
and flushed; a truncated record is detected and ignored.

The first line of a record is a YAML comment with the record's length and checksum. The rest is the
text of a cassette: without exchanges in the first record (the head), with one exchange in every
other record. So a journal can hold everything that a cassette can, and people can read it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.cassette.reader import loads
from harness.cassette.store import check_replaceable
from harness.cassette.writer import dumps
from harness.config.files import read_file
from harness.errors import BadCassette, CannotWrite, CassetteInUse, UnfinishedRecording
from harness.types import Cassette, Exchange, Provenance

try:
    import fcntl
except ImportError:  # no such locks on this platform: concurrent recordings are not detected
    fcntl = None  # type: ignore[assignment]

Writing = Callable[[], AbstractContextManager[None]]
"""A function that returns the context in which a file is written.

Entering the context raises an exception if nothing may be written any more.
"""


def journal_path(cassette: Path) -> Path:
    """Return the path of a cassette's journal; for a cassette in a store, beside its local copy."""
    return Path(os.fspath(cassette)).with_name(f".{cassette.name}.journal")


def unfinished(cassette: Path) -> bool:
    """Return whether a recording of *cassette* was interrupted or is in progress.

    That is so if its journal has exchanges, or is damaged.
    """
    try:
        return bool(read_journal(read_file(journal_path(cassette))).records)
    except OSError:
        return False
    except BadCassette:
        return True


@dataclass(eq=False)
class Journal:
    """The journal of one recording; its file is created before the first request is sent.

    Attributes:
        cassette: The path of the cassette that is being recorded.
        head: The provenance and the seed of the recording.
        overwrite: Whether records of an earlier recording may be replaced.
        writing: Returns a context manager in which the file is created. It raises an exception on
            entry if nothing may be written any more.
    """

    cassette: Path
    head: JournalHead
    overwrite: bool = False
    writing: Writing = nullcontext
    _file: int | None = field(init=False, default=None)
    _begun: bool = field(init=False, default=False)
    _records: list[tuple[int, int | None]] = field(init=False, default_factory=list)
    _end: int = field(init=False, default=0)
    _is_together: bool = field(init=False, default=False)
    _new_folders: list[Path] = field(init=False, default_factory=list)
    _lock: threading.RLock = field(init=False, repr=False, default_factory=threading.RLock)

    @property
    def path(self) -> Path:
        """The path of the journal's file."""
        return journal_path(self.cassette)

    def __len__(self) -> int:
        """Return the number of exchanges in the journal."""
        return len(self._records)

    def __str__(self) -> str:
        count = "1 answer" if len(self) == 1 else f"{len(self)} answers"
        return f"{count} in {self.path}"

    # --------------------------------------------------------------------- existing journal

    def read(self) -> JournalContent:
        """Lock an existing journal and return its content; empty if there is no journal.

        Raises CassetteInUse if another process records the cassette, BadCassette if the journal is
        damaged, and CannotWrite if its file cannot be opened.
        """
        if not os.path.lexists(self.path):
            return JournalContent()
        try:
            with self._convert_errors():
                return self._read_locked()
        except BaseException:
            self._close_file()
            raise

    def _read_locked(self) -> JournalContent:
        self._file = self._open_locked()
        content = read_journal(self.path.read_bytes(), str(self.path))
        self._records = [(record.start, record.exchange.turn) for record in content.records]
        self._end = content.end
        return content

    def lock(self) -> None:
        """Lock an existing journal without reading it; do nothing if there is none.

        If `overwrite` is true, `ready` empties it later. Raises CassetteInUse if another process
        records the cassette.
        """
        if os.path.lexists(self.path):
            with self._convert_errors():
                self._file, self._records = (
                    self._open_locked(),
                    [(0, None)],
                )  # kept until overwritten

    def resume(self, content: JournalContent, count: int) -> None:
        """Continue the journal after the first *count* records of *content*, and remove the others.

        *content* is what `read` returned, and has records.
        """
        assert self._file is not None  # noqa: S101 - opened by read
        assert content.head is not None  # noqa: S101 - else there were no records
        self.head, self._begun = content.head, True
        self._cut(count)

    # ------------------------------------------------------------------------ while recording

    def ready(self) -> None:
        """Create and lock the journal; repeated calls do nothing.

        Raises:
            CannotWrite: The file cannot be created.
            CassetteInUse: Another process records the cassette.
            UnfinishedRecording: The journal holds an earlier recording and `overwrite` is false.
        """
        if self._begun:
            return
        with self._lock:
            if self._begun:
                return
            with self.writing(), self._convert_errors():
                self._begin()

    def _begin(self) -> None:
        """Start a journal with a head only, flushed so that it exists even after a crash."""
        check_replaceable(self.cassette)
        if self._file is None:
            self._make_folders()
            self._read_locked()
        if self._records and not self.overwrite:
            raise UnfinishedRecording(
                f"{self.path} holds answers of another recording of {self.cassette}"
            )
        self._records, self._end = [], 0
        os.ftruncate(self._opened(), 0)
        self._append(head_record(self.head))
        _sync_folder(self.path.parent)
        self._begun = True

    def _make_folders(self) -> None:
        missing = [self.cassette.parent, *self.cassette.parent.parents]
        self._new_folders = [folder for folder in missing if not folder.exists()]
        self.cassette.parent.mkdir(parents=True, exist_ok=True)

    def append(self, number: int, exchange: Exchange) -> None:
        """Write *exchange*, already redacted, to the disk; do nothing if the journal is closed.

        *number* is the position of its request in the recording, from 0. If writing fails,
        CannotWrite is raised, and the journal is unchanged.
        """
        with self._lock, self._convert_errors():
            if self._file is not None:  # the recording may have been stopped
                start = self._end
                self._append(exchange_record(number, exchange))
                self._records.append((start, exchange.turn))

    def _append(self, record: bytes) -> None:
        file, rest = self._opened(), memoryview(record)
        try:
            os.lseek(file, self._end, os.SEEK_SET)
            while rest:
                rest = rest[os.write(file, rest) :]
            if not self._is_together:
                os.fsync(file)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(file, self._end)
            raise
        self._end += len(record)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Flush the file to the disk at the end of the `with` block, not after each `append`."""
        self._is_together = True
        try:
            yield
        finally:
            self._is_together = False
            with self._lock, self._convert_errors():
                if self._file is not None:
                    os.fsync(self._file)

    def texts(self, skip: int) -> Iterator[bytes]:
        """Yield the text of each record after the first *skip* in the file, ordered by request."""
        with self._convert_errors(), self.path.open("rb") as file:
            places: list[tuple[int, int, int]] = []
            for start, _ in self._records[skip:]:
                file.seek(start)
                line = file.readline()
                _, number, size, _ = line.removeprefix(b"#: ").split()
                places.append((int(number), start + len(line), int(size)))
            for _, begin, length in sorted(places):
                file.seek(begin)
                yield file.read(length)

    # ------------------------------------------------------------------------------ removing

    def drop_turn(self, turn: int, keep: int) -> None:
        """Remove the exchanges of turn number *turn* and of all later turns.

        The first *keep* exchanges of the turn stay.
        """
        if not self._begun:
            return
        with self._lock, self._convert_errors():
            first = next((i for i, (_, t) in enumerate(self._records) if t == turn), len(self))
            self._cut(first + keep)

    def _cut(self, count: int) -> None:
        """Remove all records after the first *count*."""
        if count < len(self):
            self._end = self._records[count][0]
        del self._records[count:]
        if self._file is not None:
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)

    @contextmanager
    def removed_afterwards(self) -> Iterator[None]:
        """Remove the journal after the `with` block, in which the cassette is written.

        If the block raises CannotWrite, the journal stays, and the error's message names it.
        """
        try:
            yield
        except CannotWrite as error:
            raise CannotWrite(f"{error}; what was answered is kept in {self.path}") from None
        self.remove()

    def remove(self) -> None:
        """Delete the journal, and those folders created for it that are empty."""
        with self._lock, self._convert_errors():
            if self._file is not None:
                _sync_folder(self.path.parent)  # the name of the cassette first
                self.path.unlink()
                self._close_file()
            while self._new_folders:
                with suppress(OSError):  # not empty
                    self._new_folders[0].rmdir()
                del self._new_folders[0]

    def close_empty(self) -> None:
        """Remove the journal if it has no exchanges; later exchanges are then not written."""
        with self._lock:
            if self._begun and not self._records:
                self.remove()

    def close(self) -> None:
        """Close the journal, and remove it if it has no exchanges; repeated calls do nothing."""
        with self._lock:
            if self._file is None and not self._new_folders:
                return
            if not self._records:
                self.remove()
            self._close_file()

    # ------------------------------------------------------------------------------- the file

    def _opened(self) -> int:
        assert self._file is not None  # noqa: S101 - narrows a union
        return self._file

    def _open_locked(self) -> int:
        """Open or create the journal's file, lock it, and return its descriptor.

        The lock ends with the process. Raises CassetteInUse if another process holds it.
        """
        while True:
            with suppress(FileNotFoundError):
                if not stat.S_ISREG(self.path.stat().st_mode):
                    raise OSError(errno.EINVAL, f"its journal {self.path.name} is not a file")
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | _CLOSE_ON_EXEC, 0o666)
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_same_file(file, self.path):
                    return file
            except BlockingIOError:
                os.close(file)
                raise CassetteInUse(
                    f"{self.cassette} is being recorded by another process"
                ) from None
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # another process removed it meanwhile

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        """Convert an OSError of the `with` block to CannotWrite."""
        try:
            yield
        except OSError as error:
            kept = f"; what was answered before is in {self.path}" if self._records else ""
            raise CannotWrite(
                f"{self.cassette} cannot be written: {error.strerror}{kept}"
            ) from None


_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)


def _is_same_file(file: int, path: Path) -> bool:
    """Return whether *path* still names the file that was opened as the descriptor *file*."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    """Flush the file names in *folder* to the disk, on platforms where a folder can be opened."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


# --------------------------------------------------------------------------------- records


@dataclass(frozen=True, slots=True)
class JournalHead:
    """The first record of a journal.

    Attributes:
        provenance: The provenance of the recording.
        seed: The number that requests of the recording have in place of `seed: random`.
    """

    provenance: Provenance
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a journal with one exchange.

    Attributes:
        number: The number of the exchange's request in the recording, from 0.
        exchange: The exchange.
        start: The byte offset of the record in the journal.
    """

    number: int
    exchange: Exchange
    start: int


@dataclass(frozen=True, slots=True)
class JournalContent:
    """The complete records of a journal.

    Attributes:
        head: The first record; None if the journal has no complete record.
        records: The other records, in the order in which they were written.
        end: The byte offset after the last complete record.
    """

    head: JournalHead | None = None
    records: tuple[Record, ...] = ()
    end: int = 0

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges in the order of their requests."""
        ordered = sorted(self.records, key=lambda record: record.number)
        return tuple(record.exchange for record in ordered)


def head_record(head: JournalHead) -> bytes:
    """Return *head* as the bytes of a journal's first record."""
    return _record(b"head", head.seed, Cassette((), head.provenance))


def exchange_record(number: int, exchange: Exchange) -> bytes:
    """Return the bytes of the record of *exchange*.

    *number* is the position of its request in the recording, from 0.
    """
    return _record(b"exchange", number, Cassette((exchange,)))


def _record(kind: bytes, number: int, cassette: Cassette) -> bytes:
    body = dumps(cassette).encode()
    fields = b"%b %d %d" % (kind, number, len(body))
    return b"#: %b %b\n%b" % (fields, _checksum(fields, body), body)


def _checksum(fields: bytes, body: bytes) -> bytes:
    return hashlib.sha256(fields + b"\n" + body).hexdigest().encode()


_FIRST_LINE = re.compile(rb"^#: ((head|exchange) (\d{1,12}) (\d{1,12})) ([0-9a-f]{64})\n", re.M)


def read_journal(content: bytes, source: str = "") -> JournalContent:
    """Return the complete records in the *content* of a journal; a truncated last one is ignored.

    Raises:
        BadCassette: A damaged record is followed by complete ones. A crash does not cause that, and
            ignoring them would lose responses. The error names *source* and the line.
    """
    head, records, end = None, [], 0
    for start, first_line, body in _complete_records(content):
        cassette = loads(body, source)
        if first_line[2] == b"head":
            head = JournalHead(cassette.provenance, int(first_line[3]))
        else:
            records.append(Record(int(first_line[3]), cassette.exchanges[0], start))
        end = start + len(first_line[0]) + len(body)
    if any(_complete_body(match) is not None for match in _FIRST_LINE.finditer(content, end)):
        line = content.count(b"\n", 0, end) + 1
        raise BadCassette("the journal is damaged here, with whole answers behind", source, line)
    return JournalContent(head, tuple(records), end)


def _complete_records(content: bytes) -> Iterator[tuple[int, re.Match[bytes], bytes]]:
    """Yield the byte offset, first line and body of each record before the first incomplete one."""
    at = 0
    while first_line := _FIRST_LINE.match(content, at):
        body = _complete_body(first_line)
        if body is None or (first_line[2] == b"head") != (at == 0):
            return
        yield at, first_line, body
        at = first_line.end() + len(body)


def _complete_body(first_line: re.Match[bytes]) -> bytes | None:
    """Return the body of the record with *first_line*; None if it is truncated or damaged."""
    start = first_line.end()
    body = first_line.string[start : start + int(first_line[4])]
    return body if _checksum(first_line[1], body) == first_line[5] else None
