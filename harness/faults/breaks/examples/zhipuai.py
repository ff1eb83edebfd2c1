"""Valid exchanges with Zhipu (see the wire facts, A)."""

from __future__ import annotations

from harness.faults.breaks.examples.question import CALLED, COUNTED, TOOLS, USER, said
from harness.faults.breaks.making import data_only, exchange, get, picture, post, stream
from harness.types import LooseJson

ZHIPU = "https://open.bigmodel.cn/api/paas/v4"
LOG = "20251015010747037842e5920240d7"
ASKED = {"model": "glm-4", "messages": [USER]}
HEAD = {"id": LOG, "created": 1760461667, "model": "glm-4"}


def answer(choices: LooseJson) -> LooseJson:
    """A whole answer of Zhipu."""
    return {**HEAD, "request_id": LOG, "choices": choices, "usage": COUNTED}


def event(finish: str | None = None, **delta: LooseJson) -> LooseJson:
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

THOUGHT = post(
    CHAT,
    ASKED,
    {
        **answer(said("It is sunny.", reasoning_content="The user asks about the weather.")),
        "object": "chat.completion",
        "usage": {
            **COUNTED,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        "content_filter": [{"role": "assistant", "level": 3}],
    },
    date="Tue, 14 Oct 2025 17:07:48 GMT",
)
THINKING = stream(
    CHAT,
    {**ASKED, "stream": True},
    data_only(
        event(role="assistant", reasoning_content="The user "),
        event(role="assistant", reasoning_content="asks about "),
        event(role="assistant", reasoning_content="the weather."),
        event(role="assistant", content="Sunny."),
        event("stop", role="assistant", content=""),
    ),
)
EMBEDDED = post(
    f"{ZHIPU}/embeddings",
    {"model": "embedding-3", "input": ["x", "y"], "dimensions": 2},
    {
        "object": "list",
        "model": "embedding-3",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.1, -0.2]},
            {"object": "embedding", "index": 1, "embedding": [0.3, 0.4]},
        ],
        "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4},
    },
)

EXAMPLES = {
    "zhipu sync": (SYNC,),
    "zhipu stream": (STREAM,),
    "zhipu the same question, whole and streamed": (SYNC, STREAM),
    "zhipu reasoning": (THOUGHT,),
    "zhipu streamed reasoning": (THINKING,),
    "zhipu tool and its result": (TOOL, TOOL_RESULT),
    "zhipu streamed tool, two finishing events": (TOOL_STREAM,),
    "zhipu refusal": (REFUSED,),
    "zhipu task": (SUBMIT, WORKING, WORKING, DONE, DONE),
    "zhipu video": (ORDERED, MOVIE),
    "zhipu image": (DRAWN, FETCHED),
    "zhipu embeddings": (EMBEDDED,),
}
