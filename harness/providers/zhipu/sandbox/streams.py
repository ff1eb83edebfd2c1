"""A stream: events that each tell the next token of an answer."""

from __future__ import annotations

from collections.abc import Iterator

from harness.providers.zhipu.sandbox.answers import created, usage
from harness.sandbox.words import tokens
from harness.types import LooseJson, Reply, ToolCall
from harness.wire import compact_bytes


def stream_events(reply: Reply, model: str, id: str) -> Iterator[bytes]:
    """[REC] a stream, 2025-10: one piece per event, usage and finish_reason on the last, [DONE].

    Thinking comes first; its first event has an empty content too. A tool call comes whole, in
    an event whose delta has no role.
    """
    head = {"id": id, "created": created(), "model": model}

    def event(choice: dict[str, LooseJson], **more: LooseJson) -> bytes:
        return (
            b"data: " + compact_bytes(head | {"choices": [{"index": 0} | choice]} | more) + b"\n\n"
        )

    for number, piece in enumerate(tokens(reply.reasoning or "")):
        first: dict[str, LooseJson] = {} if number else {"content": ""}
        yield event({"delta": {"role": "assistant", **first, "reasoning_content": piece}})
    for piece in reply.pieces:
        yield event({"delta": {"role": "assistant", "content": piece}})
    if reply.tool_calls:
        calls = [_streamed_call(call, number) for number, call in enumerate(reply.tool_calls)]
        yield event({"delta": {"tool_calls": calls}})
    last = {"finish_reason": reply.finish_reason, "delta": {"role": "assistant", "content": ""}}
    yield event(last, usage=usage(reply))
    yield b"data: [DONE]\n\n"


def _streamed_call(call: ToolCall, index: int) -> LooseJson:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "index": index, "type": "function", "function": function}
