"""Measure recording of many scenarios in parallel, and replay of a task with many polls."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

from harness.cassette.store import Store
from harness.config.environment import Environment, without_proxies
from harness.providers.servers import PROVIDER_SERVERS
from harness.report.build import replay_report
from harness.runner import Source, batch
from harness.sandbox import Options
from harness.types import Origin

MANY, AT_ONCE, LATENCY = 200, 32, 0.3
POLLS, INTERVAL = 40, 0.05
_TARGETS = ("zhipuai/glm-4", "dashscope/qwen-flash")
_QUESTION = """\
name: question-{number}
about: One of many.
targets: [{target}]
steps:
  - user: 第{number}个问题：中国的首都是哪座城市？
"""
_TASK = """\
name: task
about: A picture that takes its time.
targets: [dashscope/wanx2.1-t2i-turbo]
steps:
  - image: 一只小猫
    mode: async
    poll: {{interval: {interval}, limit: {limit}}}
"""


def recorded_at_once(folder: Path) -> float:
    """Return the seconds to record MANY scenarios of one call, AT_ONCE in parallel.

    Each is answered after LATENCY seconds by a sandbox in a process of its own, as a service is;
    the sandbox and the SDKs are started before.
    """
    texts = [_QUESTION.format(number=number, target=_TARGETS[number % 2]) for number in range(MANY)]
    jobs = _jobs(folder / "many", texts)
    with without_proxies(), _sandbox_elsewhere() as source:
        _record(jobs[:2], source, folder / "warm")
        return _timed(lambda: _record(jobs, source, folder / "many-recorded"))


@contextmanager
def _sandbox_elsewhere() -> Iterator[Source]:
    """Run a sandbox in a process of its own that answers after LATENCY seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "harness.cli", "sandbox", "--port", str(port)]
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [*command, "--latency", str(LATENCY)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_for(port)
        yield Source(
            Origin.SANDBOX,
            where=base,
            key=lambda provider: PROVIDER_SERVERS[provider.name].key,
            address=lambda provider: base + PROVIDER_SERVERS[provider.name].prefix,
        )
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            sleep(0.02)
        else:
            return
    raise RuntimeError("the sandbox did not start")


def polled_in_no_time(folder: Path) -> float:
    """Return the seconds to replay a task of POLLS polls that are 15 seconds apart."""
    text = _TASK.format(interval=INTERVAL, limit=POLLS + 5)
    jobs = _jobs(folder / "task", [text])
    options = Options(port=0, pending_polls=1, running_polls=POLLS - 2)
    with batch.sandboxed(options, Environment({})) as source:
        _record(jobs, source, folder / "task-recorded")
    patient = _jobs(folder / "patient", [text.replace(f"interval: {INTERVAL}", "interval: 15")])
    store = Store(folder / "task-recorded")
    runs = [_timed(lambda: _replay(patient, store)) for _ in range(5)]
    return min(runs)


def _jobs(folder: Path, texts: Sequence[str]) -> tuple[batch.Job, ...]:
    folder.mkdir(parents=True)
    for text in texts:
        name = text.partition("\n")[0].removeprefix("name: ")
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return batch.jobs(batch.load_scenarios([], folder), [])


def _record(jobs: Sequence[batch.Job], source: Source, folder: Path) -> None:
    problems = batch.record_all(jobs, source, Store(folder), lambda _: None, AT_ONCE)
    if problems:
        raise RuntimeError(problems)


def _replay(jobs: Sequence[batch.Job], store: Store) -> None:
    report = replay_report(jobs, store, lambda _: None, "Replay")
    if not report.ok:
        raise RuntimeError(report.findings or report.problems)


def _timed(action: Callable[[], None]) -> float:
    began = perf_counter()
    action()
    return perf_counter() - began
