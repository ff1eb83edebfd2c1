"""Messages of GenAI spans elsewhere than in `gen_ai.input.messages`, `gen_ai.output.messages`.

OpenLLMetry numbers the messages (`gen_ai.prompt.0.content`). The conventions since 1.37 may have
them on one event (`gen_ai.client.inference.operation.details`), those before have an event for each
message (`gen_ai.user.message`), and before 1.28 one for all of them (`gen_ai.content.prompt`).
Azure and Semantic Kernel put the content of an event into one attribute, Strands into a list of
parts, and pydantic-ai all events into an attribute of the span. OpenInference, the AI SDK and
Logfire have names of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.wire import as_object, objects_in, read_json

INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
_NUMBERED = re.compile(
    r"(gen_ai\.prompt|gen_ai\.completion|llm\.input_messages|llm\.output_messages)"
    r"\.(\d{1,5})\.(?:message\.)?(.+)"
)
_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
NAMES: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("otel.toml").read_text(encoding="utf-8")
)
"""The names in spans by what they name, with those of OpenAI's format or of current conventions."""


def with_messages(
    attributes: Mapping[str, Any], events: Iterable[tuple[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return the attributes of a span, with its messages as current conventions have them.

    These are `gen_ai.input.messages` and `gen_ai.output.messages`; each is present only if the span
    has such messages.

    Args:
        attributes: The attributes of the span.
        events: (name, attributes) of each of its events.
    """
    given = dict(attributes)
    for old, new in NAMES["attributes"].items():
        if old in given:
            given.setdefault(new, given[old])
    asked = [
        *_numbered(given, "gen_ai.prompt"),
        *_numbered(given, "llm.input_messages"),
        *objects(given.get("ai.prompt.messages")),
        *objects(_member(given.get("request_data"), "messages")),
    ]
    answered = [
        *_numbered(given, "gen_ai.completion"),
        *_numbered(given, "llm.output_messages"),
        *_of_the_ai_sdk(given),
        *objects([_member(given.get("response_data"), "message")]),
    ]
    named = [(str(event.get("event.name")), event) for event in objects(given.get("events"))]
    for name, own in (*named, *events):
        event = {**own, **as_object(decoded(own.get("gen_ai.event.content")))}
        if match := _EVENT.fullmatch(name):
            asked.append({"role": match[1], **event})
        elif name == "gen_ai.client.inference.operation.details":
            given = {**event, **given}
        elif name == "gen_ai.choice":
            message = decoded(event.get("message"))
            within = message if isinstance(message, dict) else {"content": message}
            answered.append({**event, **within})
        elif name == "gen_ai.content.prompt":
            asked += objects(event.get("gen_ai.prompt"))
        elif name == "gen_ai.content.completion":
            answered += objects(event.get("gen_ai.completion"))
    if asked and INPUT not in given:
        given[INPUT] = [_message(message, "user") for message in asked]
    if answered and OUTPUT not in given:
        given[OUTPUT] = [_message(message, "assistant") for message in answered]
    if INPUT in given:  # the name of the operation is there since 1.27
        given.setdefault("gen_ai.operation.name", "chat")
    return given


def _member(value: Any, name: str) -> Any:
    """Return a member of an object, or of its JSON text."""
    return as_object(decoded(value)).get(name)


def _of_the_ai_sdk(attributes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answer that a span of the AI SDK has."""
    text, calls = (attributes.get(f"ai.response.{name}") for name in ("text", "toolCalls"))
    if text is not None or calls is not None:
        reason = str(attributes.get("ai.response.finishReason", "stop")).replace("-", "_")
        yield {"content": [{"text": text}, *objects(calls)], "finish_reason": reason}


def _numbered(attributes: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the numbered messages of a kind in order; calls of tools are numbered within."""
    messages: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        match = _NUMBERED.fullmatch(name)
        if match and match[1] == kind:
            messages.setdefault(int(match[2]), {})[match[3]] = value
    return [messages[number] for number in sorted(messages)]


def _message(given: Mapping[str, Any], role: str) -> dict[str, Any]:
    """Return a message in the form of today."""
    role, content = str(given.get("role") or role), given.get("content")
    if role == "tool":
        id = given.get("id", given.get("tool_call_id", ""))
        within = [part for part in _parts(content) if part["type"] == "tool_call_response"]
        parts = within or [{"type": "tool_call_response", "id": id, "response": content}]
        return {"role": role, "parts": parts}
    parts = [*_parts(content), *_calls(given)]
    return {"role": role, "parts": parts, "finish_reason": given.get("finish_reason")}


def _parts(content: Any) -> list[dict[str, Any]]:
    """Return the content of a message, a text or a list of parts, in the form of today."""
    items = decoded(content)
    if isinstance(items, list) and items and all(_is_part(item) for item in items):
        return [_part(item) for item in items]
    return [{"type": "text", "content": content}] if isinstance(content, str) else []


def _is_part(value: Any) -> bool:
    """Return whether a value is a part of a message, and not one of a text that is JSON."""
    names = value.keys() if isinstance(value, dict) else set[str]()
    is_tool = bool(names & {"toolUse", "toolResult", "toolName"})
    return is_tool or names == {"text"} or (bool(names & _CONTENT) and "type" in names)


_CONTENT = {"text", "image", "image_url", "input_audio", "file", "data", "source", "url"}


def _part(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a message in the form of today; others keep their type and nothing else."""
    if isinstance(given.get("text"), str):
        return {"type": "text", "content": given["text"]}
    used, result = given.get("toolUse"), given.get("toolResult")
    if isinstance(used, dict):
        return _call(used.get("toolUseId"), used.get("name"), used.get("input"))
    if isinstance(result, dict):
        id, response = result.get("toolUseId"), result.get("content")
        return {"type": "tool_call_response", "id": id, "response": response}
    id, kind = given.get("toolCallId"), str(given.get("type") or "unknown")
    if kind == "tool-result":
        output = given.get("output", given.get("result"))
        return {"type": "tool_call_response", "id": id, "response": output}
    if "toolName" in given:
        return _call(id, given["toolName"], given.get("input", given.get("args")))
    return {"type": kind}


def _calls(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for call in objects(given.get("tool_calls")):
        function = call.get("function")
        named = function if isinstance(function, dict) else call
        yield _call(call.get("id"), named.get("name"), named.get("arguments"))
    for number in range(100):
        prefix, inner = f"tool_calls.{number}.", "function."
        if f"{prefix}tool_call.{inner}name" in given:
            prefix += "tool_call."
        elif f"{prefix}name" in given:
            inner = ""
        else:
            return
        names = (f"{prefix}id", f"{prefix}{inner}name", f"{prefix}{inner}arguments")
        yield _call(*(given.get(name) for name in names))


def _call(id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": id or "", "name": name or "", "arguments": arguments or "{}"}


def decoded(value: Any) -> Any:
    """Return the value of a JSON text, None for any other text, and other values unchanged."""
    if not isinstance(value, str):
        return value
    return read_json(value.encode("utf-8", "surrogatepass")).value


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in *value*, an array or its JSON text; empty for any other value."""
    return objects_in(decoded(value))
