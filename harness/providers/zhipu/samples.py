"""Valid sample exchanges with Zhipu, and faults that violate Zhipu's own rules.

The samples are based on section A of docs/WIRE_FACTS.md.
"""

from __future__ import annotations

import re
from dataclasses import replace

from harness.analysis.edit import change_event, change_values, put, replace_value, with_header
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.analysis.sample import (
    TOOL_CALL,
    TOOLS,
    USAGE,
    USER,
    choices,
    data_events,
    exchange,
    get,
    png,
    post,
    stream,
)
from harness.providers.zhipu.rules import is_zhipu
from harness.rules.rule import answers
from harness.types import Exchange, Json
from harness.wire import resolve

ZHIPU = "https://open.bigmodel.cn/api/paas/v4"
LOG = "20251015010747037842e5920240d7"
REQUEST: dict[str, Json] = {"model": "glm-4", "messages": [USER]}
HEAD: dict[str, Json] = {"id": LOG, "created": 1760461667, "model": "glm-4"}


def answer(choices: Json) -> dict[str, Json]:
    """Return the body of a chat completion of Zhipu with these choices."""
    return {**HEAD, "request_id": LOG, "choices": choices, "usage": USAGE}


def event(finish: str | None = None, **delta: Json) -> Json:
    """Return an event of a streamed chat completion; *delta* are the members of its delta."""
    choice: Json = {"index": 0, **({"finish_reason": finish} if finish else {}), "delta": delta}
    return {**HEAD, "choices": [choice], **({"usage": USAGE} if finish else {})}


CHAT = f"{ZHIPU}/chat/completions"
SYNC = post(CHAT, REQUEST, answer(choices("It is sunny.")), x_log_id=LOG)
STREAM = stream(
    CHAT,
    {**REQUEST, "stream": True},
    data_events(
        event(role="assistant", content="It is"),
        event(role="assistant", content=" sunny."),
        event("stop", role="assistant", content=""),
    ),
    x_log_id=LOG,
)
TOOL = post(
    CHAT,
    {**REQUEST, "tools": TOOLS},
    answer(choices(None, "tool_calls", tool_calls=[TOOL_CALL])),
    x_log_id=LOG,
)
TOOL_RESULT = post(
    CHAT,
    {
        "model": "glm-4",
        "messages": [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [TOOL_CALL]},
            {"role": "tool", "content": "sunny", "tool_call_id": TOOL_CALL["id"]},
        ],
    },
    answer(choices("It is sunny.")),
)
TOOL_STREAM = stream(
    CHAT,
    {**REQUEST, "stream": True, "tools": TOOLS},
    data_events(
        event(role="assistant", reasoning_content="Let me look."),
        event("tool_calls", role="assistant", content="", tool_calls=[TOOL_CALL]),
        event("tool_calls", role="assistant", content=""),
    ),
)
REFUSED = post(
    CHAT, REQUEST, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, 429
)

SUBMIT = post(
    f"{ZHIPU}/async/chat/completions",
    REQUEST,
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
        "choices": choices("It is sunny.", tool_calls=None),
        "usage": USAGE,
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
FETCHED = exchange("GET", LINK, None, png(8, 4), "image/png")

THOUGHT = post(
    CHAT,
    REQUEST,
    {
        **answer(choices("It is sunny.", reasoning_content="The user asks about the weather.")),
        "object": "chat.completion",
        "usage": {
            **USAGE,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        "content_filter": [{"role": "assistant", "level": 3}],
    },
    date="Tue, 14 Oct 2025 17:07:48 GMT",
)
THINKING = stream(
    CHAT,
    {**REQUEST, "stream": True},
    data_events(
        event(role="assistant", reasoning_content="The user "),
        event(role="assistant", reasoning_content="asks about "),
        event(role="assistant", reasoning_content="the weather."),
        event(role="assistant", content="Sunny."),
        event("stop", role="assistant", content=""),
    ),
)
_SAME: dict[str, Json] = {**REQUEST, "do_sample": False, "tools": TOOLS}
SAME = post(CHAT, _SAME, answer(choices(None, "tool_calls", tool_calls=[TOOL_CALL])))
SAME_STREAM = stream(
    CHAT,
    {**_SAME, "stream": True},
    data_events(
        event(role="assistant", content="", tool_calls=[TOOL_CALL]),
        event("tool_calls", role="assistant", content=""),
    ),
)

_KEEPING: dict[str, Json] = {
    "model": "glm-5.3",
    "thinking": {"type": "enabled", "clear_thinking": False},
}
_COUNTED: Json = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 3}}
_REASONED = choices("It is sunny.", reasoning_content="The user asks about the weather.")
REASONED = post(
    CHAT,
    {**_KEEPING, "messages": [USER]},
    {**answer(_REASONED), "model": "glm-5.3", "usage": _COUNTED},
)
REASONED_ON = post(
    CHAT,
    {
        **_KEEPING,
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": "It is sunny.",
                "reasoning_content": "The user asks about the weather.",
            },
            {"role": "user", "content": "And tomorrow?"},
        ],
    },
    {
        **answer(choices("It will rain.", reasoning_content="The next day.")),
        "model": "glm-5.3",
        "usage": _COUNTED,
    },
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

RANKED = post(
    f"{ZHIPU}/rerank",
    {"model": "rerank", "query": "x", "documents": ["y", "z"], "top_n": 2},
    {
        "id": LOG,
        "request_id": LOG,
        "created": 1760461667,
        "results": [
            {"index": 1, "relevance_score": 0.7},
            {"index": 0, "relevance_score": 0.2},
        ],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    },
)

SPOKEN = exchange(
    "POST",
    f"{ZHIPU}/audio/speech",
    {"model": "glm-tts", "input": "x", "voice": "tongtong"},
    b"RIFF\x24\x00\x00\x00WAVE\xff\x80",
    "audio/wav",
)

_FORM = """\
--b\r
Content-Disposition: form-data; name="model"\r
\r
glm-asr-2512\r
--b\r
Content-Disposition: form-data; name="file"; filename="a.wav"\r
Content-Type: audio/wav\r
\r
RIFF\r
--b--\r
"""
_HEARD = post(
    f"{ZHIPU}/audio/transcriptions",
    None,
    {"id": LOG, "request_id": LOG, "model": "glm-asr-2512", "created": 1760461667, "text": "x"},
)
HEARD = replace(_HEARD, request=replace(_HEARD.request, body=_FORM.encode()))

SAMPLES = {
    "zhipu sync": (SYNC,),
    "zhipu stream": (STREAM,),
    "zhipu same request, document and stream": (SYNC, STREAM),
    "zhipu reasoning": (THOUGHT,),
    "zhipu streamed reasoning": (THINKING,),
    "zhipu reasoning sent back": (REASONED, REASONED_ON),
    "zhipu tool and its result": (TOOL, TOOL_RESULT),
    "zhipu streamed tool, two finishing events": (TOOL_STREAM,),
    "zhipu refusal": (REFUSED,),
    "zhipu task": (SUBMIT, WORKING, WORKING, DONE, DONE),
    "zhipu video": (ORDERED, MOVIE),
    "zhipu image": (DRAWN, FETCHED),
    "zhipu embeddings": (EMBEDDED,),
    "zhipu rerank": (RANKED,),
    "zhipu speech": (SPOKEN,),
    "zhipu transcription": (HEARD,),
    "zhipu same answer, document and stream": (SAME, SAME_STREAM),
}
"""Small valid conversations as exchanges, by name."""


# -------------------------------------------------------------- faults that break Zhipu's rules


def _is_zhipu_stream(analyzed: AnalyzedExchange) -> bool:
    return is_zhipu(analyzed) and bool(analyzed.stream.events)


@exchange_fault("zhipu_events_have_no_name", (1, "result"), (-1, "error"), when=_is_zhipu_stream)
def zhipu_event_named(analyzed: AnalyzedExchange, event: tuple[int, str]) -> Exchange:
    """Add a name (`event:` line) to the first or the last event, as DashScope has it."""
    return change_event(analyzed, event[0], lambda block: f"event: {event[1]}\n".encode() + block)


def _chat_id(analyzed: AnalyzedExchange) -> str:
    """Return the id of a chat's answer; "" if it has none, or the request set `request_id`."""
    parts = answers(analyzed)[:1] if is_zhipu(analyzed) else []
    own = resolve(parts[0].value, "/id") if parts else None
    is_task = analyzed.endpoint is not None and analyzed.endpoint.fields.task_id
    sent = resolve(analyzed.request_json.value, "/request_id")
    has_digits = isinstance(own, str) and any(c.isdigit() for c in own)
    return str(own) if has_digits and not is_task and not sent else ""


def _with_member(analyzed: AnalyzedExchange, name: str, value: Json) -> Exchange | None:
    """Return the exchange with the member *name* set in its answer; None if it has no object."""
    parts = answers(analyzed)[:1]
    if not parts or not isinstance(parts[0].value, dict):
        return None
    return replace_value(analyzed, parts[0], "", put(parts[0].value, f"/{name}", value))


@exchange_fault("zhipu_ids_agree", when=_chat_id)
def zhipu_request_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set `request_id` to a value that differs from `id`."""
    return _with_member(analyzed, "request_id", f"{_chat_id(analyzed)}7")


@exchange_fault("zhipu_ids_agree", when=_chat_id)
def zhipu_log_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the header x-log-id to a value that differs from `id`."""
    return with_header(analyzed.exchange, "x-log-id", f"{_chat_id(analyzed)}7")


@exchange_fault("zhipu_id_tells_time", 86_400, 8 * 3600, when=is_zhipu)
def zhipu_created_at_another_time(analyzed: AnalyzedExchange, seconds: int) -> Exchange | None:
    """Set `created` to a day, or to 8 hours (another time zone), after the time in the id."""
    parts = answers(analyzed)[:1]
    own = resolve(parts[0].value, "/id") if parts else None
    created = resolve(parts[0].value, "/created") if parts else None
    has_time = isinstance(own, str) and re.fullmatch(r"20[0-9]{12}[0-9a-f]{8,24}", own)
    if not has_time or type(created) is not int:
        return None
    return change_values(analyzed, lambda value: put(value, "/created", created + seconds))


@exchange_fault("zhipu_filter_is_known", ("assistant", 7), ("stranger", 1), when=is_zhipu)
def zhipu_filter_unknown(analyzed: AnalyzedExchange, mark: tuple[str, int]) -> Exchange | None:
    """Set an unknown level or an unknown role in `content_filter`."""
    return _with_member(analyzed, "content_filter", [{"role": mark[0], "level": mark[1]}])


FAULTS = faults_of(vars())
