"""The simulated time of a replay: sleeps cost nothing, and the time has passed all the same."""

from __future__ import annotations

import asyncio
import contextvars
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep as early_sleep
from time import time as early_time
from types import ModuleType
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import dashscope
import httpx
import pytest
import tenacity
import zhipuai
from dashscope_sdk import AioImageSynthesis, close_shared_aio_session, close_shared_sync_session

import harness
from harness.cassette.store import Store
from harness.cassette.writer import dumps
from harness.intercept import clock
from harness.intercept.context import Tape
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.intercept.replay_or_record import ReplayOrRecord
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.servers import PROVIDER_SERVERS
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.runner import Source, record, replay
from harness.sandbox import Options, serve
from harness.scenario.files import loads
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Origin, Reply, Request, Response

POLLS = 40
HANGS = 60
"""The real seconds that no machine takes where nothing waits."""
TRUST = ssl.create_default_context()
"""To read all certificates anew takes longer than anything here."""


@contextmanager
def quickly() -> Iterator[None]:
    """Assert that a block that sleeps for minutes does not really sleep."""
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < HANGS


@contextmanager
def replaying(*exchanges: Exchange) -> Iterator[Player]:
    """Replay inside, with sleeps of minutes in little real time."""
    with quickly(), use_tape(Player(Cassette(exchanges))) as tape:
        assert isinstance(tape, Player)
        yield tape


def states(*names: str) -> list[Exchange]:
    """Return recorded responses to polls of a task."""
    return [
        Exchange(Request("GET", "http://a/task"), Response(200, body=name.encode()))
        for name in names
    ]


# ------------------------------------------------------------------------------------- sleeping

CLOCKS: list[Callable[[], float]] = [
    lambda: time.time(),
    lambda: time.monotonic(),
    lambda: time.perf_counter(),
    lambda: time.time_ns() / 1e9,
    lambda: time.monotonic_ns() / 1e9,
    lambda: time.perf_counter_ns() / 1e9,
    lambda: early_time(),
]


@pytest.mark.parametrize("now", CLOCKS)
def test_every_clock_advances_by_what_was_slept(now: Callable[[], float]) -> None:
    """Every clock advances by what was slept, in whatever way its name was imported."""
    with replaying():
        began = now()
        time.sleep(15)
        early_sleep(15)
        assert 30 <= now() - began < 60


async def by_asyncio(seconds: float) -> None:
    """Sleep with asyncio."""
    await asyncio.sleep(seconds)


async def by_anyio(seconds: float) -> None:
    """Sleep with anyio, whose backend imported asyncio's function early."""
    await anyio.sleep(seconds)


async def by_tenacity(seconds: float) -> None:
    """Sleep in an asynchronous retry of tenacity."""
    async for attempt in tenacity.AsyncRetrying(
        wait=tenacity.wait_fixed(seconds), stop=tenacity.stop_after_attempt(2), reraise=True
    ):
        with attempt:
            if attempt.retry_state.attempt_number == 1:
                raise ValueError


async def by_thread(seconds: float) -> None:
    """Sleep in a thread that has the context."""
    await asyncio.to_thread(time.sleep, seconds)


async def by_anyio_thread(seconds: float) -> None:
    """Sleep in a thread of anyio."""
    await anyio.to_thread.run_sync(time.sleep, seconds)


@pytest.mark.parametrize("way", [by_asyncio, by_anyio, by_tenacity, by_thread, by_anyio_thread])
def test_asynchronous_sleeps_cost_nothing(way: Callable[[float], Any]) -> None:
    """Asynchronous sleeps return at once, and time has passed after them."""

    async def main() -> float:
        began = time.monotonic()
        await way(15)
        return time.monotonic() - began

    with replaying():
        assert 15 <= asyncio.run(main()) < 30


def test_tenacity_waits_cost_nothing() -> None:
    """tenacity's waits return at once, and its statistics show their duration."""
    tries = tenacity.Retrying(
        wait=tenacity.wait_fixed(3000), stop=tenacity.stop_after_delay(10_000), reraise=True
    )
    asked: list[float] = []

    def ask() -> None:
        asked.append(time.time())
        raise ValueError

    with replaying(), pytest.raises(ValueError, match=r"^$"):
        tries(ask)
    assert [round((then - asked[0]) / 1000) for then in asked] == [0, 3, 6, 9, 12]


def test_invalid_sleeps_raise_as_usual() -> None:
    """Negative sleeps raise as usual, and an infinite sleep does not end."""

    async def forever() -> None:
        await asyncio.wait_for(anyio.sleep_forever(), 0.01)

    with replaying():
        with pytest.raises(ValueError, match="non-negative"):
            time.sleep(-1)
        with pytest.raises(TypeError):
            time.sleep("1")  # type: ignore[arg-type]
        with pytest.raises(OverflowError):
            time.sleep(float("inf"))
        with pytest.raises(TimeoutError):
            asyncio.run(forever())
        assert asyncio.run(asyncio.sleep(3, "result")) == "result"


# --------------------------------------------------------------------------------- poll loops


@pytest.mark.parametrize("recorded", [["run"] * 3 + ["done"], ["done"], ["run"] * 30 + ["done"]])
def test_a_poll_loop_ends_with_its_task(recorded: list[str]) -> None:
    """A poll loop gets the states of its task in order of recording."""
    seen = []
    with replaying(*states(*recorded)) as tape:
        deadline = time.time() + 3600
        while time.time() < deadline:
            seen.append(httpx.get("http://a/task", verify=TRUST).text)
            if seen[-1] == "done":
                break
            time.sleep(15)
    assert seen == recorded
    assert tape.unused() == ()


def test_a_poll_loop_ends_at_its_deadline() -> None:
    """A poll loop that polls more often than recorded gets the last state until its deadline."""
    seen = []
    with replaying(*states("wait", "run")):
        deadline = time.time() + 60
        while time.time() < deadline:
            seen.append(httpx.get("http://a/task", verify=TRUST).text)
            time.sleep(15)
    assert seen == ["wait", "run", "run", "run"]


def test_a_poll_loop_that_stops_early_leaves_states_unused() -> None:
    """A poll loop that stops early leaves the remaining states unused."""
    with replaying(*states("wait", "run", "done")) as tape:
        httpx.get("http://a/task", verify=TRUST)
        time.sleep(15)
        httpx.get("http://a/task", verify=TRUST)
    assert [e.response.body for e in tape.unused()] == [b"done"]


async def polled(get: Callable[[], Any]) -> list[str]:
    """Return the states that an asynchronous poll loop gets."""
    seen: list[str] = []
    while not seen or seen[-1] != "done":
        await asyncio.sleep(15)
        seen.append(await get())
    return seen


async def get_by_httpx() -> str:
    """Send one request with httpx."""
    async with httpx.AsyncClient(verify=TRUST) as client:
        return (await client.get("http://a/task")).text


async def get_by_aiohttp() -> str:
    """Send one request with aiohttp."""
    async with aiohttp.ClientSession() as session, session.get("http://a/task") as answer:
        return await answer.text()


@pytest.mark.parametrize("get", [get_by_httpx, get_by_aiohttp])
def test_asynchronous_poll_loops_end(get: Callable[[], Any], tmp_path: Path) -> None:
    """An asynchronous poll loop ends in a replay, whatever HTTP library it uses."""
    path = tmp_path / "a.yaml"
    recorded = ["run"] * (POLLS - 1) + ["done"]
    path.write_text(dumps(Cassette(tuple(states(*recorded)))), encoding="utf-8")
    with quickly(), harness.use_cassette(path):
        assert asyncio.run(polled(get)) == recorded


# ------------------------------------------------------------------------------------ many tasks


def test_tasks_wake_up_in_the_order_of_real_time() -> None:
    """Tasks wake up in the order in which they would have in real time."""
    wake_ups: list[tuple[str, int]] = []

    async def say(name: str, seconds: float, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(seconds)
            wake_ups.append((name, round((time.time() - began) / 100)))

    async def main() -> None:
        await asyncio.gather(say("a", 1000, 4), say("b", 2500, 2), say("c", 6000, 1))

    with replaying():
        began = time.time()
        asyncio.run(main())
    expected = [("a", 10), ("a", 20), ("b", 25), ("a", 30), ("a", 40), ("b", 50), ("c", 60)]
    assert wake_ups == expected


def test_a_sleep_that_limits_another_task_does_not_win_the_race() -> None:
    """A task that sleeps for 45 seconds ends before a limit of a minute."""

    async def main() -> set[str]:
        tasks = [
            asyncio.create_task(polled(get_by_aiohttp), name="polled"),
            asyncio.create_task(asyncio.sleep(60), name="limit"),
        ]
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        return {task.get_name() for task in done}

    with replaying(*states("run", "run", "done")):
        assert asyncio.run(main()) == {"polled"}
    with replaying(*states("run", "run", "run", "run", "done")):
        assert asyncio.run(main()) == {"limit"}


def test_a_busy_task_does_not_stop_time() -> None:
    """A task that never sleeps does not keep other tasks asleep."""

    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(15))
        while not task.done():
            await asyncio.sleep(0)

    with replaying():
        asyncio.run(main())


def test_a_task_may_be_cancelled_in_its_sleep() -> None:
    """A sleeping task can be cancelled, and other tasks sleep on."""

    async def main() -> float:
        began = time.time()
        task = asyncio.create_task(asyncio.sleep(500))
        await asyncio.sleep(100)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(1000)
        return time.time() - began

    with replaying():
        assert 1100 <= asyncio.run(main()) < 1200


# -------------------------------------------------------------------------------------- timeouts


async def wait_for(limit: float, seconds: float) -> None:
    """Limit a sleep with `asyncio.wait_for`."""
    await asyncio.wait_for(asyncio.sleep(seconds), limit)


async def timeout(limit: float, seconds: float) -> None:
    """Limit several sleeps with `asyncio.timeout`."""
    async with asyncio.timeout(limit):
        for _ in range(3):
            await asyncio.sleep(seconds / 3)


async def fail_after(limit: float, seconds: float) -> None:
    """Limit a sleep with `anyio.fail_after`."""
    with anyio.fail_after(limit):
        await anyio.sleep(seconds)


@pytest.mark.parametrize("way", [wait_for, timeout, fail_after])
def test_a_timeout_ends_a_longer_sleep(
    way: Callable[[float, float], Any],
) -> None:
    """A timeout ends only a longer sleep, and then its own duration has passed."""

    async def main(limit: float, seconds: float) -> float:
        began = time.monotonic()
        try:
            await way(limit, seconds)
        except TimeoutError:
            return -(time.monotonic() - began)
        return time.monotonic() - began

    with replaying():
        assert -15 < asyncio.run(main(10, 15)) < -9.9
        assert 14.9 < asyncio.run(main(20, 15)) < 20


def test_a_timeout_without_sleeps_is_real() -> None:
    """A timeout around real work takes real time."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.05)

    with use_tape(Player(Cassette(()))):
        began = threading.Event()
        asyncio.run(main())
    assert not began.is_set()


def test_the_time_of_an_event_loop_is_real() -> None:
    """`loop.time` is real time also inside of a replay."""

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began, virtual = loop.time(), time.monotonic()
        await asyncio.sleep(100)
        return loop.time() - began, time.monotonic() - virtual

    with replaying():
        real, seen = asyncio.run(main())
    assert real < HANGS
    assert 100 <= seen < 100 + HANGS


# --------------------------------------------------------------------------------------- outside


def far_from(now: float) -> bool:
    """Return whether a time differs from real time."""
    return abs(now - clock._monotonic()) > 50


def test_time_is_real_elsewhere() -> None:
    """Time is real in older threads, in recordings, and after the block."""
    found: list[bool] = []

    def outside() -> None:
        found.append(far_from(time.monotonic()))
        began = clock._monotonic()
        time.sleep(0.02)
        found.append(clock._monotonic() - began < 0.02)

    inside = threading.Event()

    def before() -> None:
        inside.wait()
        outside()

    thread = threading.Thread(target=before)
    thread.start()
    with use_tape(Player(Cassette(()))):
        time.sleep(100)
        assert far_from(time.monotonic())
        inside.set()
        thread.join()
        contextvars.Context().run(outside)
        for tape in (
            Recorder(Redactor()),
            ReplayOrRecord(Player(Cassette(())), Recorder(Redactor())),
        ):
            with use_tape(tape):
                outside()
        assert far_from(time.monotonic())
    outside()
    assert found == [False] * 10


def test_every_replay_has_its_own_time() -> None:
    """What was slept in one replay has not passed in another."""
    first, second = Player(Cassette(())), Player(Cassette(()))
    with use_tape(first):
        time.sleep(100)
        with use_tape(second):
            assert not far_from(time.monotonic())
        assert far_from(time.monotonic())


def test_names_are_restored() -> None:
    """After the block, early imported names are restored."""
    before = time.sleep, time.time, asyncio.sleep, early_sleep
    with use_tape(Player(Cassette(()))):
        now = time.sleep, time.time, asyncio.sleep, early_sleep
        assert all(a is not b for a, b in zip(before, now, strict=True))
        assert now[0].__name__ == "sleep"
    assert (time.sleep, time.time, asyncio.sleep, early_sleep) == before
    assert vars(asyncio.BaseEventLoop)["call_at"].__module__.startswith("asyncio")


def test_names_created_between_two_replays_are_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that modules gained between two replays are patched in the second one."""
    notebook = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", notebook)
    for cell in ("from time import sleep", "from time import monotonic as now"):
        with replaying():
            pass
        exec(cell, vars(notebook))  # noqa: S102
    with replaying():
        before = notebook.now()
        notebook.sleep(100)
        assert notebook.now() - before >= 100
    assert (notebook.sleep, notebook.now) == (time.sleep, time.monotonic)


@pytest.mark.slow
def test_a_name_that_was_mocked_in_one_replay_is_patched_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name whose original value is back is patched, though no module has changed its size."""
    with replaying():
        pass
    with monkeypatch.context() as mocking:
        mocking.setitem(globals(), "early_sleep", lambda _: None)
        with replaying():
            pass
    with replaying():
        assert early_sleep is time.sleep is not clock._sleep


def test_a_module_with_the_id_of_a_deleted_one_is_scanned() -> None:
    """A module with the id and size of a deleted module is scanned."""
    for name in ("one", "two") * 50:
        module = sys.modules["passing"] = ModuleType("passing")
        vars(module).update({"one": print, "two": print, name: time.sleep})
        try:
            with replaying():
                assert vars(module)[name] is time.sleep
        finally:
            del sys.modules["passing"], module


def test_waiting_for_a_process_is_real() -> None:
    """Waiting for a process takes real time."""
    with use_tape(Player(Cassette(()))):
        time.sleep(100)
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run([sys.executable, "-c", "import time; time.sleep(9)"], timeout=0.1)
        done = subprocess.run([sys.executable, "-c", ""], timeout=50, check=True)
    assert done.returncode == 0


@pytest.mark.parametrize("pace", [0.001, 0.002])
def test_a_pace_applies_to_sleeps(pace: float) -> None:
    """A sleep really takes its duration times the pace, and all of it has passed."""

    async def main() -> None:
        await asyncio.gather(asyncio.sleep(30), anyio.sleep(30))

    began = time.perf_counter()
    with use_tape(Player(Cassette(()), pace=pace)):
        seen = time.time()
        time.sleep(30)
        asyncio.run(main())
        assert 60 <= time.time() - seen < 90
    assert 60 * pace <= time.perf_counter() - began < HANGS


# ------------------------------------------------------------------------------ SDKs and scenarios

ASKED = [{"role": "user", "content": "你好"}]
SLOWLY = Options(port=0, pending_polls=1, running_polls=POLLS - 2)


@pytest.fixture(scope="module")
def slow_sandbox() -> Iterator[str]:
    """Run a sandbox whose tasks are done at the fortieth poll."""
    with serve(SLOWLY, PROVIDER_SERVERS) as base:
        yield base


SCENARIO = """\
name: patience
about: A task that takes ten minutes.
mode: async
poll: {{interval: {interval}, limit: 60}}
targets: [zhipuai/glm-5.3-flash]
steps:
  - user: 你好
"""


def test_forty_polls_of_a_scenario_are_not_waited_for(slow_sandbox: str, tmp_path: Path) -> None:
    """A scenario with ten minutes of polling replays without waiting."""
    speaker = PROVIDER_SERVERS["zhipuai"]
    source = Source(
        Origin.SANDBOX,
        where=slow_sandbox,
        key=lambda _: speaker.key,
        address=lambda _: slow_sandbox + speaker.prefix,
    )
    brief, patient = (loads(SCENARIO.format(interval=seconds)) for seconds in (0, 15))
    store = Store(tmp_path)
    record(brief, brief.targets[0], source, store, lambda _: None)
    with quickly():
        transcript = replay(patient, patient.targets[0], store)
    outcome = transcript.turns[0].outcome
    assert isinstance(outcome, Reply)
    assert len(transcript.turns[0].exchanges) == 1 + POLLS


def zhipu(base: str, interval: float) -> str:
    """Run a task with Zhipu's SDK in a poll loop of the user's own."""
    with zhipuai.ZhipuAI(api_key=ZHIPUAI_KEY, base_url=f"{base}/api/paas/v4") as client:
        task: Any = client.chat.asyncCompletions.create(model="glm-4", messages=ASKED)
        deadline = time.time() + 15 * POLLS
        while task.task_status == "PROCESSING" and time.time() < deadline:
            time.sleep(interval)
            task = client.chat.asyncCompletions.retrieve_completion_result(id=task.id)
        return str(task.task_status)


def dash(base: str, _: float) -> str:
    """Draw a picture with DashScope's SDK, which polls by itself."""
    call: Any = dashscope.ImageSynthesis.call
    dashscope.base_http_api_url = f"{base}/api/v1"
    answer = call("wanx-v1", prompt="小猫", api_key=DASHSCOPE_KEY, wait_timeout=200)
    close_shared_sync_session()
    return str(answer.output.task_status)


def dash_async(base: str, _: float) -> str:
    """Draw a picture with DashScope's asynchronous SDK."""
    if AioImageSynthesis is None:
        pytest.skip("this version of dashscope has no AioImageSynthesis")
    call: Any = AioImageSynthesis.call
    dashscope.base_http_api_url = f"{base}/api/v1"

    async def work() -> str:
        answer = await call("wanx-v1", prompt="小猫", api_key=DASHSCOPE_KEY)
        await close_shared_aio_session()
        return str(answer.output.task_status)

    return asyncio.run(work())


@pytest.mark.slow
@pytest.mark.parametrize("work", [zhipu, dash, dash_async])
def test_forty_polls_by_an_sdk_are_not_waited_for(
    slow_sandbox: str, work: Callable[[str, float], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty polls replay without waiting, and all recorded states are seen."""
    monkeypatch.setattr(dashscope, "base_http_api_url", dashscope.base_http_api_url)
    tape = Recorder(Redactor((ZHIPUAI_KEY, DASHSCOPE_KEY)))
    with use_tape(tape), impatient():
        done = work(slow_sandbox, 0.001)
    assert done.startswith("SUCCE")
    # Asynchronously, DashScope's SDK asks with a slash at the end, and is redirected each time.
    assert sum(bool(e.response.body) for e in tape.exchanges()) == 1 + POLLS
    player = Player(Cassette(tape.exchanges()))
    with quickly(), use_tape(player):
        assert work("http://elsewhere.invalid", 15) == done
    assert player.unused() == ()


@contextmanager
def impatient() -> Iterator[None]:
    """Record without waiting for the sandbox."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(time, "sleep", lambda seconds: None)
        original = asyncio.sleep
        patching.setattr(asyncio, "sleep", lambda seconds, result=None: original(0, result))
        yield


def test_a_nested_replay_has_its_own_time(tmp_path: Path) -> None:
    """A replay inside of another one has its own time."""
    tapes: list[Tape] = [Player(Cassette(())), Player(Cassette(()))]
    with use_tape(tapes[0]), use_tape(tapes[1]):
        time.sleep(50)
    assert [tape.clock.offset > 49 for tape in tapes if tape.clock] == [False, True]
