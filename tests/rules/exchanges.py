"""Valid exchanges of every endpoint and mode, written out as they travel (see the wire facts)."""

from __future__ import annotations

from harness.types import Exchange, Json, Request, Response

from .making import data_only, dump, exchange, get, numbered, picture, post, stream

ZHIPU = "https://open.bigmodel.cn/api/paas/v4"
DASHSCOPE = "https://dashscope.aliyuncs.com/api/v1"
COMPATIBLE = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"
AIGC = f"{DASHSCOPE}/services/aigc"

LOG = "20251015010747037842e5920240d7"
TASK = "86ecf553-d340-4e21-af6e-a0c6a421c010"
REQUEST = "1117fb64-5dd9-9df0-a5ca-d7ee0e97032d"


USER = {"role": "user", "content": "What is the weather in Beijing?"}
ASKED = {"model": "glm-4", "messages": [USER]}
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
HEAD = {"id": LOG, "created": 1760461667, "model": "glm-4"}


def said(content: str | None, finish: str = "stop", **more: Json) -> Json:
    """The choices of a whole answer."""
    told = {} if content is None else {"content": content}
    message = {"role": "assistant", **told, **more}
    return [{"finish_reason": finish, "index": 0, "message": message}]


def answer(choices: Json) -> Json:
    """A whole answer of Zhipu."""
    return {**HEAD, "request_id": LOG, "choices": choices, "usage": COUNTED}


def event(finish: str | None = None, **delta: Json) -> Json:
    """An event of Zhipu."""
    ends = {"finish_reason": finish} if finish else {}
    usage = {"usage": COUNTED} if finish else {}
    return {**HEAD, "choices": [{"index": 0, **ends, "delta": delta}], **usage}


CHAT = f"{ZHIPU}/chat/completions"
SYNC = post(CHAT, ASKED, answer(said("It is sunny.")), x_log_id=LOG)
STREAM = stream(
    CHAT,
    {**ASKED, "stream": True},
    data_only(
        event(role="assistant", content="It is"),
        event(role="assistant", content=" sunny."),
        event("stop", role="assistant", content=""),
    ),
    x_log_id=LOG,
)
TOOL = post(
    CHAT,
    {**ASKED, "tools": TOOLS},
    answer(said(None, "tool_calls", tool_calls=[CALLED])),
    x_log_id=LOG,
)
TOOL_RESULT = post(
    CHAT,
    {
        "model": "glm-4",
        "messages": [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [CALLED]},
            {"role": "tool", "content": "sunny", "tool_call_id": CALLED["id"]},
        ],
    },
    answer(said("It is sunny.")),
)
TOOL_STREAM = stream(
    CHAT,
    {**ASKED, "stream": True, "tools": TOOLS},
    data_only(
        event(role="assistant", reasoning_content="Let me look."),
        event("tool_calls", role="assistant", content="", tool_calls=[CALLED]),
        event("tool_calls", role="assistant", content=""),
    ),
)
REFUSED = post(
    CHAT, ASKED, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, 429
)

SUBMIT = post(
    f"{ZHIPU}/async/chat/completions",
    ASKED,
    {"id": "1019-88", "request_id": "-88", "model": "glm-4", "task_status": "PROCESSING"},
)
WORKING = get(
    f"{ZHIPU}/async-result/1019-88",
    {"id": "1019-88", "request_id": "-88", "model": None, "task_status": "PROCESSING"},
)
DONE = get(
    f"{ZHIPU}/async-result/1019-88",
    {
        "id": "1019-88",
        "request_id": "-88",
        "model": "GLM-4",
        "task_status": "SUCCESS",
        "choices": said("It is sunny.", tool_calls=None),
        "usage": COUNTED,
        "created": 1760461667,
    },
)
ORDERED = post(
    f"{ZHIPU}/videos/generations",
    {"model": "cogvideox-2", "prompt": "A dog"},
    {"id": "9", "request_id": "886", "model": "cogvideox-2", "task_status": "PROCESSING"},
)
MOVIE = get(
    f"{ZHIPU}/async-result/9",
    {
        "model": "cogvideox-2",
        "request_id": "886",
        "task_status": "SUCCESS",
        "video_result": [{"url": "https://files.example/1.mp4", "cover_image_url": "x"}],
    },
)
LINK = "https://aigc-files.bigmodel.cn/api/cogview/20250419_0.png"
DRAWN = post(
    f"{ZHIPU}/images/generations",
    {"model": "cogview-3", "prompt": "A kitten", "size": "8x4"},
    {"created": 1745069585, "data": [{"url": LINK}]},
)
FETCHED = exchange("GET", LINK, None, picture(8, 4), "image/png")

GENERATION = f"{AIGC}/text-generation/generation"
PROMPT = {"model": "qwen-turbo", "parameters": {}, "input": {"prompt": "Count to 3"}}


def counted(given: int, made: int) -> Json:
    """Tokens as DashScope counts them."""
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


def output(said: Json, spent: int = 4) -> Json:
    """An answer of DashScope."""
    return {"output": said, "usage": counted(19, spent), "request_id": REQUEST}


def chosen(content: Json, finish: str = "stop", **more: Json) -> Json:
    """An answer of DashScope in the form of a message."""
    message = {"content": content, "role": "assistant", **more}
    return {"choices": [{"finish_reason": finish, "index": 0, "message": message}]}


def asked_qwen(**parameters: Json) -> Json:
    """A question to DashScope in the form of messages."""
    held = {"result_format": "message", **parameters}
    return {"model": "qwen-turbo", "parameters": held, "input": {"messages": [USER]}}


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


def piece(call_id: str, arguments: str, **name: str) -> Json:
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
    + dump({"code": "DataInspectionFailed", "message": "Bad.", "request_id": REQUEST})
    + b"\n\n",
)


def state(name: str, **more: Json) -> Json:
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
    POLL, state("SUCCEEDED", **TIMES, end_time="2025-12-07 19:29:22.754", results=RESULTS)
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
    {"model": "gte-rerank", "input": {"query": "x", "documents": ["y"]}},
    {
        "output": {"results": [{"index": 0, "relevance_score": 0.7}]},
        "usage": {"total_tokens": 54},
        "request_id": REQUEST,
    },
)
SOCKET = Exchange(
    Request("GET", "wss://dashscope.aliyuncs.com/api-ws/v1/inference"), Response(101, "Switching")
)

CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen"}
QWEN = {"model": "qwen-turbo", "messages": [USER]}
COMPATIBLE_SYNC = post(
    COMPATIBLE,
    QWEN,
    {**CHUNK, "object": "chat.completion", "choices": said("Sunny."), "usage": COUNTED},
)


def chunk(finish: str | None = None, **delta: Json) -> Json:
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

VALID: dict[str, tuple[Exchange, ...]] = {
    "zhipu sync": (SYNC,),
    "zhipu stream": (STREAM,),
    "zhipu tool and its result": (TOOL, TOOL_RESULT),
    "zhipu streamed tool, two finishing events": (TOOL_STREAM,),
    "zhipu refusal": (REFUSED,),
    "zhipu task": (SUBMIT, WORKING, WORKING, DONE, DONE),
    "zhipu video": (ORDERED, MOVIE),
    "zhipu image": (DRAWN, FETCHED),
    "dashscope text": (TEXT,),
    "dashscope message": (MESSAGE,),
    "dashscope cumulative": (CUMULATIVE,),
    "dashscope incremental": (INCREMENTAL,),
    "dashscope streamed tool": (CALLING,),
    "dashscope multimodal": (SEEN,),
    "dashscope image as chat": (PAINTED,),
    "dashscope refusal": (BAD_KEY,),
    "dashscope image task": (PENDING, RUNNING, SUCCEEDED, GIVEN),
    "dashscope failed task": (PENDING, RUNNING, FAILED),
    "dashscope unknown task": (UNKNOWN,),
    "dashscope cancelled too late": (TOO_LATE,),
    "dashscope video": (FILM, FILMED),
    "dashscope embedding": (EMBEDDED,),
    "dashscope rerank": (RANKED,),
    "dashscope websocket": (SOCKET,),
    "compatible sync": (COMPATIBLE_SYNC,),
    "compatible streamed tool": (COMPATIBLE_STREAM,),
    "compatible refusal": (COMPATIBLE_REFUSED,),
}
