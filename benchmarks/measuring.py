"""Measure tools in turn: seconds of the processor, and bytes.

The time of the processor depends less on what else the machine does than that of the clock.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.clients import Client
from benchmarks.tools import Tool

_ROOT = Path(__file__).absolute().parents[1]
_COMPILED = Path(tempfile.gettempdir(), "harness-benchmarks-compiled")

Runs = list[list[float]]
"""The seconds of each run, for each of several tools."""


def medians(runs: Runs, of: int) -> Runs:
    """Return the medians of each *of* runs that follow one another: a few noisy ones do not count.

    A rest of fewer runs is left out.
    """
    return [
        [median(run[start : start + of]) for start in range(0, len(run) - of + 1, of)]
        for run in runs
    ]


def actions(callables: Sequence[Callable[[], object]], rounds: int) -> Runs:
    """Return the seconds that each callable takes; short ones are repeated."""
    repetitions = [_repetitions(action) for action in callables]
    runs: Runs = [[] for _ in callables]
    for _ in range(rounds):
        for i, action in enumerate(callables):
            gc.collect()
            began = process_time()
            for _ in range(repetitions[i]):
                action()
            runs[i].append((process_time() - began) / repetitions[i])
    return runs


_MIN_SECONDS = 0.02


def _repetitions(action: Callable[[], object]) -> int:
    """Return how many repetitions take at least `_MIN_SECONDS`."""
    began = process_time()
    action()
    return max(1, int(_MIN_SECONDS / max(process_time() - began, 1e-6)))


Start = Callable[[], "subprocess.Popen[bytes]"]


def processes(starts: Sequence[Start], rounds: int) -> Runs:
    """Return the seconds of each process that is started; a first run of each is not counted."""
    runs: Runs = [[] for _ in starts]
    for number in range(rounds + 1):
        for run, start in zip(runs, starts, strict=True):
            seconds = seconds_of(start())
            if number:
                run.append(seconds)
    return runs


def seconds_of(process: subprocess.Popen[bytes]) -> float:
    """Return the seconds of a process and of those that it waited for, when it has ended."""
    output = process.stdout.read() if process.stdout else b""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdout:
        process.stdout.close()
    if process.returncode:
        raise RuntimeError(output[-2000:].decode("utf-8", "replace"))
    return used.ru_utime + used.ru_stime


def started(*command: str, folder: Path | None = None, **variables: str) -> subprocess.Popen[bytes]:
    """Start a process whose output is read, with further environment variables."""
    return started_with_pipes(command, folder, (), variables)


def started_with_pipes(
    command: Sequence[str], folder: Path | None, pipes: Sequence[int], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process as `started` does, which gets the ends *pipes* of pipes."""
    return subprocess.Popen(  # noqa: S603 - Python
        command,
        cwd=folder,
        env={**environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=pipes,
    )


def environment() -> Mapping[str, str]:
    """Return the environment of what is measured.

    Modules are compiled once, whatever this environment says, as on any user's machine. The harness
    is the one beside this file, also in another folder and if another one is installed.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPYCACHEPREFIX": str(_COMPILED), "PYTHONPATH": str(_ROOT)}


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
