"""Recordings of any program become scenarios that replay the recorded bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Harness

from harness.cassette.store import Store
from harness.convert.adopt import adopt, free_name, write_all
from harness.convert.importing import read_any
from harness.errors import CannotWrite, HarnessError
from harness.providers.rules import check
from harness.runner import replay
from harness.scenario.files import load
from harness.types import Cassette, Exchange, Json, Request, Response

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
QUESTION: Json = {"role": "user", "content": "你好"}
ZHIPU = "https://open.bigmodel.cn/api/paas/v4/chat/completions"
COMPATIBLE = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"


def asked(
    messages: Sequence[Json], answer: Mapping[str, Json], uri: str = ZHIPU, **more: Json
) -> Exchange:
    """Return a recorded chat in OpenAI's format, whose answer has the message *answer*."""
    body = {"model": "glm-4", "messages": [*messages], **more}
    reason = "tool_calls" if "tool_calls" in answer else "stop"
    value = {
        "id": "1",
        "created": 1,
        "model": "glm-4",
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": reason, "message": answer}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    return Exchange(
        Request("POST", uri, (("content-type", "application/json"),), json.dumps(body).encode()),
        Response(200, "OK", (("content-type", "application/json"),), json.dumps(value).encode()),
    )


def said(text: str) -> dict[str, Json]:
    """Return an assistant's message."""
    return {"role": "assistant", "content": text}


def adopted_steps(*exchanges: Exchange) -> list[list[str]]:
    """Return the types of the steps of each scenario that a recording becomes."""
    made, left = adopt(Cassette(exchanges), "app.yaml", "app")
    assert left == []
    return [[step.form.type for step in one.scenario.steps] for one in made]


def test_a_continued_conversation_becomes_turns_of_one_scenario() -> None:
    """A request with the messages of an earlier one, its answer and a question is a turn."""
    second: list[Json] = [QUESTION, said("Hi"), {"role": "user", "content": "Name?"}]
    exchanges = (asked([QUESTION], said("Hi"), COMPATIBLE), asked(second, said("Qwen"), COMPATIBLE))
    assert adopted_steps(*exchanges) == [["user", "user"]]


def test_a_changed_conversation_becomes_scenarios_of_one_exchange() -> None:
    """An application that changes the answer before it sends it back is not one conversation."""
    second: list[Json] = [QUESTION, said("edited"), {"role": "user", "content": "Name?"}]
    exchanges = (asked([QUESTION], said("Hi"), COMPATIBLE), asked(second, said("Qwen"), COMPATIBLE))
    assert adopted_steps(*exchanges) == [["user"], ["user", "assistant", "user"]]


def test_tool_results_answer_the_recorded_calls() -> None:
    """Results of the functions that the answer before called are a step with results."""
    call: Json = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    calling: dict[str, Json] = {"role": "assistant", "content": "", "tool_calls": [call]}
    result: Json = {"role": "tool", "content": "25", "tool_call_id": "c"}
    exchanges = (
        asked([QUESTION], calling, COMPATIBLE),
        asked([QUESTION, calling, result], said("25"), COMPATIBLE),
    )
    assert adopted_steps(*exchanges) == [["user", "tool_results"]]


def test_messages_that_no_step_has_are_sent_as_they_were(tmp_path: Path) -> None:
    """Members of another client, braces of a reference and a changed parameter are kept."""
    name: Json = {"role": "user", "content": "{{ steps.a.content }}", "name": "Eva"}
    exchange = asked([name], said("Hi"), ZHIPU, temperature=0.0, stream=False)
    (made,), left = adopt(Cassette((exchange,)), "app.yaml", "app")
    assert left == []
    store = Store(tmp_path / "cassettes")
    write_all([made], tmp_path, store)
    transcript = replay(load(tmp_path / "app.yaml"), made.target, store)
    (replayed,) = transcript.exchanges()
    assert (replayed.request, replayed.response) == (exchange.request, exchange.response)


def test_what_cannot_be_expressed_is_named() -> None:
    """An unknown service and a lookup have a reason each; a known one is not declared."""
    unknown = asked([QUESTION], said("Hi"), "https://api.example.com/v9/talk")
    known = asked([QUESTION], said("Hi"), "https://api.deepseek.com/chat/completions")
    models = Exchange(
        Request("GET", COMPATIBLE.replace("chat/completions", "models")), Response(200)
    )
    made, left = adopt(Cassette((unknown, known, models)), "app.yaml", "app")
    assert [str(one.target) for one in made] == ["deepseek/glm-4"]
    assert [one.reason.partition(":")[0] for one in left] == [
        "no endpoint of api.example.com with this path is known",
        "compatible.models is no call of a model (it is",
    ]


def test_nothing_is_written_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a scenario cannot be written, its cassette is not there either; nothing is replaced."""
    made, _ = adopt(Cassette((asked([QUESTION], said("Hi")),)), "app.yaml", "app")
    store = Store(tmp_path / "cassettes")
    with monkeypatch.context() as patch:

        def refuse(path: Path, text: str) -> None:
            raise CannotWrite("full")

        patch.setattr("harness.convert.adopt.write_text", refuse)
        with pytest.raises(CannotWrite):
            write_all(made, tmp_path, store)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    write_all(made, tmp_path, store)
    with pytest.raises(HarnessError, match="exists"):
        write_all(made, tmp_path, store)
    assert free_name(tmp_path / "app.yaml", tmp_path, ()) != "app"


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no real recordings at {RECORDINGS}")
def test_real_recordings_replay_from_their_scenarios(tmp_path: Path, harness: Harness) -> None:
    """Recordings of other programs are adopted, and replay without a miss."""
    files = ("test_generation_call_streaming",)
    paths = [RECORDINGS / "dashscope" / f"{name}.yaml" for name in files]
    done = harness("adopt", *paths, folder=tmp_path)
    assert done.code == 0, done
    assert "left out" not in done.out
    assert harness("replay", folder=tmp_path).code == 0


@pytest.mark.slow
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no real recordings at {RECORDINGS}")
def test_nearly_all_real_exchanges_are_adopted() -> None:
    """At least 90 % of a sample of the real recordings are adopted; the rest has a reason."""
    total = adopted = 0
    for path in sorted(RECORDINGS.rglob("*.yaml"))[::12]:
        cassette = read_any(path)
        made, left = adopt(cassette, str(path), "x")
        adopted += sum(len(one.cassette.exchanges) for one in made)
        total += len(cassette.exchanges)
        assert all(one.reason for one in left)
    assert adopted >= 0.9 * total, (adopted, total)


def test_what_stands_beside_an_error_is_in_the_sdks_exception(tmp_path: Path) -> None:
    """OpenAI's SDK has it in the exception's response; a replay does not call it lost."""
    exchange = asked([QUESTION], said(""), COMPATIBLE)
    error = {"code": "invalid_api_key", "message": "no", "param": None, "type": "invalid"}
    body = json.dumps({"error": error, "request_id": "1"}).encode()
    refused = replace(exchange, response=replace(exchange.response, status=401, body=body))
    (made,), _ = adopt(Cassette((refused,)), "app.yaml", "app")
    store = Store(tmp_path / "cassettes")
    write_all([made], tmp_path, store)
    transcript = replay(load(tmp_path / "app.yaml"), made.target, store)
    assert "sdk_agrees_with_wire" not in {finding.rule for finding in check(transcript)}
