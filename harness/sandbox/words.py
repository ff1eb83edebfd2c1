"""Reading what was said: tokens, language, cities, names, numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.types import Message

_TOKEN = re.compile(r"\s?[A-Za-z]+|\d+|[\u4e00-\u9fff]{1,2}|\s+|.", re.DOTALL)

_ONE_WORD_CITIES = """
北京 上海 广州 深圳 杭州 成都 重庆 西安 武汉 南京 天津 苏州 青岛 厦门 昆明 哈尔滨 香港 台北
东京 巴黎 伦敦 纽约 柏林 悉尼
Beijing Shanghai Guangzhou Shenzhen Hangzhou Chengdu Chongqing Wuhan Nanjing Tianjin
Paris London Tokyo Berlin Boston Chicago Sydney
"""
CITIES = (*_ONE_WORD_CITIES.split(), "New York", "San Francisco", "Hong Kong", "Xi'an")


def tokens(text: str) -> tuple[str, ...]:
    """A text in tokens, as this model counts them; joined they are the text.

    A token is a Latin word with the space before it, a run of digits, one or two Chinese
    characters, a run of white space, or any other single character. No real tokenizer counts
    like that; what matters is that the count depends on the text and on nothing else.
    """
    return tuple(_TOKEN.findall(text))


def prompt_tokens(messages: Iterable[Message], tools: str = "") -> int:
    """What a conversation costs to read: 4 tokens per message, its text and calls, the tools."""
    told = sum(
        4 + len(tokens(m.content)) + sum(len(tokens(c.name + c.arguments)) for c in m.tool_calls)
        for m in messages
    )
    return told + len(tokens(tools))


def is_english(text: str) -> bool:
    """Whether a text has Latin letters and no Chinese ones."""
    return bool(re.search("[A-Za-z]", text)) and not re.search("[\u4e00-\u9fff]", text)


def cities(text: str) -> list[str]:
    """The cities a text names, in its order and spelling."""
    found = []
    for city in CITIES:
        place = re.search(rf"(?<![A-Za-z]){re.escape(city)}(?![A-Za-z])", text, re.IGNORECASE)
        if place:
            found.append((place.start(), place.group()))
    if not found and (named := re.search(r"\b(?:in|at|for) ([A-Z][A-Za-z]+)", text)):
        return [named.group(1)]
    return [city for _, city in sorted(found)]


def numbers(text: str) -> list[float]:
    """The numbers a text names."""
    return [float(n) for n in re.findall(r"-?\d{1,15}(?:\.\d{1,15})?", text)]


def terms(text: str) -> set[str]:
    """What a text is about, roughly: its longer Latin words and its pairs of Chinese letters."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    latin = {w.lower() for w in re.findall("[A-Za-z]{3,}", split)}
    pairs = {
        run[i : i + 2] for run in re.findall("[\u4e00-\u9fff]+", text) for i in range(len(run) - 1)
    }
    return (latin | pairs) - _SAY_NOTHING


_COMMON = """
the and for what how are you your can please with from that this tell give get given use
查询 获取 一下 一个 什么 怎么 怎样 如何 请问 可以 告诉 今天 明天 现在 这个 那个 信息
指定 给定 当前 根据 用户 我的 是什 请用 帮我 我查 查一
"""
_SAY_NOTHING = frozenset(_COMMON.split())


def excerpt(text: str, length: int = 24) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[:length] + "…"
