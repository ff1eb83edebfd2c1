"""Builders of DashScope's exchanges, and its sample exchanges by shorter names."""

from __future__ import annotations

from dataclasses import replace

import exchanges
from exchanges import USER

from harness.providers.dashscope.operations import frame_events
from harness.providers.samples import SAMPLES
from harness.types import Exchange, Json
from harness.wire import compact_bytes

DASHSCOPE = "https://dashscope.aliyuncs.com/api/v1"
COMPATIBLE = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
AIGC = f"{DASHSCOPE}/services/aigc"
GENERATION = f"{AIGC}/text-generation/generation"
TASK = "86ecf553-d340-4e21-af6e-a0c6a421c010"
POLL = f"{DASHSCOPE}/tasks/{TASK}"
REQUEST = "1117fb64-5dd9-9df0-a5ca-d7ee0e97032d"
PROMPT: Json = {"model": "qwen-flash", "parameters": {}, "input": {"prompt": "Count to 3"}}
QWEN: dict[str, Json] = {"model": "qwen-flash", "messages": [USER]}
TIMES: dict[str, Json] = {
    "submit_time": "2025-12-07 19:28:55.323",
    "scheduled_time": "2025-12-07 19:28:55.359",
}
CHUNK: dict[str, Json] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "qwen",
}


def stream(uri: str, request: Json, body: bytes, **headers: str) -> Exchange:
    """Return an exchange whose request asks for a stream by a header, as the SDK does."""
    made = exchanges.stream(uri, request, body, **headers)
    return replace(made, request=replace(made.request, headers=(("X-DashScope-SSE", "enable"),)))


def named_events(*values: Json) -> bytes:
    """Return the body of a stream, with one event (id, name, status, data) for each value."""
    return frame_events(map(compact_bytes, values))


def usage(given: int, made: int) -> Json:
    """Return the `usage` of an answer with these numbers of input and output tokens."""
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


def output(content: Json, spent: int = 4) -> Json:
    """Return the body of an answer with this `output`, which used *spent* output tokens."""
    return {"output": content, "usage": usage(19, spent), "request_id": REQUEST}


def in_message(content: Json, finish: str = "stop", **more: Json) -> Json:
    """Return an `output` with one message; *more* are further members of the message."""
    message: Json = {"content": content, "role": "assistant", **more}
    return {"choices": [{"finish_reason": finish, "index": 0, "message": message}]}


def chat_request(**parameters: Json) -> dict[str, Json]:
    """Return the body of a chat request with these parameters."""
    chosen: Json = {"result_format": "message", **parameters}
    return {"model": "qwen-flash", "parameters": chosen, "input": {"messages": [USER]}}


def piece(call_id: str, arguments: str, **name: str) -> Json:
    """Return the `tool_calls` of an event: a piece of one call; only the first one has *name*."""
    function: Json = {**name, "arguments": arguments}
    return [{"index": 0, "id": call_id, "type": "function", "function": function}]


def state(name: str, **more: Json) -> Json:
    """Return the body of a poll that reports the state *name*; *more* are members of `output`."""
    return {"request_id": REQUEST, "output": {"task_id": TASK, "task_status": name, **more}}


def chunk(finish: str | None = None, **delta: Json) -> Json:
    """Return an event of a stream in OpenAI's format; *delta* are the members of its delta."""
    choice: Json = {"index": 0, **({"finish_reason": finish} if finish else {}), "delta": delta}
    return {**CHUNK, "choices": [choice], "usage": None}


# A stream that breaks off with a refusal.
BROKEN_OFF = stream(
    GENERATION,
    PROMPT,
    named_events(output({"finish_reason": "null", "text": "1"}, 1))
    + b"id:2\nevent:error\n:HTTP_STATUS/400\ndata:"
    + compact_bytes({"code": "DataInspectionFailed", "message": "Bad.", "request_id": REQUEST})
    + b"\n\n",
)

(TEXT,) = SAMPLES["dashscope text"]
(MESSAGE,) = SAMPLES["dashscope message"]
(CUMULATIVE,) = SAMPLES["dashscope cumulative"]
(INCREMENTAL,) = SAMPLES["dashscope incremental"]
(CALLING,) = SAMPLES["dashscope streamed tool"]
(SEARCHED,) = SAMPLES["dashscope search"]
(SEEN,) = SAMPLES["dashscope multimodal"]
PENDING, RUNNING, SUCCEEDED, _image = SAMPLES["dashscope image task"]
*_, FAILED = SAMPLES["dashscope failed task"]
(COMPATIBLE_SYNC,) = SAMPLES["compatible sync"]
(COMPATIBLE_STREAM,) = SAMPLES["compatible streamed tool"]
