"""Choosing tools: calls of a declared tool that fits the question, with fitting arguments."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.sandbox.json_values import SchemaFiller, city_properties
from harness.sandbox.text import find_cities, keywords
from harness.types import Json, ToolCall

_SYNONYMS = tuple(
    frozenset(words.split())
    for words in (
        "天气 气温 温度 下雨 带伞 weather forecast temperature rain umbrella",
        "几点 时间 日期 time date clock",
        "加上 相加 求和 add sum plus calculator 计算 calculate compute",
        "股价 股票 stock price",
        "航班 机票 flight",
        "火车 高铁 车次 train",
    )
)
"""Groups of keywords that mean the same."""

_FOLLOW_UP = re.compile(r"^(那|再|还有|and\b|what about|how about)|呢[？?]?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tool:
    """A declared function."""

    name: str
    description: str
    schema: Mapping[str, Json]


def choose_calls(
    tools: Json, choice: Json, question: str, earlier_questions: Sequence[str]
) -> list[ToolCall]:
    """Return the tool calls that answer a question; none where no tool fits or none is wanted.

    A follow-up question ("那上海呢？") is understood with the question before it.
    """
    if choice == "none":
        return []
    topic = question
    if earlier_questions and _FOLLOW_UP.search(question.strip()):
        topic = f"{question}\n{earlier_questions[-1]}"
    declared = declared_tools(tools)
    tool = _required_tool(declared, choice) or _fitting_tool(declared, topic)
    return _calls(tool, question, earlier_questions) if tool else []


def declared_tools(tools: Json) -> list[Tool]:
    """Return the functions among declared tools; other declarations are ignored."""
    declared = []
    for tool in tools if isinstance(tools, list) else []:
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(function, dict) and isinstance(name, str):
            schema = function.get("parameters")
            description = str(function.get("description") or "")[:2000]
            declared.append(Tool(name, description, schema if isinstance(schema, dict) else {}))
    return declared


def _required_tool(tools: Sequence[Tool], choice: Json) -> Tool | None:
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return next((tool for tool in tools if tool.name == name), None)


def _fitting_tool(tools: Sequence[Tool], topic: str) -> Tool | None:
    best = max(tools, key=lambda tool: _similarity(tool, topic), default=None)
    return best if best and _similarity(best, topic) > 0 else None


def _similarity(tool: Tool, topic: str) -> int:
    described, asked = keywords(f"{tool.name} {tool.description}"), keywords(topic)
    synonyms = sum(3 for group in _SYNONYMS if group & described and group & asked)
    return synonyms + len(described & asked)


def _calls(tool: Tool, question: str, earlier_questions: Sequence[str]) -> list[ToolCall]:
    """Return one call, or one per city where several are asked for and a call takes one."""
    texts = (question, *reversed(earlier_questions))
    cities = next((found for text in texts if (found := find_cities(text))), [])
    one_each = len(cities) > 1 and len(city_properties(tool.schema)) == 1
    groups = [[city] for city in cities[:5]] if one_each else [cities]
    return [
        ToolCall(
            id=f"call_{uuid.uuid4().hex[:24]}",
            name=tool.name,
            arguments=json.dumps(
                SchemaFiller(question, group).fill({**tool.schema}), ensure_ascii=False
            ),
        )
        for group in groups
    ]
