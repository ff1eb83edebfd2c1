"""Fixtures of aimock (formerly llmock): an answer for each request that matches.

The form is that of `FixtureFileEntry` in the types of `@copilotkit/aimock` 1.43.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.convert import synthetic
from harness.convert.converted import Converted
from harness.convert.synthetic import KnownAnswer
from harness.errors import BadCassette
from harness.types import Json, Message, ToolCall
from harness.wire import read_json

_PART = "the request: a fixture has a part of the last message, here taken for all of it"
_IGNORED = "how the answer is delivered (latency, chunkSize, chaos and so on)"
_DELIVERY = frozenset(
    ("latency", "chunkSize", "truncateAfterChunks", "disconnectAfterMs", "streamingProfile",
     "chaos", "recordedTimings", "replaySpeed")
)  # fmt: skip


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Match(_Form):
    user_message: str = Field("", alias="userMessage")
    system_message: str | list[str] = Field("", alias="systemMessage")
    tool_call_id: str = Field("", alias="toolCallId")
    tool_result: str = Field("", alias="toolResultContains")
    model: str = ""
    endpoint: str = "chat"


class _Call(_Form):
    name: str
    arguments: Any = "{}"
    id: str = ""


class _Answer(_Form):
    content: Any = None
    reasoning: str | None = None
    tool_calls: list[_Call] = Field([], alias="toolCalls")
    error: dict[str, Any] | None = None
    status: int = 500
    usage: dict[str, Any] = {}
    finish_reason: str = Field("", alias="finishReason")
    id: str = ""
    model: str = ""


class _Fixture(_Form):
    match: _Match
    response: _Answer


def reads(document: Json) -> bool:
    """Return whether a JSON document is a file of aimock's fixtures."""
    fixtures = document.get("fixtures") if isinstance(document, dict) else None
    first = fixtures[0] if isinstance(fixtures, list) and fixtures else None
    return isinstance(first, dict) and {"match", "response"} <= first.keys()


def read(content: bytes, source: str) -> Converted:
    """Return an exchange for each fixture of a chat.

    Raises:
        BadCassette: The file has no fixtures.
    """
    document: Any = read_json(content).value
    if not reads(document):
        raise BadCassette("not a file of aimock: there are no fixtures", source)
    converted = Converted()
    for number, raw in enumerate(document["fixtures"], start=1):
        where = f"{source}, fixture {number}"
        try:
            fixture = _Fixture.model_validate(raw)
        except ValidationError as error:
            converted.skip(where, f"not a fixture: {error.errors()[0]['msg']}")
            continue
        answer = fixture.response
        if fixture.match.endpoint != "chat" or not _is_chat(answer):
            converted.skip(where, "only answers of chats are read")
            continue
        converted.lose(synthetic.LOST)
        converted.lose(_PART)
        if _DELIVERY & raw.keys():
            converted.lose(_IGNORED)
        model, messages = fixture.match.model or "unknown", _messages(fixture.match)
        if answer.error is not None:
            converted.exchanges.append(
                synthetic.refusal(model, messages, answer.status, _error(answer.error))
            )
            continue
        converted.exchanges.append(synthetic.chat(model, messages, _answer(answer, number), number))
    return converted


def _is_chat(answer: _Answer) -> bool:
    return bool(answer.error or answer.tool_calls or answer.content is not None)


def _error(error: Mapping[str, Any]) -> dict[str, Json]:
    return {"message": str(error.get("message", "")), **error}


def _messages(match: _Match) -> list[Message]:
    system = match.system_message
    texts = [system] if isinstance(system, str) else system
    messages = [Message("system", "\n".join(texts))] if any(texts) else []
    messages.append(Message("user", match.user_message))
    if match.tool_call_id or match.tool_result:
        messages.append(Message("tool", match.tool_result, tool_call_id=match.tool_call_id))
    return messages


def _answer(answer: _Answer, number: int) -> KnownAnswer:
    calls = (
        ToolCall(
            call.id or f"call_{number}_{index}", call.name, synthetic.as_json_text(call.arguments)
        )
        for index, call in enumerate(answer.tool_calls)
    )
    return KnownAnswer(
        content=None if answer.content is None else synthetic.as_json_text(answer.content),
        reasoning=answer.reasoning,
        tool_calls=tuple(calls),
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        id=answer.id,
        model=answer.model,
    )
