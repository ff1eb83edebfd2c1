"""The cost per cassette of checking many: `python -m benchmarks.scale [--docs] [--sizes N ...]`.

The cassettes are those of `cassettes/`, copied with other words. A check is in one process, in two,
with Dask on two workers, and of results that are known, beside the time that PyYAML's loader in C
needs to read the files. All are seconds of a processor; with Dask those of the client alone, which
limit what many machines give. `--docs` writes the figures into the page on speed.

`--sizes 100000 --ways one known` takes half an hour of a processor, 2 GB of the disk and 600 MB of
memory; all ways take an hour.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks import measuring
from benchmarks.docs import PAGES
from benchmarks.figures import OURS, Row, cell

COUNTS = (100, 1_000, 10_000)
_LOADING = (
    "import sys, yaml, pathlib\n"
    "for path in pathlib.Path(sys.argv[1]).rglob('*.yaml'):\n"
    "    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)\n"
)
TWO, KNOWN, CLIENT = "two processes", "known", "client of Dask"
WAYS = {"one": OURS, "two": TWO, "known": KNOWN, "dask": CLIENT}
_FIGURES = re.compile(r"(?<=<!-- scale -->\n).*?(?=<!-- end of scale -->)", re.DOTALL)
_MACHINES = 100


def row(
    count: int,
    folder: Path,
    rounds: int,
    scheduler: str = "",
    ways: Collection[str] = tuple(WAYS),
) -> Row:
    """Return the seconds of a processor for each of *count* cassettes, by the way of checking.

    With no *rounds* there is one run, and it counts. *ways* are keys of `WAYS`; *scheduler* is the
    address of Dask's.
    """
    cassettes = written(count, folder / str(count))
    check = (sys.executable, "-m", "harness.cli", "check", str(cassettes))
    cache = {"XDG_CACHE_HOME": str(folder / f"cache-{count}")}
    starts = {
        "CSafeLoader": partial(
            measuring.started, sys.executable, "-c", _LOADING, str(cassettes), folder=folder
        ),
        OURS: partial(measuring.started, *check, "--jobs", "1", "--no-cache", folder=folder),
        TWO: partial(measuring.started, *check, "--jobs", "2", "--no-cache", folder=folder),
        KNOWN: partial(measuring.started, *check, "--jobs", "1", folder=folder, **cache),
    }
    if scheduler:
        dask = (*check, "--dask", scheduler, "--no-cache")
        starts[CLIENT] = partial(measuring.started, *dask, folder=folder)
    left_out = {WAYS[way] for way in WAYS.keys() - {*ways}}
    starts = {name: start for name, start in starts.items() if name not in left_out}
    if rounds:
        runs = measuring.processes([*starts.values()], rounds)
    else:
        if KNOWN in starts:
            starts[KNOWN]().communicate()
        runs = [[measuring.seconds_of(start())] for start in starts.values()]
    samples = {
        name: [seconds / count for seconds in run] for name, run in zip(starts, runs, strict=True)
    }
    return Row(f"check, per cassette of {count:,}", "s", samples, "CSafeLoader")


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
    commands = [
        (*python, "distributed.cli.dask_scheduler", "--host", "127.0.0.1:0", *where),
        *[(*python, "distributed.cli.dask_worker", *where, *worker, str(folder))] * 2,
    ]
    quiet = subprocess.DEVNULL
    running = [
        subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)  # noqa: S603 - Python
        for command in commands
    ]
    try:
        while not file.exists() or not file.stat().st_size:
            time.sleep(0.1)
        yield str(json.loads(file.read_text())["address"])
    finally:
        for process in running:
            process.kill()
            process.wait()


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table in Markdown, and what many machines would give."""
    names = list(dict.fromkeys(name for one in rows for name in one.samples))
    yield f"| | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for one in rows:
        yield f"| {one.label} | {' | '.join(cell(one, name) for name in names)} |"
    last = rows[-1].samples
    if CLIENT in last:
        work, client = median(last[OURS]), median(last[CLIENT])
        each = max(client, work / _MACHINES)
        yield ""
        yield f"| 100,000 cassettes, computed | one processor | {_MACHINES} workers |"
        yield "|---|---|---|"
        yield f"| seconds | {100_000 * work:,.0f} | {100_000 * each:,.0f} |"
        limit = "the client" if client > work / _MACHINES else "the workers"
        yield f"| limited by | the processor | {limit} |"


def main(counts: Sequence[int], ways: Collection[str], writes_docs: bool) -> None:
    """Print a line for each number of cassettes, and write the table into the page on speed."""
    console, rows = Console(width=140), list[Row]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).absolute()
        with cluster(folder) if "dask" in ways else nullcontext("") as scheduler:
            for count in counts:
                rows.append(row(count, folder, 1 if count <= 100 else 0, scheduler, ways))
                cells = (f"{name} {cell(rows[-1], name)}" for name in rows[-1].samples)
                console.print(f"{rows[-1].label}: {'; '.join(cells)}")
    text = "\n".join(table(rows))
    console.print(f"\n{text}")
    for page in PAGES if writes_docs else ():
        old = page.read_text(encoding="utf-8")
        page.write_text(_FIGURES.sub(lambda _: f"\n{text}\n\n", old), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=[*WAYS])
    parser.add_argument("--docs", action="store_true")
    given = parser.parse_args()
    main(given.sizes, given.ways, given.docs)
