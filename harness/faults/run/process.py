"""The other end of a worker: started when it is needed, and ended when it hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from harness.errors import HarnessError
from harness.faults.run.judging import Heard
from harness.faults.run.worker import Task
from harness.faults.transport import Verdict

_START = 60.0
"""Seconds that importing an SDK, or the user's module, may take."""

_NO_PROXY = {"no_proxy": "*", "NO_PROXY": "*"}
"""Whoever asks an address on this machine asks it directly."""

_SILENT, _ENDED = object(), object()


class Process:
    """A client in a process of its own. After a hang it is ended, and begun anew.

    Raises HarnessError where the client is none. `generation` counts how often it was begun: what
    one process was told, the next does not know.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.generation = 0
        self._line: Connection | None = None
        self._running: subprocess.Popen[bytes] | None = None
        self.endpoints: frozenset[str] | None = None
        self.begin()

    def begin(self) -> None:
        """Start the process, if it is not there."""
        if self._running is not None:
            return
        ours, theirs = Pipe()
        with theirs:
            handle = theirs.fileno()
            self._running = subprocess.Popen(  # noqa: S603 - this Python, and our own module
                [sys.executable, "-P", "-m", "harness.faults.run.worker", str(handle), self.name],
                pass_fds=[handle],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_NO_PROXY},
            )
        self._line = ours
        self.generation += 1
        said = self._hear(_START)
        if isinstance(said, tuple):
            (self.endpoints,) = said
            return
        self.end()
        problem = f"{self.name}: its process did not start"
        raise said if isinstance(said, HarnessError) else HarnessError(problem)

    def ask(self, task: Task) -> Heard:
        """What came of a task; a process that does not answer in time is ended."""
        said = self._hear(task.limit, task)
        if isinstance(said, Heard):
            return said
        self.end()
        if said is _ENDED:
            return Heard(Verdict.CRASH, "the process ended")
        return Heard(Verdict.HANG, f"no end within {task.limit:g} s")

    def _hear(self, timeout: float, *said: Task) -> object:
        """What the process says within so many seconds: `_SILENT` is nothing, `_ENDED` its end."""
        if self._line is None:
            return _ENDED
        try:
            for task in said:
                self._line.send(task)
            return self._line.recv() if self._line.poll(timeout) else _SILENT
        except (EOFError, OSError):
            return _ENDED

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._line is not None:
            self._line.close()
        if self._running is not None:
            self._running.kill()
            self._running.wait()
        self._line = self._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
