"""Many at once: real SDKs, real sockets, many threads; nothing of one is ever another's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dashscope
import httpx
import pytest

from harness import runner
from harness.cassette import store as store_module
from harness.cassette.artefacts import CassetteFiles
from harness.cassette.store import Store, read
from harness.config.environment import Environment
from harness.intercept.patch import use_tape
from harness.intercept.recorder import Recorder
from harness.providers import PROVIDERS
from harness.providers.endpoints import HEADERS
from harness.providers.http import tls_context
from harness.providers.servers import PROVIDER_SERVERS
from harness.report.build import replay_report
from harness.runner import Source, batch
from harness.sandbox import Options, serve
from harness.scenario.steps import Scenario
from harness.secrets.redactor import Redactor
from harness.types import Call, CallKind, Cassette, Exchange, Mode, Reply

pytestmark = pytest.mark.slow

MANY = 64
NAME = re.compile("Ren[a-h][a-h]x")
NOBODY = Environment({})


def name(number: int) -> str:
    """A name that the sandbox keeps in mind, and no part of any other."""
    return f"Ren{'abcdefgh'[number // 8 % 8]}{'abcdefgh'[number % 8]}x"


WAYS = (
    ("mode: sync", ("我叫{}。",)),
    ("mode: stream", ("我叫{}。",)),
    ("mode: sync", ("我叫{}。", "我叫什么名字？", "请说出我的名字")),
    ("mode: stream", ("我叫{}。", "我叫什么名字？")),
)
"""Modes, and what is said in each."""

TARGETS = (
    "zhipuai/glm-5.3-flash",
    "{model: dashscope/qwen-flash, parameters: {result_format: message}}",
)


def write(folder: Path, number: int, target: str = "") -> None:
    """A scenario whose every answer has its own name in it."""
    mode, said = WAYS[number // 2 % len(WAYS)]
    me = name(number)
    steps = "".join(
        f"  - user: {text.format(me)}\n    expect: {{finish_reason: stop, contains: {me}}}\n"
        for text in said
    )
    chosen = target or TARGETS[number % 2]
    head = f"name: job-{number:02}\nabout: One of many.\n{mode}\ntargets: [{chosen}]\n"
    (folder / f"job-{number:02}.yaml").write_text(f"{head}steps:\n{steps}", encoding="utf-8")


def jobs(folder: Path, count: int, targets: Mapping[int, str] = {}) -> tuple[batch.Job, ...]:
    """So many scenarios, one target each."""
    scenarios = folder / "scenarios"
    scenarios.mkdir()
    for number in range(count):
        write(scenarios, number, targets.get(number, ""))
    return batch.jobs(batch.load_scenarios([], scenarios), [])


def silent(_: str) -> None:
    """Nobody is told."""


def no_thread_left() -> None:
    """Wait until every job's thread has ended."""
    for thread in threading.enumerate():
        if thread.name == batch.THREADS:
            thread.join(timeout=120)
            assert not thread.is_alive()


# --------------------------------------------------------------------- recording and replaying


def test_sixty_four_at_once_and_nothing_is_mixed(tmp_path: Path) -> None:
    """Each cassette holds its own exchanges, in order; replayed, not a word is wrong."""
    todo = jobs(tmp_path, MANY)
    store = Store(tmp_path / "cassettes")
    together = threading.Barrier(MANY, timeout=120)
    with batch.sandboxed(Options(port=0, latency=0.3), NOBODY) as source:
        assert batch.record_all(todo, _meeting(source, together), store, silent, MANY) == ()
    for number, job in enumerate(todo):
        _is_its_own(read(store.path(job.scenario.name, job.target)), number)
    told: list[str] = []
    report = replay_report(todo, store, told.append, "Replay", 4)
    assert (report.problems, report.findings, report.ok) == ((), (), True)
    assert [done.transcript.scenario for done in report.reads] == [
        job.scenario.name for job in todo
    ]
    for number, done in enumerate(report.reads):
        for turn in done.transcript.turns:
            assert isinstance(turn.outcome, Reply)
            assert set(NAME.findall(turn.outcome.content or "")) == {name(number)}
    assert told == [f"[{number}/64] {job}" for number, job in enumerate(todo, start=1)]


def _meeting(source: Source, together: threading.Barrier) -> Source:
    """Nobody is given a key before all have asked for one: so they do run at once."""

    def key(provider: Any) -> str:
        together.wait()
        return source.key(provider)

    return replace(source, key=key)


def _is_its_own(cassette: Cassette, number: int) -> None:
    """Every request of one conversation, in order, with one name and nothing of the others."""
    _, said = WAYS[number // 2 % len(WAYS)]
    assert [exchange.turn for exchange in cassette.exchanges] == list(range(1, len(said) + 1))
    prefix = PROVIDER_SERVERS[("zhipuai", "dashscope")[number % 2]].prefix
    for count, exchange in enumerate(cassette.exchanges, start=1):
        assert prefix in exchange.request.uri
        body = json.loads(exchange.request.body)
        messages = (body.get("input") or body)["messages"]
        asked = [line["content"] for line in messages if line["role"] == "user"]
        assert asked == [text.format(name(number)) for text in said[:count]]
        assert set(NAME.findall(exchange.request.body.decode())) == {name(number)}
        assert set(NAME.findall(_text(exchange))) == {name(number)}


def _text(exchange: Exchange) -> str:
    """What an answer says; a stream's pieces joined."""
    body = exchange.response.body.decode()
    return "".join(re.findall(r'"content":"(.*?)"', body))


def test_as_many_at_once_as_were_asked_for(tmp_path: Path) -> None:
    """And no more."""
    todo = jobs(tmp_path, 12)
    running, most, lock = [0], [0], threading.Lock()
    with batch.sandboxed(Options(port=0), NOBODY) as source:

        def key(provider: Any) -> str:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            together.wait()
            threading.Event().wait(0.1)  # time for one too many
            with lock:
                running[0] -= 1
            return source.key(provider)

        together = threading.Barrier(4, timeout=120)
        problems = batch.record_all(
            todo, replace(source, key=key), Store(tmp_path / "c"), silent, 4
        )
    assert (problems, most) == ((), [4])


BAD = {1: "dashscope/no-such-model", 4: "zhipuai/no-such-model", 9: "dashscope/no-such-model"}


def test_what_one_could_not_do_keeps_no_other(tmp_path: Path) -> None:
    """The others' cassettes are those of one after the other; problems come in the jobs' order."""
    todo = jobs(tmp_path, 16, BAD)
    alone, together = Store(tmp_path / "alone"), Store(tmp_path / "together")
    with batch.sandboxed(Options(port=0, latency=0.05), NOBODY) as source:
        one = batch.record_all(todo, source, alone, silent)
        many = batch.record_all(todo, _slow_first(source), together, silent, 16)
    assert [problem.scenario for problem in many] == ["job-01", "job-04", "job-09"]
    assert many == one
    kept = [job for number, job in enumerate(todo) if number not in BAD]
    assert [path.stem for path in sorted(together.folder.glob("*/*"))] == [
        job.target.slug for job in kept
    ]
    for job in kept:
        ours, theirs = (read(s.path(job.scenario.name, job.target)) for s in (alone, together))
        assert [_steady(e) for e in ours.exchanges] == [_steady(e) for e in theirs.exchanges]
        assert ours.provenance.script == theirs.provenance.script


def _slow_first(source: Source) -> Source:
    """The first to ask for a key gets it last, so that the order of finishing is another."""
    turns, lock = [0.0], threading.Lock()

    def key(provider: Any) -> str:
        with lock:
            turns[0] += 1
            wait = 1 / turns[0]
        threading.Event().wait(wait)
        return source.key(provider)

    return replace(source, key=key)


_VOLATILE = re.compile(r'"(id|request_id|created|task_id)":("[^"]*"|\d+)|(?m:^id:.*$)')


def _steady(exchange: Exchange) -> tuple[Any, ...]:
    """An exchange without what is another each time."""
    request, response = exchange.request, exchange.response
    path = httpx.URL(request.uri).path
    headers = [name for name, _ in response.headers]
    body = _VOLATILE.sub("", response.body.decode())
    return exchange.turn, request.method, path, request.body, response.status, headers, body


def test_a_refused_key_is_a_problem_of_its_jobs(tmp_path: Path) -> None:
    """The other provider's are recorded."""
    todo = jobs(tmp_path, 8)
    store = Store(tmp_path / "cassettes")
    with batch.sandboxed(Options(port=0), NOBODY) as source:
        refused = replace(
            source, key=lambda p: "sk-nobodys" if p.name == "dashscope" else source.key(p)
        )
        problems = batch.record_all(todo, refused, store, silent, 8)
    assert [p.scenario for p in problems] == ["job-01", "job-03", "job-05", "job-07"]
    assert all("InvalidApiKey" in problem.text for problem in problems)
    report = replay_report(todo, store, silent, "Replay", 8)
    assert [p.scenario for p in report.problems] == [p.scenario for p in problems]
    assert [r.transcript.scenario for r in report.reads] == [f"job-0{n}" for n in (0, 2, 4, 6)]
    assert report.findings == ()


def test_the_reports_are_the_same(tmp_path: Path) -> None:
    """However many are replayed at once, and whichever is done first."""
    todo = jobs(tmp_path, 12, {3: "dashscope/qwen-max", 5: "zhipuai/glm-3-turbo"})
    store = Store(tmp_path / "cassettes")
    with batch.sandboxed(Options(port=0), NOBODY) as source:
        assert batch.record_all(todo, source, store, silent, 4) == ()
    wrong = store.path("job-06", todo[6].target)
    wrong.write_text(wrong.read_text("utf-8").replace('"finish_reason":"stop"', '"a":"b"'), "utf-8")
    store.path("job-02", todo[2].target).unlink()
    one, many = (replay_report(todo, store, silent, "Replay", n) for n in (1, 12))
    assert one.findings
    assert one.problems
    one, many = (replace(r, duration=0.0, reads=tuple(r.reads)) for r in (one, many))
    assert many == one


def test_a_scenario_that_changes_while_others_are_replayed(tmp_path: Path) -> None:
    """Other processes read it again; a changed one is a problem of its own jobs only."""
    todo = jobs(tmp_path, 20, {})
    store = Store(tmp_path / "cassettes")
    with batch.sandboxed(Options(port=0), NOBODY) as source:
        assert batch.record_all(todo, source, store, silent, 4) == ()
    path = todo[7].scenario.path
    assert path is not None
    path.write_text(path.read_text("utf-8") + "# changed\n", "utf-8")
    report = replay_report(todo, store, silent, "Replay", 2)
    (problem,) = report.problems
    assert (problem.scenario, problem.target) == (todo[7].scenario.name, str(todo[7].target))
    assert problem.text.endswith("changed while it was replayed; replay it again")
    assert len(report.outlines) == 19


def test_an_error_of_ours_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and nobody goes on: it is no problem of a job."""
    todo = jobs(tmp_path, 8)
    over, begun = threading.Event(), []

    def record(scenario: Scenario, *_: Any) -> None:
        begun.append(scenario.name)
        if scenario.name == "job-00":
            raise LookupError("a mistake")
        assert over.wait(60)

    monkeypatch.setattr(batch, "record", record)
    with (
        batch.sandboxed(Options(port=0), NOBODY) as source,
        pytest.raises(LookupError, match="a mistake"),
    ):
        batch.record_all(todo, source, Store(tmp_path / "c"), silent, 2)
    over.set()
    no_thread_left()
    assert len(begun) <= 3


def test_the_environment_is_changed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads read it all the time: httpx, for each client, looks for proxies there."""
    todo = jobs(tmp_path, 8)
    store = Store(tmp_path / "cassettes")
    with batch.sandboxed(Options(port=0), NOBODY) as source:
        assert batch.record_all(todo, source, store, silent, 8) == ()
    put: list[bytes] = []
    really = os.putenv
    monkeypatch.setenv("no_proxy", "")

    def putenv(variable: bytes, value: bytes) -> None:
        put.append(variable)
        really(variable, value)

    monkeypatch.setattr(os, "putenv", putenv)
    assert replay_report(todo, store, silent, "Replay", 8).ok
    assert put == [b"no_proxy"]


# ---------------------------------------------------------------------------------- interrupts


def test_who_is_interrupted_asks_and_writes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waits for its answer, one is about to ask, two have not begun: none of them writes."""
    todo = jobs(tmp_path, 5, {0: "dashscope/no-such-model"})
    store = Store(tmp_path / "cassettes")
    asked, interrupted, begun = threading.Event(), threading.Event(), [0]
    requests: list[str] = []
    really = Recorder.find

    def find(self: Recorder, request: Any) -> Exchange | None:
        requests.append(request.body.decode())
        if name(1) in requests[-1]:
            asked.set()
            interrupted.wait(120)
        return really(self, request)

    def told(text: str) -> None:
        if text.startswith("[1/5 done]"):
            asked.wait(120)
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "find", find)
    with batch.sandboxed(Options(port=0), NOBODY) as source:

        def key(provider: Any) -> str:
            begun[0] += 1
            if begun[0] > 2:
                interrupted.wait(120)
            return source.key(provider)

        with pytest.raises(KeyboardInterrupt):
            batch.record_all(todo, replace(source, key=key), store, told, 2)
        interrupted.set()
        no_thread_left()
    assert sorted(NAME.findall(body)[0] for body in requests) == [name(0), name(1)]
    assert begun[0] <= 3
    assert not store.folder.exists()


def test_a_file_that_was_begun_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever interrupts waits for it: the process may end right afterwards."""
    todo = jobs(tmp_path, 3, {0: "dashscope/no-such-model"})
    store = Store(tmp_path / "cassettes")
    begun = threading.Event()
    really = store_module.write_cassette

    def put(path: Path, cassette: CassetteFiles) -> None:
        begun.set()
        threading.Event().wait(0.3)
        really(path, cassette)

    def told(text: str) -> None:
        if text.startswith("[1/3 done]"):
            begun.wait(120)
            raise KeyboardInterrupt

    monkeypatch.setattr(runner, "write_cassette", put)
    with batch.sandboxed(Options(port=0), NOBODY) as source:
        with pytest.raises(KeyboardInterrupt):
            batch.record_all(todo, source, store, told, 2)
        written = sorted(store.folder.rglob("*.yaml"))  # an answer may stand in a journal too
        no_thread_left()
    assert len(written) == 1
    assert read(written[0]).exchanges
    assert sorted(store.folder.rglob("*.yaml")) == written


# ---------------------------------------------------------------------- threads of the user's own


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A sandbox that takes its time, so that requests overlap."""
    with serve(Options(port=0, latency=0.02), PROVIDER_SERVERS) as address:
        yield address


Ask = Callable[[str], None]
"""Says something to a provider."""


@contextmanager
def dashscopes_own_session(base: str) -> Iterator[Ask]:
    """The one that dashscope keeps for all of the process."""
    speaker = PROVIDER_SERVERS["dashscope"]

    def ask(text: str) -> None:
        answers: Any = dashscope.Generation.call(
            model="qwen-flash",
            prompt=text,
            api_key=speaker.key,
            base_address=base + speaker.prefix,
            stream=len(text) % 2 == 0,
        )
        for answer in answers if len(text) % 2 == 0 else [answers]:
            assert answer.status_code == 200

    dashscope.close_shared_sync_session()
    try:
        yield ask
    finally:
        dashscope.close_shared_sync_session()


@contextmanager
def one_httpx_client(base: str) -> Iterator[Ask]:
    """One client for all of the threads."""
    with httpx.Client() as client:

        def ask(text: str) -> None:
            with client.stream("POST", **_question(base, text)) as answer:
                for _ in answer.iter_bytes():
                    pass

        yield ask


def _question(base: str, text: str) -> dict[str, Any]:
    speaker = PROVIDER_SERVERS["zhipuai"]
    told = {
        "model": "glm-5.3-flash",
        "messages": [{"role": "user", "content": text}],
        "stream": len(text) % 2 == 0,
    }
    headers = {"authorization": f"Bearer {speaker.key}"}
    return {"url": f"{base}{speaker.prefix}/chat/completions", "json": told, "headers": headers}


WAYS_TO_ASK = [dashscopes_own_session, one_httpx_client]
TIMES = 6


def _recorder() -> Recorder:
    return Recorder(Redactor((), HEADERS))


def _said(number: int) -> list[str]:
    return [f"我叫{name(number)}。{'了' * again}" for again in range(TIMES)]


def _ask_on_a_tape(ask: Ask, number: int) -> Sequence[Exchange]:
    with use_tape(_recorder()) as tape:
        assert isinstance(tape, Recorder)
        for text in _said(number):
            ask(text)
    return tape.exchanges()


def _are_its_own(exchanges: Sequence[Exchange], number: int) -> None:
    """What was said, in order; and every answer is to it."""
    for exchange, text in zip(exchanges, _said(number), strict=True):
        assert text in exchange.request.body.decode()
        assert exchange.response.status == 200
        answer = exchange.response.body.decode()
        said = "".join(re.findall(r'"(?:content|text)":"(.*?)"', answer))
        assert set(NAME.findall(said)) == {name(number)}


def _connections(base: str) -> int:
    """How many connections this process holds to the server, as a client."""
    inodes = set()
    for handle in os.listdir("/proc/self/fd"):
        try:
            inodes.add(os.readlink(f"/proc/self/fd/{handle}"))
        except FileNotFoundError:
            continue
    port = f":{int(base.rsplit(':', 1)[1]):04X}"
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(port) and f"socket:[{row[9]}]" in inodes for row in lines)


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="connections are counted there")
@pytest.mark.parametrize("count", [2, 16])
@pytest.mark.parametrize("way", WAYS_TO_ASK, ids=lambda way: way.__name__)
def test_threads_with_a_tape_each(way: Any, count: int, base: str) -> None:
    """One pool of connections between them: nothing is mixed and none is left behind."""
    assert _connections(base) == 0
    with way(base) as ask, ThreadPoolExecutor(count) as pool:
        together = threading.Barrier(count, timeout=120)

        def record(number: int) -> Sequence[Exchange]:
            together.wait()
            return _ask_on_a_tape(ask, number)

        for number, exchanges in enumerate(pool.map(record, range(count))):
            _are_its_own(exchanges, number)
        assert 1 <= _connections(base) <= count
    assert _connections(base) == 0


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="connections are counted there")
@pytest.mark.parametrize("way", WAYS_TO_ASK, ids=lambda way: way.__name__)
def test_one_tape_after_the_other(way: Any, base: str) -> None:
    """A connection opened on one is used on the next, and heard there only."""
    with way(base) as ask:
        kept = [_ask_on_a_tape(ask, number) for number in range(4)]
        assert _connections(base) == 1
        ask("我叫Renhhx。")  # on no tape
        assert _connections(base) == 1
    for number, exchanges in enumerate(kept):
        _are_its_own(exchanges, number)
    assert _connections(base) == 0


def test_tasks_with_a_tape_each(base: str) -> None:
    """One asynchronous client between them."""

    async def all_of_them() -> list[Sequence[Exchange]]:
        async with httpx.AsyncClient() as client:

            async def record(number: int) -> Sequence[Exchange]:
                with use_tape(_recorder()) as tape:
                    assert isinstance(tape, Recorder)
                    for text in _said(number):
                        async with client.stream("POST", **_question(base, text)) as answer:
                            async for _ in answer.aiter_bytes():
                                pass
                return tape.exchanges()

            kept = await asyncio.gather(*map(record, range(16)))
            assert 1 <= _connections(base) <= 16
            return kept

    for number, exchanges in enumerate(asyncio.run(all_of_them())):
        _are_its_own(exchanges, number)
    assert _connections(base) == 0


# ----------------------------------------------------------------------------- what is shared


def test_clients_share_whom_they_trust() -> None:
    """And nothing else; they still ask for certificates, and nobody changes the context."""
    import ssl

    context = tls_context()
    assert context is tls_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs()
    made: list[Any] = []
    call = Call(CallKind.CHAT, Mode.SYNC, "glm-5.3-flash")
    for _ in range(2):
        with PROVIDERS["zhipuai"].open("a.b", "http://127.0.0.1:1", lambda _: None) as line:
            made.append(line._client(call)._client)  # type: ignore[attr-defined]
            assert made[-1]._transport._pool._ssl_context is context
    assert made[0] is not made[1]
    assert all(client.is_closed for client in made)
    assert made[0].timeout == httpx.Timeout(300.0, connect=8.0)
