"""Strategies for exchanges in Anthropic's Messages format and in OpenAI's Responses format.

The messages and answers are generated as for chats in OpenAI's format. Functions of the sandbox
write the answers in the other format, so the packages of the extra `sandbox` are needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from harness.config.extras import extra
from harness.errors import Unsupported
from harness.providers.anthropic.session import MESSAGES
from harness.providers.responses.session import RESPONSES
from harness.scenario.messages import message_of
from harness.strategies.answers import AnswerContent
from harness.strategies.requests import GeneratedCall
from harness.strategies.schema import hexadecimal, sentences, splits
from harness.types import (
    Call,
    CallKind,
    Exchange,
    Json,
    Mode,
    Reply,
    Request,
    Response,
    Usage,
)
from harness.wire import objects_in

_CREATED = 1764000000
_JSON = ("Content-Type", "application/json")
_EVENTS = ("Content-Type", "text/event-stream; charset=utf-8")


@dataclass(frozen=True, slots=True)
class _Form:
    """A format of API.

    Attributes:
        url: The address of the service that has it.
        body: Returns the JSON body of a call.
        written: Returns the body of an answer, whole or streamed, from a reply, an id and a model.
        refusal: Returns the body of a refusal, from its type and its message.
        refusals: The statuses of refusals, by type.
    """

    url: str
    body: Callable[[Call], dict[str, Any]]
    written: Callable[[Reply, str, str, bool], bytes]
    refusal: Callable[[str, str], Json]
    refusals: tuple[tuple[str, int], ...]


def _message(reply: Reply, id: str, model: str, streamed: bool) -> bytes:
    with extra("sandbox"):
        from harness.providers.anthropic import sandbox as anthropic
        from harness.sandbox.texts import CacheCounts

    head: dict[str, Json] = {"id": f"msg_{id}", "type": "message", "role": "assistant"}
    head["model"] = model
    if streamed:
        return b"".join(anthropic.stream_events(reply, head, CacheCounts(), []))
    return json.dumps(anthropic.whole_answer(reply, head, CacheCounts(), [])).encode()


def _response(reply: Reply, id: str, model: str, streamed: bool) -> bytes:
    with extra("sandbox"):
        from harness.providers.responses import sandbox as responses

    head: dict[str, Json] = {"id": f"resp_{id}", "object": "response", "created_at": _CREATED}
    head |= {"model": model, "error": None}
    if streamed:
        return b"".join(responses.stream_events(reply, head, [], 0))
    items: list[Json] = [*responses.items_of(reply)]
    return json.dumps(responses.whole_answer(reply, head, items, 0)).encode()


FORMS = {
    "anthropic": _Form(
        "https://api.anthropic.com/v1/messages",
        MESSAGES.body,
        _message,
        lambda kind, message: {"type": "error", "error": {"type": kind, "message": message}},
        (("invalid_request_error", 400), ("authentication_error", 401), ("rate_limit_error", 429)),
    ),
    "responses": _Form(
        "https://api.openai.com/v1/responses",
        RESPONSES.body,
        _response,
        lambda kind, message: {"error": {"type": kind, "message": message, "code": kind}},
        (("invalid_request_error", 400), ("invalid_api_key", 401), ("rate_limit_exceeded", 429)),
    ),
}
"""The formats, by the names that the strategies have for them."""


def is_form(name: str, mode: str, kind: str) -> bool:
    """Return whether *name* is a format of `FORMS`, such as `anthropic`, and not a provider.

    Raises Unsupported for a format with a *kind* other than `chat`, or with the *mode* `async`.
    """
    if name in FORMS and (mode not in ("sync", "stream") or kind != "chat"):
        raise Unsupported(f"{kind!r} as {mode!r} is not supported for {name!r}; supported: chat")
    return name in FORMS


def _call(generated: GeneratedCall) -> Call:
    messages = tuple(map(message_of, objects_in([*generated.request.messages])))
    tools: list[Json] = [function.json for function in generated.request.functions]
    parameters: dict[str, Json] = {"tools": tools} if tools else {}
    mode = Mode(generated.operation.mode)
    return Call(CallKind.CHAT, mode, generated.model, messages, parameters=parameters)


@st.composite
def requests(draw: st.DrawFn, generated: GeneratedCall) -> Request:
    """Generate the request of the call *generated*, in the format that `generated.form` names."""
    form, is_stream = FORMS[generated.form], generated.operation.mode == "stream"
    body = form.body(_call(generated)) | ({"stream": True} if is_stream else {})
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    return Request("POST", form.url, (_JSON,), text.encode())


@st.composite
def exchange(draw: st.DrawFn, generated: GeneratedCall, answer: AnswerContent) -> Exchange:
    """Generate an exchange in which the call *generated* gets *answer*, as document or stream."""
    request, id = draw(requests(generated)), draw(hexadecimal(24))
    given, thought = draw(st.integers(1, 9999)), 10 * len(answer.reasoning or "")
    made = thought + draw(st.integers(1, 9999))
    reason = answer.finish_reason
    reply = Reply(
        content=answer.content,
        reasoning=answer.reasoning,
        tool_calls=tuple(answer.calls.values()),
        finish_reason=reason if reason in ("stop", "tool_calls") else "length",
        usage=Usage(given, made, given + made),
    )
    streamed = generated.operation.mode == "stream"
    body = FORMS[generated.form].written(reply, id, generated.model, streamed)
    response = Response(200, "OK", (_EVENTS if streamed else _JSON,), body)
    sizes = tuple(len(chunk) for chunk in draw(splits(body)) if chunk) if streamed else ()
    return Exchange(request, response, chunks=sizes)


@st.composite
def refused(draw: st.DrawFn, generated: GeneratedCall) -> Exchange:
    """Generate an exchange in which the call *generated* is refused, with a generated message."""
    request, form = draw(requests(generated)), FORMS[generated.form]
    kind, status = draw(st.sampled_from(form.refusals))
    body = json.dumps(form.refusal(kind, draw(sentences()))).encode()
    return Exchange(request, Response(status, "", (_JSON,), body))
