"""Messages and tool calls in the form OpenAI gave them, which both providers took over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.providers.provider import dig, text
from harness.types import LooseJson, Message, ToolCall


def message(line: Message) -> dict[str, Any]:
    """A message as it is sent: a fresh dict, since an SDK may change what it is given."""
    sent: dict[str, Any] = {"role": line.role, "content": line.content}
    if line.tool_calls:
        sent["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in line.tool_calls
        ]
    if line.tool_call_id:
        sent["tool_call_id"] = line.tool_call_id
    return sent


def tool_calls(pieces: Iterable[LooseJson]) -> tuple[ToolCall, ...]:
    """Tool calls, put together by their index where they were streamed in pieces.

    Only a call's first piece has an id and a name; the arguments are spread over all of them.
    """
    merged: dict[LooseJson, dict[str, str]] = {}
    for position, piece in enumerate(pieces):
        index = dig(piece, "index")
        call = merged.setdefault(
            position if index is None else ("index", index),
            {"id": "", "name": "", "arguments": ""},
        )
        call["id"] = call["id"] or text(piece, "id") or ""
        call["name"] = call["name"] or text(dig(piece, "function"), "name") or ""
        call["arguments"] += text(dig(piece, "function"), "arguments") or ""
    return tuple(ToolCall(**call) for call in merged.values())
