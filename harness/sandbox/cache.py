"""The sandbox's counts of input tokens that a service reads from its cache, or writes to it.

They follow from a request alone: what stands before the last answer of the assistant was sent by
the request before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.sandbox.text import count_prompt_tokens
from harness.types import Call, Json
from harness.wire import query

MIN_TOKENS = 1024
"""The number of tokens from which on a common beginning is cached [DOC] context-cache."""


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """Counts of input tokens.

    Attributes:
        read: The number of tokens read from the cache.
        written: The number of tokens written to the cache, up to the last `cache_control`.
        is_marked: Whether the request has a `cache_control`.
    """

    read: int = 0
    written: int = 0
    is_marked: bool = False

    def details(self) -> dict[str, Json]:
        """Return the member `prompt_tokens_details` [DOC] qwen-api-via-openai-chat-completions."""
        if not self.is_marked:
            return {"cached_tokens": self.read}
        return {
            "cached_tokens": self.read,
            "cache_creation_input_tokens": self.written,
            "cache_creation": {"ephemeral_5m_input_tokens": self.written},
            "cache_type": "ephemeral",
        }


def cache_counts(call: Call) -> CacheCounts:
    """Return the counts of *call*; without a mark, the beginning that was sent before is read."""
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
