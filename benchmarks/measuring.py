"""Seconds and bytes. Everything is measured in turns, and the best of several times counts."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.speakers import Ask, ProviderServer
from benchmarks.ways import Way


def calls(
    ways: list[Way], speaker: ProviderServer, path: Path, count: int, rounds: int
) -> list[float]:
    """Seconds per call of each way, asked across the whole of a cassette of `count` exchanges.

    The first call, which sets up what comes after, is question 0 and is not counted.
    """
    asked = list(range(1, count + 1, max(1, count // 100)))
    random.Random(0).shuffle(asked)  # noqa: S311 - so that a few of them stand for all
    best = [float("inf")] * len(ways)
    for _ in range(rounds):
        for i, way in enumerate(ways):
            with way.open(speaker, path) as ask:
                ask(0)
                gc.collect()
                best[i] = min(best[i], _per_call(ask, asked))
    return best


LONG = 1.0
"""After so many seconds in one round, enough calls were made."""


def _per_call(ask: Ask, asked: list[int]) -> float:
    done = 0
    began = perf_counter()
    for number in asked:
        ask(number)
        done += 1
        if perf_counter() - began > LONG:
            break
    return (perf_counter() - began) / done


def actions(those: list[Callable[[], object]], rounds: int) -> list[float]:
    """Seconds each of these takes; what is over at once is done often enough to be measured."""
    times = [_often(action) for action in those]
    best = [float("inf")] * len(those)
    for _ in range(rounds):
        for i, action in enumerate(those):
            gc.collect()
            began = perf_counter()
            for _ in range(times[i]):
                action()
            best[i] = min(best[i], (perf_counter() - began) / times[i])
    return best


def once(action: Callable[[], object]) -> float:
    """Seconds of what takes too long to be done twice."""
    began = perf_counter()
    action()
    return perf_counter() - began


_ENOUGH = 0.02


def _often(action: Callable[[], object]) -> int:
    """How many times fill so many seconds."""
    began = perf_counter()
    action()
    return max(1, int(_ENOUGH / (perf_counter() - began)))


def opened_and_closed(way: Way, speaker: ProviderServer, path: Path) -> Callable[[], None]:
    """Opening a cassette, making the SDK, asking nothing, closing it."""

    def action() -> None:
        with way.open(speaker, path):
            pass

    return action


def peak(way: str, speaker: str, path: Path, count: int) -> float:
    """Most bytes a process of its own held that opened a cassette and asked `count` questions."""
    told = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "benchmarks.alone", way, speaker, str(path), str(count)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(told.stdout))
