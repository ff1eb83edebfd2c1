"""The application of a function to many items on the workers of a Dask scheduler."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

from harness.cassette.workers import Caught, caught
from harness.config.extras import extra
from harness.errors import HarnessError

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE = 10
"""Seconds in which a scheduler answers and has a worker, also after all workers have ended."""


class Cluster(NamedTuple):
    """The workers of a Dask scheduler.

    Attributes:
        executor: Gives tasks to them.
        threads: The number of their threads.
        result: Waits for the result of a task of the executor, and returns it.
    """

    executor: Executor
    threads: int
    result: Callable[[Future[Any]], Any]


@contextmanager
def cluster(address: str) -> Iterator[Cluster]:
    """Yield the workers of a Dask scheduler.

    *address* is the address of the scheduler, such as `tcp://10.0.0.1:8786`. If a worker ends,
    other workers run its jobs that are unfinished, or whose results were not fetched.

    Raises:
        HarnessError: No scheduler answers, it has no workers, or it ends; or a job was on several
            workers that ended.
    """
    with extra("dask"):
        from distributed import Client, KilledWorker
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError):
        raise HarnessError(f"{address}: no Dask scheduler answers at this address") from None

    def result(future: Future[Any]) -> Any:
        while True:
            try:
                return future.result(_PATIENCE)
            except TimeoutError:
                if future.done() or not client.nthreads():
                    raise

    with _quiet(), client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
            threads = sum(client.nthreads().values())
            yield Cluster(client.get_executor(pure=False), threads, result)
        except TimeoutError:
            raise HarnessError(f"{address}: this Dask scheduler has no workers") from None
        except KilledWorker:
            text = "several workers ended at the same files; their memory may be full"
            raise HarnessError(f"{address}: {text}") from None
        except CancelledError:
            raise HarnessError(f"{address}: the Dask scheduler ended or lost the work") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's client from logging the loss of a scheduler with a traceback: it is raised."""
    logger = logging.getLogger("distributed.client")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


class ClusterTask(Generic[T, R]):
    """A function that a Dask worker calls with each item of a list.

    It is called in a process of its own beside the worker, since a replay blocks the network for
    the whole process. The working directory of that process is the one in which the task was
    created, since settings are read from there and paths are relative to it.
    """

    def __init__(self, do: Callable[[T], R]) -> None:
        from cloudpickle import dumps

        self._order = _code(), os.getcwd(), dumps(do)

    def __call__(self, items: Sequence[T]) -> Caught[list[R]]:
        """Apply the function to each item; return the results, and the warnings that it gave."""
        result, error = _process.ask((*self._order, items))
        if error is not None:
            raise error
        return cast("Caught[list[R]]", result)


class _Process:
    """The process beside this worker, which does one task at a time and ends with the worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None

    def ask(self, order: Any) -> Any:
        """Return the result of a task; it is given to a new process once if the process ends.

        Raises:
            HarnessError: The process ended twice.
        """
        with self._lock:
            for _ in range(2):
                try:
                    return self._answer(order)
                except (EOFError, BrokenPipeError):
                    self._running = None
        raise HarnessError("a process of a worker ended twice; its memory may be full")

    def _answer(self, order: Any) -> Any:
        if self._running is None:
            command = [sys.executable, "-m", __name__]
            pipe = subprocess.PIPE
            self._running = subprocess.Popen(command, stdin=pipe, stdout=pipe)  # noqa: S603 - us
        sent, received = self._running.stdin, self._running.stdout
        assert sent is not None  # noqa: S101 - narrows a union
        assert received is not None  # noqa: S101 - narrows a union
        pickle.dump(order, sent)
        sent.flush()
        return pickle.load(received)  # noqa: S301 - of our own process


_process = _Process()


@cache
def _code() -> tuple[str, str]:
    """Return the harness's version and a digest of its files, the same on all machines."""
    from harness import __version__

    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(
        path for end in ("py", "toml", "json") for path in package.rglob(f"*.{end}")
    ):
        digest.update(f"{path.relative_to(package).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return __version__, digest.hexdigest()


def _do(code: tuple[str, str], folder: str, do: bytes, items: Sequence[Any]) -> Caught[list[Any]]:
    if _code() != code:
        theirs, ours = _code()[0], code[0]
        text = f"version {theirs} of the harness, not {ours}"
        if theirs == ours:
            text = f"other files of version {ours} of the harness"
        raise HarnessError(f"a worker has {text}; install the same on all machines")
    try:
        os.chdir(folder)
    except OSError as error:
        text = f"{folder}: a worker cannot use this folder: {error.strerror}"
        raise HarnessError(text) from None
    function = pickle.loads(do)  # noqa: S301 - whoever uses the scheduler may run any code
    return caught(lambda: [function(item) for item in items])


def _serve() -> None:
    """Run the tasks that standard input brings, and write their results, until the worker ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            order = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the worker
        except EOFError:
            return
        try:
            answer: Any = _do(*order), None
        except Exception as error:  # noqa: BLE001 - raised where the results are taken
            answer = None, error
        try:
            pickle.dump(answer, answers)
            answers.flush()
        except BrokenPipeError:  # the worker was killed; another one does the task
            os._exit(1)


if __name__ == "__main__":
    _serve()
