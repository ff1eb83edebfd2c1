"""What made a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.model import run_info

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "me/bot",
    "GITHUB_RUN_ID": "7",
    "GITHUB_SHA": "c0ffee",
}


@pytest.mark.parametrize(
    ("environment", "commit", "address"),
    [
        (GITHUB, "c0ffee", "https://github.example/me/bot/actions/runs/7"),
        (
            {"CI_JOB_URL": "https://lab.example/j/1", "CI_COMMIT_SHA": "abc"},
            "abc",
            "https://lab.example/j/1",
        ),
        ({"CI_JOB_URL": "javascript:alert(1)"}, "", ""),
        ({}, "", ""),
    ],
)
def test_a_run_is_known_by_its_environment(
    tmp_path: Path, environment: dict[str, str], commit: str, address: str
) -> None:
    """GitHub and GitLab are; an address that is not https is not linked."""
    made = run_info(environment, tmp_path)
    assert (made.commit, made.ci_run) == (commit, address)
    assert made.date.endswith(" UTC")
