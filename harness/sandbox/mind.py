"""The "model": deterministic, simple-minded, and attentive to all that was said before.

The same request always gets the same words, and a request that lost its history gets others:
whatever is answered later in a conversation quotes from earlier in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from harness.sandbox import toolbox, words
from harness.sandbox.skills import SKILLS
from harness.sandbox.talk import Talk
from harness.types import Call, LooseJson, Message, Reply, ToolCall, Usage

_COUNTS = ("temperature", "top_p", "top_k", "seed")
"""The parameters that make for other words; how an answer is delivered must not."""

_ATTENTION = 4000
"""So many characters of a message are heeded; more are counted, but nobody reads them."""


def answer(call: Call, *, thinks: bool = False) -> Reply:
    """What the model says: text in `pieces` of one token each, or tool calls.

    A model that `thinks` also gives its reasoning, which costs tokens like the rest.
    """
    talk = listen(call)
    asked = call.parameters
    read = words.prompt_tokens(call.messages, _text(asked.get("tools") or ""))
    if not talk.results:
        calls = toolbox.choose(
            asked.get("tools"), asked.get("tool_choice"), talk.question, talk.earlier
        )
        if calls:
            return _calling(calls, read, _ponder(talk) if thinks else None)
    said = _until_stop(_speak(talk), asked.get("stop"))
    return _saying(said, asked.get("max_tokens"), read, _ponder(talk) if thinks else None)


def listen(call: Call) -> Talk:
    """A call as a talk: the last question, what was asked before, and what tools brought.

    A call has at least one message of the user.
    """
    asked = [place for place, m in enumerate(call.messages) if m.role == "user"]
    texts = [m.content[:_ATTENTION] for m in call.messages]
    last = asked[-1]
    return Talk(
        model=call.model,
        question=texts[last],
        earlier=tuple(texts[place] for place in asked[:-1]),
        answers=tuple(
            text for text, m in zip(texts, call.messages, strict=True) if m.role == "assistant"
        ),
        system="\n".join(m.content for m in call.messages if m.role == "system")[:_ATTENTION],
        results=_results(call.messages[last + 1 :]),
        digest=_digest(call),
        wants_json=_is_json_wanted(call.parameters.get("response_format")),
    )


def _results(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The tool messages, unless the model has already spoken about them."""
    found: tuple[Message, ...] = ()
    for message in messages:
        if message.role == "tool":
            found += (message,)
        elif not message.tool_calls:
            found = ()
    return found


def _digest(call: Call) -> bytes:
    """A number for all that makes for other words; the ids of calls differ between two runs."""
    said = [
        [m.role, m.content, [[c.name, c.arguments] for c in m.tool_calls]] for m in call.messages
    ]
    settings = [[name, call.parameters.get(name)] for name in _COUNTS]
    return hashlib.sha256(_text([call.model, said, settings]).encode("utf-8", "replace")).digest()


def _text(value: LooseJson) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_json_wanted(response_format: LooseJson) -> bool:
    kind = response_format.get("type") if isinstance(response_format, dict) else ""
    return kind in ("json_object", "json_schema")


def _speak(talk: Talk) -> str:
    return next(text for skill in SKILLS if (text := skill(talk)))


def _until_stop(text: str, stop: LooseJson) -> str:
    """The text before the first of the words to stop at."""
    for word in [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []:
        if isinstance(word, str) and word:
            text = text.split(word)[0]
    return text


def _ponder(talk: Talk) -> str:
    """What a thinking model thinks."""
    asked = words.excerpt(talk.question, 40)
    if talk.english:
        return f'The user asks: "{asked}". It is question no. {talk.number}. I will be brief.'
    return f"用户问的是：“{asked}”，这是第 {talk.number} 个问题。我先回顾前文，再简明地回答。"


def _saying(said: str, limit: LooseJson, read: int, reasoning: str | None) -> Reply:
    """Text, cut off where the tokens run out; thinking comes first and may use them all up."""
    thought, pieces = words.tokens(reasoning or ""), words.tokens(said)
    room = limit if isinstance(limit, int) and limit > 0 else len(thought) + len(pieces)
    kept = pieces[: max(0, room - len(thought))]
    written = min(room, len(thought)) + len(kept)
    return Reply(
        content="".join(kept),
        reasoning=None if reasoning is None else "".join(thought[:room]),
        pieces=kept,
        finish_reason="length" if len(kept) < len(pieces) else "stop",
        usage=Usage(read, written, read + written),
    )


def _calling(calls: list[ToolCall], read: int, reasoning: str | None) -> Reply:
    written = sum(len(words.tokens(call.name + call.arguments)) for call in calls)
    written += len(words.tokens(reasoning or ""))
    return Reply(
        content="",
        reasoning=reasoning,
        tool_calls=tuple(calls),
        finish_reason="tool_calls",
        usage=Usage(read, written, read + written),
    )
