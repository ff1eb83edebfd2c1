"""A whole answer: the completion of a conversation, given at once or as what a task came to."""

from __future__ import annotations

import uuid

from harness.sandbox.house import now
from harness.types import LooseJson, Reply, ToolCall


def completion(reply: Reply, model: str, id: str, request_id: str) -> LooseJson:
    """[REC] a whole answer, 2025-10: no `object`; `content` is left out beside tool calls."""
    message: dict[str, LooseJson] = {"content": reply.content, "role": "assistant"}
    thought = {} if reply.reasoning is None else {"reasoning_content": reply.reasoning}
    if reply.tool_calls:
        # [REC] the ids of calls in whole answers are negative numbers
        calls = [
            _call(c, n, f"call_-{uuid.uuid4().int % 10**19}")
            for n, c in enumerate(reply.tool_calls)
        ]
        message = {"role": "assistant", "tool_calls": calls}
    message = dict(sorted((message | thought).items()))
    choice = {"finish_reason": reply.finish_reason, "index": 0, "message": message}
    return {
        "choices": [choice],
        "created": created(),
        "id": id,
        "model": model,
        "request_id": request_id,
        "usage": dict(sorted(usage(reply).items())),
    }


def finished(reply: Reply, model: str, id: str, request_id: str) -> LooseJson:
    """[DOC] a task's answer: `tool_calls` is null where there are none."""
    whole = completion(reply, model, id, request_id)
    choice = whole["choices"][0]
    choice["message"].setdefault("tool_calls", None)
    return status(id, request_id, model, "SUCCESS") | {
        "choices": [choice],
        "usage": whole["usage"],
        "created": whole["created"],
    }


def status(id: str, request_id: str, model: str | None, state: str) -> dict[str, LooseJson]:
    """How a task is doing, and all that is told of it before it is done."""
    return {"id": id, "request_id": request_id, "model": model, "task_status": state}


def _call(call: ToolCall, index: int, id: str) -> LooseJson:
    function = {"arguments": call.arguments, "name": call.name}
    return {"function": function, "id": id, "index": index, "type": "function"}


def usage(reply: Reply) -> dict[str, LooseJson]:
    """The tokens of an answer, in the order a stream has them."""
    counted = reply.usage
    return {
        "prompt_tokens": counted.input_tokens if counted else 0,
        "completion_tokens": counted.output_tokens if counted else 0,
        "total_tokens": counted.total_tokens if counted else 0,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def created() -> int:
    """This second, as an answer's `created`."""
    return int(now().timestamp())
