"""What strangers look for: workflows, templates, changelog, addresses, and how tests are run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import __version__

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = {*re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def load(path: Path) -> Any:
    """A YAML file; `on` is a word there, not a truth value."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in document.items()}


def steps(workflow: Any) -> list[dict[str, Any]]:
    """The steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


# ------------------------------------------------------------------------------- workflows


def test_there_are_workflows() -> None:
    """One for every change, one by the calendar."""
    assert [path.stem for path in WORKFLOWS] == ["scheduled", "test"]
    on = {path.stem: {*load(path)["on"]} for path in WORKFLOWS}
    assert {"push", "pull_request"} <= on["test"]
    assert "schedule" in on["scheduled"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_what_exists(path: Path) -> None:
    """Targets of the Makefile and files; each job has a limit, and may only read."""
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest"
        assert 0 < job["timeout-minutes"] <= 60
        assert job["steps"]
    for step in steps(workflow):
        assert ("run" in step) != ("uses" in step)
        for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", "")):
            assert target in TARGETS
        if step.get("run", "").startswith("."):
            assert (ROOT / step["run"].split()[0]).stat().st_mode & 0o100


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_secret_where_forks_run(path: Path) -> None:
    """A change of a stranger never meets one; where one is used, it is one step of one job."""
    workflow = load(path)
    with_secrets = [step for step in steps(workflow) if "secrets." in str(step)]
    if {"push", "pull_request", "pull_request_target"} & {*workflow["on"]}:
        assert "secrets" not in path.read_text(encoding="utf-8")
    else:
        assert {*workflow["on"]} <= {"schedule", "workflow_dispatch"}
        assert len(with_secrets) == 1
        job = next(j for j in workflow["jobs"].values() if with_secrets[0] in j["steps"])
        assert job["if"].startswith("vars.")
        assert "--budget" in with_secrets[0]["run"]
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_every_supported_python_is_run() -> None:
    """What the classifiers claim, from the lowest version on."""
    (matrix,) = (
        job["strategy"]["matrix"]["python"]
        for path in WORKFLOWS
        for job in load(path)["jobs"].values()
        if "strategy" in job
    )
    prefix = "Programming Language :: Python :: "
    classifiers = PROJECT["project"]["classifiers"]
    claimed = [text.removeprefix(prefix) for text in classifiers if text.startswith(prefix)]
    assert matrix == claimed
    assert PROJECT["project"]["requires-python"] == f">={matrix[0]}"


# --------------------------------------------------------------------- templates and pages


def test_issue_templates_ask_for_what_is_needed() -> None:
    """Bug, false finding, feature; valid for GitHub, and each id once."""
    forms = [path for path in TEMPLATES if path.name != "config.yml"]
    assert [path.stem for path in forms] == ["bug", "false_finding", "feature"]
    for path in forms:
        form = load(path)
        assert {"name", "description", "body"} <= {*form}
        fields = [part for part in form["body"] if part["type"] != "markdown"]
        ids = [part["id"] for part in fields]
        assert len(ids) == len({*ids})
        assert all(part["attributes"]["label"] for part in fields)
        assert any(part.get("validations", {}).get("required") for part in fields)


def test_pre_commit_runs_what_make_lint_runs() -> None:
    """Each hook is a tool of .venv, so that both say the same."""
    (repo,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    entries = [hook["entry"] for hook in repo["hooks"]]
    assert repo["repo"] == "local"
    assert all(entry.startswith(".venv/bin/") for entry in entries)
    recipe = MAKEFILE.partition("\nstyle:")[2].partition("\n\n")[0]
    for tool in ("ruff check", "ruff format", "lint-imports"):
        assert f"$(BIN)/{tool}" in recipe
        assert any(tool in entry for entry in entries)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "docs/STABILITY.md"])
def test_pages_name_what_exists(name: str) -> None:
    """Links lead somewhere; targets are in the Makefile."""
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (page.parent / link).exists(), link
    assert {*re.findall(r"`make ([a-z-]+)`", text)} <= TARGETS


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    """Versions with a day, the newest first; under each only the known kinds, once."""
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    versions = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", name) for name in versions[1:])
    assert f"[{__version__}]" in versions[1] if versions[1:] else __version__
    for section in re.split(r"^## .*$", CHANGELOG, flags=re.MULTILINE)[1:]:
        found = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert {*found} <= kinds
        assert len(found) == len({*found})


def test_addresses_are_in_one_place() -> None:
    """None is made up; where they will be is `[project.urls]`."""
    assert "urls" in PROJECT["project"]
    for name in ("CONTRIBUTING.md", "SECURITY.md", "README.md", "README.zh-CN.md"):
        assert "github.com/" not in (ROOT / name).read_text(encoding="utf-8")


# ------------------------------------------------------------------------------- make test


@pytest.mark.slow
def test_what_was_skipped_is_said_last(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its number and how to have it run, after all other summaries."""
    pytester.makeconftest(
        "from skipped import pytest_terminal_summary\n__all__ = ['pytest_terminal_summary']\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    pytester.makepyfile(
        "import pytest\n\n\n"
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_page(n):\n"
        "    pytest.skip('no browser: install chromium')\n\n\n"
        "def test_other():\n    pytest.skip('not today')\n"
    )
    done = pytester.runpytest_subprocess("-ra")
    assert [line for line in done.outlines if line][-4:-1] == [
        line.center(80, "=") if line.startswith(" ") else line
        for line in (
            " skipped, and how to have it run ",
            "2 skipped: no browser: install chromium; to run: apt-get install chromium "
            "(.ci/run does so, where it may)",
            "1 skipped: not today",
        )
    ]


def test_a_change_lands_after_what_developers_run() -> None:
    """All tests, and then the coverage of the quick ones, which has a floor."""
    run = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert run.endswith("\nmake test\nexec make coverage\n")
    assert "--cov-fail-under=$(COVERAGE_FLOOR)" in MAKEFILE
