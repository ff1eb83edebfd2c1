"""One function for many items in several processes, with the results in the order of the items."""

from __future__ import annotations

import copyreg
import multiprocessing
import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from harness.errors import HarnessError

T = TypeVar("T")
R = TypeVar("R")

_LEAST = 4
"""The number of items for which a process is worth its start."""
_AHEAD = 4
"""The largest number of items per process that are given out before their results are taken."""


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(do: Callable[[T], R], items: Sequence[T], jobs: int) -> Iterator[R]:
    """Yield `do(item)` of each item, in the order of *items*, whatever the number of processes.

    Few results are held at a time, so that the memory does not grow with the number of items. The
    first item is done in this process, so that all others are forked with what it imported. The
    warnings of other processes are given in this one.

    Args:
        do: The function; outside of Linux it has to be one that can be pickled.
        items: The items.
        jobs: The largest number of processes; with 1, or few items, there is only this one.

    Raises:
        HarnessError: A process was ended from outside, for example since the memory was full.
    """
    yield from map(do, items[:1])
    number = min(jobs, len(items) // _LEAST)
    yield from _in_processes(do, items[1:], number) if number > 1 else map(do, items[1:])


def _in_processes(do: Callable[[T], R], items: Sequence[T], number: int) -> Iterator[R]:
    others = {*multiprocessing.active_children()}
    method = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    executor = ProcessPoolExecutor(number, method, _begin, (do,))
    pending: deque[Future[tuple[R, list[_Warning]]]] = deque()
    todo = iter(items)
    is_complete = False
    try:
        while True:
            _submit(executor, islice(todo, number * _AHEAD - len(pending)), pending)
            if not pending:
                break
            result, caught = pending.popleft().result()
            for text, category in caught:
                warnings.warn(text, category, stacklevel=2)
            yield result
        is_complete = True
    except BrokenProcessPool:
        text = "a process was ended from outside; the memory may be full: try --jobs 1"
        raise HarnessError(text) from None
    finally:
        executor.shutdown(wait=is_complete, cancel_futures=True)
        if not is_complete:
            for child in {*multiprocessing.active_children()} - others:
                child.terminate()
                child.join()


_Warning = tuple[str, type[Warning]]


def _submit(
    executor: ProcessPoolExecutor, items: Iterator[Any], pending: deque[Future[Any]]
) -> None:
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads. The only ones here show the progress.
        warnings.simplefilter("ignore", DeprecationWarning)
        pending.extend(executor.submit(_run, item) for item in items)


class _Process:
    """The function of a process that was started for it."""

    do: Callable[[Any], Any]


def _begin(do: Callable[[Any], Any]) -> None:
    """Prepare a process, which leaves interrupts from the keyboard to its parent."""
    _Process.do = staticmethod(do)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(item: Any) -> tuple[Any, list[_Warning]]:
    """Return the result for one item, and the warnings that were given."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = _Process.do(item)
    return result, [(str(warning.message), warning.category) for warning in caught]


def _read_only(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(mapping)


# Results have read-only mappings, which pickle does not know.
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
