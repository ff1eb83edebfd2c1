"""OpenAI's Responses format in the sandbox: responses, whole and streamed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from harness.providers.anthropic.endpoints import events
from harness.providers.openai.sandbox import ServiceFacts, read_chat, server
from harness.providers.responses.endpoints import conversation
from harness.sandbox import model
from harness.sandbox.provider_server import ProviderServer, json_response, stream_response
from harness.sandbox.requests import NOTHING, Range, check_ranges, last_question, read_object
from harness.sandbox.state import SandboxState, now
from harness.sandbox.texts import cache_counts, tokens
from harness.types import Json, Mode, Reply
from harness.wire import objects_in

# [DOC] platform.openai.com/docs/api-reference/responses/create; others are unknown parameters.
RANGES = {
    "temperature": Range(0, 2),
    "top_p": Range(0, 1),
    **dict.fromkeys(
        (
            *("n", "seed", "stop", "logprobs", "logit_bias", "response_format", "max_tokens"),
            *("presence_penalty", "frequency_penalty", "max_completion_tokens"),
            "reasoning_effort",
        ),
        NOTHING,
    ),
}


def _translated(body: dict[str, Json]) -> dict[str, Json]:
    """Return a request as one in OpenAI's chat format, which the sandbox's model reads."""
    tools = objects_in(body.get("tools"))
    functions: Json = [
        {"type": "function", "function": tool} for tool in tools if tool.get("type") == "function"
    ]
    limit = body.get("max_output_tokens")
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = {"type": choice.get("type"), "function": {"name": choice.get("name")}}
    sent: Json = [message for _, message in conversation(body)]
    own: dict[str, Json] = {"messages": sent, "max_tokens": limit, "tool_choice": choice}
    text = body.get("text")
    own["response_format"] = text.get("format") if isinstance(text, dict) else None
    return {**body, **own, **({"tools": functions} if tools else {})}


async def _create(state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    check_ranges(body, RANGES)
    call = read_chat(ServiceFacts(), state, _translated(body))
    state.check_rate_limit(last_question(call.messages))
    thinks = isinstance(body.get("reasoning"), dict)
    reply = model.generate(call, thinking=thinks)
    ran, cached = [*_run_tools(body.get("tools"))], cache_counts(call).read
    head: dict[str, Json] = {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(now().timestamp()),
        "model": call.model,
        "error": None,
    }
    if call.mode is Mode.STREAM:
        headers = [("content-type", "text/event-stream; charset=utf-8")]
        return stream_response(state.stream(stream_events(reply, head, ran, cached)), headers)
    answer = whole_answer(reply, head, [*ran, *items_of(reply)], cached)
    return json_response(answer, [("content-type", "application/json")])


def stream_events(
    reply: Reply, head: dict[str, Json], ran: list[dict[str, Json]], cached: int
) -> Iterator[bytes]:
    """Yield the bytes of each event of a streamed answer, numbered by `sequence_number`.

    Args:
        reply: The content, finish reason and token counts.
        head: The first members of the response, such as `id` and `model`.
        ran: The items for tools that the service itself ran.
        cached: The number of input tokens read from the cache.
    """
    for number, event in enumerate(_events(head, reply, ran, cached)):
        yield events({**event, "sequence_number": number})


def whole_answer(
    reply: Reply, head: dict[str, Json], items: list[Json], cached: int
) -> dict[str, Json]:
    """Return the JSON body of a non-streaming answer.

    Args:
        reply: The finish reason, reasoning and token counts.
        head: The first members, such as `id` and `model`.
        items: The items of the member `output`, such as those that `items_of` returns.
        cached: The number of input tokens read from the cache.
    """
    is_cut, usage = reply.finish_reason == "length", reply.usage
    thought = len(tokens(reply.reasoning or ""))
    counts: dict[str, Json] = {
        "input_tokens": usage.input_tokens if usage else 0,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": usage.output_tokens if usage else 0,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": usage.total_tokens if usage else 0,
    }
    return {
        **head,
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "output": items,
        "usage": counts,
    }


def _run_tools(tools: Json) -> Iterator[dict[str, Json]]:
    """Yield the calls of those *tools* that the service itself runs [SDK] openai."""
    for tool in objects_in(tools):
        kind = tool.get("type")
        if kind == "code_interpreter":
            yield {
                "id": f"ci_{uuid.uuid4().hex}",
                "type": "code_interpreter_call",
                "status": "completed",
                "code": "print(6 * 7)",
                "container_id": "cntr_sandbox",
                "outputs": None,
            }
        elif kind == "web_search":
            action: Json = {"type": "search", "query": "sandbox"}
            id = f"ws_{uuid.uuid4().hex}"
            yield {"id": id, "type": "web_search_call", "status": "completed", "action": action}


def items_of(reply: Reply) -> Iterator[dict[str, Json]]:
    """Yield the output items of *reply*: its reasoning, its text, its function calls."""
    if reply.reasoning:
        summary: Json = [{"type": "summary_text", "text": reply.reasoning}]
        yield {"id": f"rs_{uuid.uuid4().hex}", "type": "reasoning", "summary": summary}
    if reply.content:
        part: Json = {"type": "output_text", "text": reply.content, "annotations": []}
        yield {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [part],
        }
    for call in reply.tool_calls:
        yield {
            "id": f"fc_{uuid.uuid4().hex}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }


def _events(
    head: dict[str, Json], reply: Reply, ran: list[dict[str, Json]], cached: int
) -> Iterator[dict[str, Json]]:
    """Yield the events of a stream, without their numbers, in the documented order."""
    begun: Json = {**head, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    items = [*ran, *items_of(reply)]
    for index, item in enumerate(items):
        yield from _item_events(index, item)
    ended = whole_answer(reply, head, [*items], cached)
    yield {"type": f"response.{ended['status']}", "response": ended}


def _item_events(index: int, item: dict[str, Json]) -> Iterator[dict[str, Json]]:
    kind = item["type"]
    member = {"message": "content", "reasoning": "summary"}.get(str(kind), "arguments")
    empty: Json = "" if member == "arguments" else []
    place: dict[str, Json] = {"output_index": index, "item_id": item["id"]}
    if kind in _RUN:
        yield from _run_events(index, item)
        return
    added: Json = {**item, member: empty}
    yield {"type": "response.output_item.added", "output_index": index, "item": added}
    whole = item[member]
    if isinstance(whole, list) and isinstance(part := whole[0], dict):
        text = str(part["text"])
        is_text = kind == "message"
        place["content_index" if is_text else "summary_index"] = 0
        name = "output_text" if is_text else "reasoning_summary_text"
        of_part = "content_part" if is_text else "reasoning_summary_part"
        yield {"type": f"response.{of_part}.added", **place, "part": {**part, "text": ""}}
        for piece in tokens(text):
            yield {"type": f"response.{name}.delta", **place, "delta": piece}
        yield {"type": f"response.{name}.done", **place, "text": text}
        yield {"type": f"response.{of_part}.done", **place, "part": part}
    elif isinstance(whole, str):
        name = "response.function_call_arguments"
        for piece in tokens(whole):
            yield {"type": f"{name}.delta", **place, "delta": piece}
        yield {"type": f"{name}.done", **place, "arguments": whole}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


_RUN = {"code_interpreter_call": "interpreting", "web_search_call": "searching"}
"""The name of the event while the service runs a tool, by the type of the tool's call."""


def _run_events(index: int, item: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """Yield the events of a tool that the service itself runs."""
    kind = str(item["type"])
    place: dict[str, Json] = {"output_index": index, "item_id": item["id"]}
    added: Json = {**item, "status": "in_progress", **({"code": ""} if "code" in item else {})}
    yield {"type": "response.output_item.added", "output_index": index, "item": added}
    yield {"type": f"response.{kind}.in_progress", **place}
    if "code" in item:
        for piece in tokens(str(item["code"])):
            yield {"type": f"response.{kind}_code.delta", **place, "delta": piece}
        yield {"type": f"response.{kind}_code.done", **place, "code": item["code"]}
    yield {"type": f"response.{kind}.{_RUN[kind]}", **place}
    yield {"type": f"response.{kind}.completed", **place}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


_OPENAI = server("/openai/v1")

SERVER = ProviderServer(
    prefix=_OPENAI.prefix,
    key=_OPENAI.key,
    routes=(("POST", "/responses", _create),),
    refuse=_OPENAI.refuse,
)
