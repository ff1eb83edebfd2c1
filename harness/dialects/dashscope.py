"""DashScope's own wire (Qwen, Wanx). The letters B1 to B7 and the tags are those of the wire
facts: [DOC] documentation, [REC] a recording of the live service.
"""

from __future__ import annotations

import re
from dataclasses import replace

from harness.dialects.openai_form import TOOL_CALL, TOOL_CALL_PIECE
from harness.dialects.reader import reader, refuser, unread
from harness.dialects.schema import (
    INTEGER,
    NAME,
    NUMBER,
    STRING,
    array,
    either,
    having,
    nullable,
    record,
)
from harness.reading import Endpoint, Fields, Role, Schema, States
from harness.types import Json
from harness.wire import at

HEADERS = frozenset(
    {
        "req-arrive-time",
        "req-cost-time",
        "resp-start-time",
        "x-dashscope-async",
        "x-dashscope-call-gateway",
        "x-dashscope-finished",
        "x-dashscope-sse",
        "x-dashscope-timeout",
        "x-envoy-upstream-service-time",
    }
)
"""The headers of this service that say something about a question or an answer."""

# [DOC] B2; the string "null" stands for none yet and is read as None.
FINISH_REASONS = frozenset({"stop", "length", "tool_calls"})

# [DOC] B5: an unknown or expired task answers UNKNOWN with HTTP 200 [REC].
STATES = States(
    running=("PENDING", "RUNNING"),
    succeeded=("SUCCEEDED",),
    failed=("FAILED", "CANCELED", "UNKNOWN"),
    explained=("FAILED",),
)

# [REC] B7: flat.
REFUSAL: Schema = record({"code": STRING, "message": STRING, "request_id": STRING})

# [DOC] B3: without total_tokens; [REC] with it.
USAGE: Schema = record(
    {"input_tokens": INTEGER, "output_tokens": INTEGER}, {"total_tokens": INTEGER}
)

# [REC] B4: no tokens where pictures are answered.
LOOSE_USAGE: Schema = record(
    {}, {"input_tokens": INTEGER, "output_tokens": INTEGER, "total_tokens": INTEGER}
)


def _choices(content: Schema, call: Schema) -> Schema:
    """[REC] B2: `index` is absent in 2024 and in multimodal answers."""
    message = record(
        {"role": {"const": "assistant"}, "content": content},
        {"reasoning_content": nullable(STRING), "tool_calls": array(call)},
    )
    choice = record({"message": message, "finish_reason": NAME}, {"index": INTEGER})
    return array(choice, at_least=1)


def _output(content: Schema, call: Schema) -> Schema:
    """[REC] B1 and B2: text with its finish reason, or choices. Never both, never null."""
    members = {"text": STRING, "finish_reason": STRING, "choices": _choices(content, call)}
    forms = ({"required": ["text", "finish_reason"]}, {"required": ["choices"]})
    return {
        **record({}, members),
        **either("`text` and `finish_reason`, or `choices`", *forms),
    }


# [REC] B4: a list of pieces without `type`, each a text, a picture or a sound.
_MIXED: Schema = {"type": ["array", "string"], "items": record({}, {"text": STRING})}


def _answer(content: Schema, call: Schema, usage: Schema) -> Schema:
    return record({"output": _output(content, call), "usage": usage, "request_id": STRING})


# [DOC] B5, [REC] 6 of 6
SUBMITTED: Schema = record(
    {"output": record({"task_id": STRING, "task_status": NAME}), "request_id": STRING}
)

_METRICS: Schema = record({"TOTAL": INTEGER, "SUCCEEDED": INTEGER, "FAILED": INTEGER})

# [DOC] B5: of several pictures some may have failed: those have a code instead of a url.
_RESULT: Schema = either(
    "a `url`, or a `code` and a `message`", having("url"), having("code", "message")
)

# [DOC] B5, [REC] 23 of 23; times are Beijing time without a zone.
TASK: Schema = record(
    {
        "request_id": STRING,
        "output": record(
            {"task_id": STRING, "task_status": NAME},
            {
                "submit_time": STRING,
                "scheduled_time": STRING,
                "end_time": STRING,
                "results": array({**record({}, {"url": NAME, "code": STRING}), **_RESULT}),
                "task_metrics": _METRICS,
                "video_url": NAME,
                "code": STRING,
                "message": STRING,
            },
        ),
    },
    {"usage": record({})},
)

# [REC] 3 of 3
_VECTOR: Schema = record({"embedding": array(NUMBER, at_least=1), "text_index": INTEGER})
EMBEDDING: Schema = record(
    {
        "output": record({"embeddings": array(_VECTOR, at_least=1)}),
        "usage": record({"total_tokens": INTEGER}),
        "request_id": STRING,
    }
)

# [REC] 3 of 3
RANKING: Schema = record(
    {
        "output": record({"results": array(record({"index": INTEGER, "relevance_score": NUMBER}))}),
        "usage": record({"total_tokens": INTEGER}),
        "request_id": STRING,
    }
)

FIELDS = Fields(
    id=("/request_id",),
    request_id=("/request_id",),
    content=("/output/choices/0/message/content", "/output/text"),
    reasoning=("/output/choices/0/message/reasoning_content",),
    tool_calls=("/output/choices/0/message/tool_calls",),
    finish_reason=("/output/choices/0/finish_reason", "/output/finish_reason"),
    index=("/output/choices/0/index",),
    input_tokens=("/usage/input_tokens",),
    output_tokens=("/usage/output_tokens",),
    total_tokens=("/usage/total_tokens",),
    images=("/output/choices/0/message/content/[]/image",),
    refused=("/code",),
    code=("/code", "/output/code"),
    message=("/message", "/output/message"),
    constant=("/request_id",),
    messages=("/input/messages",),
    tools=("/parameters/tools",),
    size=("/parameters/size",),
    count=("/parameters/n",),
)

TASK_FIELDS = replace(
    FIELDS,
    images=("/output/results/[]/url",),
    # [REC] pictures, videos; the others belong to kinds of task that were never recorded here.
    results=(
        "/output/results/[]",
        "/output/video_url",
        "/output/results/video_url",
        "/output/choices/[]",
        "/output/result",
    ),
    task_id=("/output/task_id",),
    state=("/output/task_status",),
    times=("/output/submit_time", "/output/scheduled_time", "/output/end_time"),
    constant=(),
)

_VOLATILE = frozenset(
    {
        "/request_id",
        "/output/choices/[]/message/tool_calls/[]/id",
        "/output/choices/[]/message/content/[]/image",
        "/output/task_id",
        "/output/submit_time",
        "/output/scheduled_time",
        "/output/end_time",
        "/output/results/[]/url",
        "/output/video_url",
    }
)


def cumulative(asked: Json) -> bool:
    """[DOC] B3: each event carries the whole text so far unless increments are asked for."""
    return at(asked, "/parameters/incremental_output") is not True


GENERATION = Endpoint(
    name="dashscope.generation",
    method="POST",
    path=re.compile(r".*/api/v1/services/aigc/text-generation/generation"),
    role=Role.ANSWER,
    answer=_answer(STRING, TOOL_CALL, USAGE),
    event=_answer(STRING, TOOL_CALL_PIECE, USAGE),
    refusal=REFUSAL,
    read=reader(FIELDS, cumulative=cumulative),
    refuse=refuser(FIELDS),
    volatile=_VOLATILE,
    finish_reasons=FINISH_REASONS,
    cumulative=cumulative,
    fields=FIELDS,
)

MULTIMODAL = replace(
    GENERATION,
    name="dashscope.multimodal",
    path=re.compile(r".*/api/v1/services/aigc/multimodal-generation/generation"),
    answer=_answer(_MIXED, TOOL_CALL, LOOSE_USAGE),
    event=_answer(_MIXED, TOOL_CALL_PIECE, LOOSE_USAGE),
)

TEXT2IMAGE = Endpoint(
    name="dashscope.text2image",
    method="POST",
    path=re.compile(r".*/api/v1/services/aigc/text2image/image-synthesis"),
    role=Role.SUBMIT,
    answer=SUBMITTED,
    refusal=REFUSAL,
    read=reader(TASK_FIELDS, STATES),
    refuse=refuser(TASK_FIELDS),
    volatile=_VOLATILE,
    states=STATES,
    fields=TASK_FIELDS,
)

VIDEO = replace(
    TEXT2IMAGE,
    name="dashscope.video",
    path=re.compile(r".*/api/v1/services/aigc/video-generation/video-synthesis"),
)

TASKS = replace(
    TEXT2IMAGE,
    name="dashscope.tasks",
    method="GET",
    path=re.compile(r".*/api/v1/tasks/(?P<task>[^/]+)"),
    role=Role.POLL,
    answer=TASK,
)

# [REC] cnblogs cancel-completed-task; only its refusal was ever recorded.
CANCEL = Endpoint(
    name="dashscope.cancel",
    method="POST",
    path=re.compile(r".*/api/v1/tasks/[^/]+/cancel"),
    role=Role.OTHER,
    answer=record({"request_id": STRING}),
    refusal=REFUSAL,
    read=unread,
    refuse=refuser(FIELDS),
    fields=FIELDS,
)

EMBEDDINGS = replace(
    GENERATION,
    name="dashscope.embedding",
    path=re.compile(r".*/api/v1/services/embeddings/text-embedding/text-embedding"),
    answer=EMBEDDING,
    event=None,
    finish_reasons=frozenset(),
)

RERANK = replace(
    EMBEDDINGS,
    name="dashscope.rerank",
    path=re.compile(r".*/api/v1/services/rerank/text-rerank/text-rerank"),
    answer=RANKING,
)

# [REC] 4 of 4: speech. What travels inside the socket is on no tape.
WEBSOCKET = Endpoint(
    name="dashscope.websocket",
    method="GET",
    path=re.compile(r".*/api-ws/v1/inference/?"),
    role=Role.OTHER,
    answer={},
    refusal={},
    read=unread,
    refuse=refuser(FIELDS),
)

ENDPOINTS = (
    GENERATION,
    MULTIMODAL,
    TEXT2IMAGE,
    VIDEO,
    TASKS,
    CANCEL,
    EMBEDDINGS,
    RERANK,
    WEBSOCKET,
)
