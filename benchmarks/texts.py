"""Texts at random, in English and in Chinese."""

from __future__ import annotations

import random

_SENTENCE = (
    "the model answers a question with words that a reader knows and a list of numbers which say "
    "how long each step took before it was done"
)
WORDS = tuple(_SENTENCE.split(" "))
_CHARACTERS = "今天天气很好模型回答问题用词语和数字说明每一步需要多少时间以及结果是否正确"


def english(source: random.Random, length: int) -> str:
    """Return a text of about *length* characters, in paragraphs."""
    words = (source.choice(WORDS) + ("\n\n" if n % 60 == 59 else " ") for n in range(length // 6))
    return "".join(words)


def chinese(source: random.Random, length: int) -> str:
    """Return a text of *length* characters."""
    return "".join(source.choice(_CHARACTERS) for _ in range(length))
