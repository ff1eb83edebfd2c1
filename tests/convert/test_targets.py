"""Recorded requests are translated, put to other targets within a budget, and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Harness

from harness.cassette.artefacts import to_files
from harness.cassette.store import read, write_cassette
from harness.providers import find_provider
from harness.providers.forms import known_services
from harness.providers.parameters import NAMES, form_of, translated
from harness.providers.provider import Provider
from harness.types import Cassette, Exchange, Json, Mode, Request, Response

TOOL: Json = {"name": "f", "input_schema": {"type": "object"}}
ON: Json = {"type": "enabled"}
ANSWER: Json = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "qwen-plus",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Ho"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
ANTHROPIC = "https://api.anthropic.com/v1/messages"
DECLARED = '[tool.harness.providers.anthropic]\n[project]\nname = "x"\n'


def provider(name: str) -> Provider:
    """Return a provider that is built in or well known."""
    return known_services()[name] if name in known_services() else find_provider(name)


def message_of_anthropic(**more: Json) -> Exchange:
    """Return a recorded message in Anthropic's format: a tool was called, and its result sent."""
    use: Json = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    result: Json = {"type": "tool_result", "tool_use_id": "t", "content": "25"}
    body: Json = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "How warm?"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ],
        "tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}],
        "stop_sequences": ["END"],
        **more,
    }
    answer: Json = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "25 degrees"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 5},
    }
    kind = (("content-type", "application/json"),)
    response = Response(200, "OK", kind, json.dumps(answer).encode())
    return Exchange(Request("POST", ANTHROPIC, kind, json.dumps(body).encode()), response)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with a recording of two requests in Anthropic's format, which it declares."""
    (tmp_path / "pyproject.toml").write_text(DECLARED, encoding="utf-8")
    thinking: Json = {"type": "enabled", "budget_tokens": 2048}
    exchanges = (message_of_anthropic(), message_of_anthropic(thinking=thinking))
    write_cassette(tmp_path / "app.yaml", to_files(Cassette(exchanges)))
    return tmp_path


def test_requests_are_translated_for_another_format(recorded: Path, harness: Harness) -> None:
    """The target gets messages, tools, their results and thinking in its own format."""
    on = ("--on", "dashscope/qwen-plus", "--sandbox", "--out", "new", "--json")
    done = harness("compare", "app.yaml", *on, folder=recorded)
    first, second = json.loads(done.out)["compared"]
    lost = "tool web_search_20250305 of the service"
    assert first["untranslatable"] == [lost]
    assert second["untranslatable"] == [lost, "detail budget_tokens of thinking"]
    paths = sorted((recorded / "new" / "cassettes").rglob("*.yaml"))
    bodies = [json.loads(read(path).exchanges[0].request.body) for path in paths]
    messages = bodies[0]["input"]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool"]
    assert json.loads(messages[2]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert messages[3]["tool_call_id"] == "t"
    parameters = bodies[1]["parameters"]
    assert parameters["enable_thinking"] is True
    assert parameters["stop"] == ["END"]
    assert parameters["tools"] == [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    ]


def test_no_request_exceeds_the_budget(recorded: Path, harness: Harness) -> None:
    """With a budget of one call, one of two requests is sent; the other names the budget."""
    on = ("--on", "zhipuai/glm-5.3-flash", "--sandbox", "--out", "new", "--json")
    done = harness("compare", "app.yaml", *on, "--budget", "1", folder=recorded)
    assert done.code == 1
    results = json.loads(done.out)["compared"]
    assert [one["passed"] for one in results] == [True, False]
    assert "the budget of 1 call allows no more" in results[1]["reasons"][0]
    assert len([*(recorded / "new" / "cassettes").rglob("*.yaml")]) == 1


def test_a_budget_of_money_limits_what_an_answer_may_cost(tmp_path: Path, harness: Harness) -> None:
    """A request without a limit gets that of its plan, also for thinking; the report has both."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "enable_thinking": True}
    url = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
    kind = (("content-type", "application/json"),)
    exchanges = [
        Exchange(
            Request("POST", url, kind, json.dumps({"model": "qwen-plus", **body, **more}).encode()),
            Response(200, "OK", kind, json.dumps(ANSWER).encode()),
        )
        for more in ({}, {"max_completion_tokens": 90, "n": 2})
    ]
    write_cassette(tmp_path / "app.yaml", to_files(Cassette(tuple(exchanges))))
    on = ("compare", "app.yaml", "--on", "dashscope/qwen-plus", "--budget", "2CNY", "--json")
    plan = json.loads(harness(*on, "--plan", folder=tmp_path).out)
    assert [one["money"] > 0.01 for one in plan["chosen"]] == [True, False]
    done = harness(*on, "--sandbox", "--out", "new", "--report", "page.md", folder=tmp_path)
    assert done.code == 0
    assert "dashscope/qwen-plus" in (tmp_path / "page.md").read_text(encoding="utf-8")
    paths = sorted((tmp_path / "new" / "cassettes").rglob("*.yaml"))
    sent = [json.loads(read(path).exchanges[0].request.body)["parameters"] for path in paths]
    limits = [(one["max_tokens"], one.get("thinking_budget")) for one in sent]
    assert limits == [(1024, 1024), (90, None)]


def test_what_has_no_price_is_not_asked(recorded: Path, harness: Harness) -> None:
    """With a budget of money, a target without a price is named and gets no request."""
    on = ("--on", "dashscope/no-such-model", "--sandbox", "--out", "new", "--json")
    done = harness("compare", "app.yaml", *on, "--budget", "1CNY", folder=recorded)
    results = json.loads(done.out)["compared"]
    assert {*results[0]["reasons"]} == {"there is no price of dashscope/no-such-model in CNY"}
    assert not (recorded / "new").exists()


def test_a_share_may_fail(recorded: Path, harness: Harness) -> None:
    """--pass is the share of answers that have to pass."""
    on = ("--on", "zhipuai/glm-5.3-flash", "--sandbox", "--budget", "1")
    assert harness("compare", "app.yaml", *on, "--pass", "0.5", folder=recorded).code == 0


def test_a_plan_asks_nothing(recorded: Path, harness: Harness) -> None:
    """The plan lists what would be asked, with the most that it may cost."""
    on = ("--on", "dashscope/qwen-plus", "--budget", "2CNY", "--plan", "--json")
    document = json.loads(harness("compare", "app.yaml", *on, folder=recorded).out)
    assert len(document["chosen"]) == 2
    assert 0 < document["money"] < 2


@pytest.mark.parametrize(
    ("source", "target", "given", "expected", "lost"),
    [
        ("zhipuai", "dashscope", {"thinking": {"type": "enabled"}}, {"enable_thinking": True}, []),
        (
            "dashscope",
            "zhipuai",
            {"enable_thinking": False},
            {"thinking": {"type": "disabled"}},
            [],
        ),
        ("openai", "anthropic", {"stop": "x", "seed": 1}, {"stop_sequences": ["x"]}, ["seed"]),
        ("openai", "anthropic", {"tool_choice": "required"}, {"tool_choice": {"type": "any"}}, []),
        ("anthropic", "openai", {"tool_choice": {"type": "any"}}, {"tool_choice": "required"}, []),
        ("dashscope", "openai", {"result_format": "message", "top_k": 5}, {}, ["top_k"]),
        ("openai-responses", "openai", {"max_output_tokens": 5}, {"max_tokens": 5}, []),
    ],
)
def test_parameters_have_the_names_of_the_target(
    source: str, target: str, given: dict[str, Json], expected: Json, lost: list[str]
) -> None:
    """A parameter has the target's name and value, or is named as lost."""
    new, losses = translated(given, provider(source), provider(target), Mode.SYNC)
    new.pop("result_format", None)
    assert (new, losses) == (expected, [f"parameter {name}" for name in lost])


def test_every_session_has_a_format() -> None:
    """Parameters can be translated for every provider that scenarios can ask."""
    assert {form_of(one) for one in known_services().values()} <= NAMES.keys()
    assert {form_of(find_provider(name)) for name in ("zhipuai", "dashscope")} <= NAMES.keys()
    assert form_of(find_provider("dashscope-compatible")) in NAMES
