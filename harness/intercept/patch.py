"""The patches of the process, installed while any block is open, or kept for the next ones.

Each library is patched by the module of this package that has its name. No library is imported
for this: one that is imported already is patched at once, any other when the program imports it.
"""

from __future__ import annotations

import http.client
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from operator import is_
from types import ModuleType
from typing import Any, NamedTuple

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


@contextmanager
def kept_patches() -> Iterator[None]:
    """Leave the patches installed between the blocks that are opened in the `with` block."""
    keep_patches(True)
    try:
        yield
    finally:
        keep_patches(False)


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


class _Patched(NamedTuple):
    """One patched attribute.

    Attributes:
        owner: The module or class.
        name: The name of the attribute.
        own: The value that the owner itself had; `_INHERITED` if it had none.
        original: The value that was patched: `own`, or the inherited one.
        patch: The value that replaces it.
    """

    owner: Any
    name: str
    own: Any
    original: Any
    patch: Any


class _Patches:
    """The patched attributes of the process, with a count of the tapes in use."""

    def __init__(self) -> None:
        self._users = 0
        self._are_kept = False
        self._lock = threading.Lock()
        self._patched: list[_Patched] = []
        self._before: list[_Patched] = []
        """The patches that were removed last, which take long to make."""
        self._libraries: list[ModuleType] = []
        """The libraries that are patched, or were until the patches were removed."""
        self._made_for: list[object] = []
        """What `_before` was made for: the imported libraries, and names of clock functions."""
        self._imports = _AwaitedImports(_LIBRARIES, self._on_import)

    def acquire(self) -> None:
        """Count one more tape in use, and install the patches if it is the first."""
        with self._lock:
            if self._users or self._are_in_place():
                self._users += 1
                return
        self._imports.wait()  # before the lock, which `_on_import` takes at the end of an import
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
        loaded = self._imports.loaded()
        if len(loaded) < len(_LIBRARIES):
            sys.meta_path.insert(0, self._imports)
        clocks = list(clock.patches()) if self._is_supported("asyncio") else []
        made_for: list[object] = [sys.modules[name] for name in loaded]
        made_for += [part for owner, name, _ in clocks for part in (owner, name)]
        if self._fit_again(made_for) and not any(map(unsupported, loaded)):
            self._patched, self._before = self._before, []
            for owner, name, _, _, patch in self._patched:
                setattr(owner, name, patch)
            return
        self._made_for, self._libraries = made_for, []
        for change in (*network_guard.patches(), *threads.patches()):
            self._patch(*change)
        for change in (*http_client.patches(http.client), *clocks):
            self._patch(*change)
        for name in loaded:
            self._patch_library(name)

    def _fit_again(self, made_for: Sequence[object]) -> bool:
        """Return whether the patches that were removed last can be put back.

        They can if they were made for the same, and the attributes have the values that were
        patched.
        """
        if len(made_for) != len(self._made_for) or not all(map(is_, made_for, self._made_for)):
            return False
        for owner, name, own, original, _ in self._before:
            if owner.__dict__.get(name, _INHERITED) is not own:
                return False
            if own is _INHERITED and getattr(owner, name) is not original:
                return False
        return bool(self._before)

    def _remove_unused(self) -> None:
        if not self._users:
            network_guard.resolved_names.clear()
            if not self._are_kept:
                self._remove()

    def _are_in_place(self) -> bool:
        """Return whether patches are installed, and nothing has replaced them since."""
        for owner, name, _, _, patch in self._patched:
            if owner.__dict__.get(name) is not patch:
                return False
        return bool(self._patched)

    def _remove(self) -> None:
        self._imports.stop()
        if self._patched:
            for owner, name, own, _, _ in reversed(self._patched):
                if own is _INHERITED:
                    delattr(owner, name)
                else:
                    setattr(owner, name, own)
            self._before, self._patched = self._patched, []

    def _patch(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        own = vars(owner).get(name, _INHERITED)
        one = _Patched(owner, name, own, original, wrap(original))
        self._patched.append(one)
        setattr(owner, name, one.patch)

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


class _AwaitedImports(MetaPathFinder):
    """An import finder that calls `on_import` when one of the modules `names` has been imported."""

    def __init__(self, names: Iterable[str], on_import: Callable[[str], None]) -> None:
        self._names = tuple(names)
        self._on_import = on_import

    def loaded(self) -> list[str]:
        """Return the names of the modules whose import is complete."""
        return [name for name in self._names if _is_loaded(name)]

    def wait(self) -> None:
        """Wait until other threads have finished importing any of the modules."""
        for name in self._names:
            if name in sys.modules and not _is_loaded(name):
                with suppress(ImportError):
                    import_module(name)

    def stop(self) -> None:
        """Remove this finder from `sys.meta_path`; do nothing if it is not there."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Return the spec of an awaited module, whose loader calls `on_import` after the import.

        Return None for any other module.
        """
        if fullname not in self._names:
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = partial(self._execute, fullname, loader.exec_module)
        return spec

    def _execute(self, name: str, execute: Callable[[Any], None], module: Any) -> None:
        execute(module)
        self._on_import(name)


def _is_loaded(name: str) -> bool:
    """Return whether the import of a module is complete."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)


_INHERITED = object()
_patches = _Patches()
