"""A folder as a user has it: scenarios, and cassettes recorded from the sandbox."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import work
from harness.environment import Environment
from harness.sandbox import Options
from harness.shipped import scenarios
from harness.store import Store

NAMES = ("refusals", "single-turn-messages", "single-turn-prompt", "slogan")


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four of the shipped scenarios, recorded; nobody changes this folder."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "scenarios").mkdir()
    for name in NAMES:
        shutil.copy(scenarios() / f"{name}.yaml", folder / "scenarios")
    todo = work.jobs(work.load_scenarios([], folder / "scenarios"), [])
    with work.sandboxed(Options(port=0), Environment({})) as source:
        problems = work.record_all(todo, source, Store(folder / "cassettes"), lambda _: None)
    assert problems == ()
    return folder


@pytest.fixture
def folder(recorded_once: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return shutil.copytree(recorded_once, tmp_path / "work")
