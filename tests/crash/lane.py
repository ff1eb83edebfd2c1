"""Recordings in processes of their own that are killed; one lane does one after the other.

The lane is warm before it forks, so that no recording pays for imports. It reads a job as a line
of JSON and answers with a line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from harness import runner
from harness.cassette.journal import journal_path
from harness.cassette.store import Store, read
from harness.cassette.writer import dumps
from harness.config.environment import without_proxies
from harness.intercept.resume import OnInterrupted
from harness.providers.servers import PROVIDER_SERVERS
from harness.scenario.files import load_all
from harness.scenario.steps import Scenario
from harness.types import Origin, Target

REPORT = "report"
"""What a child leaves: its duration, or what it raised."""


def source(base: str) -> runner.Source:
    """Return a sandbox at an address as the source for both providers."""
    return runner.Source(
        Origin.SANDBOX,
        base,
        key=lambda provider: PROVIDER_SERVERS[provider.name].key,
        address=lambda provider: base + PROVIDER_SERVERS[provider.name].prefix,
    )


def silent(_: str) -> None:
    """Do nothing."""


def record(
    scenario: Scenario, target: Target, base: str, folder: Path, on_interrupted: OnInterrupted
) -> None:
    """Record in this process; the result goes to a file beside the folder."""
    began = time.perf_counter()
    try:
        runner.record(scenario, target, source(base), Store(folder), silent, on_interrupted)
        result: Any = time.perf_counter() - began
    except BaseException as error:  # noqa: BLE001 - told to who started this process
        result = f"{type(error).__name__}: {error}"
    folder.with_suffix(f".{REPORT}").write_text(json.dumps(result))


def forked(*arguments: Any) -> int:
    """Start a child that makes one recording; return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        record(*arguments)
    finally:
        os._exit(0)


def job(scenario: Scenario, target: Target, base: str, order: dict[str, Any]) -> dict[str, Any]:
    """Record; with a `moment` (seconds), kill the recording then and continue it."""
    folder = Path(order["folder"])
    path = Store(folder).path(scenario.name, target)
    before = _bytes(path)
    child = forked(scenario, target, f"{base}/{order['name']}", folder, OnInterrupted.REFUSE)
    if order["moment"] is None:
        os.waitpid(child, 0)
        return _report(folder)
    time.sleep(order["moment"])
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    over = _bytes(path) != before and not journal_path(path).exists()
    if not os.WIFSIGNALED(status) or over:
        return {"killed": False}
    remains = _found(path)
    again = base.replace("127.0.0.1", "localhost")
    os.waitpid(
        forked(scenario, target, f"{again}/{order['name']}", folder, OnInterrupted.RESUME), 0
    )
    return {"killed": True, **remains, **_report(folder)}


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _found(path: Path) -> dict[str, Any]:
    """Return what a kill left: the journal's bytes, and whether there is a complete cassette."""
    journal = journal_path(path)
    return {
        "journal": journal.read_bytes().decode() if journal.exists() else None,
        "cassette": dumps(read(path)) if path.exists() else None,
        "names": sorted(file.name for file in path.parent.glob("*")),
    }


def _report(folder: Path) -> dict[str, Any]:
    return {"report": json.loads(folder.with_suffix(f".{REPORT}").read_text())}


def main() -> None:
    """Run the jobs of standard input until it ends."""
    base, *files = sys.argv[1:]
    jobs = {(s.name, t.slug): (s, t) for s in load_all(list(map(Path, files))) for t in s.targets}
    with without_proxies():
        for line in sys.stdin:
            order = json.loads(line)
            scenario, target = jobs[order["scenario"], order["target"]]
            if order["moment"] is None:  # everything is imported by it
                folder = Path(order["folder"] + "-warm")
                record(scenario, target, f"{base}/warm", folder, OnInterrupted.REFUSE)
            sys.stdout.write(json.dumps(job(scenario, target, base, order)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
