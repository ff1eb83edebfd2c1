"""A client in a process of its own, so that it can be killed when it hangs.

`Worker` starts the process as `python -P -m harness.faults.worker FD CLIENT`, where FD is the file
descriptor of its end of the pipe; `main` is what the process runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Self

from harness.errors import HarnessError
from harness.faults.client import (
    Client,
    ClientRequest,
    Observation,
    equal,
    is_function,
    load_client,
    observation_of,
    observe_reference,
)
from harness.faults.delivery import Reaction

_START_TIMEOUT = 60.0
"""Seconds that importing an SDK, or the user's module, may take."""

_ORPHAN_TIMEOUT = 30.0
"""Seconds after a task's limit at which the process ends itself, if its parent is gone."""

_NO_PROXY = {"no_proxy": "*", "NO_PROXY": "*"}
_NO_ANSWER, _ENDED = object(), object()


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """One request that a client is to send, as a message to its process.

    Attributes:
        key: A number that identifies the recorded exchange.
        request: The request.
        limit: Seconds after which the process is killed.
        counts_raised: The number that was added to token counts in the answer; 0 for none.
        is_reference: Whether the answer is unchanged and serves as the reference for the others.
    """

    key: int
    request: ClientRequest
    limit: float
    counts_raised: int = 0
    is_reference: bool = False


class Worker:
    """The process of one client, which is killed after a hang; `start` starts it again.

    The constructor raises HarnessError if there is no such client.

    Attributes:
        name: The name of the client.
        generation: The number of starts. A new process has no references for unchanged answers.
        endpoints: The names of the endpoints that the client can call; None for all.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.generation = 0
        self._pipe: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoints: frozenset[str] | None = None
        self.start()

    def start(self) -> None:
        """Start the process unless it is running.

        Raises HarnessError if the client cannot be loaded.
        """
        if self._process is not None:
            return
        self._pipe, theirs = Pipe()
        with theirs:
            handle = theirs.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and our own module
                [sys.executable, "-P", "-m", "harness.faults.worker", str(handle), self.name],
                pass_fds=[handle],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_NO_PROXY},
            )
        self.generation += 1
        answer = self._receive(_START_TIMEOUT)
        if isinstance(answer, tuple):
            (self.endpoints,) = answer
            return
        self.end()
        problem = f"{self.name}: its process did not start"
        raise answer if isinstance(answer, HarnessError) else HarnessError(problem)

    def run(self, task: WorkerTask) -> Observation:
        """Run a task in the process, and return how the client reacted.

        The reaction is HANG if the process exceeds the task's time limit, and CRASH if the process
        ends. A process that exceeds the limit is killed.
        """
        answer = self._receive(task.limit, task)
        if isinstance(answer, Observation):
            return answer
        self.end()
        if answer is _ENDED:
            return Observation(Reaction.CRASH, "the process ended")
        return Observation(Reaction.HANG, f"no end within {task.limit:g} s")

    def _receive(self, timeout: float, *tasks: WorkerTask) -> object:
        """Send tasks to the process, and return its next message.

        Returns `_NO_ANSWER` if no message arrives within *timeout* seconds, `_ENDED` if the process
        has ended.
        """
        if self._pipe is None:
            return _ENDED
        try:
            for task in tasks:
                self._pipe.send(task)
            return self._pipe.recv() if self._pipe.poll(timeout) else _NO_ANSWER
        except (EOFError, OSError):
            return _ENDED

    def end(self) -> None:
        """Kill the process if it is running."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._pipe = self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()


# -------------------------------------------------------------------------- the other process


def main(handle: int, name: str) -> None:
    """Load the client, report its endpoints or an error, and run tasks until the pipe closes.

    Args:
        handle: The file descriptor of this process's end of the pipe.
        name: The name of the client.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    if is_function(name):
        sys.path.insert(0, os.getcwd())  # SDKs are only imported from where they are installed
    with Connection(handle) as pipe:
        try:
            client = load_client(name)
        except HarnessError as error:
            pipe.send(error)
            return
        pipe.send((client.endpoints,))
        _serve(pipe, client)


def _serve(pipe: Connection, client: Client) -> None:
    references: dict[int, object] = {}
    while True:
        try:
            task: WorkerTask = pipe.recv()
        except EOFError:
            return
        # If the other process is gone, the signal ends this one, whatever it is doing.
        signal.setitimer(signal.ITIMER_REAL, task.limit + _ORPHAN_TIMEOUT)
        observation = _observe(client, task, references)
        signal.setitimer(signal.ITIMER_REAL, 0)
        pipe.send(observation)


def _observe(client: Client, task: WorkerTask, references: dict[int, object]) -> Observation:
    if not task.is_reference:
        return observation_of(client, task.request, references[task.key], task.counts_raised)
    observation, value = observe_reference(client, task.request)
    if observation.reaction is Reaction.SAME:
        references.setdefault(task.key, value)
    if task.key in references and not equal(references[task.key], value):
        return Observation(Reaction.WRONG, "two answers to the same bytes differ")
    return observation


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
