"""Messages in OpenAI's format, read from JSON: those of scenarios and of recorded requests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from harness.types import ContentPart, Json, Medium, Message, ToolCall, shorten
from harness.wire import resolve

CONTENT_PARTS: Mapping[str, tuple[Medium, str]] = {
    "text": (Medium.TEXT, "/text"),
    "image_url": (Medium.IMAGE, "/image_url/url"),
    "input_audio": (Medium.AUDIO, "/input_audio/data"),
    "video_url": (Medium.VIDEO, "/video_url/url"),
}
"""(medium, JSON pointer to its text, URL or data) of a part of a content, by the part's type."""


def message_of(sent: Mapping[str, Json]) -> Message:
    """Return a `Message` for *sent*, the JSON of a message in OpenAI's format.

    The attribute `sent` of the result is *sent* itself, with all members, also those that OpenAI's
    format does not have.
    """
    calls, content = sent.get("tool_calls"), sent.get("content")
    thought = sent.get("reasoning_content")
    return Message(
        role=str(sent.get("role", "")),
        content=content_text(content) if not isinstance(content, list) else _joined(content),
        tool_calls=tuple(_tool_calls(calls) if isinstance(calls, list) else ()),
        tool_call_id=str(sent.get("tool_call_id") or ""),
        reasoning=thought if isinstance(thought, str) else "",
        parts=tuple(_parts(content)) if isinstance(content, list) else (),
        sent=sent,
    )


def is_openai(sent: Mapping[str, Json]) -> bool:
    """Return whether a message has members or parts that only OpenAI's chat format has."""
    content = sent.get("content")
    parts = content if isinstance(content, list) else []
    types = {resolve(part, "/type") for part in parts} - {"text"}
    return bool(
        sent.get("tool_calls") or sent.get("role") == "tool" or types & CONTENT_PARTS.keys()
    )


def lacks_function(tool: Json) -> bool:
    """Return whether *tool*, the declaration of a function, lacks the name at `/function/name`.

    OpenAI's chat format has it there. The result is False for a tool of another type.
    """
    return resolve(tool, "/type") == "function" and not resolve(tool, "/function/name")


def content_text(content: Json) -> str:
    """Return a message's content as text; of a list, the texts of its items on separate lines."""
    if isinstance(content, list):
        return "\n".join(content_text(piece) for piece in content)
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        return str(content["text"])
    if content is None or isinstance(content, str):
        return content or ""
    return shorten(json.dumps(content, ensure_ascii=False), 200)


def _joined(content: list[Json]) -> str:
    texts = (resolve(part, "/text") for part in content)
    return "".join(text for text in texts if isinstance(text, str))


def _parts(content: list[Json]) -> Iterator[ContentPart]:
    """Yield the parts of a content whose type is known, or which are named after their medium."""
    for part in content:
        kind = str(resolve(part, "/type"))
        named = (m for m in Medium if isinstance(resolve(part, f"/{m}"), str))
        medium = next(named, Medium.TEXT)
        medium, pointer = CONTENT_PARTS.get(kind, (medium, f"/{medium}"))
        value = resolve(part, pointer)
        if isinstance(part, dict) and isinstance(value, str):
            member = pointer.split("/")[1]
            rest = {name: item for name, item in part.items() if name not in ("type", member)}
            yield ContentPart(medium, value, members=rest)


def _tool_calls(calls: list[Json]) -> Iterator[ToolCall]:
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(call, dict) and isinstance(function, dict):
            name, arguments = function.get("name"), function.get("arguments")
            yield ToolCall(str(call.get("id", "")), str(name or ""), content_text(arguments))
