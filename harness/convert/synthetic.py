"""HTTP exchanges made up from messages, for sources that have no HTTP requests and responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.providers.openai.session import message as openai_message
from harness.types import EMPTY, Exchange, Json, Message, Request, Response, Timing, ToolCall
from harness.wire import compact, compact_bytes

URI = "https://api.openai.com/v1/chat/completions"
LOST = "the bytes, headers and chunks that travelled: they are made up in OpenAI's form"
_HEADERS = (("content-type", "application/json"),)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """The known parts of an answer.

    Attributes:
        content: The text; None if there was none.
        reasoning: The text of the reasoning; None if there was none.
        tool_calls: The function calls.
        finish_reason: The finish reason; empty for the usual one (`stop` or `tool_calls`).
        usage: The token counts in OpenAI's format; empty if they are not known.
        id: The id of the answer; empty for a made-up one.
        model: The model that answered; empty for the requested one.
        created: The time of the answer, in seconds since 1970; 0 if it is not known.
    """

    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    usage: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    id: str = ""
    model: str = ""
    created: int = 0


def as_json_text(value: object) -> str:
    """Return a text unchanged, and any other value as JSON text."""
    return value if isinstance(value, str) else compact(value)


def usage(incoming: int, outgoing: int) -> dict[str, Json]:
    """Return the `usage` of an answer in OpenAI's format: input, output and total tokens.

    For (3, 4): `{"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}`.
    """
    return {
        "prompt_tokens": incoming,
        "completion_tokens": outgoing,
        "total_tokens": incoming + outgoing,
    }


def chat(
    model: str,
    messages: Sequence[Message],
    answer: KnownAnswer,
    number: int,
    timing: Timing | None = None,
    parameters: Mapping[str, Json] = EMPTY,
) -> Exchange:
    """Return an exchange in OpenAI's chat format: a request with *messages* and its *answer*.

    Args:
        model: The requested model.
        messages: The messages of the request.
        answer: The answer.
        number: The number of the exchange in its source, for an id that differs from others.
        timing: The times, if they are known.
        parameters: Further members of the request.
    """
    body: dict[str, Json] = {
        "model": model,
        "messages": [openai_message(message) for message in messages],
        **parameters,
    }
    said = Message(
        "assistant", answer.content or "", answer.tool_calls, reasoning=answer.reasoning or ""
    )
    message = {**openai_message(said), "content": answer.content}
    usual = "tool_calls" if answer.tool_calls else "stop"
    value: dict[str, Json] = {
        "id": answer.id or f"chatcmpl-imported-{number}",
        "object": "chat.completion",
        "created": answer.created or (int(timing.start) if timing else 0),
        "model": answer.model or model,
        "choices": [
            {"index": 0, "message": message, "finish_reason": answer.finish_reason or usual}
        ],
    }
    if answer.usage:
        value["usage"] = dict(answer.usage)
    request = Request("POST", URI, _HEADERS, compact_bytes(body))
    return Exchange(request, Response(200, "OK", _HEADERS, compact_bytes(value)), timing)


def refusal(
    model: str, messages: Sequence[Message], status: int, error: Mapping[str, Json]
) -> Exchange:
    """Return an exchange in OpenAI's chat format whose request is refused.

    The response has the HTTP *status* and the body `{"error": error}`; *model* and *messages* are
    those of the request.
    """
    body: dict[str, Json] = {"model": model, "messages": [openai_message(m) for m in messages]}
    request = Request("POST", URI, _HEADERS, compact_bytes(body))
    answer = compact_bytes({"error": dict(error)})
    return Exchange(request, Response(status, "", _HEADERS, answer))
