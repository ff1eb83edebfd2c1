"""The application of a function to many items in several processes, with results in item order."""

from __future__ import annotations

import copyreg
import gc
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from harness.errors import HarnessError

T = TypeVar("T")
R = TypeVar("R")

Workers: TypeAlias = int | str
"""The largest number of processes, or the address of a Dask scheduler."""

_LEAST = 4
"""The number of items for which a process is worth its start."""
_AHEAD = 4
"""The largest number of parts per process that are given out before their results are taken."""
_AT_ONCE = 4
"""The largest number of items in a part for a process of this machine: to hand over a part takes
as long as a tenth of the check of a small cassette."""
_COLLECTED = 50_000
"""The number of new objects from which on a process searches for unused ones among them."""
_MOST_AT_ONCE = 64
"""The largest number of items that a Dask worker gets at once.

With 16, the client needs three times as long for each item.
"""


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(do: Callable[[T], R], items: Sequence[T], workers: Workers) -> Generator[R]:
    """Yield `do(item)` of each item, in the order of *items*, whatever the number of processes.

    Few results are held at a time, so that the memory does not grow with the number of items. The
    first item is done in this process, so that all others are forked with what it imported. The
    warnings of other processes are given in this one.

    Args:
        do: The function. It must be possible to pickle it, except on Linux without Dask.
        items: The items.
        workers: The largest number of processes, or the address of a Dask scheduler. With 1, or few
            items, all are done in this process.

    Raises:
        HarnessError: A process was ended from outside, for example since the memory was full, or
            the scheduler cannot be used.
    """
    if isinstance(workers, str):
        yield from _on_cluster(do, items, workers)
        return
    yield from map(do, items[:1])
    number = min(workers, len(items) // _LEAST)
    if number > 1:
        yield from _in_processes(do, items[1:], number)
        return
    with rare_collections():
        yield from map(do, items[1:])


def _on_cluster(do: Callable[[T], R], items: Sequence[T], address: str) -> Iterator[R]:
    from harness.cassette.cluster import ClusterTask, cluster

    with cluster(address) as (executor, number, result):
        parts = _parts(items, number, _MOST_AT_ONCE)
        for results in _results(executor, ClusterTask(do), parts, number * _AHEAD, result):
            yield from results


def _parts(items: Sequence[T], workers: int, largest: int) -> Iterator[Sequence[T]]:
    """Yield all *items* in parts of at most *largest*, of few items if there are few."""
    size = max(1, min(largest, len(items) // (workers * _AHEAD)))
    return (items[start : start + size] for start in range(0, len(items), size))


def _in_processes(do: Callable[[T], R], items: Sequence[T], number: int) -> Iterator[R]:
    others = {*multiprocessing.active_children()}
    method = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    executor = ProcessPoolExecutor(number, method, _begin, (do,))
    is_complete = False
    try:
        parts = _parts(items, number, _AT_ONCE)
        for results in _results(executor, _run, parts, number * _AHEAD, Future.result):
            yield from results
        is_complete = True
    except BrokenProcessPool:
        text = "a process was ended from outside; the memory may be full: try --jobs 1"
        raise HarnessError(text) from None
    finally:
        if not is_complete:
            for child in {*multiprocessing.active_children()} - others:
                child.terminate()
        # The executor's own thread waits for its processes; only one of two that wait would hear
        # of their end.
        executor.shutdown(cancel_futures=True)


Caught = tuple[R, list[tuple[str, type[Warning]]]]
"""A result, and the warnings that were given."""


def _results(
    executor: Executor,
    run: Callable[[T], Caught[R]],
    items: Iterable[T],
    ahead: int,
    result_of: Callable[[Future[Caught[R]]], Caught[R]],
) -> Iterator[R]:
    """Yield the result of each item in order, with at most *ahead* of them given out.

    *result_of* waits for the result of a future of *executor*.
    """
    pending: deque[Future[Caught[R]]] = deque()
    todo = iter(items)
    while True:
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads. The only ones here show the progress.
            warnings.simplefilter("ignore", DeprecationWarning)
            few = islice(todo, ahead - len(pending))
            pending.extend(executor.submit(run, item) for item in few)
        if not pending:
            return
        result, given = result_of(pending.popleft())
        for text, category in given:
            warnings.warn(text, category, stacklevel=2)
        yield result


class _Process:
    """The function of a process that was started for it."""

    do: Callable[[Any], Any]


@contextmanager
def rare_collections() -> Iterator[None]:
    """Have this process search for unused objects less often.

    It is for work on many cassettes: their objects are in use till their cassette is done, and are
    then freed without a search. With Python's own threshold of 700 new objects the searches take a
    twelfth of a check.
    """
    before = gc.get_threshold()
    gc.set_threshold(_COLLECTED, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _begin(do: Callable[[Any], Any]) -> None:
    """Prepare a process, which leaves interrupts from the keyboard to its parent."""
    gc.freeze()  # else collections would copy what is shared with the parent
    gc.set_threshold(_COLLECTED, *gc.get_threshold()[1:])  # as `rare_collections`, to the end
    _Process.do = staticmethod(do)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has ended, even if that was killed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _run(items: Sequence[Any]) -> Caught[list[Any]]:
    return caught(lambda: [*map(_Process.do, items)])


def caught(do: Callable[[], R]) -> Caught[R]:
    """Call *do*; return its result, and (text, category) of each warning that it gave."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        result = do()
    return result, [(str(warning.message), warning.category) for warning in given]


def _read_only(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(mapping)


# Results have read-only mappings, which pickle does not know.
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
