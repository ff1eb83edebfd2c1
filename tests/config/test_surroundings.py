"""Results are kept only while nothing that they depend on has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.config import surroundings


def test_packages_in_any_folder_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is installed in another folder than `site-packages` is noticed, a file not."""
    digest = surroundings.digest.__wrapped__
    (tmp_path / "jsonschema-4.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    before = digest()
    (tmp_path / "jsonschema-4.0.dist-info").rename(tmp_path / "jsonschema-4.1.dist-info")
    os.utime(tmp_path, (1, 1))
    assert digest() != before
    (tmp_path / "jsonschema-4.1.dist-info").rmdir()
    without = digest()
    (tmp_path / "test_one.py").touch()
    assert digest() == without
