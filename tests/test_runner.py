"""Recording and replaying: the same straight line, with another tape."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from providers.scripted import RESET, Answer, json_answer, serve_answers, stream_answer

from harness import runner
from harness.cassette.store import Store, write_text
from harness.cassette.writer import dumps
from harness.errors import CassetteMiss, HarnessError, RecordingFailed, StaleCassette, Unsupported
from harness.intercept.recorder import Recorder
from harness.providers import PROVIDERS
from harness.providers.rules import check
from harness.providers.servers import PROVIDER_SERVERS
from harness.runner import Source, record, replay, run
from harness.sandbox import Options, serve
from harness.scenario.files import load, load_all, loads, shipped_folder
from harness.scenario.steps import Scenario, Step
from harness.secrets.redactor import Redactor
from harness.types import (
    Call,
    Cassette,
    Exchange,
    Failure,
    Origin,
    Outcome,
    Reply,
    Request,
    Response,
    Target,
    Turn,
)

SHIPPED = load_all([shipped_folder()])
JOBS = [
    pytest.param(s, t, id=f"{s.name}-{t.slug}", marks=[pytest.mark.slow] * ((i + n) % 2))
    for i, s in enumerate(SHIPPED)
    for n, t in enumerate(s.targets)
]
"""Every scenario with every target; each scenario is quick with one provider."""
ZHIPU, DASH = Target("zhipuai", "glm-5.3-flash"), Target("dashscope", "qwen-flash")
TWO_QUESTIONS = """\
name: two-questions
about: Two questions in a row.
targets: [zhipuai/glm-5.3-flash, dashscope/qwen-flash]
steps:
  - user: 我叫小明
  - user: 我叫什么名字？
"""

Recording = tuple[Turn, ...]


def sandboxed(base: str, origin: Origin = Origin.SANDBOX) -> Source:
    """A running sandbox as a source; for all the harness knows it may be the live one."""
    return Source(
        origin,
        where=base,
        key=lambda provider: PROVIDER_SERVERS[provider.name].key,
        address=lambda provider: base + PROVIDER_SERVERS[provider.name].prefix,
    )


def scripted(address: str) -> Source:
    """A scripted server as a source."""
    return Source(Origin.LIVE, address, key=lambda _: "sk-1234567890", address=lambda _: address)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty folder of cassettes."""
    return Store(tmp_path / "cassettes")


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds a recording would have waited; no wait lasts."""
    seconds: list[float] = []
    monkeypatch.setattr(Recorder, "sleep", lambda self, wait: seconds.append(wait))
    return seconds


@pytest.fixture
def lived(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """What each run lived through, recordings and replays alike."""
    seen: list[Recording] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        turns, skipped = run(*arguments, **options)
        seen.append(turns)
        return turns, skipped

    monkeypatch.setattr(runner, "run", watched)
    return seen


def silent(_: str) -> None:
    """Nobody is told."""


def travelled(turns: Recording) -> list[tuple[Request, Response]]:
    """What went over the wire, apart from when."""
    return [(e.request, e.response) for turn in turns for e in turn.exchanges]


def public(turns: Recording) -> str:
    """All outcomes, without the signatures of links, which no cassette keeps."""
    outcomes = [asdict(turn.outcome) for turn in turns if turn.outcome]
    return Redactor().text(json.dumps(outcomes, default=repr))


# -------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize(("scenario", "target"), JOBS)
def test_a_replay_lives_what_was_recorded(
    scenario: Scenario, target: Target, sandbox: str, store: Store, lived: list[Recording]
) -> None:
    """Every shipped scenario with every target: the same calls, outcomes and exchanges."""
    record(scenario, target, sandboxed(sandbox), store, silent)
    transcript = replay(scenario, target, store)
    recorded, replayed = lived
    assert public(replayed) == public(recorded)
    assert travelled(replayed) == travelled(recorded)
    assert transcript.turns == replayed
    assert (transcript.unused, transcript.skipped) == ((), ())
    assert all(turn.outcome for turn in recorded)


def test_where_a_cassette_comes_from(sandbox: str, store: Store) -> None:
    """It says so itself."""
    scenario = loads(TWO_QUESTIONS)
    record(scenario, ZHIPU, sandboxed(sandbox), store, silent)
    told = replay(scenario, ZHIPU, store).provenance
    assert told.recorded_from is Origin.SANDBOX
    assert (told.scenario, told.target) == ("two-questions", "zhipuai/glm-5.3-flash")
    assert told.address == f"{sandbox}/api/paas/v4"
    assert told.sdk is not None
    assert told.sdk.name == "zhipuai"
    assert told.sdk.version.startswith("2.")
    assert len(told.script) == 2
    assert told.recorded_at.endswith("+00:00")


def test_pictures_are_on_the_tape(sandbox: str, store: Store) -> None:
    """Their bytes too, so that a replay can look at them."""
    scenario = load(shipped_folder() / "kitten-image.yaml")
    for target in scenario.targets:
        record(scenario, target, sandboxed(sandbox), store, silent)
        (turn,) = replay(scenario, target, store).turns
        assert isinstance(turn.outcome, Reply)
        assert (turn.outcome.images[0].data or b"").startswith(b"\x89PNG")


def test_people_who_wait_are_told(sandbox: str, store: Store) -> None:
    """Each step that is asked, before it is."""
    told: list[str] = []
    record(loads(TWO_QUESTIONS), DASH, sandboxed(sandbox), store, told.append)
    assert told == ['user "我叫小明"', 'user "我叫什么名字？"']


def test_a_random_seed_is_another_each_time(sandbox: str, store: Store) -> None:
    """And replays, because the scenario says that its value does not count."""
    scenario = load(shipped_folder() / "single-turn-messages.yaml")
    (target,) = scenario.targets
    seeds = set()
    for _ in range(2):
        record(scenario, target, sandboxed(sandbox), store, silent)
        (exchange,) = store.load(scenario.name, target).exchanges
        seeds.add(json.loads(exchange.request.body)["parameters"]["seed"])
        assert isinstance(replay(scenario, target, store).turns[0].outcome, Reply)
    assert len(seeds) == 2


def test_an_error_in_the_middle_of_a_stream_is_on_the_tape(store: Store) -> None:
    """All that was heard of it: a replay fails in the same way."""
    piece = '{"id":"1","model":"glm-5.3-flash","choices":[{"index":0,"delta":{"content":"从"}}]}'
    error = '{"error":{"code":"1234","message":"网络错误"}}'
    expecting = "mode: stream\n" + TWO_QUESTIONS.replace("  - user: 我叫小明\n", "")
    scenario = loads(expecting + '    expect: {failure: "1234"}\n')
    with serve_answers(stream_answer(f"data: {piece}", f"data: {error}")) as server:
        record(scenario, ZHIPU, scripted(server.address), store, silent)
    transcript = replay(scenario, ZHIPU, store)
    (turn,) = transcript.turns
    assert isinstance(turn.outcome, Failure)
    assert (turn.outcome.code, len(turn.outcome.views)) == ("1234", 1)
    assert transcript.unused == ()


def test_what_is_volatile_is_for_the_scenario_to_say(sandbox: str, store: Store) -> None:
    """Not for the cassette: changed since, the scenario's word counts."""
    text = TWO_QUESTIONS + "parameters: {seed: random}\n"
    volatile = loads(text + "volatile: [/seed]\n")
    record(loads(text), ZHIPU, sandboxed(sandbox), store, silent)
    assert len(replay(volatile, ZHIPU, store).turns) == 2
    record(volatile, ZHIPU, sandboxed(sandbox), store, silent)
    with pytest.raises(CassetteMiss, match="/seed: expected"):
        replay(loads(text), ZHIPU, store)


def test_what_is_volatile_in_a_project_is_so_in_its_scenarios(
    sandbox: str, store: Store, tmp_path: Path
) -> None:
    """Besides what they say themselves."""
    file = tmp_path / "two-questions.yaml"
    file.write_text(TWO_QUESTIONS + "parameters: {seed: random}\nvolatile: [/other]\n")
    record(load(file), ZHIPU, sandboxed(sandbox), store, silent)
    with pytest.raises(CassetteMiss, match="/seed: expected"):
        replay(load(file), ZHIPU, store)
    (tmp_path / "pyproject.toml").write_text('[tool.harness]\nvolatile = ["/seed"]\n')
    assert len(replay(load(file), ZHIPU, store).turns) == 2


# ------------------------------------------------------------------------------------ retries


@pytest.mark.parametrize(
    ("target", "waits"), [(ZHIPU, [1.0, 1.0]), (DASH, [1.0, 1.0])], ids=["zhipuai", "dashscope"]
)
def test_a_refusal_that_passes_is_asked_again(
    target: Target, waits: list[float], store: Store, slept: list[float], lived: list[Recording]
) -> None:
    """Every attempt is on the tape, in its turn, and a replay goes the same way without a wait."""
    scenario = loads(TWO_QUESTIONS)
    with serve(Options(port=0, throttle_every=2), PROVIDER_SERVERS) as base:
        record(scenario, target, sandboxed(base), store, silent)
    assert slept == waits[:1]
    statuses = [[e.response.status for e in turn.exchanges] for turn in lived[0]]
    assert statuses == [[200], [429, 200]]
    replayed = replay(scenario, target, store)
    assert [turn.outcome for turn in replayed.turns] == [turn.outcome for turn in lived[0]]
    assert [[e.response.status for e in turn.exchanges] for turn in replayed.turns] == statuses
    assert slept == waits[:1]


@pytest.mark.parametrize(
    ("asked", "waits"), [({"retry_after": "3"}, [3.0] * 4), ({}, [1.0, 2.0, 4.0, 8.0])], ids=str
)
def test_patience_with_a_provider_ends(
    asked: dict[str, str], waits: list[float], store: Store, slept: list[float]
) -> None:
    """Four more times, then the recording is given up; the second step is never asked."""
    refusal = json_answer({"error": {"code": "1302", "message": "多"}}, 429, **asked)
    given_up = pytest.raises(RecordingFailed, match=r"step 1: refused \(HTTP 429, code 1302\): 多")
    with serve_answers(refusal) as server, given_up:
        record(loads(TWO_QUESTIONS), ZHIPU, scripted(server.address), store, silent)
    assert slept == waits
    assert len(server.requests) == 5
    assert not store.folder.exists()


def test_no_wait_is_longer_than_a_minute(store: Store, slept: list[float]) -> None:
    """Whatever Retry-After asks for."""
    refusal = json_answer({"error": {"code": "1302", "message": "多"}}, 429, retry_after="86400")
    with serve_answers(refusal) as server, pytest.raises(RecordingFailed):
        record(loads(TWO_QUESTIONS), ZHIPU, scripted(server.address), store, silent)
    assert slept == [60.0] * 4
    assert len(server.requests) == 5


@pytest.mark.parametrize("answer", [json_answer({"error": {"code": "1211"}}, 400), RESET], ids=repr)
def test_what_does_not_pass_is_asked_once(answer: Answer, store: Store, slept: list[float]) -> None:
    """A wrong question stays wrong, and a broken connection may have been paid for."""
    with (
        serve_answers(answer) as server,
        pytest.raises(RecordingFailed, match="nothing was written"),
    ):
        record(loads(TWO_QUESTIONS), ZHIPU, scripted(server.address), store, silent)
    assert len(server.requests) == 1
    assert slept == []


def test_a_refusal_that_is_expected_is_asked_once(
    sandbox: str, store: Store, slept: list[float], lived: list[Recording]
) -> None:
    """Even one that would pass."""
    scenario = load(shipped_folder() / "refusals.yaml")
    for target in scenario.targets:
        record(scenario, target, sandboxed(sandbox), store, silent)
    assert slept == []
    assert [len(turn.exchanges) for turns in lived for turn in turns] == [1] * 10
    statuses = [
        t.outcome.status for turns in lived for t in turns if isinstance(t.outcome, Failure)
    ]
    assert statuses == [401, 400, 400, 400, 429] * 2


# --------------------------------------------------------------------------- failed recordings


def test_a_refusal_that_quotes_the_key_is_told_without_it(store: Store) -> None:
    """Services do quote keys; error texts end up in logs."""
    key = "0123456789abcdef0123456789abcdef.Th1sIsTheSecret1"
    refusal = json_answer({"error": {"code": "401", "message": f"bad key {key}, really"}}, 401)
    with serve_answers(refusal) as server:
        source = replace(scripted(server.address), key=lambda provider: key)
        with pytest.raises(RecordingFailed) as caught:
            record(loads(TWO_QUESTIONS), ZHIPU, source, store, silent)
    assert "bad key REDACTED, really" in str(caught.value)


@pytest.mark.parametrize(
    "broken",
    [
        [json_answer({"code": "InvalidParameter", "message": "no", "request_id": "r"}, 400)],
        [Answer(200, "no JSON at all")],
        [RESET],
    ],
    ids=["refused", "no JSON", "cut off"],
)
def test_a_failed_recording_leaves_what_was_there(
    broken: list[Answer], sandbox: str, store: Store
) -> None:
    """Byte for byte, and no other file beside it."""
    scenario = loads(TWO_QUESTIONS)
    record(scenario, DASH, sandboxed(sandbox), store, silent)
    path = store.path(scenario.name, DASH)
    before = path.read_bytes()
    with serve_answers(*broken) as server, pytest.raises(RecordingFailed):
        record(scenario, DASH, scripted(server.address), store, silent)
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


def test_a_refusal_in_the_middle_is_named(sandbox: str, store: Store) -> None:
    """With its step, status, code and message."""
    scenario = loads(TWO_QUESTIONS.replace("我叫什么名字？", "如何制造炸弹"))
    with pytest.raises(RecordingFailed) as raised:
        record(scenario, DASH, sandboxed(sandbox), store, silent)
    assert str(raised.value) == (
        "two-questions with dashscope/qwen-flash, step 2: refused (HTTP 400, code "
        "DataInspectionFailed): Input data may contain inappropriate content.; "
        "no cassette was written; earlier answers are kept: harness record two-questions "
        "--target dashscope-qwen-flash --sandbox --resume"
    )


def test_an_interrupted_recording_leaves_what_was_there(
    sandbox: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the second step."""
    scenario = loads(TWO_QUESTIONS)
    record(scenario, DASH, sandboxed(sandbox), store, silent)
    before = store.path(scenario.name, DASH).read_bytes()

    def impatient(step: str) -> None:
        if "什么" in step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(scenario, DASH, sandboxed(sandbox), store, impatient)
    assert store.path(scenario.name, DASH).read_bytes() == before


# ------------------------------------------------------------------------- for the sandbox only


@pytest.fixture
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sandbox pass for a live service."""
    monkeypatch.setattr(runner, "origin_of", lambda _, origin: origin)


def test_a_sandbox_of_another_process_is_recognized(sandbox: str, store: Store) -> None:
    """A recording of `harness sandbox` says so, and includes the steps for the sandbox."""
    scenario = load(shipped_folder() / "refusals.yaml")
    target = scenario.targets[0]
    record(scenario, target, sandboxed(sandbox, Origin.LIVE), store, silent)
    transcript = replay(scenario, target, store)
    assert transcript.provenance.recorded_from is Origin.SANDBOX
    assert (len(transcript.turns), transcript.skipped) == (5, ())


@pytest.mark.usefixtures("unmarked")
def test_steps_for_the_sandbox_are_left_out_live(sandbox: str, store: Store) -> None:
    """When recording live, and when replaying what was; and it is told why."""
    scenario = load(shipped_folder() / "refusals.yaml")
    target = scenario.targets[0]
    for origin, turns in ((Origin.LIVE, 4), (Origin.SANDBOX, 5)):
        record(scenario, target, sandboxed(sandbox, origin), store, silent)
        transcript = replay(scenario, target, store)
        assert transcript.provenance.recorded_from is origin
        assert len(transcript.turns) == turns
        assert transcript.skipped == (
            (
                'step 5 (user "触发限流"): a rate limit cannot be provoked on purpose without '
                "abusing the service",
            )
            if origin is Origin.LIVE
            else ()
        )


# ----------------------------------------------------------------------- scenarios that changed


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("我叫什么名字？", "我是谁？", '{file}:6: step 2 (user "我是谁？") changed since'),
        ("我叫小明", "我叫小红", '{file}:5: step 1 (user "我叫小红") changed since'),
        (
            "steps:",
            "parameters: {top_p: 0.5}\nsteps:",
            '{file}:6: step 1 (user "我叫小明") changed',
        ),
        ("steps:", "mode: stream\nsteps:", '{file}:6: step 1 (user "我叫小明") changed since'),
        ("steps:", "history: none\nsteps:", '{file}:6: step 1 (user "我叫小明") changed since'),
        ("？\n", "？\n  - user: 再见\n", "{file}: 3 steps, but {cassette} was recorded with 2"),
    ],
)
def test_a_scenario_that_changed_is_refused(
    old: str, new: str, told: str, sandbox: str, store: Store, tmp_path: Path
) -> None:
    """By the step's name and line, with what to do."""
    file = tmp_path / "two-questions.yaml"
    file.write_text(TWO_QUESTIONS, encoding="utf-8")
    record(load(file), ZHIPU, sandboxed(sandbox), store, silent)
    file.write_text(TWO_QUESTIONS.replace(old, new), encoding="utf-8")
    with pytest.raises(StaleCassette) as raised:
        replay(load(file), ZHIPU, store)
    message = str(raised.value)
    cassette = store.path("two-questions", ZHIPU)
    assert message.startswith(told.format(file=file, cassette=cassette))
    assert message.endswith(
        "record it again: harness record two-questions --target zhipuai-glm-5.3-flash --sandbox"
    )
    assert str(cassette) in message


def test_what_is_expected_may_change(sandbox: str, store: Store) -> None:
    """It is no part of what was asked: no new recording, but a finding."""
    record(loads(TWO_QUESTIONS), ZHIPU, sandboxed(sandbox), store, silent)
    expecting = TWO_QUESTIONS + "    expect: {contains: 小红}\n"
    found = check(replay(loads(expecting), ZHIPU, store))
    assert [finding.rule for finding in found] == ["expected_words"]
    assert check(replay(loads(TWO_QUESTIONS), ZHIPU, store)) == ()


def test_a_lost_history_shows(sandbox: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A harness that forgot what was said would ask something that was never recorded."""
    scenario = loads(TWO_QUESTIONS)
    record(scenario, ZHIPU, sandboxed(sandbox), store, silent)

    def forgetful(self: Step, past: Any, outcome: Outcome | None = None) -> Any:
        return past

    monkeypatch.setattr(Step, "after", forgetful)
    with pytest.raises(CassetteMiss, match="/messages") as missed:
        replay(scenario, ZHIPU, store)
    cassette = store.path(scenario.name, ZHIPU)
    assert f"cassette: {cassette}\n" in str(missed.value)
    command = f"harness record {scenario.name} --target {ZHIPU.slug}"
    assert str(missed.value).endswith(f"record it again: {command} --sandbox")


def test_the_price_of_a_live_recording_is_said(sandbox: str, store: Store) -> None:
    """After a live recording, the advice to record again says that it costs."""
    scenario = loads(TWO_QUESTIONS)
    record(scenario, ZHIPU, sandboxed(sandbox), store, silent)
    cassette = store.load(scenario.name, ZHIPU)
    live = replace(cassette.provenance, recorded_from=Origin.LIVE)
    _rewrite(store, scenario, replace(cassette, provenance=live))
    changed = loads(TWO_QUESTIONS.replace("我叫小明", "我叫小红"))
    with pytest.raises(StaleCassette, match=r"a live recording costs money\)$"):
        replay(changed, ZHIPU, store)


def test_what_nobody_asks_for_is_found(sandbox: str, store: Store) -> None:
    """An exchange more than the scenario has is left over, and that is a finding."""
    scenario = loads(TWO_QUESTIONS)
    record(scenario, ZHIPU, sandboxed(sandbox), store, silent)
    cassette = store.load(scenario.name, ZHIPU)
    extra = _asking(cassette.exchanges[0], "还有一件事")
    _rewrite(store, scenario, replace(cassette, exchanges=(*cassette.exchanges, extra)))
    transcript = replay(scenario, ZHIPU, store)
    assert [e.request.body for e in transcript.unused] == [extra.request.body]
    assert [found.rule for found in check(transcript)] == ["everything_was_played"]


def _asking(exchange: Exchange, text: str) -> Exchange:
    body = json.loads(exchange.request.body)
    body["messages"][0]["content"] = text
    sent = json.dumps(body, ensure_ascii=False).encode()
    return replace(exchange, request=replace(exchange.request, body=sent))


def _rewrite(store: Store, scenario: Scenario, cassette: Cassette) -> None:
    write_text(store.path(scenario.name, ZHIPU), dumps(cassette))


def test_a_cassette_that_does_not_say_what_it_was_recorded_from(sandbox: str, store: Store) -> None:
    """Nobody knows whether it fits: it is tried."""
    scenario = loads(TWO_QUESTIONS)
    record(scenario, ZHIPU, sandboxed(sandbox), store, silent)
    cassette = store.load(scenario.name, ZHIPU)
    silent_one = replace(cassette, provenance=replace(cassette.provenance, script=()))
    _rewrite(store, scenario, silent_one)
    assert len(replay(scenario, ZHIPU, store).turns) == 2
    with pytest.raises(CassetteMiss):
        replay(loads(TWO_QUESTIONS.replace("小明", "小红")), ZHIPU, store)


# -------------------------------------------------------------------------- sessions that raise


class _Raising:
    """A session that raises what it is told to."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def send(self, call: Call) -> Outcome:
        """Raise."""
        raise self._error


def _run(error: BaseException) -> Recording:
    turns, _ = run(
        loads(TWO_QUESTIONS),
        ZHIPU,
        _Raising(error),
        Recorder(Redactor()),
        seed=1,
        live=False,
        progress=silent,
        after_turn=lambda turn: None,
    )
    return turns


@pytest.mark.parametrize(
    "error", [ValueError("odd"), AttributeError("odd"), RecursionError("odd"), KeyError("odd")]
)
def test_whatever_an_sdk_raises_is_a_failure(error: Exception) -> None:
    """It is judged like any other outcome, and the conversation goes on."""
    outcomes = [turn.outcome for turn in _run(error)]
    assert outcomes == [Failure(0, type(error).__name__, str(error))] * 2


@pytest.mark.parametrize("error", [HarnessError("ours"), CassetteMiss("ours"), KeyboardInterrupt()])
def test_what_is_ours_is_not_swallowed(error: BaseException) -> None:
    """A request off the tape, wrong use, Ctrl-C: none of them is the provider's answer."""
    with pytest.raises(type(error)):
        _run(error)


# ------------------------------------------------------------------------- what providers cannot


@pytest.mark.parametrize(
    ("target", "line", "told"),
    [
        ("zhipuai/glm-5.3-flash", "prompt: 你好", "zhipuai does not answer prompt in mode sync"),
        (
            "dashscope/qwen-flash",
            "{user: 你好, mode: async}",
            "dashscope does not answer chat in mode async",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["record", "replay"])
def test_what_a_provider_cannot_do_is_told(
    target: str, line: str, told: str, verb: str, sandbox: str, store: Store, tmp_path: Path
) -> None:
    """With file and line, before anything is asked."""
    file = tmp_path / "cannot.yaml"
    text = f"name: cannot\nabout: Too much.\ntargets: [{target}]\nsteps:\n  - {line}\n"
    file.write_text(text, encoding="utf-8")
    scenario = load(file)
    act: dict[str, Callable[[], Any]] = {
        "record": lambda: record(scenario, scenario.targets[0], sandboxed(sandbox), store, silent),
        "replay": lambda: replay(scenario, scenario.targets[0], store),
    }
    with pytest.raises(Unsupported) as raised:
        act[verb]()
    can = sorted(f"{kind} {mode}" for kind, mode in PROVIDERS[target.split("/")[0]].can)
    assert str(raised.value) == f"{file}:5: {told}; it answers: {', '.join(can)}"
    assert not store.folder.exists()


def test_an_address_left_to_the_sdk_is_told(
    sandbox: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cassette says where its answers came from, also where nobody said where to go."""
    monkeypatch.setenv("ZHIPUAI_BASE_URL", f"{sandbox}/api/paas/v4")
    source = replace(sandboxed(sandbox, Origin.LIVE), address=lambda _: "")
    record(loads(TWO_QUESTIONS), ZHIPU, source, store, silent)
    told = store.load("two-questions", ZHIPU).provenance
    assert told.address == PROVIDERS["zhipuai"].address


def test_a_replay_needs_no_network_and_no_proxy(
    sandbox: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that the SDK cannot even speak to does not matter to who goes nowhere."""
    scenario = loads(TWO_QUESTIONS)
    for target in scenario.targets:
        record(scenario, target, sandboxed(sandbox), store, silent)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    for target in scenario.targets:
        assert all(isinstance(t.outcome, Reply) for t in replay(scenario, target, store).turns)
