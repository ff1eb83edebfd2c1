"""Anthropic's Messages format in the sandbox: messages, whole and streamed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from harness.providers.anthropic.endpoints import conversation, events
from harness.providers.openai.sandbox import KEY, REFUSALS, ServiceFacts, read_chat
from harness.sandbox import model
from harness.sandbox.provider_server import ProviderServer, json_response, stream_response
from harness.sandbox.requests import (
    NOTHING,
    Range,
    Reason,
    Refused,
    check_ranges,
    describe,
    last_question,
    read_object,
)
from harness.sandbox.state import SandboxState
from harness.sandbox.texts import CacheCounts, cache_counts, tokens
from harness.types import Json, Mode, Reply
from harness.wire import as_object, objects_in, query, read_json, resolve

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
# [DOC] docs.anthropic.com/en/api/messages; a member that it does not name is refused.
RANGES = {
    "temperature": Range(0, 1),
    "top_p": Range(0, 1),
    "max_tokens": Range(1, 131072, whole=True),
    **dict.fromkeys(
        (
            *("n", "seed", "stop", "logprobs", "top_logprobs", "logit_bias", "response_format"),
            *("presence_penalty", "frequency_penalty", "parallel_tool_calls", "stream_options"),
            *("max_completion_tokens", "reasoning_effort"),
        ),
        NOTHING,
    ),
}
SIGNATURE = "c2FuZGJveA=="
"""The signature of all thinking; a request that repeats thinking has to repeat it."""


def _translated(body: dict[str, Json]) -> dict[str, Json]:
    """Return a request as one in OpenAI's format, which the sandbox's model reads."""
    for _, block in query(body, "/messages/[]/content/[]"):
        is_thinking = resolve(block, "/type") == "thinking"
        if is_thinking and resolve(block, "/signature") != SIGNATURE:
            raise Refused(Reason.BAD_PARAMETER, "signature in thinking block")
    functions: Json = [
        {"type": "function", "function": {**tool, "parameters": tool.get("input_schema")}}
        for tool in objects_in(body.get("tools"))
        if tool.get("type") in (None, "custom")
    ]
    rest = {name: value for name, value in body.items() if name != "system"}
    sent: Json = [message for _, message in conversation(body)]
    own: dict[str, Json] = {"messages": sent, "tool_choice": _choice(body.get("tool_choice"))}
    own["response_format"] = as_object(body.get("output_config")).get("format")
    return {**rest, **own, **({"tools": functions} if functions else {})}


def _choice(choice: Json) -> Json:
    """Return a choice of a tool in OpenAI's format."""
    given = as_object(choice)
    if given.get("type") == "tool":
        return {"type": "function", "function": {"name": given.get("name")}}
    return {"any": "required", "none": "none"}.get(str(given.get("type")))


async def _create(state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    if not isinstance(body.get("max_tokens"), int):
        raise Refused(Reason.BAD_PARAMETER, "max_tokens")
    check_ranges(body, RANGES)
    call = read_chat(ServiceFacts(), state, _translated(body))
    state.check_rate_limit(last_question(call.messages))
    thinking = body.get("thinking")
    thinks = isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")
    reply = model.generate(call, thinking=thinks)
    ran, cache = [*_run_tools(body.get("tools"))], cache_counts(call)
    head: dict[str, Json] = {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
    }
    if call.mode is Mode.STREAM:
        headers = [("content-type", "text/event-stream; charset=utf-8")]
        return stream_response(state.stream(stream_events(reply, head, cache, ran)), headers)
    return json_response(
        whole_answer(reply, head, cache, ran), [("content-type", "application/json")]
    )


def whole_answer(
    reply: Reply, head: dict[str, Json], cache: CacheCounts, ran: Sequence[dict[str, Json]]
) -> dict[str, Json]:
    """Return the JSON body of a non-streaming answer.

    Args:
        reply: The content, finish reason and token counts.
        head: The first members, such as `id` and `model`.
        cache: The tokens read from and written to the cache.
        ran: The blocks of tools that the service itself ran.
    """
    return {
        **head,
        "content": [*_blocks(reply, ran)],
        **_ended(reply),
        "usage": _usage(*_counts(reply), cache),
    }


def _counts(reply: Reply) -> tuple[int, int]:
    usage = reply.usage
    return (usage.input_tokens or 0, usage.output_tokens or 0) if usage else (0, 0)


def _usage(given: int, made: int, cache: CacheCounts) -> dict[str, Json]:
    """Return the token counts; those of the cache are no input tokens here [DOC]."""
    if not cache.is_marked:
        return {"input_tokens": given, "output_tokens": made}
    return {
        "input_tokens": given - cache.read - cache.written,
        "cache_creation_input_tokens": cache.written,
        "cache_read_input_tokens": cache.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache.written,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": made,
    }


def _ended(reply: Reply) -> dict[str, Json]:
    return {"stop_reason": _REASONS[reply.finish_reason or "stop"], "stop_sequence": None}


def _run_tools(tools: Json) -> Iterator[dict[str, Json]]:
    """Yield a call, and its result, of each of *tools* that the service itself runs [DOC]."""
    for tool in objects_in(tools):
        id = f"srvtoolu_{uuid.uuid4().hex[:24]}"
        kind = str(tool.get("type")).rpartition("_")[0]
        if kind in _RUN:
            name, given, result = _RUN[kind]
            yield {"type": "server_tool_use", "id": id, "name": name, "input": given}
            yield {"type": f"{name}_tool_result", "tool_use_id": id, "content": result}


_PAGE: dict[str, Json] = {
    **{"type": "web_search_result", "url": "https://host.invalid/", "title": "sandbox"},
    **{"encrypted_content": "c2FuZGJveA==", "page_age": None},
}
_RUN: Mapping[str, tuple[str, Json, Json]] = {
    "web_search": ("web_search", {"query": "sandbox"}, [_PAGE]),
    "code_execution": (
        "bash_code_execution",
        {"command": "expr 6 '*' 7"},
        {
            **{"type": "bash_code_execution_result", "stdout": "42\n", "stderr": ""},
            **{"return_code": 0, "content": []},
        },
    ),
}
"""(name, input, result) of a tool that the service runs, by its type without the date."""


def _blocks(reply: Reply, ran: Sequence[dict[str, Json]]) -> Iterator[dict[str, Json]]:
    """Yield the blocks of a reply: its thinking, *ran*, its text, its calls."""
    if reply.reasoning:
        yield {"type": "thinking", "thinking": reply.reasoning, "signature": SIGNATURE}
    yield from ran
    if reply.content:
        yield {"type": "text", "text": reply.content}
    for call in reply.tool_calls:
        value = read_json(call.arguments.encode()).value
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": value}


def stream_events(
    reply: Reply, head: dict[str, Json], cache: CacheCounts, ran: Sequence[dict[str, Json]]
) -> Iterator[bytes]:
    """Yield the bytes of each event of a streamed answer, in the documented order.

    Args:
        reply: The content, finish reason and token counts.
        head: The first members of the message, such as `id` and `model`.
        cache: The tokens read from and written to the cache.
        ran: The blocks of tools that the service itself ran.
    """
    given, made = _counts(reply)
    begun: Json = _usage(given, 1, cache)
    none: dict[str, Json] = {"stop_reason": None, "stop_sequence": None}
    yield events(
        {"type": "message_start", "message": {**head, "content": [], **none, "usage": begun}}
    )
    for index, block in enumerate(_blocks(reply, ran)):
        started, deltas = _streamed(block)
        yield events({"type": "content_block_start", "index": index, "content_block": started})
        if not index:
            yield events({"type": "ping"})
        for delta in deltas:
            yield events({"type": "content_block_delta", "index": index, "delta": delta})
        yield events({"type": "content_block_stop", "index": index})
    usage: Json = {"output_tokens": made}
    yield events({"type": "message_delta", "delta": _ended(reply), "usage": usage})
    yield events({"type": "message_stop"})


def _streamed(block: dict[str, Json]) -> tuple[Json, list[Json]]:
    """Return a block as it starts, and its deltas."""
    if "tool_use_id" in block:
        return block, []
    if "input" in block:
        pieces = ["", *tokens(json.dumps(block["input"], ensure_ascii=False))]
        return {**block, "input": {}}, [
            {"type": "input_json_delta", "partial_json": piece} for piece in pieces
        ]
    name = str(block["type"])
    deltas: list[Json] = [
        {"type": f"{name}_delta", name: piece} for piece in tokens(str(block[name]))
    ]
    if name == "thinking":
        deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        return {**block, "thinking": "", "signature": ""}, deltas
    return {**block, "text": ""}, deltas


def _refuse(request: Request, refused: Refused) -> Response:
    status, _, message = describe(refused, REFUSALS)
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    error: Json = {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": f"req_{uuid.uuid4().hex[:24]}",
    }
    headers = [("content-type", "application/json")]
    return json_response(error, headers + [("retry-after", "1")] * (status == 429), status)


SERVER = ProviderServer(
    prefix="",
    key=KEY,
    routes=(("POST", "/v1/messages", _create),),
    refuse=_refuse,
)
