"""Run one tool in a process of its own and print its peak memory in bytes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from benchmarks.clients import CLIENTS
from benchmarks.tools import TOOLS


def main(tool_name: str, client_name: str, path: str, count: str) -> None:
    """Open a cassette, make the calls, close it, print the peak."""
    (tool,) = (w for w in TOOLS if w.name == tool_name)
    (client,) = (s for s in CLIENTS if s.name == client_name)
    with tool.open(client, Path(path)) as ask:
        for number in range(int(count) + 1):
            ask(number)
    print(_peak())  # noqa: T201


def _peak() -> int:
    """Return the peak memory in bytes; on Linux `ru_maxrss` is inherited from the parent."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(*sys.argv[1:])
