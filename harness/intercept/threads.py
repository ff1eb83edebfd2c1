"""The seam in threads: one that begins in a tape's context has that tape, as a task does.

Python hands a context on to tasks, and to threads only by `asyncio.to_thread`. Here a thread has
the context it was started in, and what a pool does that in which it was submitted: pools, and so
their threads, may outlive a tape. Threads that began before the tape have none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from harness.intercept.clock import Seam
from harness.intercept.context import current


def seams() -> Iterator[Seam]:
    """What to put in place."""
    yield threading.Thread, "start", _started
    yield ThreadPoolExecutor, "submit", _submitted


def _started(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """`Thread.start`, by which every thread of Python's begins."""

    def start(self: threading.Thread) -> None:
        if current.get() is not None:
            self.run = partial(copy_context().run, self.run)  # type: ignore[method-assign]
        original(self)

    return start


def _submitted(original: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    """`ThreadPoolExecutor.submit`; `map` and `loop.run_in_executor` call it too."""

    def submit(
        self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **options: Any
    ) -> Future[Any]:
        inside = partial(copy_context().run, function, *args, **options)
        return Context().run(original, self, inside)  # it may start a thread, which is nobody's

    return submit
