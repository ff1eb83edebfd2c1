"""When a question fits a tool: the call, with arguments that fit the tool's schema."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from harness.sandbox import words
from harness.types import LooseJson, ToolCall

_ALIKE = (
    {
        "天气",
        "气温",
        "温度",
        "下雨",
        "带伞",
        "weather",
        "forecast",
        "temperature",
        "rain",
        "umbrella",
    },
    {"几点", "时间", "日期", "time", "date", "clock"},
    {"加上", "相加", "求和", "add", "sum", "plus", "calculator", "计算", "calculate", "compute"},
    {"股价", "股票", "stock", "price"},
    {"航班", "机票", "flight"},
    {"火车", "高铁", "车次", "train"},
)
"""Words that mean the same to the chooser of tools."""

_FOLLOWS_UP = re.compile(r"^(那|再|还有|and\b|what about|how about)|呢[？?]?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that may be called, as it was declared."""

    name: str
    description: str
    schema: Mapping[str, LooseJson]


def declared(tools: LooseJson) -> list[Tool]:
    """The functions among declared tools; whatever else is declared is passed over."""
    found = []
    for tool in tools if isinstance(tools, list) else []:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            schema = function.get("parameters")
            description = str(function.get("description") or "")[:2000]
            found.append(
                Tool(function["name"], description, schema if isinstance(schema, dict) else {})
            )
    return found


def choose(
    tools: LooseJson, choice: LooseJson, question: str, earlier: Sequence[str]
) -> list[ToolCall]:
    """The calls that would answer a question; none where no tool fits, or none is wanted.

    A question that follows up ("那上海呢？") is understood with the one before it.
    """
    if choice == "none":
        return []
    topic = question
    if earlier and _FOLLOWS_UP.search(question.strip()):
        topic = f"{question}\n{earlier[-1]}"
    tool = _forced(tools, choice) or _fitting(declared(tools), topic)
    return _calls(tool, question, earlier) if tool else []


def _forced(tools: LooseJson, choice: LooseJson) -> Tool | None:
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return next((tool for tool in declared(tools) if tool.name == name), None)


def _fitting(tools: Sequence[Tool], topic: str) -> Tool | None:
    scored = [(_score(tool, topic), -place) for place, tool in enumerate(tools)]
    score, place = max(scored, default=(0, 0))
    return tools[-place] if score > 0 else None


def _score(tool: Tool, topic: str) -> int:
    about, asked = words.terms(f"{tool.name} {tool.description}"), words.terms(topic)
    alike = sum(3 for group in _ALIKE if group & about and group & asked)
    return alike + len(about & asked)


def _calls(tool: Tool, question: str, earlier: Sequence[str]) -> list[ToolCall]:
    """One call; or one for each city, where several are asked for and a call takes one."""
    said = next((text for text in (question, *reversed(earlier)) if words.cities(text)), "")
    named = words.cities(said)
    one_each = len(named) > 1 and len(_cities_in(tool.schema)) == 1
    groups = [[city] for city in named] if one_each else [named]
    return [
        ToolCall(
            id=f"call_{uuid.uuid4().hex[:24]}",
            name=tool.name,
            arguments=json.dumps(_Filler(question, group).fill(tool.schema), ensure_ascii=False),
        )
        for group in groups[:5]
    ]


_CITY = re.compile("city|location|place|region|城市|地点|地区|位置", re.IGNORECASE)
_FROM = re.compile("from|depart|origin|source|start|出发|起点", re.IGNORECASE)
_TO = re.compile("^to$|dest|arriv|target|end|到达|目的|终点", re.IGNORECASE)
_DATE = re.compile("date|day|日期|时间", re.IGNORECASE)


def _properties(schema: Mapping[str, LooseJson]) -> dict[str, LooseJson]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _cities_in(schema: Mapping[str, LooseJson]) -> list[str]:
    """The properties that name a place."""
    places = (_CITY, _FROM, _TO)
    return [name for name in _properties(schema) if any(p.search(name) for p in places)]


def _is_usual(bound: LooseJson) -> TypeGuard[float]:
    """Whether a bound is a number of everyday size."""
    return isinstance(bound, (int, float)) and -1e15 <= bound <= 1e15


class _Filler:
    """Fills a schema with what a text says; numbers are taken in the order they were said."""

    def __init__(self, text: str, cities: Sequence[str]) -> None:
        self._text = text
        self._cities = cities
        self._numbers = iter(words.numbers(text))

    def fill(self, schema: LooseJson, name: str = "") -> LooseJson:
        """A value that fits a JSON Schema."""
        schema = schema if isinstance(schema, dict) else {}
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._listed(schema["enum"])
        if isinstance(schema.get("default"), (str, int, bool)):
            return schema["default"]
        kind = schema.get("type")
        kind = next((k for k in kind if k != "null"), "null") if isinstance(kind, list) else kind
        fillers = {
            "integer": self._number,
            "number": self._number,
            "boolean": lambda *_: True,
            "null": lambda *_: None,
            "array": self._array,
            "string": self._string,
        }
        implied = "string" if name and "properties" not in schema else "object"
        filler = fillers.get(kind if isinstance(kind, str) else implied, self._object)
        return filler(schema, name)

    def _listed(self, values: list[LooseJson]) -> LooseJson:
        said = [v for v in values if isinstance(v, str) and v and v.lower() in self._text.lower()]
        return said[0] if said else values[0]

    def _object(self, schema: Mapping[str, LooseJson], name: str) -> LooseJson:
        wanted = schema.get("required")
        known = _properties(schema)
        required = [n for n in wanted if isinstance(n, str)] if isinstance(wanted, list) else []
        return {n: self.fill(known.get(n), n) for n in required}

    def _array(self, schema: Mapping[str, LooseJson], name: str) -> LooseJson:
        return [self.fill(schema.get("items"), name or "item")]

    def _number(self, schema: Mapping[str, LooseJson], name: str) -> LooseJson:
        low, high = (schema.get(bound) for bound in ("minimum", "maximum"))
        value = next(self._numbers, 1.0)
        if _is_usual(high):
            value = min(value, high)
        if _is_usual(low):
            value = max(value, low)
        return int(value) if schema.get("type") == "integer" or value == int(value) else value

    def _string(self, schema: Mapping[str, LooseJson], name: str) -> str:
        if _FROM.search(name) or _TO.search(name) or _CITY.search(name):
            places = self._cities or ["北京"]
            return places[-1] if _TO.search(name) else places[0]
        if _DATE.search(name) or schema.get("format") == "date":
            return self._date()
        quoted = re.search('[“"「『《`](.{1,200}?)[”"」』》`]', self._text)
        return quoted.group(1) if quoted else words.excerpt(self._text, 60).rstrip("。？！?!.")

    def _date(self) -> str:
        told = re.search(r"\d{4}-\d{2}-\d{2}", self._text)
        if told:
            return told.group()
        return next((d for d in ("明天", "后天", "tomorrow") if d in self._text), "今天")


def fill_from(form: LooseJson, said: str) -> LooseJson:
    """A value after a JSON Schema, or after an example: strings get the text's city or topic."""
    filler = _Filler(said, words.cities(said))
    if isinstance(form, dict) and isinstance(form.get("properties"), dict):
        return filler.fill({"required": list(form["properties"]), **form})
    return _alike(form, filler)


def _alike(form: LooseJson, filler: _Filler, name: str = "") -> LooseJson:
    if isinstance(form, dict):
        return {key: _alike(value, filler, key) for key, value in form.items()}
    if isinstance(form, list):
        return [_alike(value, filler, name) for value in form[:3]]
    if isinstance(form, str):
        return filler.fill({"type": "string"}, name)
    return form
