"""Zhipu's wire (BigModel, Z.ai). The letters A1 to A6 and the tags are those of the wire facts:
[DOC] documentation, [REC] a recording of the live service, [FIELD] reported by a developer.
"""

from __future__ import annotations

import re
from dataclasses import replace

from harness.dialects import openai_form
from harness.dialects.reader import reader, refuser
from harness.dialects.schema import INTEGER, NAME, STRING, array, both, either, having, record
from harness.dialects.schema import nullable as or_null
from harness.reading import Endpoint, Fields, Role, Schema, States

HEADERS = frozenset({"x-log-id"})
"""The headers of this service that say something about an answer."""

# [DOC] A1
FINISH_REASONS = frozenset({"stop", "tool_calls", "length", "sensitive", "network_error"})

# [DOC] A4. A tutorial's loop waits for `FAILED`, which the table of states does not list.
STATES = States(running=("PROCESSING",), succeeded=("SUCCESS",), failed=("FAIL",))

# [DOC] A6: a code is always a string, and it is all there is beside the message.
REFUSAL: Schema = record({"error": record({"code": STRING, "message": STRING})})

# [DOC] A1, [REC] 45 of 45
ANSWER: Schema = record(
    {
        "id": STRING,
        "request_id": STRING,
        "created": INTEGER,
        "model": NAME,
        "choices": openai_form.CHOICES,
        "usage": openai_form.USAGE,
    },
    {"object": STRING, "web_search": array(record({}))},
)

# [DOC] A2, [REC] 5522 of 5522: `object` only in 2026, `usage` only on the last event.
EVENT: Schema = record(
    {"id": STRING, "created": INTEGER, "model": NAME, "choices": openai_form.DELTAS},
    {"object": STRING, "usage": {**openai_form.USAGE, "type": ["object", "null"]}},
)

# [DOC] A4: ids are strings, and can be negative numbers.
SUBMITTED: Schema = record(
    {"id": STRING, "request_id": STRING, "model": or_null(STRING), "task_status": NAME}
)

_MOVIE: Schema = record({"url": STRING}, {"cover_image_url": or_null(STRING)})

# [DOC] A4: `model` is null while PROCESSING; the page of 2025 shows a result without
# `task_status`, the one for videos a result without `id`.
RESULT: Schema = both(
    record(
        {"request_id": STRING, "model": or_null(STRING)},
        {
            "id": STRING,
            "task_status": NAME,
            "created": INTEGER,
            "choices": {**openai_form.CHOICES, "type": ["array", "null"]},
            "usage": {"type": ["object", "null"]},
            "video_result": {"type": ["array", "null"], "items": _MOVIE},
        },
    ),
    either(
        "a `task_status` or a result",
        having("task_status"),
        having("choices"),
        having("video_result"),
    ),
)

# [DOC] A5, [FIELD]: no id, model or request_id.
IMAGES: Schema = record(
    {"created": INTEGER, "data": array(record({"url": NAME}), at_least=1)},
    {"content_filter": array(record({"role": STRING, "level": INTEGER}))},
)

CHAT_FIELDS = openai_form.FIELDS
TASK_FIELDS = replace(
    CHAT_FIELDS,
    task_id=("/id",),
    state=("/task_status",),
    results=("/choices/[]", "/video_result/[]"),
    constant=(),
)
IMAGE_FIELDS = Fields(
    images=("/data/[]/url",),
    results=("/data/[]",),
    refused=CHAT_FIELDS.refused,
    code=CHAT_FIELDS.code,
    message=CHAT_FIELDS.message,
    size=("/size",),
)

_VOLATILE = frozenset(
    {
        "/id",
        "/request_id",
        "/created",
        "/choices/[]/message/tool_calls/[]/id",
        "/choices/[]/delta/tool_calls/[]/id",
        "/data/[]/url",
        "/video_result/[]/url",
        "/video_result/[]/cover_image_url",
    }
)

CHAT = Endpoint(
    name="zhipuai.chat",
    method="POST",
    path=re.compile(r".*/paas/v4/chat/completions"),
    role=Role.ANSWER,
    answer=ANSWER,
    event=EVENT,
    refusal=REFUSAL,
    read=reader(CHAT_FIELDS),
    refuse=refuser(CHAT_FIELDS),
    ends_with_done=True,  # [DOC] A2, [REC]
    volatile=_VOLATILE,
    finish_reasons=FINISH_REASONS,
    fields=CHAT_FIELDS,
    repeats_finish=True,  # [REC] glm-4.5v sends two finishing events
)

ASYNC_CHAT = Endpoint(
    name="zhipuai.async-chat",
    method="POST",
    path=re.compile(r".*/paas/v4/async/chat/completions"),
    role=Role.SUBMIT,
    answer=SUBMITTED,
    refusal=REFUSAL,
    read=reader(TASK_FIELDS, STATES),
    refuse=refuser(TASK_FIELDS),
    volatile=_VOLATILE,
    states=STATES,
    fields=TASK_FIELDS,
)

# [DOC] A4; the path is the official SDK's.
VIDEOS = replace(
    ASYNC_CHAT, name="zhipuai.videos", path=re.compile(r".*/paas/v4/videos/generations")
)

ASYNC_RESULT = Endpoint(
    name="zhipuai.async-result",
    method="GET",
    path=re.compile(r".*/paas/v4/async-result/(?P<task>[^/]+)"),
    role=Role.POLL,
    answer=RESULT,
    refusal=REFUSAL,
    read=reader(TASK_FIELDS, STATES),
    refuse=refuser(TASK_FIELDS),
    volatile=_VOLATILE,
    finish_reasons=FINISH_REASONS,
    states=STATES,
    fields=TASK_FIELDS,
)

IMAGE = Endpoint(
    name="zhipuai.images",
    method="POST",
    path=re.compile(r".*/paas/v4/images/generations"),
    role=Role.ANSWER,
    answer=IMAGES,
    refusal=REFUSAL,
    read=reader(IMAGE_FIELDS),
    refuse=refuser(IMAGE_FIELDS),
    volatile=_VOLATILE,
    fields=IMAGE_FIELDS,
)

ENDPOINTS = (CHAT, ASYNC_CHAT, VIDEOS, ASYNC_RESULT, IMAGE)
