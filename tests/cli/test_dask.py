"""`--dask ADDRESS`: a scheduler and two workers on this machine say the same as one process."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from harness.cassette.cluster import ClusterTask
from harness.cassette.workers import in_order
from harness.errors import HarnessError

if TYPE_CHECKING:
    from conftest import Harness

pytest.importorskip("distributed", reason="distributed is not installed")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONGEST = 60.0


class Running(NamedTuple):
    """A scheduler and its workers; the scheduler is the first of the processes."""

    address: str
    processes: list[subprocess.Popen[bytes]]


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[Running]:
    """Run a scheduler and two workers, each a process; *variables* are set for the workers."""
    file = folder / "scheduler.json"
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    worker = ["--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"]
    worker += ["--local-directory", str(folder)]
    commands = [
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1:0", *where],
        *[[sys.executable, "-m", "distributed.cli.dask_worker", *where, *worker]] * 2,
    ]
    quiet = subprocess.DEVNULL
    environment = {**os.environ, **variables}
    processes = [
        subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet, env=environment)  # noqa: S603 - ours
        for command in commands
    ]
    try:
        end = time.monotonic() + LONGEST
        while not (found := re.search(r'"address": "(.*?)"', _text(file))):
            assert time.monotonic() < end
            time.sleep(0.05)
        yield Running(found[1], processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a scheduler with two workers."""
    with running(tmp_path_factory.mktemp("dask")) as one:
        yield one.address


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


def test_the_process_of_a_killed_worker_ends_quietly() -> None:
    """Although its worker does not take the result of what it was doing."""
    command = [sys.executable, "-m", "harness.cassette.cluster"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:  # noqa: S603
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        pickle.dump((*ClusterTask(str)._order, [1]), process.stdin)
        process.stdin.flush()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, b"")


def test_a_killed_scheduler_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without what Dask logs of it."""

    def slow(item: int) -> int:
        time.sleep(0.05)
        return item

    with running(tmp_path) as one:
        results = in_order(slow, range(1000), one.address)
        assert next(results) == 0
        one.processes[0].kill()
        with pytest.raises(HarnessError, match="the Dask scheduler ended or lost the work"):
            list(results)
    assert capfd.readouterr().err == ""


def test_the_end_of_all_workers_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may come for a while; then there is nothing to wait for."""

    def slow(item: int) -> int:
        time.sleep(0.05)
        return item

    with running(tmp_path) as one:
        results = in_order(slow, range(1000), one.address)
        assert next(results) == 0
        for worker in one.processes[1:]:
            worker.kill()
        monkeypatch.setattr("harness.cassette.cluster._PATIENCE", 0.5)
        with pytest.raises(HarnessError, match="this Dask scheduler has no workers"):
            list(results)


def test_other_code_on_a_worker_is_refused(tmp_path: Path) -> None:
    """Of the same version too, since it may judge otherwise."""
    copy = tmp_path / "other"
    shutil.copytree(ROOT / "harness", copy / "harness", ignore=shutil.ignore_patterns("*.pyc"))
    with (copy / "harness/rules/__init__.py").open("a") as opened:
        opened.write("# another rule\n")
    with (
        running(tmp_path, PYTHONPATH=str(copy)) as one,
        pytest.raises(HarnessError, match="a worker has other files of version"),
    ):
        next(in_order(str, range(8), one.address))


def test_a_folder_that_a_worker_has_not_is_named(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings are read there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr("os.getcwd", lambda: str(tmp_path / "gone"))
    with pytest.raises(HarnessError, match="gone: a worker cannot use this folder: No such file"):
        next(in_order(str, range(8), cluster))


def test_a_file_that_a_worker_has_not_is_named(
    cluster: str, harness: Harness, tmp_path: Path
) -> None:
    """And the others are checked."""
    shutil.copytree(ROOT / "cassettes/slogan", tmp_path / "slogan")
    (tmp_path / "slogan/gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    done = harness("check", "slogan", "--dask", cluster, "--no-cache", folder=tmp_path)
    assert done.code == 2
    assert "slogan/gone.yaml: cannot be read: No such file or directory" in done.out + done.err
