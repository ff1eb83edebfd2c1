"""OpenAI's Responses format: events, items, states, usage. C8 of docs/WIRE_FACTS.md.

An answer is a list of items, and an event of a stream is about one of them, so that answers are
read by a function (`read`) and not by field locations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint, Part, Schema
from harness.analysis.endpoint_table import EndpointTable
from harness.analysis.json_schema import either
from harness.analysis.reply import NONE_YET, is_refusal, joined, read_refusal
from harness.providers.openai import endpoints as openai_endpoints
from harness.types import Json, Outcome, Reply, ToolCall, Usage
from harness.wire import MISSING, as_list, query, resolve, text_at

ENDED = ("response.completed", "response.incomplete", "response.failed")
"""The types of the last event of a stream; no set, since a damaged type may be a list."""


def runs_tools(request: Json) -> bool:
    """Return whether the service itself runs tools for *request*, such as `web_search`."""
    return any(kind not in ("function", "custom") for _, kind in query(request, "/tools/[]/type"))


def conversation(request: Json) -> list[tuple[str, Json]]:
    """Return (JSON pointer, message in OpenAI's chat format) of each message of *request*.

    The pointer is the message's place in *request*. Consecutive texts and calls of the assistant
    are one message, as they are one answer.
    """
    located: list[tuple[str, Json]] = []
    if instructions := text_at(request, "/instructions"):
        located.append(("/instructions", {"role": "system", "content": instructions}))
    if question := text_at(request, "/input"):
        located.append(("/input", {"role": "user", "content": question}))
    for pointer, item in query(request, "/input/[]"):
        for message in _translated(item):
            before = located[-1][1] if located else None
            if resolve(before, "/role") == "assistant" == resolve(message, "/role"):
                located[-1] = (located[-1][0], _merged(before, message))
            else:
                located.append((pointer, message))
    return located


def _merged(before: Json, message: Json) -> Json:
    """Return one message of the assistant for two."""
    calls = [call for one in (before, message) for _, call in query(one, "/tool_calls/[]")]
    texts = (resolve(one, "/content") for one in (before, message))
    content = "".join(text for text in texts if isinstance(text, str))
    called: dict[str, Json] = {"tool_calls": calls} if calls else {}
    thoughts = [text_at(one, "/reasoning_content") for one in (before, message)]
    thought: dict[str, Json] = {"reasoning_content": joined(thoughts)} if any(thoughts) else {}
    return {"role": "assistant", "content": content, **called, **thought}


def remembers(request: Json) -> bool:
    """Return whether *request* refers to stored messages instead of sending them.

    It does so by `previous_response_id` or an `item_reference`, for example.
    """
    left_out = ("item_reference", "compaction", "compaction_summary")
    places = ("/previous_response_id", "/conversation", "/prompt")
    return any(kind in left_out for _, kind in query(request, "/input/[]/type")) or any(
        resolve(request, place) for place in places
    )


def _translated(item: Json) -> Iterator[Json]:
    kind = resolve(item, "/type")
    if not isinstance(item, dict):
        return
    if kind == "function_call":
        function: Json = {"name": item.get("name"), "arguments": item.get("arguments")}
        call: Json = {"id": item.get("call_id"), "type": "function", "function": function}
        yield {"role": "assistant", "content": "", "tool_calls": [call]}
    elif kind == "function_call_output":
        content = item.get("output")
        yield {"role": "tool", "content": content, "tool_call_id": item.get("call_id")}
    elif kind == "reasoning" and (thought := _thought([item])):
        yield {"role": "assistant", "content": "", "reasoning_content": thought}
    elif kind in (MISSING, "message"):
        content = item.get("content")
        yield {"role": item.get("role"), "content": _content(content)}


def _content(content: Json) -> Json:
    """Return a content in OpenAI's chat format, whose parts have other types."""
    parts = as_list(content)
    if not any(_is_more_than_text(part) for part in parts):
        texts = (text_at(part, "/text") for part in parts)
        return joined(texts) or "" if isinstance(content, list) else content
    return [
        {"type": "image_url", "image_url": {"url": text_at(part, "/image_url")}}
        if resolve(part, "/image_url") is not MISSING
        else {**_members(part), "type": "text", "text": text_at(part, "/text")}
        for part in parts
    ]


def _is_more_than_text(part: Json) -> bool:
    """Return whether a part is a picture, or a text of the user with further members."""
    is_own = resolve(part, "/type") == "input_text" and len(_members(part)) > 2
    return is_own or resolve(part, "/image_url") is not MISSING


def _members(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def read(parts: Sequence[Part], request: Json) -> Outcome | None:
    """Return the reply or failure in a response; None if no part of it is a JSON object.

    *parts* has one item, the response, or the events of a streamed response. *request* is not used.
    """
    failed = next((part for part in parts if _is_failed(part)), None)
    if failed is not None:
        return read_refusal(_READER, 200, failed.value)
    events = [part.value for part in parts if isinstance(part.value, dict)]
    if not events:
        return None
    if parts[0].event is None:
        return _whole(events[0])
    last = next((e for e in reversed(events) if e.get("type") in ENDED), None)
    if len(events) == 1:
        return _single(events[0])
    return _streamed(events, last)


def _is_failed(part: Part) -> bool:
    return is_refusal(part, FIELDS) or resolve(part.value, "/type") == "error"


def _usage(value: Json) -> Usage | None:
    names = ("input_tokens", "output_tokens", "total_tokens")
    counts = [resolve(value, f"/usage/{name}") for name in names]
    numbers = [count if type(count) is int else None for count in counts]
    return None if all(count is None for count in numbers) else Usage(*numbers)


def _finish(response: Json) -> str | None:
    """Return the state of a response that has ended, else None."""
    status = text_at(response, "/status")
    return None if status in (None, NONE_YET, "in_progress", "queued") else status


def _calls(items: Iterator[Json]) -> Iterator[ToolCall]:
    for item in items:
        if resolve(item, "/type") == "function_call":
            texts = (text_at(item, f"/{name}") or "" for name in ("call_id", "name", "arguments"))
            yield ToolCall(*texts)


def _parts(items: Sequence[Json], kind: str, *patterns: str) -> Iterator[Json]:
    """Yield the values that match *patterns*, in order, in each of *items* of the type *kind*."""
    for item in items:
        if resolve(item, "/type") == kind:
            for pattern in patterns:
                yield from (part for _, part in query(item, pattern))


def _thought(items: Sequence[Json]) -> str | None:
    parts = _parts(items, "reasoning", "/summary/[]", "/content/[]")
    return joined(text_at(part, "/text") for part in parts)


def _signature(items: Sequence[Json]) -> str:
    """Return the id of the reasoning and, after a space, its encrypted content if it has one."""
    found = [item for item in items if resolve(item, "/type") == "reasoning"]
    texts = (text_at(item, name) for item in found[:1] for name in ("/id", "/encrypted_content"))
    return " ".join(text for text in texts if text)


def _whole(response: Json) -> Reply:
    items = [item for _, item in query(response, "/output/[]")]
    texts = _parts(items, "message", "/content/[]")
    return Reply(
        id=text_at(response, "/id"),
        model=text_at(response, "/model"),
        content=joined(text_at(part, "/text") or text_at(part, "/refusal") for part in texts),
        reasoning=_thought(items),
        signature=_signature(items),
        tool_calls=tuple(_calls(iter(items))),
        finish_reason=_finish(response),
        usage=_usage(response),
    )


_TEXTS = ("response.output_text.delta", "response.refusal.delta")
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")


def _deltas(events: Sequence[Json], types: Sequence[str]) -> list[str]:
    found = (text_at(e, "/delta") for e in events if resolve(e, "/type") in types)
    return [text for text in found if text is not None]


def _single(event: dict[str, Json]) -> Reply:
    """Return what one event of a stream adds; the last one repeats what has been sent."""
    response = event.get("response")
    kind = event.get("type")
    added = event.get("item") if kind == "response.output_item.done" else None
    return Reply(
        id=text_at(response, "/id"),
        model=text_at(response, "/model"),
        content="".join(_deltas([event], _TEXTS)) or None,
        reasoning="".join(_deltas([event], _THOUGHTS)) or None,
        tool_calls=tuple(_calls(iter([added]))),
        finish_reason=_finish(response) if kind in ENDED else None,
        usage=_usage(response),
    )


def _streamed(events: Sequence[dict[str, Json]], last: dict[str, Json] | None) -> Reply:
    pieces = _deltas(events, _TEXTS)
    items = (e.get("item") for e in events if e.get("type") == "response.output_item.done")
    head = next((e["response"] for e in events if "response" in e), None)
    final = last.get("response") if last else None
    if final is None and len(pieces) == 0 and head is None:
        return Reply()
    whole = _whole(final)
    return Reply(
        id=text_at(head, "/id"),
        model=whole.model or text_at(head, "/model"),
        content="".join(pieces) if pieces else whole.content,
        reasoning="".join(_deltas(events, _THOUGHTS)) or whole.reasoning,
        signature=whole.signature,
        tool_calls=tuple(_calls(items)) or whole.tool_calls,
        finish_reason=whole.finish_reason,
        usage=whole.usage,
        pieces=tuple(pieces),
    )


TABLE = EndpointTable(
    Path(__file__).with_suffix(".toml"),
    *(read, runs_tools, conversation, remembers),
    base=openai_endpoints.TABLE,
)
_FOREIGN = tuple(f"{place}/{name}" for place in ("", "/response") for name in TABLE.words("echoes"))


def endpoints(
    dialect: str, prefix: str = ".*", refusal: Schema | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints of a service in the Responses format.

    They create responses, and read, change and delete stored responses and conversations.

    Args:
        dialect: The part of the endpoints' names before the dot.
        prefix: A regular expression for the part of the path before `/responses`.
        refusal: The JSON Schema of the service's own refusals; None if it has none.
    """
    meaning = "an `error` with a `message`, or the service's own refusal"
    changes: dict[str, Any] = (
        {"refusal": either(meaning, TABLE.schema("refusal"), refusal)} if refusal else {}
    )
    return tuple(TABLE.endpoints(dialect, prefix, foreign=_FOREIGN, **changes).values())


_READER = endpoints("responses")[0]
FIELDS = _READER.fields
