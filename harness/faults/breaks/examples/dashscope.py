"""Valid exchanges with DashScope, in its own form and in OpenAI's (see the wire facts, B)."""

from __future__ import annotations

from dataclasses import replace

from harness.faults.breaks import making
from harness.faults.breaks.examples.question import COUNTED, TOOLS, USER, said
from harness.faults.breaks.making import data_only, exchange, get, numbered, picture, post
from harness.types import Exchange, LooseJson, Request, Response
from harness.wire import compact_bytes

DASHSCOPE = "https://dashscope.aliyuncs.com/api/v1"
COMPATIBLE = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
AIGC = f"{DASHSCOPE}/services/aigc"

TASK = "86ecf553-d340-4e21-af6e-a0c6a421c010"
REQUEST = "1117fb64-5dd9-9df0-a5ca-d7ee0e97032d"


def stream(uri: str, asked: LooseJson, body: bytes, **headers: str) -> Exchange:
    """A question that asks for events by a header, as the SDK does, and its answer."""
    told = making.stream(uri, asked, body, **headers)
    return replace(told, request=replace(told.request, headers=(("X-DashScope-SSE", "enable"),)))


GENERATION = f"{AIGC}/text-generation/generation"
PROMPT = {"model": "qwen-flash", "parameters": {}, "input": {"prompt": "Count to 3"}}


def counted(given: int, made: int) -> LooseJson:
    """Tokens as DashScope counts them."""
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


def output(said: LooseJson, spent: int = 4) -> LooseJson:
    """An answer of DashScope."""
    return {"output": said, "usage": counted(19, spent), "request_id": REQUEST}


def chosen(content: LooseJson, finish: str = "stop", **more: LooseJson) -> LooseJson:
    """An answer of DashScope in the form of a message."""
    message = {"content": content, "role": "assistant", **more}
    return {"choices": [{"finish_reason": finish, "index": 0, "message": message}]}


def asked_qwen(**parameters: LooseJson) -> LooseJson:
    """A question to DashScope in the form of messages."""
    held = {"result_format": "message", **parameters}
    return {"model": "qwen-flash", "parameters": held, "input": {"messages": [USER]}}


TEXT = post(
    GENERATION, PROMPT, output({"finish_reason": "stop", "text": "1, 2, 3"}), x_request_id=REQUEST
)
MESSAGE = post(GENERATION, asked_qwen(), output(chosen("It is sunny.")), x_request_id=REQUEST)
CUMULATIVE = stream(
    GENERATION,
    PROMPT,
    numbered(
        output({"finish_reason": "null", "text": "1"}, 1),
        output({"finish_reason": "null", "text": "1, 2"}, 3),
        output({"finish_reason": "stop", "text": "1, 2, 3"}, 5),
    ),
    x_request_id=REQUEST,
)
INCREMENTAL = stream(
    GENERATION,
    asked_qwen(incremental_output=True),
    numbered(
        output(chosen("It", "null"), 1),
        output(chosen(" is", "null"), 2),
        output(chosen(" sunny.", "stop"), 4),
    ),
    x_request_id=REQUEST,
)


def piece(call_id: str, arguments: str, **name: str) -> LooseJson:
    """A piece of a streamed tool call."""
    function = {**name, "arguments": arguments}
    return [{"index": 0, "id": call_id, "type": "function", "function": function}]


CALLING = stream(
    GENERATION,
    asked_qwen(incremental_output=True, tools=TOOLS),
    numbered(
        output(chosen("", "null", tool_calls=piece("call_1", '{"city', name="get_weather")), 1),
        output(chosen("", "tool_calls", tool_calls=piece("", '": "Beijing"}')), 2),
    ),
)
SEEN = post(
    f"{AIGC}/multimodal-generation/generation",
    {"model": "qwen-vl", "input": {"messages": [{"role": "user", "content": [{"text": "?"}]}]}},
    output(chosen([{"text": "A beach."}])),
)
PAINTED = post(
    f"{AIGC}/multimodal-generation/generation",
    {"model": "qwen-image", "input": {"messages": [{"role": "user", "content": [{"text": "?"}]}]}},
    {
        "output": chosen([{"image": "https://oss.example/1.png?Expires=1"}]),
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
    numbered(output({"finish_reason": "null", "text": "1"}, 1))
    + b"id:2\nevent:error\n:HTTP_STATUS/400\ndata:"
    + compact_bytes({"code": "DataInspectionFailed", "message": "Bad.", "request_id": REQUEST})
    + b"\n\n",
)


def state(name: str, **more: LooseJson) -> LooseJson:
    """What DashScope tells of a task."""
    return {"request_id": REQUEST, "output": {"task_id": TASK, "task_status": name, **more}}


POLL = f"{DASHSCOPE}/tasks/{TASK}"
TIMES = {"submit_time": "2025-12-07 19:28:55.323", "scheduled_time": "2025-12-07 19:28:55.359"}
PICTURE = "https://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/123/a1.png"
RESULTS = [{"url": PICTURE}, {"code": "InternalError.Timeout", "message": "An error occured."}]
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
FAILED = get(POLL, state("FAILED", code="InvalidParameter", message="The size is not allowed"))
UNKNOWN = get(POLL, state("UNKNOWN"))
GIVEN = exchange("GET", PICTURE, None, picture(8, 4), "image/png")
FILM = post(
    f"{AIGC}/video-generation/video-synthesis",
    {"model": "wanx2.1", "parameters": {}, "input": {"prompt": "A dog"}},
    state("PENDING"),
)
FILMED = get(POLL, state("SUCCEEDED", video_url="https://oss.example/a.mp4"))
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

CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen"}
QWEN = {"model": "qwen-flash", "messages": [USER]}
COMPATIBLE_SYNC = post(
    COMPATIBLE,
    QWEN,
    {**CHUNK, "object": "chat.completion", "choices": said("Sunny."), "usage": COUNTED},
)


def chunk(finish: str | None = None, **delta: LooseJson) -> LooseJson:
    """An event of the OpenAI form."""
    ends = {"finish_reason": finish} if finish else {}
    return {**CHUNK, "choices": [{"index": 0, **ends, "delta": delta}], "usage": None}


COMPATIBLE_STREAM = stream(
    COMPATIBLE,
    {**QWEN, "stream": True, "tools": TOOLS},
    data_only(
        chunk(content="", role="assistant", tool_calls=piece("call_1", "", name="get_weather")),
        chunk(content="", role=None, tool_calls=piece("call_1", '{"city": ', name="")),
        chunk(tool_calls=piece("", '"Beijing"}')),
        chunk("tool_calls"),
        {**CHUNK, "choices": [], "usage": COUNTED},
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
    asked_qwen(tools=TOOLS),
    numbered(
        output(chosen("", "null", tool_calls=piece("call_1", '{"city', name="get_weather")), 1),
        output(
            chosen(
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

EXAMPLES = {
    "dashscope text": (TEXT,),
    "dashscope message": (MESSAGE,),
    "dashscope cumulative": (CUMULATIVE,),
    "dashscope incremental": (INCREMENTAL,),
    "dashscope streamed tool": (CALLING,),
    "dashscope streamed tool, all of it so far": (CALLING_SO_FAR,),
    "dashscope with times": (CLOCKED,),
    "dashscope multimodal": (SEEN,),
    "dashscope image as chat": (PAINTED,),
    "dashscope refusal": (BAD_KEY,),
    "dashscope image task": (PENDING, RUNNING, SUCCEEDED, GIVEN),
    "dashscope failed task": (PENDING, RUNNING, FAILED),
    "dashscope unknown task": (UNKNOWN,),
    "dashscope cancelled too late": (TOO_LATE,),
    "dashscope video": (FILM, FILMED),
    "dashscope embedding": (EMBEDDED,),
    "dashscope embedding of anything": (MIXED,),
    "dashscope rerank": (RANKED,),
    "dashscope websocket": (SOCKET,),
    "compatible sync": (COMPATIBLE_SYNC,),
    "compatible streamed tool": (COMPATIBLE_STREAM,),
    "compatible embeddings": (COMPATIBLE_EMBEDDED,),
    "compatible refusal": (COMPATIBLE_REFUSED,),
}
