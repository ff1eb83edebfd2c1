"""The list of all tests with their cassettes, `--list-cassettes`, for `harness prune`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.pytest_plugin.cassettes import cassette_path, has_cassette, name_of
from harness.pytest_plugin.scenarios import ScenarioItem


class CassetteListing:
    """A plugin that writes a JSON file with the file, name and cassette of each collected test.

    Tests that are deselected, by `-m` or `-k` in a project's settings, are listed as well.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Store all tests before any is deselected."""
        self._items.update((item.nodeid, item) for item in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the list when collection has ended, since marks may be added until then."""
        self._items.update((item.nodeid, item) for item in session.items)
        entries = [_entry(item) for item in self._items.values()]
        self._file.write_text(json.dumps(entries), encoding="utf-8")


def _entry(item: pytest.Item) -> dict[str, str | None]:
    cassette = cassette_of(item)
    return {
        "file": str(item.path),
        "test": name_of(item),
        "cassette": str(cassette) if cassette else None,
    }


def cassette_of(item: pytest.Item) -> Path | None:
    """Return the path of a test's cassette, which may not exist yet; None if the test has none."""
    if isinstance(item, ScenarioItem):
        return item.cassette
    return cassette_path(item) if has_cassette(item) else None
