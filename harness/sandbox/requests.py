"""Reading and validating requests; a request that is not valid is refused with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import ClientDisconnect, Request

from harness.types import Json, Message, ToolCall
from harness.wire import read_json

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Larger bodies are refused."""

FORBIDDEN_TEXTS = ("制造炸弹", "违禁内容", "how to build a bomb")
"""Texts that are refused, in place of the providers' content inspection."""


class Reason(StrEnum):
    """Why a request is refused."""

    NO_KEY = "no key was sent"
    MALFORMED_KEY = "the key is malformed"
    WRONG_KEY = "the key is not valid"
    EXPIRED_KEY = "the token has expired"
    THROTTLED = "too many requests"
    NOT_JSON = "the body is not a JSON object"
    UNKNOWN_MODEL = "there is no such model"
    BAD_MESSAGES = "the messages are not valid"
    NO_MESSAGES = "there are no messages"
    STRAY_TOOL_MESSAGE = "a tool message answers no tool call"
    BAD_PARAMETER = "a parameter is out of its range"
    FORBIDDEN = "the content is not allowed"
    NOT_ASYNC = "the endpoint only accepts asynchronous requests"
    NO_SUCH_TASK = "there is no such task"
    NO_SUCH_PATH = "there is no such path"
    WRONG_ENDPOINT = "the model is served at another path"
    WRONG_METHOD = "the path does not accept this method"
    INTERNAL_ERROR = "the sandbox failed"


class Refused(Exception):
    """A request was refused; `detail` is a parameter's name or the provider's own message."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


Refusals = Mapping[Reason, tuple[int, str, str]]
"""A provider's refusals: status, error code, and message with a place for `{detail}`."""


def describe(refused: Refused, refusals: Refusals) -> tuple[int, str, str]:
    """Return status, error code and message of a refusal.

    A reason that the provider has no entry for is described like a body that is not JSON.
    """
    status, code, message = refusals.get(refused.reason, refusals[Reason.NOT_JSON])
    return status, code, message.format(detail=refused.detail)


async def read_object(request: Request) -> dict[str, Json]:
    """Return the body as a JSON object. A body that is too large is read but not kept."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size <= MAX_BODY_BYTES:
                parts.append(part)
    except ClientDisconnect as error:
        raise Refused(Reason.NOT_JSON) from error
    value: Json = read_json(b"".join(parts)).value
    if size > MAX_BODY_BYTES or not isinstance(value, dict):
        raise Refused(Reason.NOT_JSON)
    return value


def read_member(body: Mapping[str, Json], name: str) -> dict[str, Json]:
    """Return a member of the body that is an object; an empty one where it is missing."""
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise Refused(Reason.NOT_JSON)
    return value or {}


def read_model(body: Mapping[str, Json], known: re.Pattern[str]) -> str:
    """Return the name of the model, which the pattern of known models must match."""
    model = body.get("model")
    if not isinstance(model, str) or not known.fullmatch(model):
        raise Refused(Reason.UNKNOWN_MODEL)
    return model


def read_prompt(body: Mapping[str, Json], refusal: str = "prompt") -> str:
    """Return the prompt for an image, which must not be empty and not be forbidden."""
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Refused(Reason.BAD_PARAMETER, refusal)
    check_content([prompt])
    return prompt


def read_size(value: Json, separator: str) -> tuple[int, int] | None:
    """Return width and height of `1024x1024` or `1024*1024`; None for anything else."""
    parts = value.split(separator) if isinstance(value, str) else []
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) <= 5 for p in parts):
        return None
    return int(parts[0]), int(parts[1])


def read_messages(value: Json) -> tuple[Message, ...]:
    """Return the messages of a conversation, each with a known role and some content.

    At least one of them is from the user.
    """
    if not isinstance(value, list) or not value:
        raise Refused(Reason.NO_MESSAGES)
    messages = tuple(_message(item) for item in value)
    if not any(message.role == "user" for message in messages):
        raise Refused(Reason.BAD_MESSAGES)
    return messages


def _message(value: Json) -> Message:
    role = value.get("role") if isinstance(value, dict) else None
    if not isinstance(value, dict) or role not in ("system", "user", "assistant", "tool"):
        raise Refused(Reason.BAD_MESSAGES)
    content, calls = _content(value.get("content")), tuple(_tool_calls(value.get("tool_calls")))
    if not content.strip() and not calls:
        raise Refused(Reason.BAD_MESSAGES)
    call_id = value.get("tool_call_id")
    return Message(str(role), content, calls, call_id if isinstance(call_id, str) else "")


def _content(value: Json) -> str:
    """Return content as text: a string, or the texts of a list of parts.

    [REC] `content: []` beside `tool_calls` is accepted by both services.
    """
    if isinstance(value, list):
        texts = [part.get("text") for part in value if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    if value is not None and not isinstance(value, str):
        raise Refused(Reason.BAD_MESSAGES)
    return value or ""


def _tool_calls(value: Json) -> Iterator[ToolCall]:
    if value is not None and not isinstance(value, list):
        raise Refused(Reason.BAD_MESSAGES)
    for call in value or ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(function, dict):
            raise Refused(Reason.BAD_MESSAGES)
        name, arguments = function.get("name"), function.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        yield ToolCall(str(call.get("id") or ""), str(name or ""), text)


def last_question(messages: Sequence[Message]) -> str:
    """Return the content of the last message from the user."""
    return next(m.content for m in reversed(messages) if m.role == "user")


def check_chat(
    messages: Sequence[Message],
    parameters: Mapping[str, Json],
    ranges: Mapping[str, Range],
    *,
    tool_call_id_required: bool,
    bad_tools: str,
) -> None:
    """Refuse a chat with stray tool messages, bad parameters, bad tools or forbidden content.

    *bad_tools* is the detail of the refusal of tools that are not a list.
    """
    check_tool_messages(messages, id_required=tool_call_id_required)
    check_ranges(parameters, ranges)
    if not isinstance(parameters.get("tools"), (list, type(None))):
        raise Refused(Reason.BAD_PARAMETER, bad_tools)
    check_content([message.content for message in messages])


def check_tool_messages(messages: Sequence[Message], *, id_required: bool) -> None:
    """Refuse a tool message that answers no earlier tool call."""
    open_calls: set[str] = set()
    for message in messages:
        open_calls |= {call.id for call in message.tool_calls}
        if message.role != "tool" or (not message.tool_call_id and open_calls and not id_required):
            continue
        if message.tool_call_id not in open_calls:
            raise Refused(Reason.STRAY_TOOL_MESSAGE)


@dataclass(frozen=True, slots=True)
class Range:
    """The allowed values of a numeric parameter; `message` is the provider's for any other."""

    low: float
    high: float
    message: str = ""
    low_open: bool = False
    high_open: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below


def check_ranges(parameters: Mapping[str, Json], ranges: Mapping[str, Range]) -> None:
    """Refuse a parameter that is out of its range; null counts as not given."""
    for name, allowed in ranges.items():
        value = parameters.get(name)
        if value is not None and value not in allowed:
            raise Refused(Reason.BAD_PARAMETER, allowed.message or name)


def check_content(texts: Sequence[str]) -> None:
    """Refuse forbidden texts."""
    if any(forbidden in text for text in texts for forbidden in FORBIDDEN_TEXTS):
        raise Refused(Reason.FORBIDDEN)
