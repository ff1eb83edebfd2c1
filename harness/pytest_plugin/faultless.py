"""The cassettes without findings, kept from one run of pytest to the next in pytest's cache.

A cassette is known by a digest of all that its findings depend on: its content, the project's
settings, the files of the harness, and the versions of Python and of what is installed beside it.
With a plug-in for rules or providers, whose code may depend on more, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from functools import cache, cached_property
from typing import Any

import pytest

import harness

_NAME = "harness/faultless"
_DAY = 86_400
_KEPT = 30
"""Days for which an unused digest is kept."""
_PLUGINS = ("harness.providers", "harness.rules")


class Faultless:
    """A plugin that remembers the cassettes whose exchanges, replayed in order, have no finding."""

    def __init__(self, config: pytest.Config) -> None:
        self._cache: Any = getattr(config, "cache", None)  # None with -p no:cacheprovider
        self._worker: dict[str, Any] | None = getattr(config, "workeroutput", None)
        self._today = int(time.time() // _DAY)
        self._used: dict[str, int] = {}
        """The day of the last use of each digest that this run has used."""
        self._settings: tuple[object, bytes] = (None, b"")

    def has(self, content: bytes) -> bool:
        """Return whether a cassette with this content is known to have no finding.

        Return False for an empty content.
        """
        if not content or not self._is_on:
            return False
        key = self._key(content)
        if key not in self._known:
            return False
        self._used[key] = self._today
        return True

    def add(self, content: bytes) -> None:
        """Remember that a cassette with this content has no finding; do nothing if it is empty."""
        if content and self._is_on:
            self._used[self._key(content)] = self._today

    def pytest_sessionfinish(self) -> None:
        """Write the digests of this run's cassettes to pytest's cache.

        A worker of pytest-xdist passes them to the main process instead.
        """
        if self._worker is not None:
            self._worker[_NAME] = self._used
        elif any(self._known.get(key) != day for key, day in self._used.items()):
            oldest = self._today - _KEPT
            kept = {key: day for key, day in self._known.items() if day >= oldest}
            self._cache.set(_NAME, {**kept, **self._used})

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the digests that a worker of pytest-xdist passes to the main process."""
        self._used |= getattr(node, "workeroutput", {}).get(_NAME, {})

    @cached_property
    def _is_on(self) -> bool:
        from harness.config import plugins

        return self._cache is not None and not plugins.are_installed(*_PLUGINS)

    @cached_property
    def _known(self) -> dict[str, int]:
        found = self._cache.get(_NAME, {})
        return found if isinstance(found, dict) else {}

    def _key(self, content: bytes) -> str:
        from harness.config.settings import load_settings

        settings = load_settings(os.getcwd())
        if settings is not self._settings[0]:
            text = settings.file.read_bytes() if settings.file else b""
            self._settings = settings, hashlib.sha256(_surroundings() + text).digest()
        return hashlib.blake2b(content, digest_size=16, key=self._settings[1]).hexdigest()


FAULTLESS = pytest.StashKey[Faultless]()


@cache
def _surroundings() -> bytes:
    """Return a digest of what the findings of every cassette depend on."""
    stamps = [str(os.stat(path or ".").st_mtime_ns) for path in filter(_has_packages, sys.path)]
    return hashlib.sha256("\n".join([sys.version, *stamps, *_files()]).encode()).digest()


def _has_packages(folder: str) -> bool:
    """Return whether packages are installed in *folder*: each has a folder with its metadata."""
    try:
        return any(name.endswith((".dist-info", ".egg-info")) for name in os.listdir(folder or "."))
    except OSError:  # it is no folder, or there is none
        return False


def _files() -> Iterator[str]:
    """Yield the path, the size and the time of each file of the harness that findings depend on."""
    for folder, folders, names in os.walk(harness.__path__[0]):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith((".py", ".toml", ".json")):
                path = os.path.join(folder, name)
                status = os.stat(path)
                yield f"{path} {status.st_size} {status.st_mtime_ns}"
