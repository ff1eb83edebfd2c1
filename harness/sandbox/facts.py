"""What the model knows of the world: little, but the shipped scenarios ask for no more."""

from __future__ import annotations

import re

FACTS = (
    ("中国的?首都|capital of china", "中国的首都是北京。", "The capital of China is Beijing."),
    ("法国的?首都|capital of france", "法国的首都是巴黎。", "The capital of France is Paris."),
    (
        "沸腾|沸点|boil",
        "在标准大气压下，水在 100 摄氏度沸腾。",
        "At standard pressure water boils at 100 degrees Celsius.",
    ),
    (
        "最大的行星|largest planet",
        "太阳系里最大的行星是木星。",
        "The largest planet of the solar system is Jupiter.",
    ),
    (
        "介绍.{0,6}太阳系|about the solar system",
        "太阳系以太阳为中心。围绕它运行的有八颗行星，地球是其中的第三颗。此外还有许多卫星、小行星和彗星。",
        "The solar system has the Sun at its centre. Eight planets go around it, the Earth being "
        "the third. There are many moons, asteroids and comets besides.",
    ),
)
"""(pattern of the question, answer in Chinese, answer in English)."""


def known(question: str, *, english: bool) -> str:
    """The fact a question asks for; "" where the model knows none."""
    for pattern, chinese, in_english in FACTS:
        if re.search(pattern, question, re.IGNORECASE):
            return in_english if english else chinese
    return ""
