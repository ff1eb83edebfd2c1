"""`harness init`: a new project works at once, and an existing one keeps its files."""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from conftest import OUR_PLUGIN

from harness.cli import init as init_command
from harness.cli.init import LOCAL

if TYPE_CHECKING:
    from conftest import Harness, Python


@pytest.mark.slow
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
    assert "report/\nbuild/\n" in (tmp_path / ".gitignore").read_text()


@pytest.mark.slow
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


PROJECT = "[project]\nname = 'a'\n"


@pytest.mark.parametrize(
    ("files", "steps"),
    [
        ({"requirements.txt": "llm-conversation-harness"}, ["pip install -r requirements.txt"]),
        (
            {
                "requirements-dev.txt": "x",
                "pyproject.toml": PROJECT
                + "optional-dependencies.dev = ['llm-conversation-harness[all]']",
            },
            ["pip install -r requirements-dev.txt", "pip install -e '.[dev]'"],
        ),
        (
            {"pyproject.toml": "[dependency-groups]\ntest = ['llm-conversation-harness']"},
            ["pip install --group test"],
        ),
        ({"pyproject.toml": "[project"}, ["pip install 'IT'"]),
        ({"pyproject.toml": PROJECT}, ["pip install -e '.'", "pip install 'IT'"]),
    ],
)
def test_ci_installs_what_the_project_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], steps: list[str]
) -> None:
    """The harness is added where no file of the project names it."""
    monkeypatch.setattr(init_command, "_this_harness", lambda installed: ("IT", False))
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    note = LOCAL if "pip install 'IT'" in steps else ""
    assert init_command.install_steps(tmp_path) == (steps, note)


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "==1.2"),
        ({"url": "https://x.org/a.whl"}, " @ https://x.org/a.whl"),
        (
            {"url": "https://x.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            " @ git+https://x.org/a.git@abc",
        ),
        ({"url": "file:///a", "remote": "git@x.org:me/a.git"}, " @ git+https://x.org/me/a.git@abc"),
        ({"url": "file:///a", "remote": "https://u:p@x.org/a"}, " @ git+https://x.org/a@abc"),
        ({"url": "file:///a", "remote": "ssh://git@x.org:22/a"}, " @ git+https://x.org/a@abc"),
        ({"url": "file:///a", "remote": "/srv/a.git"}, ""),
        ({"url": "file:///a", "remote": ""}, ""),
    ],
)
def test_ci_gets_the_harness_from_where_this_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: dict[str, str], requirement: str
) -> None:
    """By the note of pip about its origin; of a checkout, by its remote, without a password."""
    (tmp_path / "METADATA").write_text("Name: llm-conversation-harness\nVersion: 1.2\n")
    if origin:
        (tmp_path / "direct_url.json").write_text(json.dumps(origin))
    git = {"remote": (origin or {}).get("remote", ""), "rev-parse": "abc"}
    monkeypatch.setattr(init_command, "git_output", lambda folder, name, *more: git[name])
    found = init_command._this_harness(Distribution.at(tmp_path))
    assert found == (f"llm-conversation-harness[all]{requirement}", bool(requirement))
