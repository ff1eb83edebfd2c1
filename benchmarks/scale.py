"""The cost per cassette of checking many, on this machine and by Dask.

The cassettes are those of `cassettes/`, copied with other words. With Dask, the seconds of the
processors are those of the client alone, which limit what many machines give.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks import commands
from benchmarks.commands import Job, Progress, Start, harness
from benchmarks.figures import OURS, Row
from benchmarks.measuring import environment

COUNTS = (100, 1_000, 10_000, 100_000)
TWO, KNOWN, CLIENT = "two processes", "known", "Dask, two workers"
ONE_PROCESS = 10_000
"""The most cassettes that one process alone checks: it has cost the same for each since 1,000."""
PATIENCE = 60.0
"""Seconds after which a number of cassettes is not measured again."""
_MACHINES = 100
_MANY = 100_000


def rows(counts: Sequence[int], folder: Path, rounds: int, progress: Progress) -> list[Row]:
    """Return the cost of a cassette among each number of them, and that of 100,000 computed."""
    jobs = []
    with cluster(folder) as scheduler:
        for count in counts:
            progress(f"writing {count:,} cassettes")
            jobs.append(_job(count, written(count, folder / str(count)), scheduler))
        found = commands.rows(jobs, rounds, PATIENCE, progress)
    return [*found, *computed(found)]


def _job(count: int, cassettes: Path, scheduler: str) -> Job:
    """Return the ways of checking; that in two processes keeps results for the one after it."""
    check, folder = ("check", str(cassettes)), cassettes.parent
    cache = f"cache-{count}"
    one = harness(*check, "--jobs", "1", "--no-cache", folder=folder, cache=cache)
    ways: dict[str, Start] = {OURS: one} if count <= ONE_PROCESS else {}
    ways[TWO] = harness(*check, "--jobs", "2", folder=folder, cache=cache)
    ways[KNOWN] = harness(*check, "--jobs", "2", folder=folder, cache=cache)
    if scheduler:
        dask = (*check, "--dask", scheduler, "--no-cache")
        ways[CLIENT] = harness(*dask, folder=folder, cache=cache)
    return Job(f"check, per cassette of {count:,}", cassettes, ways, per=count)


def computed(found: Sequence[Row]) -> Iterator[Row]:
    """Yield what 100,000 cassettes take on one processor, and on 100 machines of two by Dask.

    It is computed from the largest number that was measured: the client needs its time for each
    cassette, and the machines share the rest.
    """
    by_clock = [row for row in found if row.label.endswith(commands.TIMES["wall"])]
    processors = [row for row in found if row.label.endswith(commands.TIMES["processor"])]
    if not processors or CLIENT not in processors[-1].samples:
        return
    whole = median(by_clock[-1].samples[CLIENT])
    client = median(processors[-1].samples[CLIENT])
    many = max(client, whole / _MACHINES)
    limit = "the client" if client > whole / _MACHINES else "the machines"
    one = next(row.samples[OURS] for row in reversed(processors) if OURS in row.samples)
    samples = {
        "one processor": [_MANY * median(one)],
        "one machine": [_MANY * whole],
        f"{_MACHINES} machines": [_MANY * many],
    }
    label = f"{_MANY:,} cassettes by Dask, computed; {_MACHINES} machines are limited by {limit}"
    yield Row(label, "s", samples, "one processor")


def written(count: int, folder: Path) -> Path:
    """Write *count* cassettes, all different, and return their folder."""
    shipped = sorted(Path("cassettes").rglob("*.yaml"))
    texts = [path.read_text("utf-8") for path in shipped if not _has_artefact(path)]
    for number in range(count):
        path = folder / f"{number // 100:03}" / f"{number:06}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = texts[number % len(texts)]
        path.write_text(text.replace("智谱", f"智谱{number}"), encoding="utf-8")
    return folder


def _has_artefact(path: Path) -> bool:
    return "\n      artefact: " in path.read_text("utf-8")


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Run a scheduler and two workers on this machine, and give the address; "" without Dask."""
    if find_spec("distributed") is None:
        yield ""
        return
    file = folder / "scheduler.json"
    where = ("--scheduler-file", str(file), "--no-dashboard")
    worker = ("--nthreads", "1", "--no-nanny", "--host", "127.0.0.1", "--local-directory")
    python = (sys.executable, "-m")
    schedule = (*python, "distributed.cli.dask_scheduler", "--host", "127.0.0.1:0", *where)
    work = (*python, "distributed.cli.dask_worker", *where, *worker, str(folder))
    quiet = subprocess.DEVNULL
    running = [
        subprocess.Popen(  # noqa: S603 - Python
            command, cwd=folder, env=environment(), stdout=quiet, stderr=quiet
        )
        for command in (schedule, work, work)
    ]
    try:
        while not file.exists() or not file.stat().st_size:
            time.sleep(0.1)
        yield str(json.loads(file.read_text())["address"])
    finally:
        for process in running:
            process.kill()
            process.wait()
