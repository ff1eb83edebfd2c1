"""A whole answer: `output` as text or as a message, `usage`, `request_id`."""

from __future__ import annotations

from harness.providers.dashscope.sandbox.form import Form
from harness.types import LooseJson, Reply, ToolCall


def generation(reply: Reply, form: Form) -> LooseJson:
    """[REC] a whole answer: `output`, `usage`, `request_id`."""
    output: LooseJson = {"finish_reason": reply.finish_reason, "text": reply.content}
    if form.message:
        message: dict[str, LooseJson] = {"content": form.content(reply.content)}
        if form.multimodal:
            message["reasoning_content"] = ""
        message["role"] = "assistant"
        if reply.tool_calls:
            message["tool_calls"] = [_call(c, n) for n, c in enumerate(reply.tool_calls)]
        index = {"index": 0} if form.indexed else {}
        choice = {"finish_reason": reply.finish_reason} | index | {"message": message}
        if form.multimodal:
            choice = {"message": message, "finish_reason": reply.finish_reason}
        output = {"choices": [choice]}
    usage = multimodal_usage(_usage(reply)) if form.multimodal else _usage(reply)
    return {"output": output, "usage": usage, "request_id": form.request_id}


def multimodal_usage(counts: dict[str, LooseJson]) -> LooseJson:
    """Return counts of tokens in the form of a multimodal answer: all tokens are text's."""
    return {
        "total_tokens": counts["total_tokens"],
        "input_tokens_details": {"text_tokens": counts["input_tokens"]},
        "output_tokens": counts["output_tokens"],
        "input_tokens": counts["input_tokens"],
        "output_tokens_details": {"text_tokens": counts["output_tokens"]},
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _call(call: ToolCall, index: int) -> LooseJson:
    function = {"arguments": call.arguments, "name": call.name}
    return {"function": function, "id": call.id, "index": index, "type": "function"}


def _usage(reply: Reply) -> dict[str, LooseJson]:
    usage = reply.usage
    return {
        "input_tokens": usage.input_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "prompt_tokens_details": {"cached_tokens": 0},
        "total_tokens": usage.total_tokens if usage else 0,
    }
