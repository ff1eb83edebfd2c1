"""The patches of threads: a thread uses the tape of the code that starts it, as a task does.

Python itself copies the context to a new task, but not to a new thread (except in
`asyncio.to_thread`). With these patches, a thread runs in a copy of the context in which it was
started. A job of a thread pool runs in a copy of the context in which it was submitted, because the
pool's threads may outlive a tape.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from harness.intercept.context import Patch, current_block


def patches() -> Iterator[Patch]:
    """Yield the patches of threads and thread pools."""
    yield threading.Thread, "start", _wrap_start
    yield ThreadPoolExecutor, "submit", _wrap_submit


def _wrap_start(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Wrap `Thread.start`: with a tape in use, threads run in a copy of the caller's context."""

    def start(self: threading.Thread) -> None:
        if current_block.get() is not None:
            self.run = partial(copy_context().run, self.run)  # type: ignore[method-assign]
        original(self)

    return start


def _wrap_submit(original: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    """Wrap `ThreadPoolExecutor.submit`, so that the job runs in a copy of its caller's context.

    `ThreadPoolExecutor.map` and `loop.run_in_executor` call `submit` as well.
    """

    def submit(
        self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **options: Any
    ) -> Future[Any]:
        in_context = partial(copy_context().run, function, *args, **options)
        return Context().run(original, self, in_context)  # a new thread gets an empty context

    return submit
