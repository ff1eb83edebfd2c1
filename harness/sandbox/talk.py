"""A talk: a conversation as the model hears it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.sandbox import words
from harness.types import Message


@dataclass(frozen=True, slots=True)
class Talk:
    """The last question, what was said and answered before it, and what tools brought since.

    `results` are the tool messages that nobody has spoken about yet. `digest` is a number for all
    that makes for other words.
    """

    model: str
    question: str
    earlier: tuple[str, ...]
    answers: tuple[str, ...]
    system: str
    results: tuple[Message, ...]
    digest: bytes
    wants_json: bool

    @property
    def english(self) -> bool:
        """Whether to answer in English."""
        return words.is_english(self.question)

    @property
    def number(self) -> int:
        """Which question this is, counted from 1."""
        return len(self.earlier) + 1

    def pick(self, purpose: str, choices: Sequence[str]) -> str:
        """One of the choices: always the same for the same request and purpose."""
        chance = hashlib.sha256(self.digest + purpose.encode()).digest()
        return choices[int.from_bytes(chance[:4], "big") % len(choices)]

    def asks(self, pattern: str) -> bool:
        """Whether the question mentions something."""
        return re.search(pattern, self.question, re.IGNORECASE) is not None

    def with_memory(self, text: str) -> str:
        """A text, and after it what is remembered of the conversation."""
        if not self.earlier:
            return text
        said = words.excerpt(self.earlier[-1])
        if self.english:
            return f'{text} (This is your question no. {self.number}; before, you said: "{said}")'
        return f"{text}（这是第 {self.number} 个问题；您先前说过：“{said}”）"
