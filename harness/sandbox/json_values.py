"""JSON values made from a text: after a JSON Schema, an example, or a list of field names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from harness.sandbox.conversation import Conversation
from harness.sandbox.text import excerpt, find_cities, find_numbers
from harness.types import Json
from harness.wire import read_json

# ------------------------------------------------------------------------------ JSON replies

_WANTS_JSON = (
    r"(?:用|以|返回|输出|生成|回答|给|按|in|as|return|valid|only|respond|answer)[^。.]{0,20}"
    r"(?<![a-z])json|json.{0,4}(?:格式|format|object|对象)"
)
_FIELD_LIST = re.compile(
    r"(?:字段|键|属性|包含|包括|fields?|keys?|properties|with|containing)"
    r"(?:为|是|有|名为|分别是|:|：|\s)*(.+?)(?:[。！？\n!?]| for | about |$)",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[\u4e00-\u9fff]+")
_FILLERS = """
json object and the a an of with keys key fields field format in an only as answer please
和 与 及 以及 两个 三个 四个 两个字段 三个字段 四个字段 个字段 字段 等字段 的 对象 这些字段
"""
_NOT_FIELDS = frozenset(_FILLERS.split())


def reply_in_json(conversation: Conversation) -> str:
    """Reply with a JSON object if one was asked for; "" otherwise.

    It follows the schema or example in the question or the system message, or else has the
    fields that they name.
    """
    request = f"{conversation.question}\n{conversation.system}"
    if not (conversation.json_mode or re.search(_WANTS_JSON, request, re.IGNORECASE)):
        return ""
    example = _from_example(request)
    if example is not None:
        return json.dumps(example, ensure_ascii=False)
    fields = _field_names(request)
    value: dict[str, Json] = {n: _field_value(conversation, n) for n in fields or ["answer"]}
    if conversation.earlier_questions and not fields:
        value["question_number"] = conversation.question_number
        value["earlier"] = excerpt(conversation.earlier_questions[-1])
    return json.dumps(value, ensure_ascii=False)


def _from_example(text: str) -> Json:
    """Return a value after the schema or example that a text contains; None without one."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        _, length = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError):
        return None
    example: Json = read_json(text[start : start + length].encode("utf-8", "replace")).value
    if not isinstance(example, dict) or not example:
        return None
    filler = SchemaFiller(text[:start])
    properties = example.get("properties")
    if isinstance(properties, dict):
        return filler.fill({"required": list(properties), **example})
    return _like(example, filler)


def _like(example: Json, filler: SchemaFiller, name: str = "") -> Json:
    """Return a value of the example's form, with other strings."""
    if isinstance(example, dict):
        return {key: _like(value, filler, key) for key, value in example.items()}
    if isinstance(example, list):
        return [_like(value, filler, name) for value in example[:3]]
    return filler.fill({"type": "string"}, name) if isinstance(example, str) else example


def _field_names(text: str) -> list[str]:
    """Return the field names in a text such as `字段为 name、population`."""
    quoted = re.findall(r"[\"“'`]([A-Za-z_][A-Za-z0-9_]*)[\"”'`]", text)
    snake_case = re.findall(r"(?<![A-Za-z0-9_])[a-z]+(?:_[a-z]+)+(?![A-Za-z0-9_])", text)
    listed = _FIELD_LIST.search(text)
    names = _FIELD.findall(re.sub("[和与及]", "、", listed.group(1))) if listed else []
    if any(name.isascii() for name in names):
        names = [name for name in names if name.isascii()]
    found = quoted or [*names, *snake_case]
    return list(dict.fromkeys(n for n in found if n.lower() not in _NOT_FIELDS))[:12]


def _field_value(conversation: Conversation, name: str) -> Json:
    """Return a plausible value for a field of this name."""
    question = conversation.question
    subject = next(iter(find_cities(question)), "") or excerpt(question, 12)
    if re.search(r"count$|population|age|price|year|score|number|人口|年龄|价格|数量|分数", name):
        return 1 + conversation.digest[len(name) % 32]
    if re.search(r"list|tags|items|foods|cities|steps|keywords|列表|标签", name):
        return [subject, conversation.choose(name, ("豆汁", "烤鸭", "火锅", "小笼包"))]
    if re.search(r"^(is|has)_|是否", name):
        return True
    return subject if re.search("name|city|title|名|城市", name) else f"{subject}：{name}"


# ------------------------------------------------------------------------ values after a schema

_CITY = re.compile("city|location|place|region|城市|地点|地区|位置", re.IGNORECASE)
_ORIGIN = re.compile("from|depart|origin|source|start|出发|起点", re.IGNORECASE)
_DESTINATION = re.compile("^to$|dest|arriv|target|end|到达|目的|终点", re.IGNORECASE)
_DATE = re.compile("date|day|日期|时间", re.IGNORECASE)


def properties_of(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Return the properties of a JSON Schema."""
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def city_properties(schema: Mapping[str, Json]) -> list[str]:
    """Return the names of the properties that are for a city."""
    patterns = (_CITY, _ORIGIN, _DESTINATION)
    return [name for name in properties_of(schema) if any(p.search(name) for p in patterns)]


class SchemaFiller:
    """Fills JSON Schemas with the cities, numbers and words of a text, numbers in their order."""

    def __init__(self, text: str, cities: Sequence[str] | None = None) -> None:
        self._text = text
        self._cities = find_cities(text) if cities is None else cities
        self._numbers: Iterator[float] = iter(find_numbers(text))

    def fill(self, schema: Json, name: str = "") -> Json:
        """Return a value that fits a JSON Schema, which is that of the property *name*."""
        schema = schema if isinstance(schema, dict) else {}
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
        required = schema.get("required")
        names = required if isinstance(required, list) else []
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
