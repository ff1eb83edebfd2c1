"""Other places for what GenAI spans have in `gen_ai.input.messages` and `gen_ai.output.messages`.

OpenLLMetry numbers the messages (`gen_ai.prompt.0.content`). The conventions since 1.37 may have
them on one event (`gen_ai.client.inference.operation.details`), those before have an event for each
message (`gen_ai.user.message`), and before 1.28 one for all of them (`gen_ai.content.prompt`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.wire import read_json

INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
_NUMBERED = re.compile(r"gen_ai\.(prompt|completion)\.(\d{1,5})\.(.+)")
_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_COUNTS = {"prompt": "input", "completion": "output"}


def with_messages(
    attributes: Mapping[str, Any], events: Iterable[tuple[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return the attributes of a span with its messages by their names of today.

    Args:
        attributes: The attributes of the span.
        events: (name, attributes) of each of its events.
    """
    given = dict(attributes)
    asked, answered = _numbered(attributes, "prompt"), _numbered(attributes, "completion")
    for name, event in events:
        if match := _EVENT.fullmatch(name):
            asked.append({"role": match[1], **event})
        elif name == "gen_ai.client.inference.operation.details":
            given = {**event, **given}
        elif name == "gen_ai.choice":
            message = decoded(event.get("message"))
            answered.append({**event, **(message if isinstance(message, dict) else {})})
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
    for old, new in _COUNTS.items():
        if f"gen_ai.usage.{old}_tokens" in given:
            given.setdefault(f"gen_ai.usage.{new}_tokens", given[f"gen_ai.usage.{old}_tokens"])
    return given


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
        parts = [{"type": "tool_call_response", "id": id, "response": content}]
        return {"role": role, "parts": parts}
    parts = [{"type": "text", "content": content}] if isinstance(content, str) else []
    parts += _calls(given)
    return {"role": role, "parts": parts, "finish_reason": given.get("finish_reason")}


def _calls(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for call in objects(given.get("tool_calls")):
        function = call.get("function")
        named = function if isinstance(function, dict) else call
        yield _call(call.get("id"), named.get("name"), named.get("arguments"))
    for number in range(100):
        prefix = f"tool_calls.{number}."
        if f"{prefix}name" not in given:
            return
        yield _call(*(given.get(prefix + member) for member in ("id", "name", "arguments")))


def _call(id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": id or "", "name": name or "", "arguments": arguments or "{}"}


def decoded(value: Any) -> Any:
    """Return the value of a JSON text, and any other value unchanged."""
    return read_json(value.encode()).value if isinstance(value, str) else value


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in an array, or in its JSON text; empty for anything else."""
    items = decoded(value)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
