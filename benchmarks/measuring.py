"""Measure tools in turn: seconds of the processor, and bytes.

The time of the processor depends less on what else the machine does than that of the clock.
"""

from __future__ import annotations

import gc
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Timer
from time import monotonic, process_time

from benchmarks.clients import Ask, Client
from benchmarks.tools import Tool

_COMPILED = Path(tempfile.gettempdir(), "harness-benchmarks-compiled")

Runs = list[list[float]]
"""The seconds of each run, for each of several tools."""


def calls(tools: list[Tool], client: Client, path: Path, count: int, rounds: int) -> Runs:
    """Return the seconds per call of each tool, over calls spread across a cassette.

    The first call (question 0) opens connections and the like and is not counted.
    """
    numbers = list(range(1, count + 1, max(1, count // 100)))
    random.Random(0).shuffle(numbers)  # noqa: S311 - so that a few of them stand for all
    runs: Runs = [[] for _ in tools]
    for _ in range(rounds):
        for i, tool in enumerate(tools):
            with tool.open(client, path) as ask:
                ask(0)
                gc.collect()
                runs[i].append(_per_call(ask, numbers))
    return runs


MAX_SECONDS = 1.0
"""Seconds after which a round ends."""


def _per_call(ask: Ask, numbers: list[int]) -> float:
    done = 0
    began = process_time()
    for number in numbers:
        ask(number)
        done += 1
        if process_time() - began > MAX_SECONDS:
            break
    return (process_time() - began) / done


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


def processes(starts: Sequence[Start], rounds: int, limit: float = math.inf) -> Runs:
    """Return the seconds of each process that is started; a first run of each is not counted.

    After *limit* seconds by the clock no round begins; a process that takes longer is killed, and
    has no runs.
    """
    runs: Runs = [[] for _ in starts]
    began, given_up = monotonic(), set[int]()
    for number in range(rounds + 1):
        if number > 1 and monotonic() - began > limit:
            break
        for i, start in enumerate(starts):
            if i in given_up:
                continue
            seconds = seconds_of(start(), limit)
            if seconds is None:
                given_up.add(i)
                runs[i].clear()
            elif number:
                runs[i].append(seconds)
    return runs


def seconds_of(process: subprocess.Popen[bytes], limit: float) -> float | None:
    """Return the seconds of a process and of those that it waited for, when it has ended.

    Return None if it is killed after *limit* seconds by the clock.
    """
    watch = Timer(limit, process.kill) if limit < math.inf else None
    if watch:
        watch.start()
    output = process.stdout.read() if process.stdout else b""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if watch:
        watch.cancel()
    if process.stdout:
        process.stdout.close()
    if process.returncode == -signal.SIGKILL:
        return None
    if process.returncode:
        raise RuntimeError(output[-2000:].decode("utf-8", "replace"))
    return used.ru_utime + used.ru_stime


def started(*command: str, folder: Path | None = None, **variables: str) -> subprocess.Popen[bytes]:
    """Start a process whose output is read, with further environment variables."""
    return subprocess.Popen(  # noqa: S603 - Python
        command,
        cwd=folder,
        env={**environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def environment() -> Mapping[str, str]:
    """Return the environment of what is measured.

    Modules are compiled once, whatever this environment says, as on any user's machine.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPYCACHEPREFIX": str(_COMPILED)}


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
