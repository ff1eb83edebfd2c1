"""Fixtures of aimock (formerly llmock): an answer for each request that matches.

The form is that of `FixtureFileEntry` in the types of `@copilotkit/aimock` 1.48.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError

from harness.convert import synthetic
from harness.convert.converted import Converted, ForeignObject, first_problem
from harness.convert.synthetic import KnownAnswer
from harness.errors import BadCassette
from harness.types import Json, Message, ToolCall
from harness.wire import as_object, read_json

_PART = "the request: a fixture has a part of the last message, here taken for all of it"
_LOST: Mapping[str, frozenset[str]] = {
    "how the answer is delivered (latency, chunkSize, chaos and so on)": frozenset(
        ("latency", "chunkSize", "truncateAfterChunks", "disconnectAfterMs", "streamingProfile",
         "chaos", "recordedTimings", "replaySpeed", "retryAfter", "openRouterProcessing")
    ),
    "conditions of a match besides its texts (turnIndex, hasToolResult and so on)": frozenset(
        ("inputText", "toolName", "responseFormat", "sequenceIndex", "turnIndex", "hasToolResult",
         "context")
    ),
    "the order of text and function calls (blocks)": frozenset(("blocks",)),
    "signatures, hidden thinking and web searches (reasoningSignature and so on)": frozenset(
        ("reasoningSignature", "redactedThinking", "webSearches")
    ),
}  # fmt: skip
"""What an exchange has no room for, each with the members of a fixture that say it."""


class _Match(ForeignObject):
    user_message: str = Field("", alias="userMessage")
    system_message: str | list[str] = Field("", alias="systemMessage")
    tool_call_id: str = Field("", alias="toolCallId")
    tool_result: str = Field("", alias="toolResultContains")
    model: str = ""
    endpoint: str = "chat"


class _Call(ForeignObject):
    name: str
    arguments: Any = "{}"
    id: str = ""


class _Block(_Call):
    name: str = ""
    type: str
    text: str = ""


class _Answer(ForeignObject):
    content: Any = None
    reasoning: str | None = None
    tool_calls: tuple[_Call, ...] = Field((), alias="toolCalls")
    blocks: tuple[_Block, ...] = ()
    audio: Any = None
    error: dict[str, Any] | None = None
    status: int = 500
    usage: dict[str, Any] = Field(default_factory=dict)
    finish_reason: str = Field("", alias="finishReason")
    id: str = ""
    model: str = ""
    created: int = 0


class _Fixture(ForeignObject):
    match: _Match
    response: _Answer


def reads(document: Json) -> bool:
    """Return whether a JSON document is a file of aimock's fixtures."""
    fixtures = as_object(document).get("fixtures")
    return isinstance(fixtures, list) and any(
        isinstance(fixture, dict) and "match" in fixture for fixture in fixtures
    )


def read(content: bytes, source: str) -> Converted:
    """Return an exchange for each chat fixture in *content*, the bytes of a file of aimock.

    *source* is the name of the file for messages; other fixtures are noted as skipped.

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
            converted.skip(where, f"not a fixture of a chat: {first_problem(error)}")
            continue
        answer = fixture.response
        if fixture.match.endpoint != "chat" or not _is_chat(answer):
            converted.skip(where, "only answers of chats are read")
            continue
        converted.lose(synthetic.LOST)
        converted.lose(_PART)
        members = {*raw, *raw["match"], *raw["response"]}
        for what, said_by in _LOST.items():
            if said_by & members:
                converted.lose(what)
        model, messages = fixture.match.model or "unknown", _messages(fixture.match)
        if answer.error is not None:
            converted.exchanges.append(
                synthetic.refusal(model, messages, answer.status, _error(answer.error))
            )
            continue
        converted.exchanges.append(synthetic.chat(model, messages, _answer(answer, number), number))
    return converted


def _is_chat(answer: _Answer) -> bool:
    has_text = bool(answer.tool_calls or answer.blocks or answer.content is not None)
    return bool(answer.error) or (has_text and answer.audio is None)


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
    texts = [block.text for block in answer.blocks if block.type == "text"]
    blocks = [block for block in answer.blocks if block.type == "toolCall"]
    called: Sequence[_Call] = blocks or answer.tool_calls
    calls = (
        ToolCall(
            call.id or f"call_{number}_{index}", call.name, synthetic.as_json_text(call.arguments)
        )
        for index, call in enumerate(called)
    )
    content = "".join(texts) if texts else answer.content
    return KnownAnswer(
        content=None if content is None else synthetic.as_json_text(content),
        reasoning=answer.reasoning,
        tool_calls=tuple(calls),
        finish_reason=answer.finish_reason,
        usage=_usage(answer.usage),
        id=answer.id,
        model=answer.model,
        created=answer.created,
    )


def _usage(given: Mapping[str, Any]) -> Mapping[str, Json]:
    """Return token counts in OpenAI's form; a fixture has them in that of its service."""
    for names in _COUNTS:
        incoming, outgoing = (given.get(name) for name in names)
        if isinstance(incoming, int) and isinstance(outgoing, int):
            return synthetic.usage(incoming, outgoing)
    return given


_COUNTS = (("input_tokens", "output_tokens"), ("promptTokenCount", "candidatesTokenCount"))
