"""The conversation in a request: the input of the sandbox's model."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.sandbox.text import excerpt, is_english
from harness.types import Call, Json, Message

MAX_CHARACTERS = 4000
"""The sandbox reads this many characters of a message, but counts the tokens of all of it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The conversation in a request.

    Attributes:
        model: The name of the requested model.
        question: The last message from the user.
        earlier_questions: The messages from the user before it, in order.
        system: The system messages, joined by line feeds.
        tool_results: The tool messages after the question that have no reply yet.
        digest: A hash of everything in the request that may change the wording of the reply.
        json_schema: The schema of the requested JSON reply, {} for JSON without a schema; None if
            a text is requested.
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
        """Whether to reply in English (else in Chinese)."""
        return is_english(self.question)

    @property
    def question_number(self) -> int:
        """The position of the last question among the user's messages, from 1."""
        return len(self.earlier_questions) + 1

    def choose(self, purpose: str, choices: Sequence[str]) -> str:
        """Return one of *choices*, always the same one for the same request and *purpose*."""
        digest = hashlib.sha256(self.digest + purpose.encode()).digest()
        return choices[int.from_bytes(digest[:4], "big") % len(choices)]

    def translated(self, chinese: str, english: str) -> str:
        """Return *chinese* or *english*, by the language of the question."""
        return english if self.english else chinese

    def mentions(self, pattern: str) -> bool:
        """Return whether the question contains a match of the regular expression *pattern*."""
        return re.search(pattern, self.question, re.IGNORECASE) is not None

    def with_history(self, text: str) -> str:
        """Return *text* and a quote of the previous question; only *text* if there is none.

        The quote makes the reply to a request that lost its history a different one.
        """
        if not self.earlier_questions:
            return text
        number, quote = self.question_number, excerpt(self.earlier_questions[-1])
        return text + self.translated(
            f"（这是第 {number} 个问题；您先前说过：“{quote}”）",
            f' (This is your question no. {number}; before, you said: "{quote}")',
        )


def read_conversation(call: Call) -> Conversation:
    """Return the conversation of *call*, which must have at least one message from the user."""
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
    """Return the contents of the tool messages that no message of the model follows."""
    results: tuple[str, ...] = ()
    for message in messages:
        if message.role == "tool":
            results += (message.content,)
        elif not message.tool_calls:
            results = ()
    return results


def _digest(call: Call) -> bytes:
    """Return a hash of the model, the messages and the sampling parameters.

    The ids of tool calls and the mode (stream or not) do not change it.
    """
    messages = [
        [m.role, m.content, [[c.name, c.arguments] for c in m.tool_calls]] for m in call.messages
    ]
    names = ("temperature", "top_p", "top_k", "seed")
    settings = [[name, call.parameters.get(name)] for name in names]
    text = json.dumps([call.model, messages, settings], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
