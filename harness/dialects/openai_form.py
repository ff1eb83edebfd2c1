"""The chat form that both services took over: `choices`, `message` or `delta`, `usage`.

What differs between them (which fields are promised, ids, refusals) is in their own files.
"""

from __future__ import annotations

from harness.dialects.schema import (
    INTEGER,
    NAME,
    STRING,
    array,
    both,
    either,
    having,
    nullable,
    record,
)
from harness.reading import Fields, Schema

FIELDS = Fields(
    id=("/id",),
    request_id=("/request_id",),
    model=("/model",),
    content=("/choices/0/message/content", "/choices/0/delta/content"),
    reasoning=("/choices/0/message/reasoning_content", "/choices/0/delta/reasoning_content"),
    tool_calls=("/choices/0/message/tool_calls", "/choices/0/delta/tool_calls"),
    finish_reason=("/choices/0/finish_reason",),
    index=("/choices/0/index",),
    input_tokens=("/usage/prompt_tokens",),
    output_tokens=("/usage/completion_tokens",),
    total_tokens=("/usage/total_tokens",),
    refused=("/error",),
    code=("/error/code", "/error/type"),
    message=("/error/message",),
    constant=("/id", "/created", "/model"),
    messages=("/messages",),
    tools=("/tools",),
)

# [DOC] A3, [REC]: a whole call has id, type and function, whose arguments are JSON text.
TOOL_CALL: Schema = record(
    {
        "id": STRING,
        "type": STRING,
        "function": record({"name": STRING, "arguments": STRING}),
    },
    {"index": INTEGER},
)

# [REC] B6: later pieces of a streamed call leave out the name and have an empty id.
TOOL_CALL_PIECE: Schema = record(
    {"function": record({}, {"name": nullable(STRING), "arguments": nullable(STRING)})},
    {"index": INTEGER, "id": nullable(STRING), "type": nullable(STRING)},
)

_HAS_TEXT: Schema = {**having("content"), "properties": {"content": STRING}}
_HAS_CALLS: Schema = {
    **having("tool_calls"),
    "properties": {"tool_calls": {"type": "array", "minItems": 1}},
}

# [DOC] A1, [REC]: text, or tool calls in whose company the text may be missing.
MESSAGE: Schema = both(
    record(
        {"role": {"const": "assistant"}},
        {
            "content": nullable(STRING),
            "reasoning_content": nullable(STRING),
            "tool_calls": {"type": ["array", "null"], "items": TOOL_CALL},
        },
    ),
    either("text as `content`, or `tool_calls`", _HAS_TEXT, _HAS_CALLS),
)

# [REC]: role may be absent or null after the first event; content is absent beside tool calls.
DELTA: Schema = record(
    {},
    {
        "role": nullable(STRING),
        "content": nullable(STRING),
        "reasoning_content": nullable(STRING),
        "tool_calls": {"type": ["array", "null"], "items": TOOL_CALL_PIECE},
    },
)

CHOICES: Schema = array(
    record({"index": INTEGER, "message": MESSAGE, "finish_reason": NAME}), at_least=1
)

DELTAS: Schema = array(
    record({"index": INTEGER, "delta": DELTA}, {"finish_reason": nullable(STRING)})
)

# [DOC] A1, [REC]
USAGE: Schema = record(
    {"prompt_tokens": INTEGER, "completion_tokens": INTEGER, "total_tokens": INTEGER}
)
