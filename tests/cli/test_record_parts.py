"""`harness record`: a budget, a plan, a single turn again, and a fork from one turn on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Harness

from harness.cassette.store import Store, read
from harness.config.environment import Environment
from harness.runner import batch
from harness.sandbox import Options
from harness.scenario.files import shipped_folder
from harness.types import Cassette

TARGET = "multi-turn/zhipuai-glm-5.3-flash"


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a conversation of four turns, recorded from a sandbox with one target."""
    folder = tmp_path_factory.mktemp("talk")
    (folder / "scenarios").mkdir()
    shutil.copy(shipped_folder() / "multi-turn.yaml", folder / "scenarios")
    jobs = batch.jobs(batch.load_scenarios([], folder / "scenarios"), ["zhipuai"])
    with batch.sandboxed(Options(port=0), Environment({})) as source:
        assert batch.record_all(jobs, source, Store(folder / "cassettes"), lambda _: None) == ()
    return folder


@pytest.fixture
def talk(recorded_once: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return shutil.copytree(recorded_once, tmp_path / "work")


def recorded(folder: Path, name: str = TARGET) -> Cassette:
    """Return a cassette of the folder."""
    return read(folder / "cassettes" / f"{name}.yaml")


def starts(cassette: Cassette) -> list[float]:
    """Return when each request was sent."""
    return [exchange.timing.start for exchange in cassette.exchanges if exchange.timing]


def test_one_turn_is_requested_again(talk: Path, harness: Harness) -> None:
    """Of a turn that is recorded again, only its request is sent; all others keep their bytes."""
    before = recorded(talk)
    assert harness("record", f"{TARGET}@3", "--sandbox", folder=talk).code == 0
    after = recorded(talk)
    pairs = zip(starts(before), starts(after), strict=True)
    assert [old == new for old, new in pairs] == [True, True, False, True]
    assert [after.exchanges[n] for n in (0, 1, 3)] == [before.exchanges[n] for n in (0, 1, 3)]


def test_a_turn_that_does_not_exist_is_refused(talk: Path, harness: Harness) -> None:
    """The message names the turns; nothing is sent or written."""
    before = recorded(talk)
    done = harness("record", f"{TARGET}@9", "--sandbox", folder=talk)
    assert done.code == 2
    assert "no turn 9; it has: 1, 2, 3, 4" in done.err
    assert recorded(talk) == before


def test_a_fork_requests_only_what_is_new(talk: Path, harness: Harness) -> None:
    """From turn 3 on another model is asked, by two requests; the recording names its parent."""
    fork = ("record", f"{TARGET}@3", "--target", "dashscope/qwen-flash", "--sandbox")
    done = harness(*fork, folder=talk)
    assert done.code == 0, done
    name = "multi-turn-at-3-dashscope-qwen-flash"
    cassette = recorded(talk, f"{name}/dashscope-qwen-flash")
    assert len(cassette.exchanges) == 2
    assert cassette.provenance.parent == f"{TARGET}@3"
    sent = json.loads(cassette.exchanges[0].request.body)["input"]["messages"]
    assert [message["role"] for message in sent] == ["system", *["user", "assistant"] * 2, "user"]
    assert harness("replay", name, folder=talk).code == 0
    rows = json.loads(harness("list", "--json", folder=talk).out)
    assert [row["depth"] for row in rows] == [0, 1, 0]
    assert "└ from turn 3" in harness("list", folder=talk).out
    assert f"continues {TARGET}@3" in harness("show", name, folder=talk).out


def test_a_fork_says_something_else(talk: Path, harness: Harness) -> None:
    """With other words for the user, the same model is asked from there on."""
    said = ("--say", "我几岁？", "--sandbox")
    assert harness("record", f"{TARGET}@4", *said, folder=talk).code == 0
    (path,) = (talk / "cassettes").glob("multi-turn-at-4-*/*.yaml")
    (exchange,) = read(path).exchanges
    assert json.loads(exchange.request.body)["messages"][-1]["content"] == "我几岁？"


@pytest.mark.slow
def test_a_fork_gives_another_result_or_goes_on_after_the_end(
    tmp_path: Path, harness: Harness
) -> None:
    """The result of the same call, with the same thinking before it; a turn after the last one."""
    (tmp_path / "scenarios").mkdir()
    shutil.copy(shipped_folder() / "weather-tool.yaml", tmp_path / "scenarios")
    name = "weather-tool/zhipuai-glm-5.3-flash"
    whole = ("record", "weather-tool", "-t", "zhipuai", "--sandbox")
    assert harness(*whole, folder=tmp_path).code == 0
    for turn, say in ((2, '{"temperature": -40}'), (5, "And in Paris?")):
        done = harness("record", f"{name}@{turn}", "--say", say, "--sandbox", folder=tmp_path)
        assert (done.code, done.err) == (0, ""), done
    old = [json.loads(e.request.body)["messages"] for e in recorded(tmp_path, name).exchanges]
    forks = [f"weather-tool-at-{n}-zhipuai-glm-5-3-flash/zhipuai-glm-5.3-flash" for n in (2, 5)]
    other, after = (
        json.loads(recorded(tmp_path, fork).exchanges[0].request.body)["messages"] for fork in forks
    )
    assert other == [*old[1][:-1], {**old[1][-1], "content": '{"temperature": -40}'}]
    assert after[: len(old[3])] == old[3]
    assert [message["role"] for message in after[len(old[3]) :]] == ["assistant", "user"]
    refused = harness("record", f"{name}@6", "--say", "x", "--sandbox", folder=tmp_path)
    assert "has the turns 1 to 4" in refused.err


REFERRING = """\
name: referring
targets:
- model: zhipuai/glm-5.3-flash
steps:
- {user: 你好, name: first}
- {user: 再见, name: second, mode: stream}
- {user: "1: {{ steps.first.content }} 2: {{ steps.second.content }}"}
"""


@pytest.mark.slow
def test_a_fork_may_refer_to_the_turns_before_it(tmp_path: Path, harness: Harness) -> None:
    """Their answers are the recorded ones; that of the fork's own turn is the new one."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "referring.yaml").write_text(REFERRING, encoding="utf-8")
    assert harness("record", "referring", "--sandbox", folder=tmp_path).code == 0
    fork = ("record", "referring/zhipuai@2", "--target", "dashscope/qwen-flash", "--sandbox")
    done = harness(*fork, folder=tmp_path)
    assert done.code == 0, done
    old = recorded(tmp_path, "referring/zhipuai-glm-5.3-flash").exchanges
    name = "referring-at-2-dashscope-qwen-flash"
    new = recorded(tmp_path, f"{name}/dashscope-qwen-flash").exchanges
    assert len(new) == 2
    first = json.loads(old[0].response.body)["choices"][0]["message"]["content"]
    said = json.loads(new[1].request.body)["input"]["messages"]
    assert said[-1]["content"] == f"1: {first} 2: {said[-2]['content']}"
    is_stream = [
        e.response.header("content-type") == "text/event-stream;charset=UTF-8" for e in new
    ]
    assert is_stream == [True, False]
    assert harness("replay", name, folder=tmp_path).code == 0


def test_a_plan_sends_nothing(talk: Path, harness: Harness) -> None:
    """The plan shows calls and money by the recordings on file."""
    before = recorded(talk)
    done = harness("record", "--plan", "--budget", "0.01CNY", "--json", folder=talk)
    document = json.loads(done.out)
    assert [entry["calls"] for entry in document["chosen"]] == [4]
    assert [entry["name"] for entry in document["omitted"]] == ["multi-turn/dashscope-qwen-flash"]
    assert recorded(talk) == before


def test_a_budget_ends_a_recording(talk: Path, harness: Harness) -> None:
    """The request after the last one that the budget allows is not sent; the cassette stays."""
    before = recorded(talk)
    budget = ("-t", "zhipuai", "--sandbox", "--budget", "3")
    done = harness("record", "multi-turn", *budget, folder=talk)
    assert done.code == 2
    assert "the budget of 3 calls allows no more" in done.err
    assert recorded(talk) == before
