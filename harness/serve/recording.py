"""The cassette of the recording proxy: written beside the clients, and held in the journal only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from harness.api.use_cassette import CassetteContext
from harness.cassette.artefacts import CassetteFiles, is_file, to_files
from harness.cassette.reader import loads
from harness.cassette.store import write_spliced
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.intercept.recorder import Recorder, ResponseCapture, origin_of
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Origin


class GroupCommit:
    """A thread that runs the tasks it was given, and then flushes their writes to the disk once.

    Attributes:
        together: Returns the context in which writes are flushed at the end.
        done: The end of all tasks so far.
    """

    def __init__(self, together: Callable[[], AbstractContextManager[None]]) -> None:
        self.together = together
        self.done: Future[None] = Future()
        self.done.set_result(None)
        self._thread = ThreadPoolExecutor(1, "harness-journal")
        self._tasks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def submit(self, task: Callable[[], None]) -> None:
        """Run *task* soon. When `done` ends, its writes are on the disk."""
        with self._lock:
            self._tasks.append(task)
            if len(self._tasks) == 1:
                self.done = self._thread.submit(self._do_all)

    async def stored(self) -> None:
        """Wait until all tasks so far are done. They are done even if the caller is cancelled."""
        await asyncio.shield(asyncio.wrap_future(self.done))

    def _do_all(self) -> None:
        with self._lock:
            tasks, self._tasks = self._tasks, []
        with self.together():
            for task in tasks:
                task()

    def end(self) -> None:
        """Wait until all tasks are done. Raises the error of the last ones."""
        self._thread.shutdown()
        self.done.result()


@dataclass
class ProxyRecorder(Recorder):
    """A recorder that stores exchanges in another thread, and does not hold them.

    Attributes:
        commit: The thread.
        stored: The number of exchanges that were stored.
        origin: The kind of server that answered so far.
    """

    is_holding = False
    commit: GroupCommit = field(kw_only=True)
    stored: int = field(init=False, default=0)
    origin: Origin = field(init=False, default=Origin.LIVE)

    def store(self, number: int, capture: ResponseCapture) -> None:
        """Store a complete exchange soon."""
        self.commit.submit(partial(self._store_now, number, capture))

    def _store_now(self, number: int, capture: ResponseCapture) -> None:
        super().store(number, capture)
        kept = [exchange for exchange in capture.kept if exchange is not None]
        self.stored += len(kept)
        self.origin = origin_of(kept, self.origin)

    def finish(self) -> None:
        """End the recording, and wait until everything is stored; see `Recorder.finish`."""
        super().finish()
        self.commit.end()
        self.settle()


@dataclass(eq=False)
class ProxyCassette(CassetteContext):
    """A block whose recorded exchanges are held in its journal only."""

    _recording: ProxyRecorder = field(init=False, repr=False)
    _resumed: int = field(init=False, default=0)

    @property
    def count(self) -> int:
        """The number of exchanges that were replayed or recorded."""
        return len(self.exchanges) + self._recording.stored

    async def stored(self) -> None:
        """Wait until all answers that are complete now are on the disk."""
        await self._recording.commit.stored()

    def _recorder(self, redactor: Redactor) -> ProxyRecorder:
        before = super()._recorder(redactor)
        self._resumed = len(self._journal) if self.record == "missing" else 0
        prefix, commit = (before or Recorder(redactor)).prefix, GroupCommit(self._journal.together)
        self._recording = ProxyRecorder(redactor, self._journal, prefix, commit=commit)
        return self._recording

    @property
    def _has_recorded(self) -> bool:
        return super()._has_recorded or self._recording.stored > 0

    @property
    def _origin(self) -> Origin:
        own = self._recording.origin
        return own if own is Origin.SANDBOX else super()._origin

    def _write(self) -> None:
        with self._journal.removed_afterwards():
            self._check_unchanged()
            head = Cassette((), self._new_provenance())
            write_spliced(self.path, head, self._parts())
        self.written = True

    def _parts(self) -> Iterator[CassetteFiles]:
        """Yield the files of each exchange, as a cassette of its own, which vcrpy can read."""
        for exchange in (*self._cassette.exchanges, *self.recorded):
            yield _readable(Cassette((exchange,)))
        for text in self._journal.texts(self._resumed):
            yield _readable(loads(text), text)


def _readable(cassette: Cassette, text: bytes | None = None) -> CassetteFiles:
    """Return the files of *cassette*, which vcrpy can read; of *text* if it has no artefacts."""
    has_files = any(is_file(exchange.response) for exchange in cassette.exchanges)
    written = to_files(cassette) if text is None or has_files else CassetteFiles(text.decode(), {})
    check_vcrpy_reads(written, cassette)
    return written
