"""The journal of a recording: every answer on the disk before the next request goes out.

It lies beside its cassette, as `.<cassette>.journal`, while the cassette is being recorded, and is
locked as long. Whatever ends the recording, what was answered until then can be gone on with. Each
record is appended and synced; one that was cut off is known as such, and dropped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cassette import Head, Journaled, of_exchange, of_head, read_journal
from harness.errors import BadCassette, CannotWrite, CassetteInUse, UnfinishedRecording
from harness.types import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # where there are no such locks, two recorders are not told from one
    fcntl = None  # type: ignore[assignment]

Writing = Callable[[], AbstractContextManager[None]]
"""A context in which a file may be made; entering it raises where none may be made any more."""


def journal_path(cassette: Path) -> Path:
    """Where the journal of a cassette lies."""
    return cassette.with_name(f".{cassette.name}.journal")


def unfinished(cassette: Path) -> bool:
    """Whether a recording of the cassette was begun, got answers, and did not come to its end."""
    try:
        return bool(read_journal(journal_path(cassette).read_bytes()).records)
    except OSError:
        return False
    except BadCassette:
        return True


@dataclass(eq=False)
class Journal:
    """The journal of one recording. The file is made when the first request is about to go out.

    `over` says that answers of an earlier recording may be written over.
    """

    cassette: Path
    head: Head
    over: bool = False
    writing: Writing = nullcontext
    _file: int | None = field(init=False, default=None)
    _begun: bool = field(init=False, default=False)
    _marks: list[tuple[int, int | None]] = field(init=False, default_factory=list)
    _end: int = field(init=False, default=0)
    _made: list[Path] = field(init=False, default_factory=list)
    _lock: threading.RLock = field(init=False, repr=False, default_factory=threading.RLock)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return journal_path(self.cassette)

    def __len__(self) -> int:
        """How many exchanges are in it."""
        return len(self._marks)

    def __str__(self) -> str:
        count = "1 answer" if len(self) == 1 else f"{len(self)} answers"
        return f"{count} in {self.path}"

    # ------------------------------------------------------------------------- an earlier one

    def look(self) -> Journaled:
        """Lock and read an existing journal. Raises CassetteInUse and BadCassette."""
        if not os.path.lexists(self.path):
            return Journaled()
        try:
            with self._told():
                return self._read_locked()
        except BaseException:
            self._let_go()
            raise

    def _read_locked(self) -> Journaled:
        self._file = self._locked()
        found = read_journal(self.path.read_bytes(), str(self.path))
        self._marks = [(record.start, record.exchange.turn) for record in found.records]
        self._end = found.end
        return found

    def lock(self) -> None:
        """Lock an existing journal, to overwrite it. Raises CassetteInUse."""
        if os.path.lexists(self.path):
            with self._told():
                self._file, self._marks = self._locked(), [(0, None)]  # not thrown away until then

    def go_on(self, found: Journaled, count: int) -> None:
        """Append to what was found, behind its first `count` records."""
        assert self._file is not None  # noqa: S101 - it was found by looking
        assert found.head is not None  # noqa: S101 - else there were no records
        self.head, self._begun = found.head, True
        self._cut(count)

    # ------------------------------------------------------------------------ while recording

    def ready(self) -> None:
        """Prepare for writing. Raises CannotWrite, CassetteInUse and UnfinishedRecording."""
        with self._lock:
            if self._begun:
                return
            with self.writing(), self._told():
                self._begin()

    def _begin(self) -> None:
        """A journal with a head and nothing else, and whoever asks after a crash finds it."""
        if self._file is None:
            self._make_folders()
            self._read_locked()
        if self._marks and not self.over:
            raise UnfinishedRecording(
                f"{self.path} holds answers of another recording of {self.cassette}"
            )
        self._marks, self._end = [], 0
        os.ftruncate(self._opened(), 0)
        self._append(of_head(self.head))
        _sync_folder(self.path.parent)
        self._begun = True

    def _make_folders(self) -> None:
        missing = [self.cassette.parent, *self.cassette.parent.parents]
        self._made = [folder for folder in missing if not folder.exists()]
        self.cassette.parent.mkdir(parents=True, exist_ok=True)

    def append(self, number: int, exchange: Exchange) -> None:
        """Have a finished exchange on the disk, its secrets removed; it was the number-th request.

        Raises CannotWrite; then what was there before is still there, and no more.
        """
        with self._lock, self._told():
            if self._file is not None:  # it may have been stopped meanwhile
                start = self._end
                self._append(of_exchange(number, exchange))
                self._marks.append((start, exchange.turn))

    def _append(self, record: bytes) -> None:
        file, left = self._opened(), memoryview(record)
        try:
            os.lseek(file, self._end, os.SEEK_SET)
            while left:
                left = left[os.write(file, left) :]
            os.fsync(file)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(file, self._end)
            raise
        self._end += len(record)

    # --------------------------------------------------------------------------- taking back

    def forget(self, turn: int, but: int) -> None:
        """Take a turn back and all after it, `but` for so many of its first exchanges."""
        if not self._begun:
            return
        with self._lock, self._told():
            first = next((i for i, (_, t) in enumerate(self._marks) if t == turn), len(self))
            self._cut(first + but)

    def _cut(self, count: int) -> None:
        """Only the first so many records stay."""
        if count < len(self):
            self._end = self._marks[count][0]
        del self._marks[count:]
        if self._file is not None:
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)

    @contextmanager
    def until_written(self) -> Iterator[None]:
        """The cassette is put in its place inside this context; then the journal goes."""
        try:
            yield
        except CannotWrite as error:
            raise CannotWrite(f"{error}; what was answered is kept in {self.path}") from None
        self.remove()

    def remove(self) -> None:
        """It is not needed any more: the cassette is in its place, or nothing was answered."""
        with self._lock, self._told():
            if self._file is not None:
                _sync_folder(self.path.parent)  # the cassette's name first
                self.path.unlink()
                self._let_go()
            while self._made:
                with suppress(OSError):  # somebody else's files are there
                    self._made[0].rmdir()
                del self._made[0]

    def close_empty(self) -> None:
        """Go, where nothing was answered yet; whatever is answered from now on is not kept."""
        with self._lock:
            if self._begun and not self._marks:
                self.remove()

    def close(self) -> None:
        """The recording is over, or given up: what was answered stays; where nothing was, nothing.

        Said twice, the first time counts.
        """
        with self._lock:
            if not self._marks:
                self.remove()
            self._let_go()

    # ------------------------------------------------------------------------------- the file

    def _opened(self) -> int:
        assert self._file is not None  # noqa: S101 - narrows a union
        return self._file

    def _locked(self) -> int:
        """The file, opened and ours alone; whoever dies lets go of it."""
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | _CLOSED_ELSEWHERE, 0o644)
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_there(file, self.path):
                    return file
            except BlockingIOError:
                os.close(file)
                raise CassetteInUse(f"{self.cassette} is being recorded by somebody else") from None
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # whoever had it removed it meanwhile

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the disk says, in one message."""
        try:
            yield
        except OSError as error:
            kept = f"; what was answered before is in {self.path}" if self._marks else ""
            raise CannotWrite(
                f"{self.cassette} cannot be written: {error.strerror}{kept}"
            ) from None


_CLOSED_ELSEWHERE = getattr(os, "O_CLOEXEC", 0)


def _is_there(file: int, path: Path) -> bool:
    """Whether an opened file still is what its name says."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where a folder can be opened."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
