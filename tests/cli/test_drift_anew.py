"""harness drift --live, against a sandbox in the services' place: budgets, refusals, repeats."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from providers.scripted import RESET, json_answer, serve_answers
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.cassette.store import Store
from harness.config import prices
from harness.config.environment import Environment
from harness.intercept.recorder import Recorder
from harness.providers.servers import PROVIDER_SERVERS
from harness.runner import batch
from harness.sandbox import Options
from harness.sandbox.server import application, run_in_thread
from harness.scenario.files import shipped_folder

if TYPE_CHECKING:
    from conftest import Done, Harness

pytestmark = pytest.mark.slow

ADDRESSES = {
    "ZHIPUAI_BASE_URL": "zhipuai",
    "DASHSCOPE_HTTP_BASE_URL": "dashscope",
}
KEYS = {"ZHIPUAI_API_KEY": "zhipuai", "DASHSCOPE_API_KEY": "dashscope"}
NAMES = ("kitten-image", "multi-turn", "slogan")


@pytest.fixture(scope="session")
def filed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the shipped scenarios, recorded; nobody changes this folder."""
    folder = tmp_path_factory.mktemp("filed")
    (folder / "scenarios").mkdir()
    for name in NAMES:
        text = (shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8")
        quick = text.replace("interval: 1", "interval: 0")
        (folder / "scenarios" / f"{name}.yaml").write_text(quick, encoding="utf-8")
    todo = batch.jobs(batch.load_scenarios([], folder / "scenarios"), [])
    with batch.sandboxed(Options(port=0), Environment({})) as source:
        assert not batch.record_all(todo, source, Store(folder / "cassettes"), lambda _: None)
    return folder


@pytest.fixture
def filed(filed_once: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return shutil.copytree(filed_once, tmp_path / "work")


class Counting:
    """Keeps the path of every request that an application is asked."""

    def __init__(self, app: ASGIApp, paths: list[str]) -> None:
        self.app = app
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.paths.append(scope["path"])
        await self.app(scope, receive, send)


@contextmanager
def service(monkeypatch: pytest.MonkeyPatch, options: Options) -> Iterator[list[str]]:
    """What takes the place of the live services, for the SDKs of this process; yields the paths
    that it is asked."""
    paths: list[str] = []
    with run_in_thread(Counting(application(options, PROVIDER_SERVERS), paths), 0) as base:
        at(monkeypatch, base)
        yield paths


def at(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    """The services are there."""
    for variable, name in ADDRESSES.items():
        monkeypatch.setenv(variable, base + PROVIDER_SERVERS[name].prefix)
    for variable, name in KEYS.items():
        monkeypatch.setenv(variable, PROVIDER_SERVERS[name].key)


def drift(harness: Harness, folder: Path, *arguments: str) -> tuple[Done, Any]:
    """`harness drift --live`, as JSON."""
    done = harness("drift", "--live", *arguments, "--json", folder=folder)
    assert done.err == ""
    return done, json.loads(done.out)


def edit(path: Path, before: str, after: str) -> None:
    """Write something else into a file, wherever it stands."""
    text = path.read_text(encoding="utf-8")
    assert re.search(before, text)
    path.write_text(re.sub(before, after, text), encoding="utf-8")


def priced(folder: Path, *models: str, currency: str = "CNY") -> None:
    """A project that knows what these models cost: 1 000 for a million tokens, 1 for an image."""
    table = "".join(
        f'[[price]]\nprovider = "{name.partition("/")[0]}"\nmodel = "{name.partition("/")[2]}"\n'
        f'currency = "{currency}"\ninput = 1000\noutput = 1000\nimage = 1\n'
        'valid_from = 2020-01-01\nsource = "invented"\n\n'
        for name in models
    )
    (folder / "prices.toml").write_text(table, encoding="utf-8")
    (folder / "pyproject.toml").write_text('[tool.harness]\nprices = "prices.toml"\n')


@pytest.fixture(autouse=True)
def _no_shipped_prices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which models have one is not for these tests to know."""
    (tmp_path / "none.toml").write_text("")
    monkeypatch.setattr(prices, "SHIPPED", tmp_path / "none.toml")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "sleep", lambda self, seconds: None)


# ------------------------------------------------------------------------- budgets, in calls


def test_a_task_that_needs_more_polls(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one request more than the budget is made, wherever that is.

    As recorded, a kitten takes 2 calls of the one, a question and a file; of the other 5, with
    three polls.
    """
    before = [path.read_bytes() for path in sorted(filed.glob("cassettes/**/*.yaml"))]
    with service(monkeypatch, Options(port=0, pending_polls=30)) as asked:
        done, told = drift(harness, filed, "kitten-image", "--budget", "7")
    plan = told["plan"]
    assert (plan["calls"], plan["polls"], plan["files"]) == (7, 3, 2)
    assert (done.code, len(asked), told["spent"]["calls"]) == (2, 7, 7)
    assert [one["target"] for one in told["drifts"]] == ["zhipuai/cogview-4"]
    (broken,) = told["problems"]
    assert broken["target"] == "dashscope/wan2.2-t2i-flash"
    assert broken["text"] == (
        "stopped in turn 1: the budget of 7 calls allows no more: more requests are needed than "
        "when it was recorded (spent: 7 calls)"
    )
    assert [path.read_bytes() for path in sorted(filed.glob("cassettes/**/*.yaml"))] == before


def test_what_is_not_begun_is_said_by_name(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was finished is compared. Questions and polls that had to be repeated are calls.

    The task is refused twice, so that it takes 7 calls, and not 5; the other picture needs 2.
    """
    with service(monkeypatch, Options(port=0, throttle_every=3)) as asked:
        done, told = drift(harness, filed, "slogan", "kitten-image", "--budget", "10")
    assert told["plan"]["calls"] == 9
    assert (done.code, len(asked), told["spent"]["calls"]) == (2, 9, 9)
    assert [f"{one['scenario']} {one['target']}" for one in told["drifts"]] == [
        "slogan zhipuai/glm-5.3-flash",
        "slogan dashscope/qwen-flash",
        "kitten-image dashscope/wan2.2-t2i-flash",
    ]
    (never,) = told["problems"]
    assert (never["scenario"], never["target"]) == ("kitten-image", "zhipuai/cogview-4")
    assert never["text"] == (
        "not begun: the budget of 10 calls allows no more: the next step costs 2 calls as "
        "recorded, 1 remaining (spent: 9 calls)"
    )


def test_what_is_kept_of_a_recording_that_was_broken_off(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --out, its answers; `harness record --resume` goes on and pays for the rest alone."""
    with service(monkeypatch, Options(port=0, throttle_every=3)) as asked:
        words = ("multi-turn", "-t", "zhipuai", "--budget", "4", "--out", "anew")
        _, told = drift(harness, filed, *words)
        assert [p["text"].partition(":")[0] for p in told["problems"]] == ["stopped in turn 4"]
        again = ("record", "multi-turn", "--target", "zhipuai", "--cassettes", "anew", "--resume")
        assert harness(*again, folder=filed).code == 0
    assert len(asked) == 5
    assert harness("drift", "cassettes/multi-turn", "anew", folder=filed).code == 0


def test_drift_that_was_found_is_1_whatever_was_not_asked(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is said by name all the same."""
    edit(filed / "cassettes/kitten-image/zhipuai-cogview-4.yaml", '"data":', '"gone":0,"data":')
    with service(monkeypatch, Options(port=0, pending_polls=30)):
        done, told = drift(harness, filed, "kitten-image", "--budget", "7")
    assert [one["verdict"] for one in told["drifts"]] == ["breaking"]
    assert (done.code, len(told["problems"])) == (1, 1)


# ------------------------------------------------------------------------- budgets, in money


def test_a_plan_in_money(harness: Harness, filed: Path) -> None:
    """By the prices of today; what has none is named, and never taken for free."""
    priced(filed, "zhipuai/glm-5.3-flash", "zhipuai/cogview-4")
    done = harness("drift", "--plan", "--budget", "1.2 CNY", "--json", folder=filed)
    assert (done.code, done.err) == (0, "")
    plan = json.loads(done.out)
    assert plan["budget"] == {"most": 1.2, "currency": "CNY"}
    assert {one["name"] for one in plan["chosen"]} <= {
        "kitten-image/zhipuai-cogview-4",
        "multi-turn/zhipuai-glm-5.3-flash",
        "slogan/zhipuai-glm-5.3-flash",
    }
    assert 0 < plan["money"] <= 1.2
    assert plan["money"] == pytest.approx(sum(one["money"] for one in plan["chosen"]))
    why = {one["name"]: one["reason"] for one in plan["omitted"]}
    assert why["slogan/dashscope-qwen-flash"] == (
        "its cost is unknown: there is no price of dashscope/qwen-flash"
    )
    told = harness("drift", "--plan", "--budget", "1.2CNY", folder=filed).out
    assert re.search(r"\d+ calls \(.* among them\), [\d.]+ CNY; exercises", told)
    assert {f"{price['provider']}/{price['model']}" for price in plan["prices"]} == {
        "zhipuai/glm-5.3-flash",
        "zhipuai/cogview-4",
    }
    for price in plan["prices"]:
        assert f"\n{price['provider']}/{price['model']}: from {price['valid_from']}, " in told
    assert json.loads(harness("drift", "--plan", "--json", folder=filed).out)["prices"] == []


def test_prices_in_another_currency(harness: Harness, filed: Path) -> None:
    """Are none: nobody knows what they are worth."""
    priced(filed, "zhipuai/glm-5.3-flash", currency="USD")
    done = harness(
        "drift", "--plan", "--budget", "5CNY", "slogan", "-t", "glm-5.3-flash", folder=filed
    )
    assert (done.code, done.out) == (2, "")
    assert "no recording can be made again with --budget 5 CNY" in done.err
    assert "the price of zhipuai/glm-5.3-flash is in USD" in done.err


def test_an_answer_that_is_dearer_than_recorded(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked after the answer that spends the budget; what it cost is told."""
    priced(filed, "zhipuai/glm-5.3-flash", "dashscope/qwen-flash")
    for path in filed.glob("cassettes/multi-turn/*.yaml"):
        edit(path, r'"((?:prompt|completion|input|output)_tokens)":\d+', r'"\1":1')
    with service(monkeypatch, Options(port=0)) as asked:
        done, told = drift(harness, filed, "multi-turn", "--budget", "0.1CNY")
    assert told["plan"]["money"] == pytest.approx(2 * 4 * 0.002)
    assert told["plan"]["calls"] == 8
    assert (done.code, told["drifts"]) == (2, [])
    spent = told["spent"]
    assert 0.1 < spent["money"] < 0.2
    assert len(asked) == spent["calls"] < 4
    assert spent["stopped"] == "answers cost more than recorded"
    assert [p["text"].partition(":")[0] for p in told["problems"]] == [
        f"stopped in turn {spent['calls'] + 1}",
        "not begun",
    ]


def test_an_answer_that_does_not_say_what_it_used(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what was spent then, so nothing more is; what was asked is compared."""
    priced(filed, "zhipuai/glm-5.3-flash")
    answer = {
        "id": "1",
        "request_id": "1",
        "created": 1,
        "model": "glm-5.3-flash",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "智谱"},
            }
        ],
    }
    with serve_answers(json_answer(answer)) as server:
        at(monkeypatch, server.address)
        done, told = drift(harness, filed, "slogan", "-t", "zhipuai", "--budget", "5CNY")
    assert done.code == 1  # the usage is gone: that is breaking
    assert told["spent"]["stopped"].startswith(
        "the amount spent is unknown: the usage in an answer of zhipuai"
    )


def test_a_request_that_came_to_no_answer(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """May have been paid for: what the service refused before it is free, but this is not known."""
    priced(filed, "zhipuai/glm-5.3-flash")
    with serve_answers(
        json_answer({"error": {"code": "1302", "message": "多"}}, 429), RESET
    ) as server:
        at(monkeypatch, server.address)
        done, told = drift(harness, filed, "slogan", "-t", "zhipuai", "--budget", "5CNY")
    assert (done.code, told["spent"]["calls"]) == (2, 2)
    stopped = "the amount spent is unknown: a request has no answer"
    assert told["spent"]["stopped"] == stopped
    (problem,) = told["problems"]
    assert problem["text"].startswith("step 5: refused (code ")


@pytest.mark.parametrize(
    "text", ["0", "-3", "3.5", "CNY", "0CNY", "0.00 CNY", "5cny", "5XYZ", "5 C", "1e3", "５CNY", ""]
)
def test_what_is_no_budget(harness: Harness, filed: Path, text: str) -> None:
    """One clear message that says what is."""
    done = harness("drift", "--plan", f"--budget={text}", folder=filed)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"harness: {text!r} is not a valid budget; expected a whole number of calls from 1, such "
        "as 20, or money in a currency by ISO 4217, such as 0.50CNY\n"
    )


def test_what_was_spent_is_said(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the verdict, with or without a budget."""
    priced(filed, "zhipuai/glm-5.3-flash")
    with service(monkeypatch, Options(port=0)):
        for words, said in (
            ((), "\nspent: 1 call\n"),
            (("--budget", "3"), "\nspent: 1 call; budget: 3 calls\n"),
            (("--budget", "3CNY"), r"\nspent: 1 call, 0\.\d+ CNY; budget: 3 CNY\n"),
        ):
            told = ("drift", "--live", "slogan", "-t", "zhipuai", *words)
            assert re.search(said, harness(*told, folder=filed).out)


# ---------------------------------------------------------------------------------- refusals


def test_a_request_that_is_refused_now(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the service, in its own form: breaking, in the turn where it happened, with its words."""
    monkeypatch.setattr("harness.sandbox.requests.FORBIDDEN_TEXTS", ("我叫什么名字",))
    with service(monkeypatch, Options(port=0)):
        done, told = drift(harness, filed, "multi-turn", "slogan")
    assert done.code == 1
    assert told["problems"] == []
    verdicts = {f"{one['scenario']}/{one['target']}": one for one in told["drifts"]}
    assert len(verdicts) == 4
    assert verdicts["slogan/zhipuai/glm-5.3-flash"]["verdict"] in ("same", "wording only")
    for target, code in (
        ("zhipuai/glm-5.3-flash", "1301"),
        ("dashscope/qwen-flash", "DataInspection"),
    ):
        one = verdicts[f"multi-turn/{target}"]
        assert one["verdict"] == "breaking"
        (refused,) = (c for c in one["changes"] if c["kind"] == "status")
        assert refused["turn"] == 2
        assert refused["after"].startswith(f"400, code {code}")
        assert {c["turn"] for c in one["changes"] if c["verdict"] == "breaking"} == {2}
        assert "not recorded after that: 2 turns" in one["notes"]


def test_a_service_that_quotes_the_key(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words are told without it, wherever they are told."""
    key = PROVIDER_SERVERS["zhipuai"].key
    no = {"error": {"code": "1211", "message": f"no model for {key}, {key.partition('.')[2]}"}}
    with _saying(monkeypatch, 400, no)():
        done, told = drift(harness, filed, "slogan", "-t", "zhipuai", "--report", "report")
    assert told["problems"] == []
    assert (done.code, told["drifts"][0]["verdict"]) == (1, "breaking")
    written = [path.read_text(encoding="utf-8") for path in (filed / "report").iterdir()]
    assert all("no model for " in text for text in written)
    cases = (filed / "report/junit.xml").read_text(encoding="utf-8")
    assert "recording: " in cases, cases
    assert "harness-drift-" not in cases  # the new recording is gone
    assert all(key.partition(".")[2] not in text for text in (*written, done.out))


def _throttled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    return lambda: service(monkeypatch, Options(port=0, throttle_on="智谱"))


def _another_key(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    return lambda: service(monkeypatch, Options(port=0, keys={"zhipuai": "another.key"}))


def _saying(monkeypatch: pytest.MonkeyPatch, status: int, body: Any) -> Callable[[], Any]:
    @contextmanager
    def opened() -> Iterator[None]:
        with serve_answers(*[json_answer(body, status)] * 5) as server:
            at(monkeypatch, server.address)
            yield

    return opened


def _nobody(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    @contextmanager
    def opened() -> Iterator[None]:
        with serve_answers() as server:
            address = server.address
        at(monkeypatch, address)
        yield

    return opened


TROUBLE: dict[str, tuple[Callable[[pytest.MonkeyPatch], Callable[[], Any]], str]] = {
    "another key": (_another_key, "step 5: refused (HTTP 401, code 401): "),
    "throttling": (_throttled, "step 5: refused (HTTP 429, code 1302): "),
    "server trouble": (
        lambda patch: _saying(patch, 500, {"error": {"code": "500", "message": "内部错误"}}),
        "step 5: refused (HTTP 500, code 500): ",
    ),
    "not allowed": (
        lambda patch: _saying(patch, 403, {"error": {"code": "1220", "message": "无权访问"}}),
        "step 5: refused (HTTP 403, code 1220): ",
    ),
    "something in between": (
        lambda patch: _saying(patch, 404, "<html>not here</html>"),
        "step 5: refused (HTTP 404, code –): ",
    ),
    "no network": (_nobody, "step 5: refused (code "),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_says_nothing_of_the_service(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It could not be compared: 2, and why."""
    opened, said = TROUBLE[name]
    with opened(monkeypatch)():
        done, told = drift(harness, filed, "slogan", "-t", "zhipuai")
    assert (done.code, told["drifts"]) == (2, [])
    (problem,) = told["problems"]
    assert problem["text"].startswith(said)
    assert "resume" not in problem["text"]


# ----------------------------------------------------------------------------------- repeats


def test_what_repeats_vary_in_is_no_news(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field that any of them had is not new, and one that any of them lacked is not gone."""
    path = filed / "cassettes/slogan/zhipuai-glm-5.3-flash.yaml"
    shutil.copy(path, path.with_name("zhipuai-glm-5.3-flash~2.yaml"))
    edit(path, '"usage":{', '"usage":{"sometimes":0,')
    with service(monkeypatch, Options(port=0)):
        done, told = drift(harness, filed, "slogan", "-t", "zhipuai")
        assert done.code == 0
        assert told["drifts"][0]["verdict"] != "breaking"
        path.with_name("zhipuai-glm-5.3-flash~2.yaml").unlink()
        done, told = drift(harness, filed, "slogan", "-t", "zhipuai")
    assert told["problems"] == []
    assert (done.code, told["drifts"][0]["verdict"]) == (1, "breaking")


# ----------------------------------------------------------------------------------- reports


def test_the_files_of_a_report(
    harness: Harness, filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as any run writes, of two folders and of what is asked anew."""
    edit(filed / "cassettes/slogan/zhipuai-glm-5.3-flash.yaml", '"usage":{', '"usage":{"gone":0,')
    with service(monkeypatch, Options(port=0)):
        told = ("slogan", "--out", "anew", "--report", "one", "--report", "page.html")
        done, _ = drift(harness, filed, *told)
    assert done.code == 1
    assert harness("drift", "cassettes/slogan", "anew", "--report", "two", folder=filed).code == 1
    names = {path.name for path in (filed / "one").iterdir()}
    assert {"index.html", "summary.md", "junit.xml", "report.json", "report.jsonl"} <= names
    assert {path.name for path in (filed / "two").iterdir()} == names
    for folder in ("one", "two"):
        told_it = (filed / folder / "summary.md").read_text(encoding="utf-8")
        assert "/usage/gone" in told_it
    assert "/usage/gone" in (filed / "page.html").read_text(encoding="utf-8")
