"""`harness init`: a new project works at once, and an existing one keeps its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from conftest import OUR_PLUGIN

if TYPE_CHECKING:
    from conftest import Harness, Python

pytestmark = pytest.mark.slow


def test_a_new_project_records_and_replays(
    harness: Harness, python: Python, tmp_path: Path
) -> None:
    """What `init` advises works: record from the sandbox, replay, pytest."""
    done = harness("init", folder=tmp_path)
    assert done.code == 0, done.err
    assert "harness record --sandbox" in done.out
    for command in (("record", "--sandbox"), ("replay", "--report", "report")):
        done = harness(*command, folder=tmp_path)
        assert done.code == 0, (command, done.out, done.err)
    tested = python("-m", "pytest", "-q", folder=tmp_path, env=OUR_PLUGIN)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    workflow = yaml.safe_load((tmp_path / ".github/workflows/replay.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["replay"]["steps"]]
    assert "harness replay --report report" in steps
    assert "report/\n" in (tmp_path / ".gitignore").read_text()


def test_existing_files_are_left(harness: Harness, tmp_path: Path) -> None:
    """A scenario and the lines of .gitignore stay; a second call changes nothing."""
    (tmp_path / "scenarios").mkdir()
    own = tmp_path / "scenarios" / "hello.yaml"
    own.write_text("mine", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("build/\n.env", encoding="utf-8")
    assert harness("init", folder=tmp_path).code == 0
    assert own.read_text(encoding="utf-8") == "mine"
    ignored = (tmp_path / ".gitignore").read_text(encoding="utf-8")
    assert ignored.startswith("build/\n.env\n# recordings")
    assert ignored.count(".env\n") == 1
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    again = harness("init", ".", folder=tmp_path)
    assert again.out.count("left ") == 5
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
