"""`--dask ADDRESS`: a scheduler and two workers on this machine say the same as one process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cassette.workers import in_order
from harness.errors import HarnessError

if TYPE_CHECKING:
    from conftest import Harness

pytest.importorskip("distributed", reason="distributed is not installed")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONGEST = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a scheduler with two workers, each a process."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    folder = ["--local-directory", str(file.parent)]
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    worker = ["--nthreads", "1", "--no-nanny", "--host", "127.0.0.1", *folder]
    commands = [
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1:0", *where],
        *[[sys.executable, "-m", "distributed.cli.dask_worker", *where, *worker]] * 2,
    ]
    quiet = subprocess.DEVNULL
    running = [
        subprocess.Popen(command, cwd=file.parent, stdout=quiet, stderr=quiet)  # noqa: S603 - ours
        for command in commands
    ]
    try:
        end = time.monotonic() + LONGEST
        while not (found := re.search(r'"address": "(.*?)"', _text(file))):
            assert time.monotonic() < end
            time.sleep(0.05)
        yield found[1]
    finally:
        for process in running:
            process.kill()
            process.wait()


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize(
    "arguments",
    [
        "check cassettes/slogan cassettes/refusals --no-cache",
        "scan cassettes/slogan",
        "contract learn cassettes/slogan --contract {out}",
        "parse cassettes/slogan --sdk dashscope --json",
        "report slogan --report {out}",
    ],
    ids=lambda arguments: arguments.partition(" ")[0],
)
def test_the_result_is_the_same(
    cluster: str, harness: Harness, tmp_path: Path, arguments: str
) -> None:
    """As that of one process, but for times."""
    said = []
    for how in (["--jobs", "1"], ["--dask", cluster]):
        out = tmp_path / "out.xml"
        done = harness(*arguments.format(out=out).split(), *how, folder=ROOT)
        written = out.read_text() if out.exists() else ""
        out.unlink(missing_ok=True)
        texts = (done.out, done.err, written)
        said.append((done.code, *(re.sub(r"[\d.]+ m?s\b|\d+\.\d+", "", text) for text in texts)))
    assert said[0] == said[1]


def test_errors_and_warnings_are_those_of_one_process(
    cluster: str, harness: Harness, tmp_path: Path
) -> None:
    """A file that cannot be read is named, and where."""
    (tmp_path / "a.yaml").write_text("interactions: [\n")
    done = harness("contract", "learn", "a.yaml", "--dask", cluster, folder=tmp_path)
    assert (done.code, done.err) == (
        2,
        "harness: a.yaml:2: not YAML: did not find expected node content\n",
    )


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence."""
    monkeypatch.setattr("harness.cassette.cluster._PATIENCE", 0.5)
    with pytest.raises(HarnessError, match=r"127\.0\.0\.1:9: no Dask scheduler answers"):
        next(in_order(str, [1], "tcp://127.0.0.1:9"))


def test_jobs_and_dask_exclude_each_other(harness: Harness, tmp_path: Path) -> None:
    """Before anything is read."""
    done = harness("check", "x", "--jobs", "2", "--dask", "tcp://x:1", folder=tmp_path)
    assert done.code == 2
    assert "--jobs and --dask exclude each other" in done.err


@pytest.mark.parametrize("victim", [os.getpid, os.getppid], ids=["its process", "the worker"])
def test_a_killed_worker_costs_its_own_retry(
    cluster: str, tmp_path: Path, victim: Callable[[], int]
) -> None:
    """What it did before is not done again, and nothing is lost."""
    log = tmp_path / "log"

    def do(item: int) -> int:
        with log.open("a") as opened:
            opened.write(f"{item}\n")
        if item == 30 and log.read_text().split().count("30") == 1:
            os.kill(victim(), signal.SIGKILL)
        return item

    assert [*in_order(do, range(64), cluster)] == [*range(64)]
    done = [int(item) for item in log.read_text().split()]
    assert done.count(30) == 2
    assert len(done) <= 64 + 16, "results that were not fetched yet are lost with a worker"
