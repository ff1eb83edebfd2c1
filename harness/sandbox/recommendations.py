"""A recommendation: three things worth while, and more about one of them when asked."""

from __future__ import annotations

import re

from harness.sandbox.talk import Talk

_JOURNEYS = ("杭州西湖", "苏州园林", "西安城墙", "青岛海边")

_WORTH: dict[str, tuple[str, ...]] = {
    "电影|影片|movie|film": ("《大闹天宫》", "《千与千寻》", "《城南旧事》", "《飞屋环游记》"),
    "书|小说|阅读|book|novel": ("《西游记》", "《小王子》", "《城南旧事》", "《朝花夕拾》"),
    "音乐|歌|music|song": ("《茉莉花》", "《二泉映月》", "《渔舟唱晚》", "《月光》"),
    "餐|菜|吃|美食|food|restaurant|dish": ("宫保鸡丁", "西红柿炒鸡蛋", "兰州牛肉面", "广式早茶"),
    "旅行|旅游|景点|去哪|城市|周末|travel|trip|visit": _JOURNEYS,
    "礼物|gift|present": ("一本手写的相册", "一盆绿萝", "一套茶具", "一场音乐会"),
}
"""What is worth while, by the words that ask for it."""


def recommend(talk: Talk) -> str:
    """Three things worth while; a follow-up takes up one that was recommended before."""
    picked = _taken_up(talk)
    if picked:
        return talk.with_memory(picked)
    if not talk.asks("推荐|建议|recommend|suggest"):
        return ""
    subject = f"{talk.question} {' '.join(talk.earlier)}"
    kinds = [k for k in _WORTH if re.search(k, talk.question, re.IGNORECASE)]
    kinds = kinds or [k for k in _WORTH if re.search(k, subject, re.IGNORECASE)]
    choices = _WORTH[kinds[0]] if kinds else _JOURNEYS
    start = choices.index(talk.pick("recommend", choices))
    three = [choices[(start + n) % len(choices)] for n in range(3)]
    opening = "I would recommend:" if talk.english else "为您推荐："
    return talk.with_memory("\n".join([opening, *(f"{n}. {it}" for n, it in enumerate(three, 1))]))


_ORDER = {"第一": 0, "第1": 0, "first": 0, "第二": 1, "第2": 1, "second": 1, "第三": 2, "third": 2}


def _taken_up(talk: Talk) -> str:
    """More about one item of the last list the model gave; "" where none is meant."""
    listed = next(
        (f for a in reversed(talk.answers) if (f := re.findall(r"^\d\. (.+)$", a, re.M))), []
    )
    meant = [place for word, place in _ORDER.items() if talk.asks(f"{word}(?!个?问题| question)")]
    if not listed or not (meant or talk.asks("为什么|详细|哪(个|一)|why|more about|which")):
        return ""
    item = listed[meant[0]] if meant and meant[0] < len(listed) else listed[0]
    item = item.split("（")[0].split(" (")[0]
    if talk.english:
        return (
            f"{item} is a good choice: it suits what you asked for, and it is easy to begin with."
        )
    return f"说到{item}：它很合您刚才的要求，轻松又耐看，不妨就从它开始。"
