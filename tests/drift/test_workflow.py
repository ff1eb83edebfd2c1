"""docs/DRIFT.md and docs/drift.yml: what people copy works."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from drift.changed_recordings import ROOT

if TYPE_CHECKING:
    from conftest import Harness

WORKFLOW = (ROOT / "docs" / "drift.yml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "DRIFT.md").read_text(encoding="utf-8")
DOCUMENT: Any = yaml.safe_load(WORKFLOW)
STEPS = [step for job in DOCUMENT["jobs"].values() for step in job["steps"]]
RUN = [line for step in STEPS for line in step.get("run", "").splitlines()]
SHOWN = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
COMMANDS = [line for line in (*RUN, *SHOWN) if line.startswith("harness ")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with some of the shipped scenarios and cassettes."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "scenarios").mkdir()
    for name in ("slogan", "refusals", "streaming"):
        shutil.copy(ROOT / "scenarios" / f"{name}.yaml", folder / "scenarios")
        shutil.copytree(ROOT / "cassettes" / name, folder / "cassettes" / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_every_command_works(harness: Harness, checkout: Path, command: str) -> None:
    """With a sandbox in place of the live services."""
    words = shlex.split(command.replace("--live", "--sandbox"))
    done = harness(*words[1:], folder=checkout)
    assert (done.code, done.err) == (0, "")
    if "--report drift/report" in command:
        assert (checkout / "drift" / "report" / "summary.md").is_file()


def test_the_workflow_asks_within_a_budget_and_changes_nothing() -> None:
    """Keys reach the one step that needs them; the other job may open an issue, and no more."""
    assert DOCUMENT["permissions"] == {"contents": "read"}
    assert DOCUMENT["jobs"]["issue"]["permissions"] == {"issues": "write"}
    assert "secrets." not in str(DOCUMENT["jobs"]["issue"])
    assert "schedule" in DOCUMENT[True]  # YAML 1.1 reads `on` as true
    live = [step for step in STEPS if "--live" in step.get("run", "")]
    assert [step for step in STEPS if "secrets." in str(step)] == live
    assert len(live) == 1
    assert "--budget" in live[0]["run"]
    watch = [
        line for s in DOCUMENT["jobs"]["drift"]["steps"] for line in s.get("run", "").split("\n")
    ]
    assert "pip install 'llm-conversation-harness[all]'" in watch  # not the project of the copier
    assert [
        line for line in watch if line and not line.startswith(("harness ", "pip install"))
    ] == ['cat drift/report/summary.md >> "$GITHUB_STEP_SUMMARY"']
    uploaded = next(step for step in STEPS if "upload-artifact" in step.get("uses", ""))
    assert uploaded["if"] == "always()"
    written = re.findall(r"--(?:out|report) (\S+)", live[0]["run"])
    assert len(written) == 2
    assert all(path.startswith(uploaded["with"]["path"]) for path in written)
