"""The figures of benchmarks: medians, spread, no verdict on a noisy machine, and the baseline."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.figures import OURS, Row, baseline, cell, comparable, document, worse
from benchmarks.measuring import processes, started

QUIET = Row("a call", "s", {"floor": [1.0, 2.0, 1.0], OURS: [1.2, 2.4, 1.3]}, "floor")
NOISY = Row("a call", "s", {"floor": [1.0, 1.0, 1.0], OURS: [1.0, 2.0, 4.0]}, "floor")


def test_ratios_are_those_of_each_run() -> None:
    """A machine that is slow for a while slows both."""
    assert QUIET.ratio(OURS) == 1.2
    assert cell(QUIET, OURS) == "1300.00 ms  1.20 x ±2%"
    assert cell(QUIET, "floor") == "1000.00 ms"
    assert cell(QUIET, "vcrpy") == "-"


def test_a_noisy_machine_gives_no_verdict() -> None:
    """Half of the runs differ by more than a fifth."""
    assert cell(NOISY, OURS) == "2000.00 ms  too noisy (±38%)"
    assert list(worse([NOISY], {"a call": {"ratio": 1.0, "spread": 0.0}})) == []


def test_differences_of_0_or_less_give_no_verdict() -> None:
    """What a tool adds to the floor is a difference of two runs, which noise can turn."""
    row = Row("over the floor", "s", {OURS: [-0.001, -0.002], "cassetter": [0.0, 0.003]}, OURS)
    assert cell(row, OURS) == "-1.50 ms  too noisy (a run of 0 or less)"
    assert cell(row, "cassetter") == "1.50 ms  too noisy (a run of 0 or less)"
    assert baseline([row]) == {}
    assert comparable([row, QUIET], {"over the floor": {}, "a call": {}}) == ["a call"]
    (shown,) = document([row])
    assert shown["tools"]["cassetter"]["spread"] is None  # type: ignore[index]  # JSON


def test_a_ratio_that_is_worse_than_the_baseline() -> None:
    """By more than its spread; of what was not measured before nothing is said."""
    known = baseline([QUIET])
    assert known == {"a call": {"ratio": 1.2, "spread": 0.042}}
    assert list(worse([QUIET], known)) == []
    slower = Row("a call", "s", {"floor": [1.0] * 3, OURS: [1.3, 1.3, 1.3]}, "floor")
    assert list(worse([slower], known)) == ["a call: 1.30 x, not 1.20 x as in the baseline"]
    assert list(worse([slower], {})) == []


def test_a_row_whose_base_is_this_tool() -> None:
    """Its ratio is that to the best other."""
    row = Row("load", "s", {OURS: [1.0, 1.0], "vcrpy": [4.0, 4.0], "cassetter": [2.0, 2.0]}, OURS)
    assert baseline([row]) == {"load": {"ratio": 0.5, "spread": 0.0}}


def test_a_tool_without_runs_says_why() -> None:
    """It took too long, or is not there."""
    row = Row("a call", "s", {"floor": [1.0]}, "floor", {"vcrpy": "timed out"})
    assert cell(row, "vcrpy") == "timed out"
    assert cell(row, "cassetter") == "-"


def test_a_process_that_takes_too_long_is_killed() -> None:
    """It has no runs."""
    sleeping = partial(started, sys.executable, "-c", "import time; time.sleep(600)")
    assert processes([sleeping], 2, limit=0.1) == [[]]


def test_as_json() -> None:
    """With every run."""
    (row,) = document([QUIET])
    assert row["tools"] == {
        "floor": {"median": 1.0, "ratio": 1.0, "spread": 0.0, "runs": [1.0, 2.0, 1.0]},
        OURS: {
            "median": 1.3,
            "ratio": 1.2,
            "spread": QUIET.spread(OURS),
            "runs": [1.2, 2.4, 1.3],
        },
    }
