"""Reading what a client sent: a bounded body, JSON, messages, parameters; or saying no."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from harness.sandbox.refusal import Reason, Refused
from harness.types import Call, LooseJson, Message, ToolCall
from harness.wire import read_json

MOST_BYTES = 10 * 1024 * 1024
"""Bodies over this size are refused."""

FORBIDDEN = ("制造炸弹", "违禁内容", "how to build a bomb")
"""What a text must not contain; a stand-in for the services' real inspection."""


async def read_object(request: Request) -> dict[str, LooseJson]:
    """The body as a JSON object. A body that is too big is read to its end, but not kept."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size <= MOST_BYTES:
                parts.append(part)
    except ClientDisconnect as error:
        raise Refused(Reason.NOT_JSON) from error
    value = read_json(b"".join(parts)).value
    if size > MOST_BYTES or not isinstance(value, dict):
        raise Refused(Reason.NOT_JSON)
    return value


def member(value: Mapping[str, LooseJson], name: str) -> dict[str, LooseJson]:
    """A member that is an object; empty where there is none."""
    found = value.get(name)
    if found is not None and not isinstance(found, dict):
        raise Refused(Reason.NOT_JSON)
    return found or {}


def read_model(value: LooseJson, known: re.Pattern[str]) -> str:
    """The name of a model that the provider has."""
    if not isinstance(value, str) or not known.fullmatch(value):
        raise Refused(Reason.UNKNOWN_MODEL)
    return value


def read_messages(value: LooseJson) -> tuple[Message, ...]:
    """The messages of a conversation, each with a known role and something in it."""
    if not isinstance(value, list) or not value:
        raise Refused(Reason.NO_MESSAGES)
    messages = tuple(_message(item) for item in value)
    if not any(message.role == "user" for message in messages):
        raise Refused(Reason.BAD_MESSAGES)
    return messages


def _message(value: LooseJson) -> Message:
    if not isinstance(value, dict) or value.get("role") not in _ROLES:
        raise Refused(Reason.BAD_MESSAGES)
    content, calls = _content(value.get("content")), tuple(_tool_calls(value.get("tool_calls")))
    if not content.strip() and not calls:
        raise Refused(Reason.BAD_MESSAGES)
    call_id = value.get("tool_call_id")
    return Message(value["role"], content, calls, call_id if isinstance(call_id, str) else "")


_ROLES = ("system", "user", "assistant", "tool")


def _content(value: LooseJson) -> str:
    """Content as text: a string, or a list of parts of which the texts count.

    [REC] `content: []` beside `tool_calls` is accepted by both services.
    """
    if isinstance(value, list):
        texts = [part.get("text") for part in value if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    if value is not None and not isinstance(value, str):
        raise Refused(Reason.BAD_MESSAGES)
    return value or ""


def _tool_calls(value: LooseJson) -> Iterator[ToolCall]:
    if value is not None and not isinstance(value, list):
        raise Refused(Reason.BAD_MESSAGES)
    for call in value or ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise Refused(Reason.BAD_MESSAGES)
        name, arguments = function.get("name"), function.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        yield ToolCall(str(call.get("id") or ""), str(name or ""), text)


def last_question(call: Call) -> str:
    """What the user said last; messages that were read have at least one of the user."""
    return next(m.content for m in reversed(call.messages) if m.role == "user")


def check_tool_messages(messages: Sequence[Message], *, id_needed: bool) -> None:
    """Every tool message answers a call that was made before it."""
    open_calls: set[str] = set()
    for message in messages:
        open_calls |= {call.id for call in message.tool_calls}
        if message.role != "tool" or (not message.tool_call_id and open_calls and not id_needed):
            continue
        if message.tool_call_id not in open_calls:
            raise Refused(Reason.STRAY_TOOL_MESSAGE)


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers a parameter may have; what a provider says about any other is `words`."""

    low: float
    high: float
    words: str = ""
    low_open: bool = False
    high_open: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below


def check_ranges(parameters: Mapping[str, LooseJson], ranges: Mapping[str, Range]) -> None:
    """Every parameter that is given is in its range; null counts as not given."""
    for name, allowed in ranges.items():
        value = parameters.get(name)
        if value is not None and value not in allowed:
            raise Refused(Reason.BAD_PARAMETER, allowed.words or name)


def check_content(texts: Sequence[str]) -> None:
    """Nothing forbidden is said."""
    if any(mark in text for text in texts for mark in FORBIDDEN):
        raise Refused(Reason.FORBIDDEN)


def read_text(value: LooseJson) -> str:
    """A text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise Refused(Reason.BAD_PARAMETER, "prompt")
    return value


def read_size(value: LooseJson, between: str) -> tuple[int, int] | None:
    """Width and height from `1024x1024` or `1024*1024`; None for what is no size at all."""
    parts = value.split(between) if isinstance(value, str) else []
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) <= 5 for p in parts):
        return None
    return int(parts[0]), int(parts[1])
