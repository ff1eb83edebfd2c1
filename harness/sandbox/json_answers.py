"""An answer in JSON: an object after the schema, the example or the fields that were named."""

from __future__ import annotations

import json
import re

from harness.sandbox import words
from harness.sandbox.talk import Talk
from harness.sandbox.toolbox import fill_from
from harness.types import LooseJson
from harness.wire import read_json

_JSON = re.compile(
    r"(?:用|以|返回|输出|生成|回答|给|按|in|as|return|valid|only|respond|answer)[^。.]{0,20}(?<![a-z])json"
    r"|json.{0,4}(?:格式|format|object|对象)",
    re.IGNORECASE,
)


def answer_json(talk: Talk) -> str:
    """A JSON object, with the fields the question (or the system message) names."""
    asked = f"{talk.question}\n{talk.system}"
    if not (talk.wants_json or _JSON.search(asked)):
        return ""
    example = _example(asked)
    if example is not None:
        return json.dumps(example, ensure_ascii=False)
    fields = _fields(asked) or ["answer"]
    value = {name: _field(talk, name) for name in fields}
    return json.dumps(value | _remembered(talk), ensure_ascii=False)


def _remembered(talk: Talk) -> dict[str, LooseJson]:
    """What of the conversation goes into a JSON answer that has no prescribed form."""
    if not talk.earlier or _fields(f"{talk.question}\n{talk.system}"):
        return {}
    return {"question_number": talk.number, "earlier": words.excerpt(talk.earlier[-1])}


def _example(text: str) -> LooseJson:
    """A JSON object filled after the schema, or the example, that a text contains."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        _, length = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError):
        return None
    found = read_json(text[start : start + length].encode("utf-8", "replace")).value
    return fill_from(found, text[:start]) if isinstance(found, dict) and found else None


_LIST = re.compile(
    r"(?:字段|键|属性|包含|包括|fields?|keys?|properties|with|containing)"
    r"(?:为|是|有|名为|分别是|:|：|\s)*(.+?)(?:[。！？\n!?]| for | about |$)",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[\u4e00-\u9fff]+")
_FILLERS = """
json object and the a an of with keys key fields field format in an only as answer please
和 与 及 以及 两个 三个 四个 两个字段 三个字段 四个字段 个字段 字段 等字段 的 对象 这些字段
"""
_NO_FIELDS = frozenset(_FILLERS.split())


def _fields(text: str) -> list[str]:
    """The names of fields a text lists: `字段为 name、population`."""
    quoted = re.findall(r"[\"“'`]([A-Za-z_][A-Za-z0-9_]*)[\"”'`]", text)
    latin = re.findall(r"(?<![A-Za-z0-9_])[a-z]+(?:_[a-z]+)+(?![A-Za-z0-9_])", text)
    listed = _LIST.search(text)
    names = _FIELD.findall(re.sub("[和与及]", "、", listed.group(1))) if listed else []
    if any(name.isascii() for name in names):
        names = [name for name in names if name.isascii()]
    found = quoted or [*names, *latin]
    return list(dict.fromkeys(n for n in found if n.lower() not in _NO_FIELDS))[:12]


def _field(talk: Talk, name: str) -> LooseJson:
    """A plausible value for a field, by its name."""
    subject = next(iter(words.cities(talk.question)), "") or words.excerpt(talk.question, 12)
    if re.search(
        r"count$|population|age|price|year|score|number|人口|年龄|价格|数量|分数|年份", name
    ):
        return 1 + talk.digest[len(name) % 32]
    if re.search(r"list|tags|items|foods|cities|steps|keywords|列表|标签", name):
        return [subject, talk.pick(name, ("豆汁", "烤鸭", "火锅", "小笼包"))]
    if re.search(r"^(is|has)_|是否", name):
        return True
    return subject if re.search("name|city|title|名|城市", name) else f"{subject}：{name}"
