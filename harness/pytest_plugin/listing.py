"""Which cassette each test has, for `harness prune`: known once tests are collected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.pytest_plugin.cassettes import asks, name_of, path_of
from harness.pytest_plugin.scenarios import ScenarioItem


class Listing:
    """Writes what was collected: of each test its file, its name, and its cassette if it has one.

    Tests that are then left out, by `-m` or `-k` in a project's settings, count: they have theirs.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Every test there is, before any is left out."""
        self._found.update((item.nodeid, item) for item in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """With the marks that were put on them meanwhile."""
        self._found.update((item.nodeid, item) for item in session.items)
        told = [_told(item) for item in self._found.values()]
        self._file.write_text(json.dumps(told), encoding="utf-8")


def _told(item: pytest.Item) -> dict[str, str | None]:
    cassette = cassette_of(item)
    return {
        "file": str(item.path),
        "test": name_of(item),
        "cassette": str(cassette) if cassette else None,
    }


def cassette_of(item: pytest.Item) -> Path | None:
    """Where a test's cassette is, or would be; None if it has none."""
    if isinstance(item, ScenarioItem):
        return item.cassette
    return path_of(item) if asks(item) else None
