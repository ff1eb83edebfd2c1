"""The patches of multiprocessing, whose methods `spawn` and `forkserver` have no audit events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from harness.intercept.context import Patch
from harness.intercept.network_guard import count_child


def patches(library: ModuleType) -> Iterator[Patch]:
    """Yield the patches of *library*, `multiprocessing.util` or `multiprocessing.forkserver`."""
    if hasattr(library, "spawnv_passfds"):
        yield library, "spawnv_passfds", _wrap_spawn
    if hasattr(library, "ForkServer"):
        yield library.ForkServer, "connect_to_new_process", _wrap_new_process


def _wrap_spawn(original: Callable[..., int]) -> Callable[..., int]:
    def spawnv_passfds(path: Any, args: Any, passfds: Any) -> int:
        if not any(helper in str(args) for helper in ("resource_tracker", "forkserver")):
            count_child()
        return original(path, args, passfds)

    return spawnv_passfds


def _wrap_new_process(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `ForkServer.connect_to_new_process`, by which the server forks a child."""

    def connect_to_new_process(self: Any, *args: Any) -> Any:
        count_child()
        return original(self, *args)

    return connect_to_new_process
