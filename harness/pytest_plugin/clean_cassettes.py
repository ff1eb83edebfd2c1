"""The cassettes without findings, kept from one run of pytest to the next in pytest's cache.

A cassette is identified by a digest of all that its findings depend on: its content, the project's
settings, and the surroundings (`harness.config.surroundings`).
"""

from __future__ import annotations

import hashlib
import os
import time
from functools import cached_property
from typing import Any

import pytest

_NAME = "harness/clean-cassettes"
_DAY = 86_400
_KEPT = 30
"""Days for which an unused digest is kept."""


class CleanCassettes:
    """A plugin that remembers the cassettes whose exchanges, replayed in order, have no finding."""

    def __init__(self, config: pytest.Config) -> None:
        self._cache: Any = getattr(config, "cache", None)  # None with -p no:cacheprovider
        self._worker: dict[str, Any] | None = getattr(config, "workeroutput", None)
        self._today = int(time.time() // _DAY)
        self._used: dict[str, int] = {}
        """The day of the last use of each digest that this run has used."""
        self._settings: tuple[object, bytes] = (None, b"")

    def has(self, content: bytes) -> bool:
        """Return whether an earlier check of a cassette with these bytes had no finding.

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
        """Remember that a cassette with these bytes has no finding; ignore an empty *content*."""
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
        """Add the digests that *node*, a worker of pytest-xdist, passed to the main process."""
        self._used |= getattr(node, "workeroutput", {}).get(_NAME, {})

    @cached_property
    def _is_on(self) -> bool:
        from harness.config import surroundings

        return self._cache is not None and surroundings.may_keep()

    @cached_property
    def _known(self) -> dict[str, int]:
        found = self._cache.get(_NAME, {})
        return found if isinstance(found, dict) else {}

    def _key(self, content: bytes) -> str:
        from harness.config import surroundings
        from harness.config.settings import load_settings

        settings = load_settings(os.getcwd())
        if settings is not self._settings[0]:
            text = settings.file.read_bytes() if settings.file else b""
            self._settings = settings, hashlib.sha256(surroundings.digest() + text).digest()
        return hashlib.blake2b(content, digest_size=16, key=self._settings[1]).hexdigest()


CLEAN_CASSETTES = pytest.StashKey[CleanCassettes]()
