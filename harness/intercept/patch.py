"""The patches of the process, installed while any block is open, or kept for the next ones.

Each library is patched by the module of this package that has its name. No library is imported
for this: one that is imported already is patched at once, any other when the program imports it.
"""

from __future__ import annotations

import http.client
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from harness.config.hosts import NO_HOSTS, AllowedHosts
from harness.errors import UnsupportedLibraryWarning
from harness.intercept import clock, http_client, network_guard, threads
from harness.intercept.context import Block, Tape, current_block, open_blocks, owner_here
from harness.intercept.versions import unsupported


@contextmanager
def use_tape(tape: Tape, hosts: AllowedHosts = NO_HOSTS) -> Iterator[Tape]:
    """Pass every HTTP request made in the `with` block to *tape*, except those to *hosts*.

    Yields:
        *tape*.
    """
    with use_block(Block(tape, hosts)):
        yield tape


@contextmanager
def use_block(block: Block) -> Iterator[Block]:
    """Intercept HTTP requests for *block* during the `with` block.

    The HTTP libraries are patched before it, and restored after the last open block ends, unless
    `keep_patches` keeps the patches. Several threads and tasks may use one block at a time.

    Yields:
        *block*.
    """
    network_guard.hook.install()
    _patches.acquire()
    owner = owner_here()
    block.owners.append(owner)
    open_blocks.append(block)
    token = current_block.set(block)
    try:
        yield block
    finally:
        current_block.reset(token)
        block.owners.remove(owner)
        open_blocks.remove(block)
        _patches.release()


def keep_patches(keep: bool) -> None:
    """Leave the patches installed after the last block if *keep* is true; otherwise remove them.

    They take longer to install than most blocks run. Without an open block they change nothing.
    """
    _patches.keep(keep)


_LIBRARIES: Mapping[str, str] = {
    "aiohttp.client": "harness.intercept.aiohttp",
    "httplib2": "harness.intercept.http_client",
    "httpx": "harness.intercept.httpx",
    "httpx2": "harness.intercept.httpx",
    "multiprocessing.forkserver": "harness.intercept.multiprocessing",
    "multiprocessing.util": "harness.intercept.multiprocessing",
    "requests.sessions": "harness.intercept.requests",
    "urllib3": "harness.intercept.urllib3",
    "uvloop": "harness.intercept.uvloop",
}
"""Maps the patched module of each library to the module of this package with its patches."""


class _Patches:
    """The patched attributes of the process, with a count of the tapes in use."""

    def __init__(self) -> None:
        self._users = 0
        self._are_kept = False
        self._lock = threading.Lock()
        self._patched: list[tuple[Any, str, Any, Any]] = []
        """The owner and the name of each attribute, its original, and what replaces it."""
        self._libraries: list[ModuleType] = []
        self._imports = [_AwaitedImport(name, self._on_import) for name in _LIBRARIES]

    def acquire(self) -> None:
        """Count one more tape in use, and install the patches if it is the first."""
        with self._lock:
            if self._users or self._are_in_place():
                self._users += 1
                return
        for awaited in self._imports:
            awaited.wait()  # before the lock, which `_on_import` takes at the end of an import
        with self._lock:
            self._users += 1
            if self._users == 1 and not self._are_in_place():
                self._remove()
                self._install()

    def release(self) -> None:
        """Count one tape less in use, and remove the patches if it was the last."""
        with self._lock:
            self._users -= 1
            self._remove_unused()

    def keep(self, keep: bool) -> None:
        """Set whether the patches stay when no tape is in use; remove them if they need not."""
        with self._lock:
            self._are_kept = keep
            self._remove_unused()

    def _install(self) -> None:
        for patch in (*network_guard.patches(), *threads.patches()):
            self._patch(*patch)
        for patch in http_client.patches(http.client):
            self._patch(*patch)
        if self._is_supported("asyncio"):
            for patch in clock.patches():
                self._patch(*patch)
        for awaited in self._imports:
            if awaited.is_loaded:
                self._patch_library(awaited.name)
            else:
                sys.meta_path.insert(0, awaited)

    def _remove_unused(self) -> None:
        if not self._users:
            network_guard.resolved_names.clear()
            if not self._are_kept:
                self._remove()

    def _are_in_place(self) -> bool:
        """Return whether patches are installed, and nothing has replaced them since."""
        for owner, name, _, patch in self._patched:
            if owner.__dict__.get(name) is not patch:
                return False
        return bool(self._patched)

    def _remove(self) -> None:
        for awaited in self._imports:
            awaited.stop()
        self._libraries.clear()
        while self._patched:
            owner, name, original, _ = self._patched.pop()
            if original is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    def _patch(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        original, patch = vars(owner).get(name, _INHERITED), wrap(getattr(owner, name))
        self._patched.append((owner, name, original, patch))
        setattr(owner, name, patch)

    def _patch_library(self, name: str) -> None:
        library = sys.modules[name]
        if library in self._libraries:  # httpx2 may be installed under the name of httpx as well
            return
        self._libraries.append(library)
        if self._is_supported(name):
            for patch in import_module(_LIBRARIES[name]).patches(library):
                self._patch(*patch)

    def _is_supported(self, name: str) -> bool:
        """Return whether the library *name* can be patched; warn if it cannot be."""
        reason = unsupported(name)
        if reason:
            warnings.warn(reason, UnsupportedLibraryWarning, stacklevel=3)
        return not reason

    def _on_import(self, name: str) -> None:
        with self._lock:
            if self._patched:
                self._patch_library(name)


class _AwaitedImport(MetaPathFinder):
    """An import finder that calls `on_import` when the module `name` has been imported."""

    def __init__(self, name: str, on_import: Callable[[str], None]) -> None:
        self.name = name
        self._on_import = on_import

    @property
    def is_loaded(self) -> bool:
        """Whether the import of the module is complete."""
        module = sys.modules.get(self.name)
        spec = getattr(module, "__spec__", None)
        return module is not None and not getattr(spec, "_initializing", False)

    def wait(self) -> None:
        """Wait until other threads have finished importing the module."""
        if self.name in sys.modules and not self.is_loaded:
            with suppress(ImportError):
                import_module(self.name)

    def stop(self) -> None:
        """Remove this finder from `sys.meta_path`; do nothing if it is not there."""
        with suppress(ValueError):
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Return the spec of the module `name`, whose loader calls `on_import` after the import.

        Return None for any other module.
        """
        if fullname != self.name:
            return None
        self.stop()
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = self._calling_back(loader.exec_module)
        return spec

    def _calling_back(self, execute: Callable[[Any], None]) -> Callable[[Any], None]:
        def exec_module(module: Any) -> None:
            execute(module)
            self._on_import(self.name)

        return exec_module


_INHERITED = object()
_patches = _Patches()
