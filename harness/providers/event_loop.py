"""An event loop for the asynchronous clients of SDKs, which a session asks one call at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Self, TypeVar

T = TypeVar("T")


class EventLoop:
    """An event loop in a thread of its own, since the caller's thread may have a running one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "harness-event-loop")
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of *coroutine*, which runs in a copy of the caller's context."""
        context = copy_context()

        def work() -> T:
            return self._runner.run(coroutine, context=context)

        return self._thread.submit(copy_context().run, work).result()
