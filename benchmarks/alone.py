"""One way in a process of its own; prints the most bytes it held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from benchmarks.speakers import PROVIDER_SERVERS
from benchmarks.ways import WAYS


def main(way: str, speaker: str, path: str, count: str) -> None:
    """Open, ask, close."""
    (one,) = (w for w in WAYS if w.name == way)
    (asked,) = (s for s in PROVIDER_SERVERS if s.name == speaker)
    with one.open(asked, Path(path)) as ask:
        for number in range(int(count) + 1):
            ask(number)
    print(_peak())  # noqa: T201


def _peak() -> int:
    """Linux hands the other number, `ru_maxrss`, down from the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(*sys.argv[1:])
