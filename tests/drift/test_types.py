"""The order of the changes between recordings, and the exit code of a comparison."""

from __future__ import annotations

import pytest

from harness.analysis.difference import ChangeKind, Verdict
from harness.drift.types import Drift, DriftChange, DriftRun, most_severe_first
from harness.types import Problem

BREAKING, WORDING = (
    DriftChange(kind=ChangeKind.RETYPED, path="/a", verdict=verdict)
    for verdict in (Verdict.BREAKING, Verdict.WORDING)
)
PROBLEM = Problem("hi", "zhipuai/glm-4", "the file is missing")


def test_the_most_severe_change_comes_first() -> None:
    """A break of the format before other words."""
    assert most_severe_first([WORDING, BREAKING]) == (BREAKING, WORDING)


@pytest.mark.parametrize(
    ("change", "problems", "code"),
    [(WORDING, (), 0), (BREAKING, (PROBLEM,), 1), (WORDING, (PROBLEM,), 2)],
    ids=["ok", "drift", "problem"],
)
def test_the_exit_code(change: DriftChange, problems: tuple[Problem, ...], code: int) -> None:
    """Drift counts for more than a recording that could not be compared."""
    drift = Drift("hi", "zhipuai/glm-4", "a", "b", (change,))
    assert DriftRun((drift,), problems=problems).exit_code == code
