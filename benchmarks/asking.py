"""Calls by one tool in a process of its own, a few in each step of `benchmarks.steps`."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time

from benchmarks.clients import CLIENTS, Ask, Client
from benchmarks.measuring import Runs
from benchmarks.steps import Stepped, Turns, take_turns
from benchmarks.tools import TOOLS, Tool

_CALLS, _SECONDS = 50, 0.04
"""A step is of so many calls, or ends after so many seconds."""
_UNCOUNTED = 5
"""The first calls of a step, which are not counted: other processes had the caches before."""


def calls(tools: Sequence[Tool], client: Client, path: Path, count: int, turns: int) -> Runs:
    """Return the seconds per call of each tool, for each of *turns* in which they ask in turn."""
    running = [
        Stepped(*_ASKING, tool.name, client.name, str(path), str(count), folder=path.parent)
        for tool in tools
    ]
    take_turns(running, turns)
    for one in running:
        one.end()
    return [one.steps[1:] for one in running]


_ASKING = (sys.executable, "-m", "benchmarks.asking")


def main(tool_name: str, client_name: str, path: str, count: str) -> None:
    """Ask the questions 1 to *count* in random order, then again with the cassette opened anew.

    Question 0 opens connections and the like, and is not counted. Each step is of one cassette.
    """
    (tool,) = (one for one in TOOLS if one.name == tool_name)
    (client,) = (one for one in CLIENTS if one.name == client_name)
    numbers, turns, seconds = list(range(1, int(count) + 1)), Turns(), 0.0
    random.Random(0).shuffle(numbers)  # noqa: S311 - so that a few of them stand for all
    while True:
        with tool.open(client, Path(path)) as ask:
            ask(0)
            gc.collect()
            left = list(numbers)
            while left:
                if not turns.report(seconds):
                    return
                seconds = _per_call(ask, left)


def _per_call(ask: Ask, numbers: list[int]) -> float:
    """Return the seconds per call of a step, whose questions are removed from *numbers*."""
    began = process_time()
    for _ in range(min(_UNCOUNTED, len(numbers) // 2)):
        if process_time() - began < _SECONDS:
            ask(numbers.pop())
    done = 0
    began = process_time()
    while numbers and done < _CALLS and process_time() - began < _SECONDS:
        ask(numbers.pop())
        done += 1
    return (process_time() - began) / done


if __name__ == "__main__":
    main(*sys.argv[1:])
