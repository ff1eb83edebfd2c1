"""Anthropic's Messages format through its SDK: the body of a call, and the SDK's function."""

from __future__ import annotations

import copy
from typing import Any

from harness.providers.openai.session import SdkOperation, data_url
from harness.scenario.messages import is_openai
from harness.types import Call, ContentPart, Json, Medium, Message
from harness.wire import as_list, as_object, read_json, resolve

MAX_TOKENS = 4096
"""The value of `max_tokens`, which the format requires, if the call has none."""


def _blocks(line: Message) -> list[dict[str, Any]]:
    """Return a message as blocks: thinking, text and tool uses, or the result of one."""
    if line.role == "tool":
        result = {"type": "tool_result", "tool_use_id": line.tool_call_id, "content": line.content}
        return [result]
    blocks: list[dict[str, Any]] = []
    if line.reasoning and line.signature:
        thinking = {"thinking": line.reasoning, "signature": line.signature}
        blocks.append({"type": "thinking", **thinking})
    blocks += [_part(part) for part in line.parts]
    if line.content and not line.parts:
        blocks.append({"type": "text", "text": line.content})
    for call in line.tool_calls:
        arguments = read_json(call.arguments.encode()).value
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return blocks


def _part(part: ContentPart) -> dict[str, Any]:
    """Return a part of a message's content; a file is sent in it, coded as base64."""
    if part.medium is Medium.TEXT:
        return {"type": "text", "text": part.value, **part.members}
    head, _, data = data_url(part).partition(";base64,")
    kind = "image" if part.medium is Medium.IMAGE else "document"
    url = {"type": "url", "url": part.value}
    file = {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    return {"type": kind, "source": file if data else url, **part.members}


def _messages(lines: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the messages: results of several calls are one message of the user."""
    messages: list[dict[str, Any]] = []
    for line in lines:
        if line.sent and not is_openai(line.sent):
            messages.append(copy.deepcopy(dict(line.sent)))
            continue
        role = "user" if line.role == "tool" else line.role
        blocks = _blocks(line)
        is_text = [*blocks] == [{"type": "text", "text": line.content}]
        if messages and messages[-1]["role"] == role and isinstance(messages[-1]["content"], list):
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": line.content if is_text else blocks})
    return messages


def _tool(tool: Json) -> Json:
    """Return a tool in this format, from one in OpenAI's."""
    function = as_object(tool).get("function")
    if not isinstance(function, dict):
        return tool
    rest = {name: value for name, value in function.items() if name != "parameters"}
    return {**rest, "input_schema": function.get("parameters", {"type": "object"})}


def _is_instruction(line: Message) -> bool:
    """Return whether a message is a text of the system, which stands apart from the messages."""
    blocks = as_list(line.sent.get("content", ""))
    return line.role in ("system", "developer") and all(
        resolve(block, "/type") == "text" for block in blocks
    )


def _body(call: Call) -> dict[str, Any]:
    instructions = [line for line in call.messages if _is_instruction(line)]
    system: Any = "\n\n".join(line.content for line in instructions)
    if any(line.parts for line in instructions):
        system = [block for line in instructions for block in _blocks(line)]
    others = tuple(line for line in call.messages if line not in instructions)
    body: dict[str, Any] = {
        "model": call.model,
        "max_tokens": MAX_TOKENS,
        "messages": _messages(others),
        **({"system": system} if system else {}),
        **call.parameters,
    }
    if isinstance(tools := body.get("tools"), list):
        body["tools"] = [_tool(tool) for tool in tools]
    return body


MESSAGES = SdkOperation(
    "/v1/messages",
    "messages.create",
    _body,
    ("content[0].type", "stop_reason"),
    "anthropic",
    ("Anthropic", "AnthropicError"),
)
