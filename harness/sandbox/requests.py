"""Readers and checks of request bodies; each raises `Refused` for an invalid request."""

from __future__ import annotations

import json
import re
import tomllib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request

from harness.scenario.messages import lacks_function
from harness.types import ContentPart, Json, Medium, Message, ToolCall
from harness.wire import as_object, objects_in, read_json

MAX_BODY_BYTES = 10 * 1024 * 1024
"""The maximum size of a request body."""

FORBIDDEN_TEXTS = ("制造炸弹", "违禁内容", "how to build a bomb")
"""A request with one of these texts is refused; it simulates the providers' content filter."""


class Reason(StrEnum):
    """The reason why a request is refused."""

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
    ALWAYS_THINKS = "the model always reasons"
    STREAM_ONLY = "the model reasons only in a stream"
    FORBIDDEN = "the content is not allowed"
    NOT_ASYNC = "the endpoint only accepts asynchronous requests"
    NOT_SYNC = "the endpoint only accepts synchronous requests"
    NO_SUCH_TASK = "there is no such task"
    NO_SUCH_PATH = "there is no such path"
    WRONG_ENDPOINT = "the model is served at another path"
    WRONG_METHOD = "the path does not accept this method"
    INTERNAL_ERROR = "the sandbox failed"


class Refused(Exception):
    """Raised to refuse a request.

    Attributes:
        reason: Why it is refused.
        detail: The text for `{detail}` in the provider's message: the name of a parameter, or a
            whole message.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class RefusalText(NamedTuple):
    """The content of an error response.

    Attributes:
        status: The HTTP status.
        code: The provider's error code.
        message: The provider's message, in which `{detail}` stands for `Refused.detail`.
    """

    status: int
    code: str
    message: str


Refusals = Mapping[Reason, RefusalText]
"""What the error response for each reason has."""


def read_refusals(file: Path) -> Refusals:
    """Return the error response of each reason in a TOML file.

    Its keys are the names of reasons in lower case, such as `no_messages`; each value is an array
    of the HTTP status, the error code and the message.
    """
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return {Reason[name.upper()]: RefusalText(*refusal) for name, refusal in table.items()}


def describe(refused: Refused, refusals: Refusals) -> RefusalText:
    """Return the content of the error response for *refused*, with `{detail}` replaced.

    *refusals* has the content by reason; a missing reason is answered like `Reason.NOT_JSON`.
    """
    text = refusals.get(refused.reason, refusals[Reason.NOT_JSON])
    return text._replace(message=text.message.format(detail=refused.detail))


async def read_object(request: Request) -> dict[str, Json]:
    """Return the body of *request* as a JSON object.

    Raises:
        Refused: The body is larger than `MAX_BODY_BYTES` (it is read to its end, but not stored)
            or not a JSON object.
    """
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
    """Return the object `body[name]`; {} if it is missing or null.

    Raises:
        Refused: It is not an object.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise Refused(Reason.NOT_JSON)
    return value or {}


def read_prompt(body: Mapping[str, Json], refusal: str = "prompt") -> str:
    """Return the prompt for an image in *body*.

    Args:
        body: The object with the member `prompt`.
        refusal: The detail of the error for a missing or empty prompt (see `Refused.detail`).

    Raises:
        Refused: The prompt is missing or empty, or has one of `FORBIDDEN_TEXTS`.
    """
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Refused(Reason.BAD_PARAMETER, refusal)
    check_content([prompt])
    return prompt


def read_texts(value: Json) -> list[str]:
    """Return the texts to embed in *value*: one text, or a list of them.

    Raises:
        Refused: *value* is something else or empty, or a text has one of `FORBIDDEN_TEXTS`.
    """
    given = value if isinstance(value, list) else [value]
    texts = [text for text in given if isinstance(text, str)]
    if not texts or len(texts) < len(given):
        raise Refused(Reason.BAD_PARAMETER, "input")
    check_content(texts)
    return texts


def read_size(value: Json, separator: str) -> tuple[int, int] | None:
    """Return (width, height) in pixels of a size such as `1024x1024`; None for any other value.

    *separator* is the text between the two numbers, such as `x`.
    """
    parts = value.split(separator) if isinstance(value, str) else []
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) <= 5 for p in parts):
        return None
    return int(parts[0]), int(parts[1])


def read_messages(value: Json) -> tuple[Message, ...]:
    """Return the messages in *value*, a JSON array.

    Raises:
        Refused: It is not an array or empty, a message has an unknown role or neither content nor
            tool calls, or no message is from the user.
    """
    if not isinstance(value, list) or not value:
        raise Refused(Reason.NO_MESSAGES)
    messages = tuple(_message(item) for item in value)
    if not any(message.role == "user" for message in messages):
        raise Refused(Reason.BAD_MESSAGES)
    return messages


def _message(value: Json) -> Message:
    role = as_object(value).get("role")
    if not isinstance(value, dict) or role not in ("system", "user", "assistant", "tool"):
        raise Refused(Reason.BAD_MESSAGES)
    content, calls = _content(value.get("content")), tuple(_tool_calls(value.get("tool_calls")))
    media = tuple(_media(value.get("content")))
    if not content.strip() and not calls and not media:
        raise Refused(Reason.BAD_MESSAGES)
    call_id, reasoning = value.get("tool_call_id"), value.get("reasoning_content")
    texts = [text if isinstance(text, str) else "" for text in (call_id, reasoning)]
    return Message(str(role), content, calls, texts[0], texts[1], media, sent=value)


def _content(value: Json) -> str:
    """Return a message's content as text; it may be a string, a list of parts, or null.

    [REC] `content: []` beside `tool_calls` is accepted by both services.
    """
    if isinstance(value, list):
        texts = [part.get("text") for part in objects_in(value)]
        return "".join(text for text in texts if isinstance(text, str))
    if value is not None and not isinstance(value, str):
        raise Refused(Reason.BAD_MESSAGES)
    return value or ""


_MEDIA = {"input_audio": Medium.AUDIO, **{f"{medium}_url": medium for medium in Medium}}
_MEDIA |= {medium.value: medium for medium in Medium if medium is not Medium.TEXT}


def _media(content: Json) -> Iterator[ContentPart]:
    """Yield the images, audio and videos in a message's content, by URL or as base64.

    Raises:
        Refused: One is neither.
    """
    for part in objects_in(content):
        for name, medium in _MEDIA.items():
            given = part.get(name)
            for value in given if isinstance(given, list) else [given]:
                if isinstance(value, dict):
                    value = value.get("url") or value.get("data")
                if name in part:
                    yield ContentPart(medium, _medium(value))


_IS_URL = re.compile(r"(https?|oss)://.+")


def _medium(value: Json) -> str:
    """Return *value*, which is a URL or base64. Raises Refused for anything else."""
    if isinstance(value, str) and _IS_URL.match(value):
        return value
    try:
        decoded = b64decode(str(value).rpartition(",")[2], validate=True)
    except ValueError:
        decoded = b""
    if not decoded:
        raise Refused(Reason.BAD_MESSAGES)
    return str(value)


def _tool_calls(value: Json) -> Iterator[ToolCall]:
    if value is not None and not isinstance(value, list):
        raise Refused(Reason.BAD_MESSAGES)
    for call in value or ():
        function = as_object(call).get("function")
        if not isinstance(call, dict) or not isinstance(function, dict):
            raise Refused(Reason.BAD_MESSAGES)
        name, arguments = function.get("name"), function.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        yield ToolCall(str(call.get("id") or ""), str(name or ""), text)


def last_question(messages: Sequence[Message]) -> str:
    """Return the content of the last message from the user, of which there must be one."""
    return next(m.content for m in reversed(messages) if m.role == "user")


def check_chat(
    messages: Sequence[Message],
    parameters: Mapping[str, Json],
    ranges: Mapping[str, Range],
    *,
    tool_call_id_required: bool,
    bad_tools: str,
) -> None:
    """Raise Refused for a chat that the provider would refuse.

    The reasons are a tool message that belongs to no tool call, a parameter out of its range,
    `tools` that are not an array of complete tools, and a text with one of `FORBIDDEN_TEXTS`.

    Args:
        messages: The messages of the chat.
        parameters: The object with the parameters of the request.
        ranges: The allowed range of each numeric parameter, by the parameter's name.
        tool_call_id_required: Whether a tool message must have a `tool_call_id`.
        bad_tools: The detail of the error for invalid `tools` (see `Refused.detail`).
    """
    check_tool_messages(messages, id_required=tool_call_id_required)
    check_ranges(parameters, ranges)
    tools = parameters.get("tools")
    if not isinstance(tools, (list, type(None))) or any(map(lacks_function, tools or ())):
        raise Refused(Reason.BAD_PARAMETER, bad_tools)
    check_content([message.content for message in messages])


def check_tool_messages(messages: Sequence[Message], *, id_required: bool) -> None:
    """Raise Refused for a tool message that does not belong to an earlier tool call.

    Unless *id_required*, a tool message without `tool_call_id` belongs to any earlier tool call.
    """
    open_calls: set[str] = set()
    for message in messages:
        open_calls |= {call.id for call in message.tool_calls}
        if message.role != "tool" or (not message.tool_call_id and open_calls and not id_required):
            continue
        if message.tool_call_id not in open_calls:
            raise Refused(Reason.STRAY_TOOL_MESSAGE)


@dataclass(frozen=True, slots=True)
class Range:
    """The allowed values of a numeric parameter.

    Attributes:
        low: The lower bound.
        high: The upper bound.
        message: The detail of the error for a value out of the range (see `Refused.detail`); ""
            if the detail is the name of the parameter.
        low_open: Whether the lower bound itself is excluded.
        high_open: Whether the upper bound itself is excluded.
        whole: Whether only integers are allowed.
    """

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


NOTHING = Range(1, 0)
"""The range of a parameter that a format does not have: no value is allowed."""


def check_ranges(parameters: Mapping[str, Json], ranges: Mapping[str, Range]) -> None:
    """Raise Refused for a parameter that is out of its range; null counts as missing.

    *ranges* has the allowed range of each numeric parameter, by the parameter's name.
    """
    for name, allowed in ranges.items():
        value = parameters.get(name)
        if value is not None and value not in allowed:
            raise Refused(Reason.BAD_PARAMETER, allowed.message or name)


def check_content(texts: Sequence[str]) -> None:
    """Raise Refused if one of *texts* contains one of `FORBIDDEN_TEXTS`."""
    if any(forbidden in text for text in texts for forbidden in FORBIDDEN_TEXTS):
        raise Refused(Reason.FORBIDDEN)
