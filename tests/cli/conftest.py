"""A folder as a user has it: scenarios, and cassettes recorded from the sandbox."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.cassette.store import Store
from harness.config.environment import Environment
from harness.runner import batch
from harness.sandbox import Options
from harness.scenario.files import shipped_folder

NAMES = ("refusals", "single-turn-messages", "single-turn-prompt", "slogan")


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four of the shipped scenarios, recorded; nobody changes this folder."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "scenarios").mkdir()
    for name in NAMES:
        shutil.copy(shipped_folder() / f"{name}.yaml", folder / "scenarios")
    todo = batch.jobs(batch.load_scenarios([], folder / "scenarios"), [])
    with batch.sandboxed(Options(port=0), Environment({})) as source:
        problems = batch.record_all(todo, source, Store(folder / "cassettes"), lambda _: None)
    assert problems == ()
    return folder


@pytest.fixture
def folder(recorded_once: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return shutil.copytree(recorded_once, tmp_path / "work")
