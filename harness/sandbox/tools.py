"""Tool calls of the sandbox's model: the choice of a tool, and arguments that fit its schema."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.sandbox.texts import TEXTS, excerpt, find_cities, find_numbers, keywords
from harness.types import Json, ToolCall
from harness.wire import as_list, as_object, objects_in, resolve

_SYNONYMS = tuple(map(frozenset, TEXTS["words"]["synonyms"]))
"""Groups of keywords for the same topic."""

_FOLLOW_UP = re.compile(r"^(那|再|还有|and\b|what about|how about)|呢[？?]?$", re.IGNORECASE)

_LISTED = re.compile(r"\d[^\d,，、和与]{0,4}([,，、和与]| and )\s*\d")


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a request declares as a tool.

    Attributes:
        name: The name of the function.
        description: The description of the function, "" if it has none.
        schema: The JSON Schema of its arguments, {} if it has none.
    """

    name: str
    description: str
    schema: Mapping[str, Json]


def choose_calls(
    tools: Json, choice: Json, question: str, earlier_questions: Sequence[str]
) -> list[ToolCall]:
    """Return the tool calls that answer a question; [] if no tool fits.

    Args:
        tools: The `tools` of the request.
        choice: The `tool_choice` of the request; `"none"` allows no tool call, and `"required"`
            also allows one of a tool that does not fit.
        question: The last message from the user.
        earlier_questions: The messages from the user before it. The last of them is also searched
            for keywords if *question* is a follow-up question, such as "And in Shanghai?".
    """
    if choice == "none":
        return []
    topic = question
    if earlier_questions and _FOLLOW_UP.search(question.strip()):
        topic = f"{question}\n{earlier_questions[-1]}"
    declared = declared_tools(tools)
    tool = _required_tool(declared, choice) or _fitting_tool(declared, topic)
    tool = tool or next((one for one in declared if choice == "required"), None)
    return _calls(tool, question, earlier_questions) if tool else []


def declared_tools(tools: Json) -> list[Tool]:
    """Return the functions in the `tools` of a request; other kinds of tools are ignored."""
    declared = []
    for tool in objects_in(tools):
        function = as_object(tool.get("function"))
        if isinstance(name := function.get("name"), str):
            description = str(function.get("description") or "")[:2000]
            declared.append(Tool(name, description, as_object(function.get("parameters"))))
    return declared


def _required_tool(tools: Sequence[Tool], choice: Json) -> Tool | None:
    name = as_object(as_object(choice).get("function")).get("name")
    return next((tool for tool in tools if tool.name == name), None)


def _fitting_tool(tools: Sequence[Tool], topic: str) -> Tool | None:
    best = max(tools, key=lambda tool: _similarity(tool, topic), default=None)
    return best if best and _similarity(best, topic) > 0 else None


def _similarity(tool: Tool, topic: str) -> int:
    described, asked = keywords(f"{tool.name} {tool.description}"), keywords(topic)
    synonyms = sum(3 for group in _SYNONYMS if group & described and group & asked)
    return synonyms + len(described & asked)


def _calls(tool: Tool, question: str, earlier_questions: Sequence[str]) -> list[ToolCall]:
    """Return one call of *tool*, or several if the texts name several cities or numbers.

    There is one call per city (at most five) if exactly one argument of the tool is a city, else
    one per number of a list such as "100 and 200" if exactly one is a number.
    """
    texts = (question, *reversed(earlier_questions))
    cities = next((found for text in texts if (found := find_cities(text))), [])
    one_each = len(cities) > 1 and len(city_properties(tool.schema)) == 1
    fillers = [SchemaFiller(question, [city]) for city in cities[:5]] if one_each else []
    numbers = find_numbers(question)[:5]
    if not fillers and _count_numbers(tool.schema) == 1 and _LISTED.search(question):
        fillers = [SchemaFiller(question, cities, [number]) for number in numbers]
    return [
        ToolCall(
            id=f"call_{uuid.uuid4().hex[:24]}",
            name=tool.name,
            arguments=json.dumps(filler.fill({**tool.schema}), ensure_ascii=False),
        )
        for filler in fillers or [SchemaFiller(question, cities)]
    ]


def _count_numbers(schema: Mapping[str, Json]) -> int:
    types = (resolve(one, "/type") for one in properties_of(schema).values())
    return sum(kind in ("integer", "number") for kind in types)


# ------------------------------------------------------------------------ values after a schema

_CITY = re.compile("city|location|place|region|城市|地点|地区|位置", re.IGNORECASE)
_ORIGIN = re.compile("from|depart|origin|source|start|出发|起点", re.IGNORECASE)
_DESTINATION = re.compile("^to$|dest|arriv|target|end|到达|目的|终点", re.IGNORECASE)
_DATE = re.compile("date|day|日期|时间", re.IGNORECASE)


def properties_of(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Return the `properties` of a JSON Schema; {} if it has none."""
    return as_object(schema.get("properties"))


def city_properties(schema: Mapping[str, Json]) -> list[str]:
    """Return the names of the properties in *schema* that look like a city or place."""
    patterns = (_CITY, _ORIGIN, _DESTINATION)
    return [name for name in properties_of(schema) if any(p.search(name) for p in patterns)]


class SchemaFiller:
    """A builder of JSON values that fit a schema, from the cities, numbers and words of a text.

    *cities* and *numbers* are used in place of those in *text*; if None, they are searched there.
    """

    def __init__(
        self,
        text: str,
        cities: Sequence[str] | None = None,
        numbers: Sequence[float] | None = None,
    ) -> None:
        self._text = text
        self._cities = find_cities(text) if cities is None else cities
        self._numbers: Iterator[float] = iter(find_numbers(text) if numbers is None else numbers)

    def fill(self, schema: Json, name: str = "") -> Json:
        """Return a value that fits *schema*, the JSON Schema of the property *name*.

        *name* is a hint to the meaning of a string, such as `city` or `date`; "" for none. Each
        number of the text is used once, in the order of the text; then 1 is used.
        """
        schema = as_object(schema)
        values, default = schema.get("enum"), schema.get("default")
        if "const" in schema:
            return schema["const"]
        if isinstance(values, list) and values:
            return self._one_of(values)
        if isinstance(default, (str, int, bool)):
            return default
        kind = schema.get("type")
        kind = next((k for k in kind if k != "null"), "null") if isinstance(kind, list) else kind
        if not isinstance(kind, str):
            kind = "string" if name and "properties" not in schema else "object"
        match kind:
            case "integer" | "number":
                return self._number(schema)
            case "boolean":
                return True
            case "null":
                return None
            case "array":
                return [self.fill(schema.get("items"), name or "item")]
            case "string":
                return self._string(schema, name)
        names = as_list(schema.get("required"))
        properties = properties_of(schema)
        return {n: self.fill(properties.get(n), n) for n in names if isinstance(n, str)}

    def _one_of(self, values: list[Json]) -> Json:
        text = self._text.lower()
        return next(
            (v for v in values if isinstance(v, str) and v and v.lower() in text), values[0]
        )

    def _number(self, schema: Mapping[str, Json]) -> Json:
        low, high = schema.get("minimum"), schema.get("maximum")
        value = next(self._numbers, 1.0)
        # Bounds beyond everyday numbers are ignored: they may not fit a float.
        if isinstance(high, (int, float)) and -1e15 <= high <= 1e15:
            value = min(value, high)
        if isinstance(low, (int, float)) and -1e15 <= low <= 1e15:
            value = max(value, low)
        return int(value) if schema.get("type") == "integer" or value == int(value) else value

    def _string(self, schema: Mapping[str, Json], name: str) -> str:
        if _ORIGIN.search(name) or _DESTINATION.search(name) or _CITY.search(name):
            cities = self._cities or ["北京"]
            return cities[-1] if _DESTINATION.search(name) else cities[0]
        if _DATE.search(name) or schema.get("format") == "date":
            date = re.search(r"\d{4}-\d{2}-\d{2}|明天|后天|tomorrow", self._text)
            return date.group() if date else "今天"
        quoted = re.search('[“"「『《`](.{1,200}?)[”"」』》`]', self._text)
        return quoted.group(1) if quoted else excerpt(self._text, 60).rstrip("。？！?!.")
