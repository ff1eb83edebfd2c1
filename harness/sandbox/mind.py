"""The "model": deterministic, simple-minded, and attentive to all that was said before.

The same request always gets the same words, and a request that lost its history gets others:
whatever is answered later in a conversation quotes from earlier in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from harness.sandbox import toolbox, words
from harness.sandbox.skills import SKILLS, Talk
from harness.types import Call, Json, Message, Reply, ToolCall, Usage

_COUNTS = ("temperature", "top_p", "top_k", "seed")
"""The parameters that make for other words; how an answer is delivered must not."""

_ATTENTION = 4000
"""So many characters of a message are heeded; more are counted, but nobody reads them."""


def answer(call: Call) -> Reply:
    """What the model says: text in `pieces` of one token each, or tool calls."""
    talk = listen(call)
    asked = call.parameters
    read = words.prompt_tokens(call.messages, _text(asked.get("tools") or ""))
    if not talk.results:
        calls = toolbox.choose(
            asked.get("tools"), asked.get("tool_choice"), talk.question, talk.earlier
        )
        if calls:
            return _calling(calls, read)
    said = _until_stop(_speak(talk), asked.get("stop"))
    return _saying(words.tokens(said), asked.get("max_tokens"), read)


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


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_json_wanted(response_format: Json) -> bool:
    kind = response_format.get("type") if isinstance(response_format, dict) else ""
    return kind in ("json_object", "json_schema")


def _speak(talk: Talk) -> str:
    return next(text for skill in SKILLS if (text := skill(talk)))


def _until_stop(text: str, stop: Json) -> str:
    """The text before the first of the words to stop at."""
    for word in [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []:
        if isinstance(word, str) and word:
            text = text.split(word)[0]
    return text


def _saying(pieces: tuple[str, ...], limit: Json, read: int) -> Reply:
    kept = pieces[:limit] if isinstance(limit, int) and limit > 0 else pieces
    return Reply(
        content="".join(kept),
        pieces=kept,
        finish_reason="length" if len(kept) < len(pieces) else "stop",
        usage=Usage(read, len(kept), read + len(kept)),
    )


def _calling(calls: list[ToolCall], read: int) -> Reply:
    written = sum(len(words.tokens(call.name + call.arguments)) for call in calls)
    return Reply(
        content="",
        tool_calls=tuple(calls),
        finish_reason="tool_calls",
        usage=Usage(read, written, read + written),
    )
