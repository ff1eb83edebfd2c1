"""OpenAI's Responses format through OpenAI's SDK: the body of a call, and the SDK's function."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from harness.providers.openai.session import SdkOperation, data_url
from harness.scenario.messages import is_openai
from harness.types import Call, ContentPart, Json, Medium, Message
from harness.wire import as_object


def _items(line: Message) -> Iterator[dict[str, Any]]:
    """Yield a message as items: its reasoning, text and function calls, or the result of one."""
    if line.sent and not is_openai(line.sent):
        yield copy.deepcopy(dict(line.sent))
        return
    if line.role == "tool":
        yield {
            "type": "function_call_output",
            "call_id": line.tool_call_id,
            "output": line.content,
        }
        return
    if line.reasoning and line.signature:
        id, _, encrypted = line.signature.partition(" ")
        summary = [{"type": "summary_text", "text": line.reasoning}]
        rest = {"encrypted_content": encrypted} if encrypted else {}
        yield {"type": "reasoning", "id": id, "summary": summary, **rest}
    if line.content or not line.tool_calls:
        yield {"role": line.role, "content": [_part(p) for p in line.parts] or line.content}
    for call in line.tool_calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }


def _part(part: ContentPart) -> dict[str, Any]:
    """Return a part of a message's content; a file is sent in it, coded as base64."""
    if part.medium is Medium.TEXT:
        return {"type": "input_text", "text": part.value, **part.members}
    kind = "image" if part.medium is Medium.IMAGE else "file"
    return {"type": f"input_{kind}", f"{kind}_url": data_url(part), **part.members}


def _tool(tool: Json) -> Json:
    """Return a tool in this format, in which a function has no object of its own."""
    function = as_object(tool).get("function")
    return {"type": "function", **function} if isinstance(function, dict) else tool


def _body(call: Call) -> dict[str, Any]:
    items = [item for line in call.messages for item in _items(line)]
    body: dict[str, Any] = {"model": call.model, "input": items, **call.parameters}
    if isinstance(tools := body.get("tools"), list):
        body["tools"] = [_tool(tool) for tool in tools]
    return body


RESPONSES = SdkOperation("/responses", "responses.create", _body)
