"""The patches of multiprocessing, to count the child processes of `spawn` and `forkserver`.

Python raises no audit event (PEP 578), by which other child processes are counted, for these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from harness.intercept.context import Patch
from harness.intercept.network_guard import count_child


def patches(library: ModuleType) -> Iterator[Patch]:
    """Yield the patches by which child processes are counted when they start.

    *library* is `multiprocessing.util` or `multiprocessing.forkserver`.
    """
    for name, wrap in _WRAPPERS.items():
        if hasattr(library, name):
            yield library, name, wrap


def _wrap_spawn(original: Callable[..., int]) -> Callable[..., int]:
    def spawnv_passfds(path: Any, args: Any, passfds: Any) -> int:
        if not any(helper in str(args) for helper in ("resource_tracker", "forkserver")):
            count_child()
        return original(path, args, passfds)

    return spawnv_passfds


def _wrap_new_process(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the request to the server of `forkserver`, which forks a child."""

    def connect_to_new_process(fds: Any) -> Any:
        count_child()
        return original(fds)

    return connect_to_new_process


_WRAPPERS = {"spawnv_passfds": _wrap_spawn, "connect_to_new_process": _wrap_new_process}
