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


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package `thing_ai`, installed by the distribution `thing-sdk`."""
    information = tmp_path / "thing_sdk-1.0.dist-info"
    package = tmp_path / "thing_ai"
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "core.py").write_text("one = 1\n")
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: thing-sdk\nVersion: 1.0\n")
    listed = "thing_ai/inner/core.py,,\n../../bin/thing,,\nthing_sdk-1.0.dist-info/METADATA,,\n"
    (information / "RECORD").write_text(listed)
    monkeypatch.syspath_prepend(tmp_path)
    return package


def test_a_changed_file_changes_the_state(package: Path) -> None:
    """Of any folder of the package, also if the size stays the same."""
    before = surroundings.state_of(["thing-sdk"])
    assert before is not None
    assert before == surroundings.state_of(["thing-sdk"])
    os.utime(package / "inner" / "core.py", ns=(1, 1))
    assert surroundings.state_of(["thing-sdk"]) != before


def test_a_variable_of_the_sdk_changes_the_state(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that begins with the package's name; others do not."""
    before = surroundings.state_of(["thing-sdk"])
    monkeypatch.setenv("THING_SDK_BASE", "x")
    assert surroundings.state_of(["thing-sdk"]) == before
    monkeypatch.setenv("THING_AI_BASE", "x")
    assert surroundings.state_of(["thing-sdk"]) != before


def test_an_editable_installation_has_no_state(package: Path) -> None:
    """Its files are elsewhere; nobody knows when they change."""
    record = package.parent / "thing_sdk-1.0.dist-info" / "RECORD"
    record.write_text("__editable__.thing_sdk.pth,,\nthing_sdk-1.0.dist-info/METADATA,,\n")
    assert surroundings.state_of(["thing-sdk"]) is None


def test_an_sdk_that_is_not_installed_is_left_out() -> None:
    """It cannot take part."""
    assert surroundings.state_of(["no-such-thing-sdk"]) == []
