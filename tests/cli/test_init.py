"""`harness init`: a new project works at once, and an existing one keeps its files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in a folder."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_new_project_records_and_replays(tmp_path: Path) -> None:
    """What `init` advises works: record from the sandbox, replay, pytest."""
    done = run(tmp_path, "harness.cli", "init")
    assert done.returncode == 0, done.stderr
    assert "harness record --sandbox" in done.stdout
    for command in (
        ("harness.cli", "record", "--sandbox"),
        ("harness.cli", "replay", "--report", "report"),
        ("pytest", "-q"),
    ):
        done = run(tmp_path, *command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    workflow = yaml.safe_load((tmp_path / ".github/workflows/replay.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["replay"]["steps"]]
    assert "harness replay --report report" in steps
    assert "report/\n" in (tmp_path / ".gitignore").read_text()


def test_existing_files_are_left(tmp_path: Path) -> None:
    """A scenario and the lines of .gitignore stay; a second call changes nothing."""
    (tmp_path / "scenarios").mkdir()
    own = tmp_path / "scenarios" / "hello.yaml"
    own.write_text("mine", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("build/\n.env", encoding="utf-8")
    assert run(tmp_path, "harness.cli", "init").returncode == 0
    assert own.read_text(encoding="utf-8") == "mine"
    ignored = (tmp_path / ".gitignore").read_text(encoding="utf-8")
    assert ignored.startswith("build/\n.env\n# recordings")
    assert ignored.count(".env\n") == 1
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    again = run(tmp_path, "harness.cli", "init", ".")
    assert again.stdout.count("left ") == 5
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
