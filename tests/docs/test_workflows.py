"""action.yml and the workflows of docs/: their shell steps do what they say, without the hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_readme import keyless, services

ROOT = Path(__file__).parent.parent.parent
BASH = shutil.which("bash")


def document(name: str) -> Any:
    """A workflow or an action."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def step(steps: list[Any], name: str) -> dict[str, Any]:
    """The step whose name begins so."""
    (found,) = (s for s in steps if s.get("name", "").startswith(name))
    return dict(found)


def run(script: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as the runner does: bash, which stops at the first error."""
    assert BASH is not None
    command = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(  # noqa: S603 - a step of our own workflow
        command, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one scenario and its cassettes, and a remote of its own."""
    folder = tmp_path / "checkout"
    (folder / "scenarios").mkdir(parents=True)
    shutil.copy(ROOT / "scenarios" / "slogan.yaml", folder / "scenarios")
    shutil.copytree(ROOT / "cassettes" / "slogan", folder / "cassettes" / "slogan")
    git = (
        "git init --quiet --bare ../remote && git init --quiet && git add . && "
        "git -c user.name=a -c user.email=a@b commit --quiet -m first && "
        "git remote add origin ../remote"
    )
    assert run(git, folder, keyless()).returncode == 0
    return folder


ACTION = document("action.yml")["runs"]["steps"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["harness replay --report", "harness check cassettes --report"])
def test_the_action_replays_and_shows_the_result(checkout: Path, command: str) -> None:
    """A failed replay fails the step; the summary is shown all the same."""
    env = {**keyless(), "COMMAND": command, "REPORT": "my report"}
    env["GITHUB_STEP_SUMMARY"] = str(checkout / "summary.md")
    assert run(step(ACTION, "Replay")["run"], checkout, env).returncode == 0
    assert run(step(ACTION, "Show")["run"], checkout, env).returncode == 0
    assert "slogan" in (checkout / "summary.md").read_text(encoding="utf-8")
    for path in (checkout / "cassettes" / "slogan").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"total_tokens":', '"total_token":'), encoding="utf-8")
    assert run(step(ACTION, "Replay")["run"], checkout, env).returncode == 1
    assert run(step(ACTION, "Show")["run"], checkout, env).returncode == 0
    assert "total_token" in (checkout / "summary.md").read_text(encoding="utf-8")


def test_the_action_needs_no_key_and_puts_no_input_into_a_script() -> None:
    """Inputs reach the shell as variables: a branch's name cannot become a command."""
    assert "secrets" not in (ROOT / "action.yml").read_text(encoding="utf-8")
    for one in ACTION:
        assert "${{" not in one.get("run", "")
        assert "uses" in one or one["shell"] == "bash"
    assert [one["if"] for one in ACTION if "if" in one] == ["always()", "always()"]


RECORD = document("docs/record.yml")
RECORDS, COMMITS = (RECORD["jobs"][name] for name in ("record", "commit"))


def test_recording_has_two_halves() -> None:
    """One has keys and cannot write; one can write, without a key. No pull request starts it."""
    assert [*RECORD[True]] == ["workflow_dispatch"]  # YAML 1.1 reads `on` as true
    assert RECORD["permissions"] == {"contents": "read"}
    assert "permissions" not in RECORDS
    assert RECORDS["environment"] == "recording"
    assert RECORDS["steps"][0]["with"]["persist-credentials"] is False
    assert COMMITS["permissions"] == {"contents": "write"}
    assert "secrets." not in str(COMMITS)
    assert "pull-request" not in str(COMMITS)
    for one in (*RECORDS["steps"], *COMMITS["steps"]):
        assert "${{" not in one.get("run", "")


@pytest.mark.slow
def test_what_was_recorded_gets_a_branch(checkout: Path, tmp_path: Path) -> None:
    """A new scenario is recorded, and only cassettes are pushed."""
    shutil.copy(ROOT / "scenarios" / "refusals.yaml", checkout / "scenarios")
    with services() as env:
        done = run(step(RECORDS["steps"], "Record")["run"], checkout, env)
    assert done.returncode == 0, done.stderr
    recorded = shutil.copytree(checkout / "cassettes", tmp_path / "recorded")
    shutil.rmtree(checkout / "cassettes" / "refusals")
    env = {**keyless(), "RECORDED": str(recorded), "BRANCH": "recordings/7"}
    env["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    for name in ("Take", "Push"):
        done = run(step(COMMITS["steps"], name)["run"], checkout, env)
        assert done.returncode == 0, done.stdout + done.stderr
    pushed = run("git -C ../remote ls-tree -r --name-only recordings/7", checkout, env).stdout
    assert "cassettes/refusals/" in pushed
    assert "recordings/7" in (tmp_path / "summary.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["conftest.py", "link.yaml", "secret.yaml"])
def test_anything_else_is_refused(checkout: Path, tmp_path: Path, odd: str) -> None:
    """Code, a link, a secret: nothing is copied."""
    recorded = shutil.copytree(checkout / "cassettes", tmp_path / "recorded")
    if odd == "link.yaml":
        (recorded / odd).symlink_to("/etc/hostname")
    elif odd == "secret.yaml":
        text = next(recorded.glob("slogan/*.yaml")).read_text(encoding="utf-8")
        key = "sk-" + "a1b2c3d4" * 6
        (recorded / odd).write_text(text.replace("Bearer REDACTED", f"Bearer {key}"), "utf-8")
    else:
        (recorded / odd).write_text("", encoding="utf-8")
    env = {**keyless(), "RECORDED": str(recorded)}
    done = run(step(COMMITS["steps"], "Take")["run"], checkout, env)
    assert done.returncode == 1, done.stdout
    assert not (checkout / "cassettes" / odd).exists()


@pytest.mark.slow
def test_the_replay_workflow_and_that_of_gitlab_run(checkout: Path) -> None:
    """Every step but the installation, without keys."""
    env = {**keyless(), "GITHUB_STEP_SUMMARY": str(checkout / "summary.md")}
    github = [
        s["run"] for s in document("docs/replay.yml")["jobs"]["replay"]["steps"] if "run" in s
    ]
    gitlab = document("docs/gitlab-ci.yml")["replay"]["script"]
    lines = (line.replace(" --no-network", "") for line in (*github, *gitlab))
    scripts = [line for line in dict.fromkeys(lines) if not line.startswith("pip ")]
    (checkout / "test_own.py").write_text("def test_own():\n    pass\n", encoding="utf-8")
    for script in scripts:
        done = run(script, checkout, env)
        assert done.returncode == 0, (script, done.stdout, done.stderr)
    assert (checkout / "junit.xml").is_file()
    assert (checkout / "summary.md").is_file()


@pytest.mark.parametrize("open_issue", ["", "12"])
def test_drift_opens_one_issue(tmp_path: Path, open_issue: str) -> None:
    """With the summary; what is open gets a comment instead."""
    (tmp_path / "drift" / "report").mkdir(parents=True)
    (tmp_path / "drift" / "report" / "summary.md").write_text("breaking: 1", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    gh = tmp_path / "bin" / "gh"
    gh.write_text(
        f'#!{BASH}\nif [ "$2" = list ]; then echo "{open_issue}"; else echo "$@"; fi\n', "utf-8"
    )
    gh.chmod(0o755)
    steps = document("docs/drift.yml")["jobs"]["issue"]["steps"]
    env = {"PATH": f"{gh.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = run(step(steps, "Open")["run"], tmp_path, env)
    expected = "issue comment 12" if open_issue else "issue create --title LLM services drifted"
    assert done.stdout == f"{expected} --body-file body.md\n"
    assert (tmp_path / "body.md").read_text(encoding="utf-8") == "breaking: 1"
