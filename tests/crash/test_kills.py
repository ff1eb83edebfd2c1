"""Recordings killed at any moment: no answer is lost, and none is requested twice."""

from __future__ import annotations

import itertools
import json
import random
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.cassette.artefacts import FOLDER
from harness.cassette.journal import read_journal
from harness.cassette.reader import loads
from harness.cassette.store import Store, read
from harness.cassette.writer import dumps
from harness.providers.servers import PROVIDER_SERVERS
from harness.runner import replay
from harness.sandbox import Options
from harness.sandbox.server import application, run_in_thread
from harness.scenario.files import load_all
from harness.types import Exchange

KILLS = 12
LANES = 2
SEED = 20240607

TALK = """\
name: talk
about: Every kind of answer, with a seed that is another in each recording.
volatile: [/seed, /parameters/seed]
parameters: {seed: random}
poll: {interval: 0.002, limit: 40}
targets:
  - {model: zhipuai/glm-5.3-flash, mode: async}
  - {model: dashscope/qwen-flash, parameters: {result_format: message}}
steps:
  - user: 我叫小明。
  - user: 我叫什么名字？
    mode: stream
  - user: 请说出我的名字
"""
PICTURES = """\
name: pictures
about: Tasks, and links that are signed.
volatile: [/parameters/seed]
parameters: {size: 512*512, n: 1, seed: random}
poll: {interval: 0.002, limit: 40}
targets:
  - {model: dashscope/wanx2.1-t2i-turbo, mode: async}
steps:
  - image: 一只可爱的小猫咪
  - image: 一只小狗
"""
Way = tuple[str, str]
"""Scenario and target."""

WAYS: tuple[Way, ...] = (
    ("talk", "zhipuai-glm-5.3-flash"),
    ("talk", "dashscope-qwen-flash"),
    ("pictures", "dashscope-wanx2.1-t2i-turbo"),
)

Asked = tuple[str, str, bytes]
"""Method, path and body."""


class Logged:
    """The sandbox below /<name>, and what was asked there; pictures are not logged.

    Who goes on with a recording calls it localhost.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: dict[str, list[Asked]] = defaultdict(list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/files"):
            await self._app(scope, receive, send)
            return
        _, name, rest = scope["path"].split("/", 2)
        phase = "again" if "localhost" in Request(scope).headers["host"] else "first"
        inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:  # killed
            return
        self.asked[f"{name}/{phase}"].append((scope["method"], f"/{rest}", body))
        whole: Message = {"type": "http.request", "body": body, "more_body": False}
        waiting = [whole]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(inner, again, send)


@dataclass
class Lane:
    """A process that makes recordings, one after the other."""

    process: subprocess.Popen[str]

    def do(self, name: str, folder: Path, way: Way, moment: float | None) -> dict[str, Any]:
        """Run a job; return its result."""
        order = {"name": name, "folder": str(folder), "moment": moment}
        order |= {"scenario": way[0], "target": way[1]}
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        done: dict[str, Any] = json.loads(stdout.readline())
        return done


@contextmanager
def lane(base: str, files: Sequence[Path]) -> Iterator[Lane]:
    """Run a lane inside."""
    with subprocess.Popen(  # noqa: S603 - this Python
        [sys.executable, str(Path(__file__).with_name("lane.py")), base, *map(str, files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Lane(process)
        finally:
            process.kill()


@dataclass(frozen=True)
class Killed:
    """A recording that was killed and continued: its cassette, before and after."""

    name: str
    path: Path
    before: str | None
    result: dict[str, Any]

    @property
    def way(self) -> Way:
        """The scenario and the target."""
        return self.path.parent.name, self.path.stem


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Many times: what was answered is there, and is not asked for again.

    Only a request under way when the process died may be asked again; so may one for a link that
    is signed, which is free.
    """
    files = [tmp_path / "talk.yaml", tmp_path / "pictures.yaml"]
    for file, text in zip(files, (TALK, PICTURES), strict=True):
        file.write_text(text, encoding="utf-8")
    sandbox = Logged(application(Options(latency=0.004, chunk_gap=0.0005), PROVIDER_SERVERS))
    with run_in_thread(sandbox, 0) as base, ExitStack() as stack:
        lanes = [stack.enter_context(lane(base, files)) for _ in range(LANES)]
        with ThreadPoolExecutor(LANES) as pool:
            done = list(pool.map(partial(_kill, tmp_path), lanes, range(LANES)))
    killed = [kill for some in done for kill in some]
    assert len(killed) == KILLS
    whole = {way: _course(read(_path(tmp_path / "0-measured", way)).exchanges) for way in WAYS}
    lost = [_nothing_is_lost(kill, sandbox.asked) for kill in killed]
    assert len(set(lost)) > 3  # they were killed early and late
    assert {_course(read(kill.path).exchanges) == whole[kill.way] for kill in killed} == {True}
    jobs = {(s.name, t.slug): (s, t) for s in load_all(files) for t in s.targets}
    for kill in killed[::3]:
        assert replay(*jobs[kill.way], Store(kill.path.parents[1])).unused == ()


def _path(folder: Path, way: Way) -> Path:
    return folder / way[0] / f"{way[1]}.yaml"


def _kill(folder: Path, lane: Lane, number: int) -> list[Killed]:
    """Run this lane's share of the kills, spread over the duration of a recording."""
    chance = random.Random(SEED + number)  # noqa: S311 - no secret
    measured = folder / f"{number}-measured"
    lengths = {way: _measure(lane, measured, way) for way in WAYS}
    before = {way: dumps(read(_path(measured, way))) for way in WAYS}
    killed: list[Killed] = []
    for count in itertools.count():
        if len(killed) == KILLS // LANES:
            return killed
        way, name = WAYS[count % len(WAYS)], f"{number}-{count}"
        path = _path(folder / name, way)
        there = before[way] if count % 2 else None
        if there is not None:
            shutil.copytree(_path(measured, way).parent, path.parent)
            for other in path.parent.glob("*.yaml"):
                other.unlink() if other.name != path.name else None
        result = lane.do(name, folder / name, way, chance.uniform(0, lengths[way]))
        if result["killed"]:
            killed.append(Killed(name, path, there, result))
    raise AssertionError


def _measure(lane: Lane, folder: Path, way: Way) -> float:
    """Return how long a recording takes, in seconds."""
    length = lane.do(folder.name, folder, way, None)["report"]
    assert isinstance(length, float), length
    return length


def _nothing_is_lost(kill: Killed, asked: dict[str, list[Asked]]) -> int:
    """What was answered to its end is in the cassette, and everything else was asked afterwards.

    Returns how many answers the kill had left.
    """
    result, path = kill.result, kill.path
    assert isinstance(result["report"], float), result["report"]
    names = [file.name for file in path.parent.iterdir() if file.suffix != ".new"]
    assert [name for name in names if name != FOLDER] == [path.name]
    assert {re.sub(r"yaml\.\w+\.new$", "new", name) for name in result["names"]} <= {
        FOLDER,
        path.name,
        f".{path.name}.journal",
        f".{path.stem}.new",
    }
    left = _left(kill)
    first, again = asked[f"{kill.name}/first"], asked[f"{kill.name}/again"]
    assert len(first) - 1 <= len(list(filter(None, map(_request, left)))) <= len(first)
    final = read(path).exchanges
    kept = next((i for i, (a, b) in enumerate(zip(left, final, strict=False)) if a != b), len(left))
    assert [exchange for exchange in left[kept:] if not _is_signed(exchange)] == [], path
    assert list(filter(None, map(_request, final[kept:]))) == again
    seeds = [re.findall(rb'"seed": ?(\d+)', exchange.request.body) for exchange in final]
    assert len({seed for found in seeds for seed in found}) == 1
    return len(left)


def _left(kill: Killed) -> tuple[Exchange, ...]:
    """Return the answers that a kill left, in a journal or in a new cassette."""
    if kill.result["cassette"] != kill.before:
        return loads(kill.result["cassette"]).exchanges
    return read_journal((kill.result["journal"] or "").encode()).exchanges


def _request(exchange: Exchange) -> Asked | None:
    """Return a request to the sandbox; None for a picture."""
    path = urlsplit(exchange.request.uri).path
    if path.startswith("/files"):
        return None
    return exchange.request.method, "/" + path.split("/", 2)[2], exchange.request.body


def _is_signed(exchange: Exchange) -> bool:
    """Return whether an exchange is a task's state with a link, or a picture."""
    return exchange.request.method == "GET" and (
        b"Signature=REDACTED" in exchange.response.body or "/files" in exchange.request.uri
    )


def _course(exchanges: Sequence[Exchange]) -> list[tuple[int | None, str]]:
    """Return turns and methods without repeated polls."""
    course = [(exchange.turn, exchange.request.method) for exchange in exchanges]
    return [key for key, _ in itertools.groupby(course)]
