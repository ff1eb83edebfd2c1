"""The origin of a report: the version of the harness, the day, the commit and the CI run."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA")
_GITHUB = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"
_GITLAB = "{CI_JOB_URL}"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The origin of a report. Texts that are not known are empty.

    Attributes:
        version: The version of the harness.
        date: The time in UTC, such as `2026-11-29 02:10:00 UTC`.
        commit: The commit of the project in the working folder.
        ci_run: The https address of the CI run.
    """

    version: str
    date: str
    commit: str = ""
    ci_run: str = ""


def run_info(environment: Mapping[str, str], folder: Path) -> RunInfo:
    """Return what makes a report now, from the variables of GitHub Actions or GitLab, and git."""
    commit = next((environment[name] for name in _COMMITS if environment.get(name)), "")
    return RunInfo(
        version=_version(),
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        commit=commit or _git_commit(folder),
        ci_run=_address(environment, _GITHUB) or _address(environment, _GITLAB),
    )


def _version() -> str:
    try:
        return version("llm-conversation-harness")
    except PackageNotFoundError:  # a source tree that is not installed
        return ""


def _address(environment: Mapping[str, str], form: str) -> str:
    try:
        address = form.format_map(environment)
    except KeyError:
        return ""
    return address if address.startswith("https://") else ""


def _git_commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)  # noqa: S603 - a fixed command
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
