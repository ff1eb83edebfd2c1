"""The cost per cassette of checking many: `python -m benchmarks.scale [COUNT...]`.

The cassettes are those of `cassettes/`, copied with other words. A check is in one process, in two,
and of results that are known, beside the time that PyYAML's loader in C needs to read the files.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks import measuring
from benchmarks.figures import OURS, Row, cell

COUNTS = (100, 1_000, 10_000)
_LOADING = (
    "import sys, yaml, pathlib\n"
    "for path in pathlib.Path(sys.argv[1]).rglob('*.yaml'):\n"
    "    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)\n"
)
TWO, KNOWN = "two processes", "known"


def row(count: int, folder: Path, rounds: int) -> Row:
    """Return the seconds of a processor for each of *count* cassettes, by the way of checking."""
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
    runs = measuring.processes([*starts.values()], rounds)
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


def main(counts: list[int]) -> None:
    """Print a line for each number of cassettes."""
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            found = row(count, Path(folder).absolute(), 3 if count <= 1_000 else 1)
            cells = (f"{name} {cell(found, name)}" for name in found.samples)
            console.print(f"{found.label}: {'; '.join(cells)}")


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [*COUNTS])
