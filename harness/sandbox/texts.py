"""The analysis of texts in requests: tokens, cached tokens, language, cities, numbers, keywords.

The numbers of tokens that a service reads from its cache, or writes to it, follow from a request
alone: the previous request already sent all messages before the last answer of the assistant.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Any

from harness.types import Call, Json, Message
from harness.wire import query
from harness.wire.text import ellipsized

_TOKEN = re.compile(r"\s?[A-Za-z]+|\d+|[\u4e00-\u9fff]{1,2}|\s+|.", re.DOTALL)

TEXTS: dict[str, Any] = tomllib.loads((files(__package__) / "texts.toml").read_text("utf-8"))
"""What the sandbox's model knows and says."""

_STOP_WORDS = frozenset(TEXTS["words"]["common"])


def tokens(text: str) -> tuple[str, ...]:
    """Return the tokens of *text* as the sandbox counts them; joined, they are the text.

    A token is a Latin word with the space before it, a run of digits, one or two Chinese
    characters, a run of white space, or any other single character. Real tokenizers split
    differently; the count only has to depend on the text.
    """
    return tuple(_TOKEN.findall(text))


def embed(text: str, length: int) -> list[float]:
    """Return an embedding of *text*: *length* numbers, the sum of whose squares is 1.

    Texts that share tokens have similar vectors.
    """
    vector = [0.0] * length
    for token in tokens(text.lower()) or ("",):
        noise = Random(token)  # noqa: S311 - the same for the same token
        vector = [number + noise.gauss(0, 1) for number in vector]
    norm = math.sqrt(sum(number * number for number in vector))
    return [round(number / norm, 6) for number in vector]


def rank(query: str, documents: Sequence[str], limit: int | None = None) -> list[tuple[int, float]]:
    """Return (index, score) of the documents that share most keywords with *query*, best first.

    The index is that in *documents*, from 0; the score is the share of the query's keywords in the
    document, from 0 to 1. At most *limit* documents are returned; None for all.
    """
    wanted = keywords(query)
    shares = [len(wanted & keywords(document)) / (len(wanted) or 1) for document in documents]
    best = sorted(enumerate(shares), key=lambda pair: (-pair[1], pair[0]))[:limit]
    return [(number, round(share, 6)) for number, share in best]


def count_tokens(texts: Iterable[str]) -> int:
    """Return the number of tokens in all of *texts*."""
    return sum(len(tokens(text)) for text in texts)


def count_prompt_tokens(messages: Iterable[Message], tools: str = "") -> int:
    """Return the number of input tokens of a request.

    Each message counts 4 tokens, and the tokens of its content, reasoning and tool calls.

    Args:
        messages: The messages of the request.
        tools: The declared tools as text.
    """
    return len(tokens(tools)) + sum(
        4
        + len(tokens(m.content) + tokens(m.reasoning))
        + sum(len(tokens(c.name + c.arguments)) for c in m.tool_calls)
        for m in messages
    )


def is_english(text: str) -> bool:
    """Return whether *text* has Latin letters and no Chinese characters."""
    return bool(re.search("[A-Za-z]", text)) and not re.search("[\u4e00-\u9fff]", text)


def find_cities(text: str) -> list[str]:
    """Return the names of known cities in *text*, in its order and spelling.

    If there are none, a capitalized word after "in", "at" or "for" is returned as a city.
    """
    matches = [
        match
        for city in TEXTS["words"]["cities"]
        if (match := re.search(rf"(?<![A-Za-z]){re.escape(city)}(?![A-Za-z])", text, re.IGNORECASE))
    ]
    if not matches and (unknown := re.search(r"\b(?:in|at|for) ([A-Z][A-Za-z]+)", text)):
        return [unknown.group(1)]
    return [match.group() for match in sorted(matches, key=lambda match: match.start())]


def find_numbers(text: str) -> list[float]:
    """Return the numbers in *text*, in order."""
    return [float(n) for n in re.findall(r"-?\d{1,15}(?:\.\d{1,15})?", text)]


def keywords(text: str) -> set[str]:
    """Return the keywords of *text*, for a comparison with those of another text.

    They are the Latin words of at least three letters, in lower case, and all pairs of adjacent
    Chinese characters, without stop words.
    """
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    latin = {w.lower() for w in re.findall("[A-Za-z]{3,}", split)}
    pairs = {
        run[i : i + 2] for run in re.findall("[\u4e00-\u9fff]+", text) for i in range(len(run) - 1)
    }
    return (latin | pairs) - _STOP_WORDS


def excerpt(text: str, length: int = 24) -> str:
    """Return *text* on one line; beyond *length* characters it is cut and ends with `…`."""
    return ellipsized(" ".join(text.split()), length + 1)


MIN_TOKENS = 1024
"""The number of tokens from which on a common beginning is cached [DOC] context-cache."""


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """The numbers of input tokens that are read from a service's cache or written to it.

    Attributes:
        read: The number of tokens read from the cache.
        written: The number of tokens written to the cache, up to the last `cache_control`.
        is_marked: Whether the request has a `cache_control`.
    """

    read: int = 0
    written: int = 0
    is_marked: bool = False

    def details(self) -> dict[str, Json]:
        """Return these counts as JSON, for the member `prompt_tokens_details` of an answer's usage.

        Counts of written tokens are included only if `is_marked`. Source of the member names:
        [DOC] qwen-api-via-openai-chat-completions.
        """
        if not self.is_marked:
            return {"cached_tokens": self.read}
        return {
            "cached_tokens": self.read,
            "cache_creation_input_tokens": self.written,
            "cache_creation": {"ephemeral_5m_input_tokens": self.written},
            "cache_type": "ephemeral",
        }


def cache_counts(call: Call) -> CacheCounts:
    """Return the numbers of input tokens of *call* that are read from the cache and written to it.

    Without a `cache_control`, the messages before the last answer of the assistant are read, and
    none are written. With it, the input up to the last `cache_control` before that answer is read,
    and the rest up to the last `cache_control` is written. Fewer than `MIN_TOKENS` count as 0.
    """
    messages, tools = call.messages, call.parameters.get("tools")
    answered = [n for n, message in enumerate(messages) if message.role == "assistant"]
    sent = answered[-1] if answered else 0
    text = json.dumps(tools, ensure_ascii=False) if tools else ""

    def size(count: int) -> int:
        tokens = count_prompt_tokens(messages[:count], text)
        return tokens if tokens >= MIN_TOKENS else 0

    marks = [
        n
        for n, m in enumerate(messages, 1)
        if any(query(dict(m.sent), "/content/[]/cache_control"))
    ]
    if any(query(tools, "/[]/cache_control")) or any(query(tools, "/[]/function/cache_control")):
        marks = [0, *marks]
    if not marks:
        return CacheCounts(size(sent) if sent else 0)
    before = [mark for mark in marks if mark <= sent and answered]
    read = size(before[-1]) if before else 0
    return CacheCounts(read, max(0, size(marks[-1]) - read), is_marked=True)
