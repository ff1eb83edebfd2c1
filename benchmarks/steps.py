"""Processes that are measured step by step in turn, so that a slow moment slows all of them.

A process takes a step, reports the seconds of a processor that it took, and waits for its next
turn. This module is also a pytest plugin: the first step is all up to the end of the first test,
each further one is a number of tests.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from benchmarks import measuring

_PIPES, _TESTS = "HARNESS_BENCHMARK_PIPES", "HARNESS_BENCHMARK_TESTS"
_SECONDS = struct.Struct("d")


class Stepped:
    """A process that takes steps.

    Attributes:
        steps: The seconds of its steps; not of what follows the last one.
    """

    def __init__(self, *command: str, folder: Path, tests: int = 0) -> None:
        """Start a process, and wait until it has taken its first step of *tests* tests."""
        turns, self._turns = os.pipe()
        self._reports, reports = os.pipe()
        self.steps: list[float] = []
        variables = {
            _PIPES: f"{turns} {reports}",
            _TESTS: str(tests),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.getcwd(),
        }
        pipes = (turns, reports)
        self._process = measuring.started_with_pipes(command, folder, pipes, variables)
        os.close(turns)
        os.close(reports)
        self._wait()

    def step(self) -> bool:
        """Have the process take a step; return False if it has ended."""
        try:
            os.write(self._turns, b".")
        except BrokenPipeError:
            return False
        return self._wait()

    def _wait(self) -> bool:
        report = os.read(self._reports, _SECONDS.size)
        if report:
            self.steps += _SECONDS.unpack(report)
        return bool(report)

    def end(self) -> float:
        """Let the process run to its end, and return the seconds that it took in all."""
        os.close(self._turns)
        os.close(self._reports)
        return measuring.seconds_of(self._process)


def take_turns(running: Sequence[Stepped], turns: int) -> None:
    """Have each process take one step after the other, *turns* times or until all have ended."""
    for _ in range(turns):
        running = [one for one in running if one.step()]


class Turns:
    """The turns of this process."""

    def __init__(self) -> None:
        self._turns, self._reports = map(int, os.environ[_PIPES].split())

    def report(self, seconds: float) -> bool:
        """Report the seconds of a step, and wait for a turn; return False if there is none."""
        os.write(self._reports, _SECONDS.pack(seconds))
        return bool(os.read(self._turns, 1))


class _Tests:
    """The steps of a suite."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._size = int(os.environ[_TESTS])
        self._count, self._began = 0, 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Iterator[Any]:
        """Wait for a turn after the last test of a step."""
        result = yield
        if self._count % self._size == 0:
            self._turns.report(process_time() - self._began)
            self._began = process_time()
        self._count += 1
        return result


def pytest_configure(config: pytest.Config) -> None:
    """Measure the tests."""
    config.pluginmanager.register(_Tests())
