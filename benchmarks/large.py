"""One large cassette: each command beside the time of PyYAML's loader in C and the file's size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import commands, measuring, shapes
from benchmarks.commands import Job, Progress, harness
from benchmarks.figures import OURS, Row

SIZES = {
    "many_words": ("English", 150),
    "many_escapes": ("Chinese in escapes", 150),
    "one_picture": ("a picture in base64", 150),
    "one_stream": ("a stream of 58,800 events", 8),
    "one_vector": ("a vector of 1.7 million numbers", 21),
    "separate": ("40,000 exchanges", 40_000),
}
"""What each shape is, and its size: in MB or, of `separate`, the number of exchanges."""
PATIENCE = 12.0
"""Seconds after which a command is not measured again."""


def rows(part: float, folder: Path, rounds: int, progress: Progress) -> list[Row]:
    """Return what each command takes with each shape, of which *part* of the full size is made."""
    jobs: list[Job] = []
    for name, (label, full) in SIZES.items():
        size = max(1, round(full * part))
        progress(f"writing {label}")
        path = _written(name, size, folder)
        whole = label if part == 1 else f"{label}, to a size of {size:,}"
        jobs += _jobs(f"{whole} ({path.stat().st_size / 1e6:.0f} MB)", path)
    return commands.rows(jobs, rounds, PATIENCE, progress, ("processor",))


def _jobs(what: str, path: Path) -> Iterator[Job]:
    """Yield the commands; each cassette is in a folder of its own, for those that take a folder."""
    folder = path.parent.parent
    # Nothing is asked of findings here, nor of the secrets that made-up texts look like.
    codes = (0, 1)
    arguments = {
        "check": ("check", str(path)),
        "scan": ("scan", str(path)),
        "show": ("show", str(path)),
        "list": ("list", "--cassettes", str(path.parent)),
    }
    for name, given in arguments.items():
        command = harness(*given, folder=folder, cache=f"cache-{name}-{path.stem}", codes=codes)
        yield Job(f"{name}: {what}", path, {OURS: command})
    replay = (sys.executable, "-m", "benchmarks.replaying", str(path))
    yield Job(f"replay by httpx: {what}", path, {OURS: lambda _: commands.used(*replay)})


def _written(name: str, size: int, folder: Path) -> Path:
    """Write a cassette in a process of its own, whose memory is then free again."""
    path = folder / name / f"{name}.yaml"
    path.parent.mkdir(parents=True)
    command = (sys.executable, "-m", "benchmarks.large", name, str(size), str(path))
    subprocess.run(command, check=True, env=measuring.environment())  # noqa: S603 - ourselves
    return path


if __name__ == "__main__":
    shapes.written(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
