"""Misspelt parameters, and `harness list --strict`."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import dashscope
import openai
import pytest

from harness.scenario.parameters import KNOWN_PARAMETERS, misspelt

if TYPE_CHECKING:
    from conftest import Done, Harness

ROOT = Path(__file__).parents[2]

NOT_PARAMETERS = {"self", "cls", "kwargs", "model", "messages", "prompt", "input", "history"} | {
    "api_key",
    "query",
    "documents",
    "instruction",
}


def arguments() -> dict[str, Callable[..., Any]]:
    """The functions of the SDKs whose arguments are parameters, by name."""
    client = openai.OpenAI(api_key="-")
    return {
        "openai chat": client.chat.completions.create,
        "openai embeddings": client.embeddings.create,
        "openai images": client.images.generate,
        "openai speech": client.audio.speech.create,
        "openai transcriptions": client.audio.transcriptions.create,
        "openai responses": client.responses.create,
        "anthropic messages": anthropic.Anthropic(api_key="-").messages.create,
        "dashscope images": dashscope.ImageSynthesis.async_call,
        "dashscope generation": dashscope.Generation.call,
        "dashscope multimodal": dashscope.MultiModalConversation.call,
        "dashscope embedding": dashscope.TextEmbedding.call,
        "dashscope rerank": dashscope.TextReRank.call,
    }


@pytest.mark.parametrize("name", arguments())
def test_arguments_of_the_sdks_are_not_misspelt(name: str) -> None:
    """What an SDK has an argument for is a parameter."""
    given = inspect.signature(arguments()[name]).parameters.keys() - NOT_PARAMETERS
    assert dict(misspelt(dict.fromkeys(given))) == {}


def test_arguments_of_zhipus_sdk_are_not_misspelt() -> None:
    """Of the one that is installed."""
    zhipu = pytest.importorskip("zhipuai")
    client = zhipu.ZhipuAI(api_key="a.b")
    for function in (client.chat.completions.create, client.images.generations):
        given = inspect.signature(function).parameters.keys() - NOT_PARAMETERS
        assert dict(misspelt(dict.fromkeys(given))) == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("max_token", "max_tokens"),
        ("top-p", "top_p"),
        ("tool_choise", "tool_choice"),
        ("enable_thinkng", "enable_thinking"),
        ("incremental_ouput", "incremental_output"),
        ("respone_format", "response_format"),
        ("logprob", "logprobs"),
    ],
)
def test_a_misspelt_name_is_recognised(name: str, meant: str) -> None:
    """By the known name that is nearly the same."""
    assert list(misspelt({name: 1})) == [(name, meant)]


def tools(**function: Any) -> dict[str, Any]:
    """Return parameters with one tool, a function with these members."""
    return {"tools": [{"type": "function", "function": {"name": "f", **function}}]}


@pytest.mark.parametrize(
    ("given", "wrong", "meant"),
    [
        ({"response_format": {"typ": "text"}}, "response_format.typ", "response_format.type"),
        (
            {"response_format": {"type": "json_shema"}},
            "response_format.type: json_shema",
            "response_format.type: json_schema",
        ),
        (
            {"extra_body": {"enable_thinkng": True}},
            "extra_body.enable_thinkng",
            "extra_body.enable_thinking",
        ),
        (tools(paramters={}), "tools[0].function.paramters", "tools[0].function.parameters"),
        (
            tools(parameters={"properties": {"typ": {"items": {"type": "strng"}}}}),
            "tools[0].function.parameters.properties.typ.items.type: strng",
            "tools[0].function.parameters.properties.typ.items.type: string",
        ),
    ],
)
def test_a_misspelt_member_is_recognised(given: Any, wrong: str, meant: str) -> None:
    """Members of objects, words of which only some are known, and keywords of JSON Schemas."""
    assert list(misspelt(given)) == [(wrong, meant)]


@pytest.mark.parametrize(
    "given",
    [
        {"thinking": {"type": "enabled", "clear_thinking": False}, "stop": ["typ"]},
        {"response_format": {"type": "verbose_json"}},
        tools(parameters={"type": ["object", "null"], "properties": {"propertes": {}}}),
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]},
    ],
)
def test_known_and_new_members_are_not(given: Any) -> None:
    """The properties of a schema may have any name."""
    assert list(misspelt(given)) == []


@pytest.mark.parametrize(
    "name",
    [*sorted(KNOWN_PARAMETERS), "do_magic", "top_p_min", "max_retries", "size_limit", "x", "字"],
)
def test_a_known_or_new_name_is_not(name: str) -> None:
    """A name that is like no other may be new."""
    assert list(misspelt({name: 1})) == []


HEAD = "name: x\ntargets:\n  - model: {target}\n    parameters: {{temprature: 1}}\n"


Listed = Callable[..., "Done"]


@pytest.fixture
def listed(harness: Harness, tmp_path: Path) -> Listed:
    """Return what `harness list` prints in a folder with a scenario."""

    def run(text: str, *options: str) -> Done:
        (tmp_path / "scenarios").mkdir(exist_ok=True)
        (tmp_path / "scenarios" / "x.yaml").write_text(text, encoding="utf-8")
        return harness("list", *options, folder=tmp_path)

    return run


def test_a_misspelt_parameter_is_warned_of(listed: Listed) -> None:
    """With its place, wherever it stands; --strict fails."""
    text = HEAD.format(target="zhipuai/glm-5.3-flash") + (
        "parameters: {max_token: 5}\nsteps:\n  - user: a\n    parameters:\n      top_pp: 1\n"
    )
    done = listed(text)
    assert done.code == 0
    place = "harness: warning: scenarios/x.yaml"
    assert done.err.splitlines() == [
        f"{place}:5: unknown parameter 'max_token'; did you mean 'max_tokens'?",
        f"{place}:4: unknown parameter 'temprature'; did you mean 'temperature'?",
        f"{place}:9: unknown parameter 'top_pp'; did you mean 'top_p'?",
    ]
    assert listed(text, "--strict").code == 1
    done = listed(text, "--json")
    assert [len(row["warnings"]) for row in json.loads(done.out)] == [3]


@pytest.mark.parametrize(
    ("target", "steps", "message"),
    [
        ("zhipuai/cogview-4", "{prompt: a}", "zhipuai does not answer prompt in mode sync"),
        (
            "zhipuai/cogview-4",
            '{image: [{image: "https://h/a.png"}]}',
            "zhipuai takes no image in a call of the kind image with cogview-4",
        ),
        (
            "dashscope/text-embedding-v4",
            '{embedding: [a, {image: "https://h/a.png"}]}',
            "dashscope takes no image in a call of the kind embedding with text-embedding-v4",
        ),
        (
            "zhipuai/rerank",
            '{rerank: {query: a, documents: [b, {image: "https://h/a.png"}]}}',
            "zhipuai takes no image",
        ),
        (
            "dashscope/text-embedding-v4\n    client: async",
            "{embedding: a}",
            "dashscope has no asynchronous function for embedding in mode sync with text-",
        ),
        ("zhipuai/glm-4\n    client: async", "{user: a}", "client: async cannot make this call"),
        ("zhipuai/glm-4\n    sdk: zai", "{user: a}", "allowed: zhipuai, zai-sdk"),
        ("zhipuai/glm-4", "{transcription: 'http://h/a.wav'}", "takes the audio as a file"),
        ("zhipuai/glm-5.3-flash\n    endpoint: nowhere", "{user: a}", "has no endpoint 'nowhere'"),
        (
            "zhipuai/glm-5.3",
            "{user: a}, {tool_results: {f: 1}}",
            "cannot call 'f': `tools` declares",
        ),
        ("zhipuai/glm-5.3", "{user: a, expect: {tool_call: f}}", "declares: none"),
        (
            "dashscope/qwen-plus",
            '{user: a, name: b}, {image: ["{{ steps.b.image }}"], model: qwen-image}',
            "dashscope/qwen-plus answers in text only",
        ),
        (
            "dashscope/paraformer-v2",
            '{transcription: "https://x.test/a.wav"}',
            "paraformer-v2 does not answer transcription; it answers: transcription async",
        ),
        ("zhipuai/glm-tts", "{user: a}", "glm-tts does not answer chat; it answers: speech"),
        (
            "anthropic/claude-opus-4-5",
            "{user: a}",
            "add to pyproject.toml: [tool.harness.providers.anthropic]",
        ),
        ("openai-responses/gpt-5", "{user: a}", "serves 'openai-responses' if it is declared"),
        ("zhipuai/glm-tts", "{speech: a}", "needs the parameter voice"),
        ("zhipuai/cogview-4", "{image: a, parameters: {size: 17x3}}", "parameter size: '17x3'"),
        ("dashscope/qwen-plus", "{user: a, parameters: {n: 9}}", "refuses the parameter n: 9"),
        (
            "zhipuai/glm-5.3",
            "{user: a, parameters: {max_tokens: many}}",
            "refuses the parameter max_tokens: 'many'",
        ),
        (
            "zhipuai/glm-5.3",
            "{user: a, parameters: {thinking: {type: disabled}}}",
            "always thinks, and refuses thinking: disabled",
        ),
        (
            "dashscope/qwen-plus\n    endpoint: multimodal",
            "{user: a}",
            "qwen-plus is not at the endpoint multimodal, but at generation",
        ),
        (
            "zhipuai/glm-5.3",
            "{user: a, parameters: {tools: [{type: function, name: f}]}}",
            "refuses tools[0]: the name of a function is under function.name",
        ),
        (
            "zhipuai/glm-5.3",
            "{user: a, parameters: {tool_choice: {type: function, function: {name: f}}}}",
            "cannot call 'f': `tools` declares: none",
        ),
    ],
)
def test_strict_says_what_record_would_refuse(
    listed: Listed, target: str, steps: str, message: str
) -> None:
    """Without a call; without --strict the table is printed."""
    text = f"name: x\ntargets:\n  - model: {target}\nsteps: [{steps}]\n"
    assert listed(text).code == 0
    done = listed(text, "--strict")
    assert done.code == 1
    assert message in done.err


def test_strict_says_which_parameters_a_format_does_not_have(
    listed: Listed, tmp_path: Path
) -> None:
    """Those of OpenAI's chats, in Responses and Messages."""
    declared = "[tool.harness.providers.anthropic]\n[tool.harness.providers.openai-responses]\n"
    (tmp_path / "pyproject.toml").write_text(declared, encoding="utf-8")
    targets = "[anthropic/claude-sonnet-4-6, openai-responses/gpt-5.2]"
    done = listed(
        f"name: x\ntargets: {targets}\nparameters: {{n: 2}}\nsteps: [user: a]\n", "--strict"
    )
    assert done.err.count("refuses the parameter n: 2") == 2


def test_strict_names_every_file_that_is_not_valid(listed: Listed, tmp_path: Path) -> None:
    """And lists the others; without --strict the first one ends the command."""
    sound = "name: x\ntargets: [zhipuai/glm-5.3-flash]\nsteps: [{user: a}]\n"
    (tmp_path / "scenarios").mkdir()
    for name in ("y", "z"):
        (tmp_path / "scenarios" / f"{name}.yaml").write_text(f"name: {name}\n", encoding="utf-8")
    done = listed(sound, "--strict")
    assert done.code == 1
    assert "y.yaml" in done.err
    assert "z.yaml" in done.err
    assert "glm-5.3-flash" in done.out


def test_strict_is_silent_about_a_sound_scenario(listed: Listed) -> None:
    """It ends with 0."""
    text = "name: x\ntargets: [zhipuai/glm-5.3-flash]\nsteps: [{user: a}]\n"
    done = listed(text, "--strict")
    assert (done.code, done.err) == (0, "")


def test_replay_warns_of_a_misspelt_parameter(harness: Harness, tmp_path: Path) -> None:
    """Once for two targets; the exit code is as without the warning."""
    scenario = tmp_path / "scenarios" / "slogan.yaml"
    scenario.parent.mkdir()
    shutil.copytree(ROOT / "cassettes" / "slogan", tmp_path / "cassettes" / "slogan")
    text = (ROOT / "scenarios" / "slogan.yaml").read_text(encoding="utf-8")

    def replayed(name: str) -> Done:
        scenario.write_text(f"{text}\nparameters: {{{name}: 0.1}}\n", encoding="utf-8")
        return harness("replay", folder=tmp_path)

    done, spelt = replayed("temprature"), replayed("temperature")
    (warning,) = done.err.splitlines()
    assert warning.endswith("unknown parameter 'temprature'; did you mean 'temperature'?")
    assert (done.code, spelt.err) == (spelt.code, "")
