"""Whole commands beside the time in which PyYAML's loader in C reads the same files on one core."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measuring
from benchmarks.figures import Row

LOADER = "CSafeLoader"
FILES = "the files"
HARNESS = (sys.executable, "-m", "harness.cli")
_LOADING = (
    "import sys, yaml, pathlib\n"
    "path = pathlib.Path(sys.argv[1])\n"
    "for path in [path] if path.is_file() else path.rglob('*.yaml'):\n"
    "    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)\n"
)


@dataclass(frozen=True)
class Usage:
    """What a command took, with all processes that it started.

    Attributes:
        wall: Its seconds by the clock.
        processor: Its seconds of all processors.
        memory: The most bytes that all of its processes had together, what several of them share
            counted once; or that one of them had, if that is more. 0 where the system does not say.
    """

    wall: float
    processor: float
    memory: float


Start = Callable[[int], Usage]
"""Runs a command in the round of a number, and returns what it took."""


@dataclass(frozen=True)
class Job:
    """Commands that do the same with the same files.

    Attributes:
        label: What they do, and with how many files.
        path: The file or the folder of files.
        ways: Each command, by the title of its column.
        per: What the times are divided by, such as the number of files.
    """

    label: str
    path: Path
    ways: Mapping[str, Start]
    per: int = 1


def used(
    *command: str, folder: Path | None = None, codes: Sequence[int] = (0,), **variables: str
) -> Usage:
    """Run a command, and return what it took; its output is not kept.

    Raises RuntimeError, with the errors that it printed, if its exit code is not one of *codes*.
    """
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - the harness and Python
            command,
            cwd=folder,
            env={**measuring.environment(), **variables},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        peak = _Peak(process.pid)
        _, status, times = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        memory = peak.end()
        if process.returncode not in codes:
            errors.seek(0)
            text = errors.read()[-2000:].decode("utf-8", "replace")
            raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}: {text}")
    return Usage(wall, times.ru_utime + times.ru_stime, memory)


class _Peak:
    """A thread that looks at the memory of a process, and of those that it started."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most, self._ended = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        look_at = 0.0
        while not self._ended.wait(_EVERY):
            pids = [*family(self._pid)]
            # A peak between two looks at what processes share is seen for each process alone.
            self._most = max(self._most, *map(_most_of, pids))
            began = time.perf_counter()
            if len(pids) > 1 and began >= look_at:
                self._most = max(self._most, sum(map(_proportional, pids)))
                ended = time.perf_counter()
                look_at = ended + min(_REST * (ended - began), _RARELY)

    def end(self) -> float:
        """Return the most bytes that were seen."""
        self._ended.set()
        self._thread.join()
        return float(self._most)


_EVERY = 0.05
"""The least seconds between two looks at the memory."""
_REST = 50
"""The least time between two looks at what processes share, as a multiple of what a look takes: it
stops the processes."""
_RARELY = 1.0
"""The most seconds between two looks at what processes share, however long they take."""


def family(pid: int) -> Iterator[int]:
    """Yield the ids of a process and of those that descend from it."""
    yield pid
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text("ascii")
            for child in children.split():
                yield from family(int(child))
    except OSError:  # it has ended, or the system has no such files
        return


def _proportional(pid: int) -> int:
    """Return the bytes of a process; of what it shares with others, its part."""
    return _bytes(pid, "smaps_rollup", "Pss:")


def _most_of(pid: int) -> int:
    """Return the most bytes that a process ever had, with all that it shares with others."""
    return _bytes(pid, "status", "VmHWM:")


def _bytes(pid: int, file: str, name: str) -> int:
    """Return the number of bytes behind a name in a file about a process; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def loading(path: Path) -> Usage:
    """Return what it takes PyYAML's loader in C to read a file, or all files of a folder."""
    return used(sys.executable, "-c", _LOADING, str(path))


TIMES = {"wall": "by the clock", "processor": "of the processors"}
"""The times of a usage, and what their rows are called."""


def rows(
    jobs: Sequence[Job],
    rounds: int,
    patience: float,
    progress: Progress,
    times: Sequence[str] = tuple(TIMES),
) -> list[Row]:
    """Return the seconds of each job, then its memory.

    Jobs take turns. Those that took more than *patience* seconds in all are not repeated in a
    further one of the *rounds*. A job that failed has a row that says so. *times* are keys of
    `TIMES`.
    """
    bases, results = _measured(jobs, rounds, patience, progress)
    seconds, memory = [], []
    for job in jobs:
        taken = results[job.label]
        count = len(next(iter(taken.values()), ()))
        if not count:
            base = [one.processor for one in bases[job.path]]
            seconds.append(Row(f"{job.label}: failed", "s", {LOADER: base}, LOADER))
            continue
        with_base = {LOADER: bases[job.path][:count], **taken}
        for what in times:
            samples = {
                way: [float(getattr(one, what)) / job.per for one in usages]
                for way, usages in with_base.items()
            }
            seconds.append(Row(f"{job.label}, {TIMES[what]}", "s", samples, LOADER))
        peaks = {way: [one.memory for one in usages] for way, usages in taken.items()}
        files = {FILES: [float(size(job.path))] * count}
        memory.append(Row(f"{job.label}, memory", "B", {**files, **peaks}, FILES))
    return seconds + memory


Progress = Callable[[str], None]
"""Tells what is measured now."""


def _measured(
    jobs: Iterable[Job], rounds: int, patience: float, progress: Progress
) -> tuple[dict[Path, list[Usage]], dict[str, dict[str, list[Usage]]]]:
    """Return what each path took to load, and what each way of each job took, by its label."""
    bases: dict[Path, list[Usage]] = defaultdict(list)
    results: dict[str, dict[str, list[Usage]]] = {}
    left = list(jobs)
    for number in range(rounds):
        for path in dict.fromkeys(job.path for job in left):
            bases[path].append(loading(path))
        again = []
        for job in left:
            progress(f"{job.label}, round {number + 1}")
            began = time.perf_counter()
            try:
                taken = {way: start(number) for way, start in job.ways.items()}
            except RuntimeError as error:  # the other jobs count
                progress(f"{job.label}: failed: {error}")
                results[job.label] = {}
                continue
            kept = results.setdefault(job.label, {way: [] for way in taken})
            for way, usage in taken.items():
                kept[way].append(usage)
            if (time.perf_counter() - began) * (number + 1) < patience:
                again.append(job)
        left = again
    return bases, results


def size(path: Path) -> int:
    """Return the bytes of a file, or of all cassettes of a folder."""
    files = [path] if path.is_file() else path.rglob("*.yaml")
    return sum(file.stat().st_size for file in files)


def harness(*arguments: str, folder: Path, cache: str, codes: Sequence[int] = (0,)) -> Start:
    """Return a command of the harness.

    What it keeps between runs is kept in a folder named *cache*, a new one in each round: nothing
    is known to the first command that uses it in a round, and all to the second.
    """

    def start(number: int) -> Usage:
        kept = str(folder / f"{cache}-{number}")
        return used(*HARNESS, *arguments, folder=folder, codes=codes, XDG_CACHE_HOME=kept)

    return start
