"""Gemini's own format: `generateContent`, whole and streamed. C6 of docs/WIRE_FACTS.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.analysis.endpoint import Part
from harness.analysis.endpoint_table import EndpointTable
from harness.analysis.reply import is_refusal, read_refusal
from harness.types import Json, Outcome, Reply, ToolCall, Usage
from harness.wire import Missing, as_object, as_text, query, resolve, text_at

_NUMBERED = ("STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""Finish reasons by their numbers from 1, which `enum-encoding=int` asks for [FIELD]."""


def read(parts: Sequence[Part], request: Json) -> Outcome | None:
    """Return the reply or failure in a response; None if no part of it is a JSON object.

    *parts* has one item, the answer, or the events of a streamed answer. Without `alt=sse` in the
    URL, a stream is one JSON list of them [FIELD]. *request* is not used.
    """
    refusal = next((part for part in parts if is_refusal(part, FIELDS)), None)
    if refusal is not None:
        return read_refusal(_READER, 200, refusal.value)
    listed = [part.value if isinstance(part.value, list) else [part.value] for part in parts]
    values = [value for one in listed for value in one if isinstance(value, dict)]
    if not values:
        return None
    said = [p for v in values for _, p in query(v, "/candidates/0/content/parts/[]")]
    texts = [(resolve(p, "/text"), resolve(p, "/thought") is True) for p in said]
    pieces = [text for text, thought in texts if isinstance(text, str) and not thought]
    thoughts = [text for text, thought in texts if isinstance(text, str) and thought]
    reasons = [_reason(resolve(value, FIELDS.finish_reason[0])) for value in values]
    return Reply(
        id=text_at(values[0], "/responseId"),
        model=text_at(values[0], "/modelVersion"),
        content="".join(pieces) if pieces else None,
        reasoning="".join(thoughts) if thoughts else None,
        tool_calls=tuple(_calls(said)),
        finish_reason=next((r for r in reversed(reasons) if r is not None), None),
        usage=next((u for v in reversed(values) if (u := _usage(v))), None),
        pieces=tuple(pieces) if parts[0].event is not None else (),
    )


def _calls(parts: Sequence[Json]) -> Iterator[ToolCall]:
    """Yield the function calls in *parts*; one without an id gets its number."""
    calls = (call for part in parts for _, call in query(part, "/functionCall"))
    for number, call in enumerate(calls):
        arguments = json.dumps(as_object(resolve(call, "/args")))
        yield ToolCall(
            text_at(call, "/id") or f"call_{number}", text_at(call, "/name") or "", arguments
        )


def _reason(value: Json | Missing) -> str | None:
    if type(value) is int and 0 < value <= len(_NUMBERED):
        return _NUMBERED[value - 1]
    return "OTHER" if type(value) is int and value else as_text(value)


def _usage(value: Json) -> Usage | None:
    """Return the counts: thinking is output and the results of the service's tools are input."""

    def count(*names: str) -> int | None:
        found = [resolve(value, f"/usageMetadata/{name}") for name in names]
        numbers = [number for number in found if type(number) is int]
        return sum(numbers) if numbers else None

    total = count("totalTokenCount")
    if total is None:
        return None
    given = count("promptTokenCount", "toolUsePromptTokenCount")
    return Usage(given, count("candidatesTokenCount", "thoughtsTokenCount"), total)


def conversation(request: Json) -> list[tuple[str, Json]]:
    """Return (JSON pointer, message in OpenAI's format) of each message of *request*.

    The pointer is the message's place in *request*. Each result of a tool is a message of its own.
    """
    located: list[tuple[str, Json]] = []
    for name in ("systemInstruction", "system_instruction", "contents"):
        is_list = isinstance(resolve(request, f"/{name}"), list)
        for pointer, content in query(request, f"/{name}/[]" if is_list else f"/{name}"):
            role = "assistant" if text_at(content, "/role") == "model" else "user"
            role = role if name == "contents" else "system"
            located += ((pointer, message) for message in _messages(content, role))
    return located


def _messages(content: Json, role: str) -> Iterator[Json]:
    """Yield the messages of *content*: what *role* says and calls, and each result of a tool."""
    parts = [part for _, part in query(content, "/parts/[]")]
    shown: list[Json] = [one for part in parts if (one := _shown(part))]
    calls: list[Json] = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for c in _calls(parts)
    ]
    if shown or calls:
        texts = [text for one in shown if (text := text_at(one, "/text")) is not None]
        said: Json = "".join(texts)
        if len(texts) < len(shown):
            said = shown
        yield {"role": role, "content": said, **({"tool_calls": calls} if calls else {})}
    for part in parts:
        result = resolve(part, "/functionResponse")
        if isinstance(result, dict):
            returned = json.dumps(result.get("response"), ensure_ascii=False)
            yield {"role": "tool", "content": returned, "tool_call_id": text_at(result, "/id")}


def _shown(part: Json) -> Json:
    """Return a text or a picture as a part in OpenAI's format, other media as their type."""
    text = text_at(part, "/text")
    if text is not None:
        return {"type": "text", "text": text} if resolve(part, "/thought") is not True else None
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        given = resolve(part, f"/{name}")
        if isinstance(given, dict):
            kind = text_at(given, "/mimeType") or text_at(given, "/mime_type") or "file"
            uri = text_at(given, "/fileUri") or text_at(given, "/file_uri")
            if kind.startswith("image/"):
                url = uri or f"data:{kind};base64,{text_at(given, '/data')}"
                return {"type": "image_url", "image_url": {"url": url}}
            return {"type": "text", "text": f"[{kind}]"}
    return None


def runs_tools(request: Json) -> bool:
    """Return whether the service itself runs tools for *request*, such as a search or code."""
    tools = (tool for _, tool in query(request, "/tools/[]") if isinstance(tool, dict))
    return any(tool.keys() - {"functionDeclarations", "function_declarations"} for tool in tools)


TABLE = EndpointTable(Path(__file__).with_suffix(".toml"), read, runs_tools, conversation)
ENDPOINTS = tuple(TABLE.endpoints("gemini").values())
_READER, *_ = ENDPOINTS
FIELDS = _READER.fields
