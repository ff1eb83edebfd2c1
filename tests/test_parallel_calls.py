"""Two calls of one function in one turn: from the scenario's file to the rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support_matrix import WEATHER

import harness
from harness.types import Reply

TARGETS = """\
name: two-cities
targets:
  - zhipuai/glm-5.3-flash
  - model: dashscope/qwen-plus
    parameters: {result_format: message}
  - dashscope-compatible/qwen-plus
"""
STEPS = """\
steps:
  - user: 北京和上海今天天气怎么样？
    mode: MODE
    expect: {finish_reason: tool_calls, tool_call: get_current_weather}
  - tool_results:
      - {function: get_current_weather, arguments: {location: 上海}, result: {temperature: 31}}
      - {function: get_current_weather, arguments: {location: 北京}, result: {temperature: 25}}
    expect: {finish_reason: stop, contains: ["25", "31"]}
"""
SCENARIO = TARGETS + WEATHER + STEPS


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "stream"])
def test_each_call_is_answered_by_its_own_result(tmp_path: Path, mode: str) -> None:
    """In every form; the results travel in the order of the calls, each with the id of its own."""
    path = tmp_path / "two-cities.yaml"
    path.write_text(SCENARIO.replace("MODE", mode), encoding="utf-8")
    for transcript in harness.record(path, source="sandbox", cassettes=tmp_path / "cassettes"):
        assert harness.check(transcript) == ()
        asked, answered = transcript.turns
        assert isinstance(asked.outcome, Reply)
        calls = asked.outcome.tool_calls
        assert [json.loads(call.arguments) for call in calls] == [
            {"location": "北京"},
            {"location": "上海"},
        ]
        assert answered.call is not None
        results = answered.call.messages[-2:]
        assert [r.tool_call_id for r in results] == [call.id for call in calls]
        assert [r.content for r in results] == ['{"temperature":25}', '{"temperature":31}']
