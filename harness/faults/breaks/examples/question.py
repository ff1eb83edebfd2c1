"""The question that the examples ask, and the tool that they offer."""

from __future__ import annotations

from harness.types import LooseJson

USER = {"role": "user", "content": "What is the weather in Beijing?"}
FUNCTION = {
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
TOOLS = [{"type": "function", "function": FUNCTION}]
CALLED = {
    "id": "call_8231168139794583938",
    "index": 0,
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Beijing"}'},
}
COUNTED = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}


def said(content: str | None, finish: str = "stop", **more: LooseJson) -> LooseJson:
    """The choices of a whole answer."""
    told = {} if content is None else {"content": content}
    message = {"role": "assistant", **told, **more}
    return [{"finish_reason": finish, "index": 0, "message": message}]
