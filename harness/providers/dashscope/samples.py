"""Valid sample exchanges with DashScope, and faults that violate DashScope's own rules.

The samples are in DashScope's own format and in OpenAI's, based on section B of docs/WIRE_FACTS.md.
"""

from __future__ import annotations

from dataclasses import replace

from harness.analysis import edit, sample
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.analysis.sample import (
    TOOLS,
    USAGE,
    USER,
    choices,
    data_events,
    exchange,
    get,
    png,
    post,
)
from harness.providers.dashscope.operations import frame_events
from harness.providers.dashscope.rules import is_dashscope, own_events
from harness.types import Exchange, Json, Request, Response
from harness.wire import compact_bytes, resolve

DASHSCOPE = "https://dashscope.aliyuncs.com/api/v1"
COMPATIBLE = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
AIGC = f"{DASHSCOPE}/services/aigc"

TASK = "86ecf553-d340-4e21-af6e-a0c6a421c010"
REQUEST = "1117fb64-5dd9-9df0-a5ca-d7ee0e97032d"


def stream(uri: str, request: Json, body: bytes, **headers: str) -> Exchange:
    """Return an exchange whose request asks for a stream by a header, as the SDK does."""
    made = sample.stream(uri, request, body, **headers)
    return replace(made, request=replace(made.request, headers=(("X-DashScope-SSE", "enable"),)))


def named_events(*values: Json) -> bytes:
    """Return the body of a stream, with one event (id, name, status, data) for each value."""
    return frame_events(map(compact_bytes, values))


GENERATION = f"{AIGC}/text-generation/generation"
PROMPT: Json = {"model": "qwen-flash", "parameters": {}, "input": {"prompt": "Count to 3"}}


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


THOUGHT = post(
    GENERATION,
    {**chat_request(enable_thinking=True), "model": "qwen3.7-max"},
    {
        "output": in_message("It is sunny.", reasoning_content="The user asks about it."),
        "usage": {
            "input_tokens": 19,
            "output_tokens": 10,
            "total_tokens": 29,
            "output_tokens_details": {"reasoning_tokens": 6},
        },
        "request_id": REQUEST,
    },
    x_request_id=REQUEST,
)
_RESEARCH: dict[str, Json] = {"role": "assistant", "phase": "answer", "extra": {}}
RESEARCHED = stream(
    GENERATION,
    {**chat_request(incremental_output=True), "model": "qwen-deep-research"},
    named_events(
        *(
            output(
                {
                    "message": {**_RESEARCH, "content": text, "status": status},
                    "fininshed": status == "finished",
                    "fininshed_reason": reason,
                },
                spent,
            )
            for text, status, reason, spent in (
                ("It is", "typing", "null", 2),
                (" sunny.", "typing", "null", 4),
                ("", "finished", "stop", 4),
            )
        )
    ),
    x_request_id=REQUEST,
)
SEARCHED = stream(
    GENERATION,
    chat_request(incremental_output=True, enable_search=True),
    named_events(
        {"output": in_message("", "null"), "usage": {}, "request_id": REQUEST},
        output(in_message("It is", "null"), 2),
        {"output": in_message(" sunny.", "stop"), "usage": usage(431, 4), "request_id": REQUEST},
    ),
    x_request_id=REQUEST,
)
TEXT = post(
    GENERATION, PROMPT, output({"finish_reason": "stop", "text": "1, 2, 3"}), x_request_id=REQUEST
)
MESSAGE = post(GENERATION, chat_request(), output(in_message("It is sunny.")), x_request_id=REQUEST)
CUMULATIVE = stream(
    GENERATION,
    PROMPT,
    named_events(
        output({"finish_reason": "null", "text": "1"}, 1),
        output({"finish_reason": "null", "text": "1, 2"}, 3),
        output({"finish_reason": "stop", "text": "1, 2, 3"}, 5),
    ),
    x_request_id=REQUEST,
)
INCREMENTAL = stream(
    GENERATION,
    chat_request(incremental_output=True),
    named_events(
        output(in_message("It", "null"), 1),
        output(in_message(" is", "null"), 2),
        output(in_message(" sunny.", "stop"), 4),
    ),
    x_request_id=REQUEST,
)


def piece(call_id: str, arguments: str, **name: str) -> Json:
    """Return the `tool_calls` of an event: a piece of one call; only the first one has *name*."""
    function: Json = {**name, "arguments": arguments}
    return [{"index": 0, "id": call_id, "type": "function", "function": function}]


CALLING = stream(
    GENERATION,
    chat_request(incremental_output=True, tools=TOOLS),
    named_events(
        output(in_message("", "null", tool_calls=piece("call_1", '{"city', name="get_weather")), 1),
        output(in_message("", "tool_calls", tool_calls=piece("", '": "Beijing"}')), 2),
    ),
)
SEEN = post(
    f"{AIGC}/multimodal-generation/generation",
    {"model": "qwen-vl", "input": {"messages": [{"role": "user", "content": [{"text": "?"}]}]}},
    output(in_message([{"text": "A beach."}])),
)
PAINTED = post(
    f"{AIGC}/multimodal-generation/generation",
    {"model": "qwen-image", "input": {"messages": [{"role": "user", "content": [{"text": "?"}]}]}},
    {
        "output": in_message([{"image": "https://oss.example/1.png?Expires=1"}]),
        "usage": {"height": 928, "image_count": 1, "width": 1664},
        "request_id": REQUEST,
    },
)
BAD_KEY = post(
    GENERATION,
    PROMPT,
    {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": REQUEST},
    401,
    x_request_id=REQUEST,
)


# A stream that breaks off with a refusal.
BROKEN_OFF = stream(
    GENERATION,
    PROMPT,
    named_events(output({"finish_reason": "null", "text": "1"}, 1))
    + b"id:2\nevent:error\n:HTTP_STATUS/400\ndata:"
    + compact_bytes({"code": "DataInspectionFailed", "message": "Bad.", "request_id": REQUEST})
    + b"\n\n",
)


def state(name: str, **more: Json) -> Json:
    """Return the body of a poll that reports the state *name*; *more* are members of `output`."""
    return {"request_id": REQUEST, "output": {"task_id": TASK, "task_status": name, **more}}


POLL = f"{DASHSCOPE}/tasks/{TASK}"
TIMES: dict[str, Json] = {
    "submit_time": "2025-12-07 19:28:55.323",
    "scheduled_time": "2025-12-07 19:28:55.359",
}
PICTURE = "https://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/123/a1.png"
RESULTS: Json = [
    {"url": PICTURE},
    {"code": "InternalError.Timeout", "message": "An error occured."},
]
PENDING = post(
    f"{AIGC}/text2image/image-synthesis",
    {"model": "wanx-v1", "parameters": {"n": 2, "size": "8*4"}, "input": {"prompt": "A cat"}},
    state("PENDING"),
    x_request_id=REQUEST,
)
RUNNING = get(POLL, state("RUNNING", **TIMES))
SUCCEEDED = get(
    POLL,
    state(
        "SUCCEEDED",
        **TIMES,
        end_time="2025-12-07 19:29:22.754",
        results=RESULTS,
        task_metrics={"TOTAL": 2, "SUCCEEDED": 1, "FAILED": 1},
    ),
)
DRAWN = post(
    f"{AIGC}/image-generation/generation",
    {
        "model": "wan2.7-image",
        "input": {"messages": [{"role": "user", "content": [{"text": "A kitten"}]}]},
        "parameters": {"n": 1},
    },
    {"output": {"task_id": TASK, "task_status": "PENDING"}, "request_id": REQUEST},
)
DRAWN_TASK = get(
    POLL,
    state(
        "SUCCEEDED",
        **TIMES,
        end_time="2025-12-07 19:29:22.754",
        finished=True,
        choices=[
            {
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": [{"image": PICTURE, "type": "image"}],
                },
            }
        ],
    ),
)
FAILED = get(POLL, state("FAILED", code="InvalidParameter", message="The size is not allowed"))
UNKNOWN = get(POLL, state("UNKNOWN"))
IMAGE = exchange("GET", PICTURE, None, png(8, 4), "image/png")
FILM = post(
    f"{AIGC}/video-generation/video-synthesis",
    {"model": "wanx2.1", "parameters": {}, "input": {"prompt": "A dog"}},
    state("PENDING"),
)
FILMED = get(POLL, state("SUCCEEDED", video_url="https://oss.example/a.mp4"))
SOUND = "https://oss.example/a.wav"
HEARD = post(
    f"{DASHSCOPE}/services/audio/asr/transcription",
    {"model": "paraformer-v2", "parameters": {}, "input": {"file_urls": [SOUND]}},
    state("PENDING"),
)
TRANSCRIPT = f"https://oss.example/{TASK}-1.json"
HEARD_TASK = get(
    POLL,
    state(
        "SUCCEEDED",
        results=[
            {"file_url": SOUND, "transcription_url": TRANSCRIPT, "subtask_status": "SUCCEEDED"}
        ],
        task_metrics={"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0},
    ),
)
WORDS = get(TRANSCRIPT, {"file_url": SOUND, "transcripts": [{"channel_id": 0, "text": "Hello."}]})
SPOKEN = post(
    f"{DASHSCOPE}/services/audio/tts/SpeechSynthesizer",
    {"model": "cosyvoice-v3-flash", "input": {"text": "Hello.", "voice": "longanyang"}},
    {
        "output": {
            "finish_reason": "stop",
            "audio": {"data": "", "url": SOUND, "id": "audio_1", "expires_at": 1765193362},
        },
        "usage": {"characters": 6},
        "request_id": REQUEST,
    },
)
TOO_LATE = post(
    f"{POLL}/cancel",
    None,
    {
        "request_id": REQUEST,
        "code": "UnsupportedOperation",
        "message": "Failed to cancel the task, please confirm if the task is in PENDING status.",
    },
    400,
)
EMBEDDED = post(
    f"{DASHSCOPE}/services/embeddings/text-embedding/text-embedding",
    {"model": "text-embedding-v1", "input": {"texts": ["x"]}},
    {
        "output": {"embeddings": [{"embedding": [2.1, -6.5], "text_index": 0}]},
        "usage": {"total_tokens": 5},
        "request_id": REQUEST,
    },
)
RANKED = post(
    f"{DASHSCOPE}/services/rerank/text-rerank/text-rerank",
    {"model": "gte-rerank", "input": {"query": "x", "documents": ["y", "z"]}},
    {
        "output": {
            "results": [
                {"index": 1, "relevance_score": 0.7},
                {"index": 0, "relevance_score": 0.2},
            ]
        },
        "usage": {"total_tokens": 54},
        "request_id": REQUEST,
    },
)
SOCKET = Exchange(
    Request("GET", "wss://dashscope.aliyuncs.com/api-ws/v1/inference"), Response(101, "Switching")
)

CHUNK: dict[str, Json] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "qwen",
}
QWEN: dict[str, Json] = {"model": "qwen-flash", "messages": [USER]}
COMPATIBLE_SYNC = post(
    COMPATIBLE,
    QWEN,
    {**CHUNK, "object": "chat.completion", "choices": choices("Sunny."), "usage": USAGE},
)

COMPATIBLE_LOGPROBS = post(
    COMPATIBLE,
    {**QWEN, "logprobs": True},
    {
        **CHUNK,
        "object": "chat.completion",
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "logprobs": {"content": [{"token": "Sunny.", "logprob": -0.25, "bytes": None}]},
                "message": {"role": "assistant", "content": "Sunny."},
            }
        ],
        "usage": USAGE,
    },
)


COMPATIBLE_CHOICES = post(
    COMPATIBLE,
    {**QWEN, "n": 2},
    {
        **CHUNK,
        "object": "chat.completion",
        "choices": [
            {
                "finish_reason": "stop",
                "index": index,
                "message": {"role": "assistant", "content": text},
            }
            for index, text in enumerate(("Sunny.", "Dry."))
        ],
        "usage": USAGE,
    },
)


def chunk(finish: str | None = None, **delta: Json) -> Json:
    """Return an event of a stream in OpenAI's format; *delta* are the members of its delta."""
    choice: Json = {"index": 0, **({"finish_reason": finish} if finish else {}), "delta": delta}
    return {**CHUNK, "choices": [choice], "usage": None}


COMPATIBLE_STREAM = stream(
    COMPATIBLE,
    {**QWEN, "stream": True, "tools": TOOLS},
    data_events(
        chunk(content="", role="assistant", tool_calls=piece("call_1", "", name="get_weather")),
        chunk(content="", role=None, tool_calls=piece("call_1", '{"city": ', name="")),
        chunk(tool_calls=piece("", '"Beijing"}')),
        chunk("tool_calls"),
        {**CHUNK, "choices": [], "usage": USAGE},
    ),
)
COMPATIBLE_REFUSED = post(
    COMPATIBLE,
    QWEN,
    {
        "error": {
            "message": "You didn't provide an API key.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        },
        "request_id": REQUEST,
    },
    401,
)

CALLING_SO_FAR = stream(
    GENERATION,
    chat_request(tools=TOOLS),
    named_events(
        output(in_message("", "null", tool_calls=piece("call_1", '{"city', name="get_weather")), 1),
        output(
            in_message(
                "",
                "tool_calls",
                tool_calls=piece("call_1", '{"city": "Beijing"}', name="get_weather"),
            ),
            2,
        ),
    ),
)
CLOCKED = post(
    GENERATION,
    PROMPT,
    output({"finish_reason": "stop", "text": "1, 2, 3"}),
    req_arrive_time="1765106934000",
    resp_start_time="1765106934512",
    req_cost_time="512",
)
MIXED = post(
    f"{DASHSCOPE}/services/embeddings/multimodal-embedding/multimodal-embedding",
    {"model": "multimodal-embedding-v1", "input": {"contents": [{"text": "x"}]}},
    {
        "output": {"embeddings": [{"index": 0, "type": "text", "embedding": [0.1, 0.2]}]},
        "usage": {"input_tokens": 1},
        "request_id": REQUEST,
    },
)
COMPATIBLE_EMBEDDED = post(
    COMPATIBLE.replace("chat/completions", "embeddings"),
    {"model": "text-embedding-v4", "input": "x", "dimensions": 2},
    {
        "id": REQUEST,
        "object": "list",
        "model": "text-embedding-v4",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
)

COMPATIBLE_RANKED = post(
    "https://dashscope.aliyuncs.com/compatible-api/v1/reranks",
    {"model": "qwen3-rerank", "query": "x", "documents": ["y", "z"]},
    {
        "object": "list",
        "results": [
            {"index": 1, "relevance_score": 0.7},
            {"index": 0, "relevance_score": 0.2},
        ],
        "model": "qwen3-rerank",
        "id": REQUEST,
        "usage": {"total_tokens": 4},
    },
)

SAMPLES = {
    "dashscope text": (TEXT,),
    "dashscope message": (MESSAGE,),
    "dashscope cumulative": (CUMULATIVE,),
    "dashscope incremental": (INCREMENTAL,),
    "dashscope streamed tool": (CALLING,),
    "dashscope streamed tool, cumulative": (CALLING_SO_FAR,),
    "dashscope with times": (CLOCKED,),
    "dashscope reasoning": (THOUGHT,),
    "dashscope deep research": (RESEARCHED,),
    "dashscope search": (SEARCHED,),
    "dashscope multimodal": (SEEN,),
    "dashscope image as chat": (PAINTED,),
    "dashscope refusal": (BAD_KEY,),
    "dashscope image task": (PENDING, RUNNING, SUCCEEDED, IMAGE),
    "dashscope image task with messages": (DRAWN, DRAWN_TASK, IMAGE),
    "dashscope failed task": (PENDING, RUNNING, FAILED),
    "dashscope unknown task": (UNKNOWN,),
    "dashscope cancelled too late": (TOO_LATE,),
    "dashscope video": (FILM, FILMED),
    "dashscope transcription": (HEARD, HEARD_TASK, WORDS),
    "dashscope speech": (SPOKEN,),
    "dashscope embedding": (EMBEDDED,),
    "dashscope multimodal embedding": (MIXED,),
    "dashscope rerank": (RANKED,),
    "dashscope websocket": (SOCKET,),
    "compatible sync": (COMPATIBLE_SYNC,),
    "compatible streamed tool": (COMPATIBLE_STREAM,),
    "compatible embeddings": (COMPATIBLE_EMBEDDED,),
    "compatible rerank": (COMPATIBLE_RANKED,),
    "compatible refusal": (COMPATIBLE_REFUSED,),
    "compatible with two choices": (COMPATIBLE_CHOICES,),
    "compatible with log probabilities": (COMPATIBLE_LOGPROBS,),
}
"""Small valid conversations as exchanges, by name."""


# ---------------------------------------------------------- faults that break DashScope's rules

_ID = "0" * 32


@exchange_fault("status_agrees_with_body", when=own_events)
def dashscope_error_event(analyzed: AnalyzedExchange) -> Exchange | None:
    """Append an error event to a successful stream."""
    blocks = edit.event_blocks(analyzed)
    refusal: Json = {"code": "InternalError", "message": "Broken.", "request_id": _ID}
    head = f"id:{len(blocks) + 1}\nevent:error\n:HTTP_STATUS/500\ndata:".encode()
    return edit.with_event_blocks(analyzed, [*blocks, head + compact_bytes(refusal) + b"\n\n"])


@exchange_fault("dashscope_events_count_up", when=own_events)
def dashscope_event_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the first event of a stream with several events."""
    blocks = edit.event_blocks(analyzed)
    return edit.with_event_blocks(analyzed, blocks[1:]) if len(blocks) > 1 else None


@exchange_fault("dashscope_events_count_up", when=own_events)
def dashscope_event_repeated(analyzed: AnalyzedExchange) -> Exchange | None:
    """Duplicate the first event."""
    blocks = edit.event_blocks(analyzed)
    return edit.with_event_blocks(analyzed, [blocks[0], *blocks])


@exchange_fault("dashscope_event_is_named", b"event:message\n", b"", when=own_events)
def dashscope_event_renamed(analyzed: AnalyzedExchange, line: bytes) -> Exchange:
    """Rename the last event to `message`, or remove its name."""
    return edit.change_event(analyzed, -1, lambda block: block.replace(b"event:result\n", line, 1))


@exchange_fault("dashscope_event_tells_status", b":HTTP_STATUS/500\n", b"", when=own_events)
def dashscope_status_differs(analyzed: AnalyzedExchange, line: bytes) -> Exchange | None:
    """Set the status of the last event to 500, or remove it if there are other events."""
    if not line and len(analyzed.stream.events) < 2:
        return None
    return edit.change_event(
        analyzed, -1, lambda block: block.replace(b":HTTP_STATUS/200\n", line, 1)
    )


def _request_id(analyzed: AnalyzedExchange) -> str:
    """Return the request id in the body of the answer; "" if it has none."""
    parts = analyzed.parts if is_dashscope(analyzed) else ()
    own = resolve(parts[0].value, "/request_id") if parts else None
    return own if isinstance(own, str) and own != _ID else ""


@exchange_fault("dashscope_request_ids_agree", when=_request_id)
def dashscope_header_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the header x-request-id to the id of another request."""
    return edit.with_header(analyzed.exchange, "x-request-id", _ID)


@exchange_fault("dashscope_request_ids_agree", when=_request_id)
def dashscope_body_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the request id in the body to the id of another request."""
    own = _request_id(analyzed)
    if len(own) not in range(32, 37) or set(own.lower()) - set("0123456789abcdef-"):
        return None
    changed = edit.replace_value(analyzed, analyzed.parts[0], "/request_id", _ID)
    headed = edit.with_header(analyzed.exchange, "x-request-id", own)
    return edit.with_body(headed, changed.response.body) if changed else None


@exchange_fault("dashscope_times_agree", 1512, 0, when=is_dashscope)
def dashscope_duration_differs(analyzed: AnalyzedExchange, duration: int) -> Exchange:
    """Set `req-cost-time` to 1512 or 0 ms, although the timestamps are 512 ms apart."""
    exchange = edit.with_header(analyzed.exchange, "req-arrive-time", "1765106934000")
    exchange = edit.with_header(exchange, "resp-start-time", "1765106934512")
    return edit.with_header(exchange, "req-cost-time", str(duration))


FAULTS = faults_of(vars())
