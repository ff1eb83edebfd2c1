"""The states of a task, in the order of its polls."""

from __future__ import annotations

import pytest

from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.rules.tasks import task_moves_forward
from harness.types import Exchange

from .dashscope_exchanges import FAILED, PENDING, RUNNING
from .making import foreign


@pytest.mark.parametrize(
    ("polls", "count"),
    [((PENDING, RUNNING, FAILED), 0), ((RUNNING, PENDING), 1), ((FAILED, RUNNING), 1)],
)
def test_a_task_that_goes_back_is_a_finding(polls: tuple[Exchange, ...], count: int) -> None:
    """To an earlier state, or from its end to any other."""
    findings = list(task_moves_forward(analyze(foreign(*polls), recognise)))
    assert len(findings) == count
