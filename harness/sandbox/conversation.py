"""The conversation in a request, as the sandbox's model reads it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.sandbox.text import excerpt, is_english
from harness.types import Call, Json, Message

MAX_CHARACTERS = 4000
"""How much of a message is read; all of it is counted as tokens."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The last question, the questions before it, and the tool results after it.

    `digest` is a hash of everything that may change the wording of the reply. `json_schema` is
    that of a reply in JSON, {} if the request has none, and None if the reply is text.
    """

    model: str
    question: str
    earlier_questions: tuple[str, ...]
    system: str
    tool_results: tuple[str, ...]
    digest: bytes
    json_schema: Json

    @property
    def english(self) -> bool:
        """Whether to reply in English."""
        return is_english(self.question)

    @property
    def question_number(self) -> int:
        """The number of the last question, from 1."""
        return len(self.earlier_questions) + 1

    def choose(self, purpose: str, choices: Sequence[str]) -> str:
        """Return one of the choices, the same one for the same request and purpose."""
        digest = hashlib.sha256(self.digest + purpose.encode()).digest()
        return choices[int.from_bytes(digest[:4], "big") % len(choices)]

    def translated(self, chinese: str, english: str) -> str:
        """Return the text in the language of the question."""
        return english if self.english else chinese

    def mentions(self, pattern: str) -> bool:
        """Return whether the question matches a pattern."""
        return re.search(pattern, self.question, re.IGNORECASE) is not None

    def with_history(self, text: str) -> str:
        """Return *text* followed by a quote from the conversation's history, if it has one.

        So a request that lost its history is answered differently.
        """
        if not self.earlier_questions:
            return text
        number, quote = self.question_number, excerpt(self.earlier_questions[-1])
        return text + self.translated(
            f"（这是第 {number} 个问题；您先前说过：“{quote}”）",
            f' (This is your question no. {number}; before, you said: "{quote}")',
        )


def read_conversation(call: Call) -> Conversation:
    """Return the conversation of a call, which has at least one message from the user."""
    asked = [index for index, m in enumerate(call.messages) if m.role == "user"]
    texts = [m.content[:MAX_CHARACTERS] for m in call.messages]
    return Conversation(
        model=call.model,
        question=texts[asked[-1]],
        earlier_questions=tuple(texts[index] for index in asked[:-1]),
        system="\n".join(m.content for m in call.messages if m.role == "system")[:MAX_CHARACTERS],
        tool_results=_unanswered_results(call.messages[asked[-1] + 1 :]),
        digest=_digest(call),
        json_schema=_json_schema(call.parameters.get("response_format")),
    )


def _json_schema(response_format: Json) -> Json:
    form = response_format if isinstance(response_format, dict) else {}
    if form.get("type") not in ("json_object", "json_schema"):
        return None
    named = form.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    return schema if isinstance(schema, dict) else {}


def _unanswered_results(messages: Iterable[Message]) -> tuple[str, ...]:
    """Return the tool results that the model has not replied to yet."""
    results: tuple[str, ...] = ()
    for message in messages:
        if message.role == "tool":
            results += (message.content,)
        elif not message.tool_calls:
            results = ()
    return results


def _digest(call: Call) -> bytes:
    """Hash what may change the wording: not ids of calls, nor how the reply is delivered."""
    messages = [
        [m.role, m.content, [[c.name, c.arguments] for c in m.tool_calls]] for m in call.messages
    ]
    names = ("temperature", "top_p", "top_k", "seed")
    settings = [[name, call.parameters.get(name)] for name in names]
    text = json.dumps([call.model, messages, settings], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
