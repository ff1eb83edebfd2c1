"""The figures of benchmarks: medians, spread, no verdict on a noisy machine, and the baseline."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import OURS, Row, baseline, cell, comparable, document, standing, worse
from benchmarks.measuring import medians
from benchmarks.steps import Stepped, take_turns

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


def test_standing_beside_peers() -> None:
    """The row names the peers that take less, and what this tape does for it."""
    samples = {"floor": [1.0, 1.0], OURS: [2.0, 2.0], "vcrpy": [9.0, 9.0], "cassetter": [1.6, 1.6]}
    row = Row("a test", "s", samples, "floor", "it checks answers")
    assert standing(row) == "1.25 x cassetter: it checks answers"
    assert standing(replace(row, samples={**samples, "cassetter": [2.1, 2.1]})) == "ahead"
    assert standing(QUIET) == "-"


def test_medians_of_runs_that_follow_one_another() -> None:
    """One noisy run of three does not count; a rest of fewer does not either."""
    assert medians([[1.0, 9.0, 2.0, 5.0, 4.0, 0.0, 7.0]], 3) == [[2.0, 4.0]]


def test_processes_take_steps_in_turn() -> None:
    """A process waits between its steps, and ends when it gets no further turn."""
    program = (
        "import os, struct\n"
        "turns, reports = map(int, os.environ['HARNESS_BENCHMARK_PIPES'].split())\n"
        "while os.write(reports, struct.pack('d', 0.5)) and os.read(turns, 1): pass"
    )
    running = [Stepped(sys.executable, "-c", program, folder=Path.cwd()) for _ in range(2)]
    take_turns(running, 3)
    assert [one.steps for one in running] == [[0.5] * 4] * 2
    assert min(one.end() for one in running) > 0


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
