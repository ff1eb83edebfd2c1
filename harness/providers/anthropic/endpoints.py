"""Anthropic's Messages format: events, blocks, stop reasons, usage. C7 of docs/WIRE_FACTS.md.

An answer is a list of blocks, and an event of a stream is about one of them, so that answers are
read by a function (`read`) and not by field locations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint, Part, Schema
from harness.analysis.endpoint_table import EndpointTable
from harness.analysis.json_schema import either
from harness.analysis.reply import NONE_YET, is_refusal, joined, read_refusal
from harness.types import Json, Outcome, Reply, ToolCall, Usage
from harness.wire import (
    Missing,
    as_list,
    as_object,
    compact_bytes,
    objects_in,
    query,
    resolve,
    text_at,
)


def runs_tools(request: Json) -> bool:
    """Return whether *request* lets the service itself run tools or edit the conversation.

    It does with tools of other types than `custom`, and with `context_management`, `mcp_servers` or
    `container`.
    """
    kinds = (kind for _, kind in query(request, "/tools/[]/type"))
    served = ("context_management", "mcp_servers", "container")
    return any(kind != "custom" for kind in kinds) or any(
        resolve(request, f"/{name}") for name in served
    )


def conversation(request: Json) -> list[tuple[str, Json]]:
    """Return (JSON pointer, message in OpenAI's format) of each message of *request*.

    The pointer is the message's place in *request*. Each result of a tool is a message of its own.
    """
    located: list[tuple[str, Json]] = []
    if system := _content(resolve(request, "/system")):
        located.append(("/system", {"role": "system", "content": system}))
    for pointer, message in query(request, "/messages/[]"):
        located += ((pointer + inner, translated) for inner, translated in _translated(message))
    return located


def _content(content: Json | Missing) -> Json:
    """Return a content as text; as a list if it has others than texts, or texts to be cached."""
    blocks = as_list(content)
    shown = [block for block in blocks if resolve(block, "/type") in ("text", "image", "document")]
    if any(resolve(b, "/type") != "text" or resolve(b, "/cache_control") for b in shown):
        return [_medium(block) for block in shown]
    if isinstance(content, str):
        return content
    return "".join(text_at(block, "/text") or "" for block in shown)


def _medium(block: Json) -> Json:
    source = resolve(block, "/source")
    if not isinstance(source, dict):
        return block
    data = f"data:{source.get('media_type')};base64,{source.get('data')}"
    url = source.get("url") or data
    return {"type": "image_url", "image_url": {"url": url}}


def _translated(message: Json) -> Iterator[tuple[str, Json]]:
    """Yield (JSON pointer in the message, translated message)."""
    content, calls, thoughts = resolve(message, "/content"), list[Json](), list[str]()
    for number, block in enumerate(as_list(content)):
        kind = resolve(block, "/type")
        if not isinstance(block, dict):
            continue
        if kind == "tool_result":
            result = _content(block.get("content"))
            call_id = block.get("tool_use_id")
            tool: Json = {"role": "tool", "content": result, "tool_call_id": call_id}
            yield f"/content/{number}", tool
        elif kind == "tool_use":
            call = call_of(block)
            function: Json = {"name": call.name, "arguments": call.arguments}
            calls.append({"id": call.id, "type": "function", "function": function})
        elif kind == "thinking":
            thoughts.append(text_at(block, "/thinking") or "")
    said = _content(content)
    if said or calls or not isinstance(content, list):
        called: dict[str, Json] = {"tool_calls": calls} if calls else {}
        thought: dict[str, Json] = {"reasoning_content": "".join(thoughts)} if thoughts else {}
        role = text_at(message, "/role")
        yield "", {"role": role, "content": said, **called, **thought}


def read(parts: Sequence[Part], request: Json) -> Outcome | None:
    """Return the reply or failure in a response; None if no part of it is a JSON object.

    *parts* has one item, the message, or the events of a streamed message. *request* is not used.
    """
    refusal = next((part for part in parts if is_refusal(part, FIELDS)), None)
    if refusal is not None:
        return read_refusal(_READER, 200, refusal.value)
    values = [part.value for part in parts if isinstance(part.value, dict)]
    if not values:
        return None
    if parts[0].event is None:
        return _whole(values[0])
    return _streamed(values)


def _reason(value: Json) -> str | None:
    reason = text_at(value, "/stop_reason")
    return None if reason == NONE_YET else reason


def _count(value: Json, name: str) -> int | None:
    count = resolve(value, f"/{name}")
    return count if type(count) is int else None


def _blocks(value: Json) -> list[dict[str, Json]]:
    return objects_in(as_object(value).get("content"))


def call_of(block: dict[str, Json]) -> ToolCall:
    """Return the content block *block*, which has the type `tool_use`, as a `ToolCall`."""
    arguments = json.dumps(block.get("input"), ensure_ascii=False)
    return ToolCall(text_at(block, "/id") or "", text_at(block, "/name") or "", arguments)


def _usage(value: Json) -> Usage | None:
    names = ("input_tokens", "output_tokens", "total_tokens")
    counts = [_count(value, f"usage/{name}") for name in names]
    read, written, hour = (
        _count(value, f"usage/{name}_input_tokens") or 0
        for name in ("cache_read", "cache_creation", "cache_creation/ephemeral_1h")
    )
    if read or written:
        counts[2] = None  # cached tokens are not in the input tokens, and may be in a total
    if all(count is None for count in counts):
        return None
    hour = min(hour, written)
    return Usage(*counts, cache_read=read, cache_write=written - hour, cache_write_hour=hour)


def _whole(value: dict[str, Json]) -> Reply:
    blocks = _blocks(value)
    return Reply(
        id=text_at(value, "/id"),
        model=text_at(value, "/model"),
        content=joined(text_at(b, "/text") for b in blocks if b.get("type") == "text"),
        reasoning=joined(text_at(b, "/thinking") for b in blocks if b.get("type") == "thinking"),
        tool_calls=tuple(call_of(b) for b in blocks if b.get("type") == "tool_use"),
        finish_reason=_reason(value),
        usage=_usage(value),
        signature=next((s for b in blocks if (s := text_at(b, "/signature"))), ""),
    )


def _streamed(events: list[dict[str, Json]]) -> Reply:
    head = next((e["message"] for e in events if "message" in e), None)
    begun = _whole(head) if isinstance(head, dict) else Reply()
    pieces = [text for text in (begun.content, *map(_piece, events)) if text is not None]
    reasons = [begun.finish_reason, *(_reason(e.get("delta")) for e in events)]
    return Reply(
        id=text_at(head, "/id"),
        model=text_at(head, "/model"),
        content="".join(pieces) if pieces else None,
        reasoning=joined(text_at(e, "/delta/thinking") for e in events),
        tool_calls=(*begun.tool_calls, *_calls(events)),
        finish_reason=next((reason for reason in reversed(reasons) if reason), None),
        usage=_counts(head, events),
        pieces=tuple(pieces),
        signature=next((s for e in events if (s := text_at(e, "/delta/signature"))), ""),
    )


def _piece(event: dict[str, Json]) -> str | None:
    """Return the text that an event adds: that of a delta, or one at the start of a block."""
    started = event.get("content_block")
    if text_at(started, "/type") == "text":
        return text_at(started, "/text") or None
    return text_at(event, "/delta/text")


def _calls(events: list[dict[str, Json]]) -> Iterator[ToolCall]:
    """Yield the tool calls, whose inputs are joined from pieces of JSON."""
    for event in events:
        block = event.get("content_block")
        if not isinstance(block, dict) or block.get("type") != "tool_use":
            continue
        of_block = (e for e in events if e.get("index") == event.get("index"))
        arguments = joined(text_at(e, "/delta/partial_json") for e in of_block)
        call = call_of(block)
        yield ToolCall(call.id, call.name, arguments or call.arguments)


def _counts(head: Json, events: list[dict[str, Json]]) -> Usage | None:
    """Return the last token counts.

    Those at the start are a placeholder for the output, and 0 for the input at some services.
    """
    ends = [_usage(event) for event in events if event.get("type") == "message_delta"]
    last = next((usage for usage in reversed(ends) if usage), None)
    begun, own = _usage(head) or Usage(), last or Usage()
    given = own.input_tokens if own.input_tokens is not None else begun.input_tokens or None
    if last is None and given is None:
        return None
    output, total = own.output_tokens, own.total_tokens
    most = max(begun, own, key=lambda usage: usage.cached)  # of two alike, the start has details
    return replace(most, input_tokens=given, output_tokens=output, total_tokens=total)


TABLE = EndpointTable(
    Path(__file__).with_suffix(".toml"),
    *(read, runs_tools, conversation),
)


def endpoints(
    dialect: str, prefix: str = ".*", refusal: Schema | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints of a service in Anthropic's format.

    They create messages, count tokens, and manage files, models, batches and skills.

    Args:
        dialect: The part of the endpoints' names before the dot.
        prefix: A regular expression for the part of the path before `/v1/`.
        refusal: The JSON Schema of the service's own refusals; None if it has none.
    """
    meaning = "an `error` with a `type` and a `message`, or the service's own refusal"
    changes: dict[str, Any] = (
        {"refusal": either(meaning, TABLE.schema("refusal"), refusal)} if refusal else {}
    )
    return tuple(TABLE.endpoints(dialect, prefix, **changes).values())


_READER = endpoints("anthropic")[0]
FIELDS = _READER.fields


def events(*values: dict[str, Json]) -> bytes:
    """Return the bytes of a stream with one server-sent event for each of *values*.

    The value is the event's `data`, and the value's member `type` is the event's name.
    """
    named = ((str(value["type"]).encode(), compact_bytes(value)) for value in values)
    return b"".join(b"event: %s\ndata: %s\n\n" % each for each in named)
