"""Declared services in Anthropic's and in the Responses format: sessions, sandbox, scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import one_process, results

from harness.providers import PROVIDERS
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve
from harness.types import Call, CallKind, Credentials, Failure, Message, Mode, Reply

if TYPE_CHECKING:
    from conftest import Python

PROJECT = """\
[tool.harness.providers.anthropic]
[tool.harness.providers.openai-responses]
"""
SCENARIO = """\
name: weather
about: A tool is called, and its result is put into words, whole and streamed.
targets: [{target}]
parameters:
  tools:
    - type: function
      function:
        name: get_current_weather
        parameters:
          type: object
          properties: {{location: {{type: string}}}}
          required: [location]
steps:
  - system: You are a weather assistant.
  - user: What is the weather in Beijing today?
    expect: {{tool_call: get_current_weather}}
  - tool_results:
      get_current_weather: {{temperature: 25}}
    expect: {{contains: "25"}}
  - user: And in Shanghai?
    mode: stream
    expect: {{tool_call: get_current_weather}}
  - tool_results:
      get_current_weather: {{temperature: 31}}
    mode: stream
    expect: {{contains: "31"}}
"""
WEATHER = {"type": "function", "function": {"name": "get_current_weather", "parameters": {}}}
SERVICES = [
    pytest.param(
        "anthropic",
        marks=pytest.mark.skipif(not find_spec("anthropic"), reason="anthropic is not installed"),
    ),
    "openai-responses",
]
by_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that declares both services by their names alone; the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def base(project: Path) -> Iterator[str]:
    """The address of a sandbox that serves both."""
    with serve(Options(port=0, chunk_gap=0), PROVIDER_SERVERS) as base:
        yield base


@pytest.mark.slow
@by_service
def test_a_session_speaks_the_format(name: str, base: str) -> None:
    """Whole answers, streams, thinking, tools; refusals are values."""
    server = PROVIDER_SERVERS[name]
    thinking = {"anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
    parameters = thinking.get(name, {"reasoning": {"effort": "low"}})
    with PROVIDERS[name].open(server.key, base + server.prefix, lambda _: None) as session:

        def send(**changes: object) -> Reply | Failure:
            hello = (Message("system", "Be brief."), Message("user", "你好"))
            call = {"kind": CallKind.CHAT, "mode": Mode.SYNC, "model": "m", "messages": hello}
            return session.send(Call(**{**call, **changes}))  # type: ignore[arg-type]

        whole, stream = send(), send(mode=Mode.STREAM)
        assert isinstance(whole, Reply)
        assert isinstance(stream, Reply)
        assert whole.content
        assert stream.content == whole.content
        assert (stream.usage, stream.finish_reason) == (whole.usage, whole.finish_reason)
        assert len(stream.pieces) > 3
        for mode in (Mode.SYNC, Mode.STREAM):
            thought = send(mode=mode, parameters=parameters)
            assert isinstance(thought, Reply)
            assert thought.reasoning
            assert thought.signature
            asked = (Message("user", "北京天气怎么样"),)
            called = send(mode=mode, messages=asked, parameters={"tools": [WEATHER]})
            assert isinstance(called, Reply)
            assert [call.name for call in called.tool_calls] == ["get_current_weather"]
        refused = send(credentials=Credentials.WRONG)
        assert isinstance(refused, Failure)
        assert refused.status == 401
        code = {"anthropic": "authentication_error"}.get(name, "invalid_api_key")
        assert refused.code == code


@pytest.mark.slow
@by_service
def test_signed_thinking_goes_back(name: str, base: str) -> None:
    """The sandbox refuses thinking with another signature than its own, as the service does."""
    server = PROVIDER_SERVERS[name]
    said = Message("assistant", "Hm.", reasoning="I think.", signature="wrong")
    messages = (Message("user", "a"), said, Message("user", "b"))
    call = Call(CallKind.CHAT, Mode.SYNC, "m", messages)
    with PROVIDERS[name].open(server.key, base + server.prefix, lambda _: None) as session:
        outcome = session.send(call)
    assert isinstance(outcome, Failure if name == "anthropic" else Reply)


@pytest.mark.slow
@by_service
def test_a_scenario_is_recorded_replayed_checked_and_parsed(
    name: str, project: Path, python: Python
) -> None:
    """The rules find nothing, and the SDK reads what travelled."""
    (project / "weather.yaml").write_text(SCENARIO.format(target=f"{name}/m"), encoding="utf-8")
    commands = (
        ("record", "--sandbox", "weather.yaml"),
        ("replay", "weather.yaml"),
        ("check", "cassettes"),
        ("parse", "cassettes", "--exit-code"),
    )
    for command, done in zip(commands, results(python(*one_process(commands))), strict=True):
        assert done.code == 0, f"{command}: {done}"
        assert "known_endpoint" not in done.out
    assert PROVIDERS[name].distribution in done.out
