"""The states and the times of a task, in the order of its polls."""

from __future__ import annotations

import pytest

from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.rules.tasks import task_moves_forward, task_times_stay
from harness.types import Exchange

from .dashscope_exchanges import FAILED, PENDING, RUNNING
from .making import edited, foreign


@pytest.mark.parametrize(
    ("polls", "count"),
    [((PENDING, RUNNING, FAILED), 0), ((RUNNING, PENDING), 1), ((FAILED, RUNNING), 1)],
)
def test_a_task_that_goes_back_is_a_finding(polls: tuple[Exchange, ...], count: int) -> None:
    """To an earlier state, or from its end to any other."""
    findings = list(task_moves_forward(analyze(foreign(*polls), recognise)))
    assert len(findings) == count


@pytest.mark.parametrize(("hour", "count"), [("18", 1), ("19", 0), ("20", 1)])
def test_a_task_that_is_submitted_again_is_a_finding(hour: str, count: int) -> None:
    """Earlier or later than in the poll before."""
    other = edited(RUNNING, "2025-12-07 19:28:55.323", f"2025-12-07 {hour}:28:55.323")
    assert len(list(task_times_stay(analyze(foreign(RUNNING, other), recognise)))) == count
