"""Measure seconds and bytes: tools take turns, and the best of several rounds counts."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.clients import Ask, Client
from benchmarks.tools import Tool


def calls(tools: list[Tool], client: Client, path: Path, count: int, rounds: int) -> list[float]:
    """Return the seconds per call of each tool, over calls spread across a cassette.

    The first call (question 0) opens connections and the like and is not counted.
    """
    numbers = list(range(1, count + 1, max(1, count // 100)))
    random.Random(0).shuffle(numbers)  # noqa: S311 - so that a few of them stand for all
    best = [float("inf")] * len(tools)
    for _ in range(rounds):
        for i, tool in enumerate(tools):
            with tool.open(client, path) as ask:
                ask(0)
                gc.collect()
                best[i] = min(best[i], _per_call(ask, numbers))
    return best


MAX_SECONDS = 1.0
"""Seconds after which a round ends."""


def _per_call(ask: Ask, numbers: list[int]) -> float:
    done = 0
    began = perf_counter()
    for number in numbers:
        ask(number)
        done += 1
        if perf_counter() - began > MAX_SECONDS:
            break
    return (perf_counter() - began) / done


def actions(callables: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the seconds that each callable takes; short ones are repeated."""
    repetitions = [_repetitions(action) for action in callables]
    best = [float("inf")] * len(callables)
    for _ in range(rounds):
        for i, action in enumerate(callables):
            gc.collect()
            began = perf_counter()
            for _ in range(repetitions[i]):
                action()
            best[i] = min(best[i], (perf_counter() - began) / repetitions[i])
    return best


def once(action: Callable[[], object]) -> float:
    """Return the seconds of one run, for actions that are too long to repeat."""
    began = perf_counter()
    action()
    return perf_counter() - began


_MIN_SECONDS = 0.02


def _repetitions(action: Callable[[], object]) -> int:
    """Return how many repetitions take at least `_MIN_SECONDS`."""
    began = perf_counter()
    action()
    return max(1, int(_MIN_SECONDS / (perf_counter() - began)))


def opened_and_closed(tool: Tool, client: Client, path: Path) -> Callable[[], None]:
    """Return an action: open a cassette, make the SDK, call nothing, close."""

    def action() -> None:
        with tool.open(client, path):
            pass

    return action


def peak(tool: str, client: str, path: Path, count: int) -> float:
    """Return the peak memory, in bytes, of a process that makes `count` calls with a cassette."""
    process = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "benchmarks.peak_memory", tool, client, str(path), str(count)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(process.stdout))
