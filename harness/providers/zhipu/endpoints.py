"""The endpoints of Zhipu's API (BigModel, Z.ai), with schemas and field locations.

A1 to A6 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from harness.analysis.endpoint import Endpoint, Fields, Role, Schema, States
from harness.analysis.json_schema import (
    INTEGER,
    NAME,
    NUMBER,
    OBJECT,
    STRING,
    array,
    both,
    either,
    having,
    object_of,
)
from harness.analysis.json_schema import nullable as or_null
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.responses import endpoints as responses
from harness.types import Json
from harness.wire import query, resolve
from harness.wire.patterns import lazy_pattern

HEADERS = frozenset({"x-log-id"})
"""The names of Zhipu's own response headers."""

# [DOC] A1; the last one is in Z.ai's own page.
FINISH_REASONS = frozenset(
    {
        "stop",
        "tool_calls",
        "length",
        "sensitive",
        "network_error",
        "model_context_window_exceeded",
    }
)

# [DOC], [FIELD], [REC] A6; 1305 also came with 200.
STATUSES = {
    **dict.fromkeys(("401", "1000", "1001", "1002", "1003", "1004"), frozenset({401})),
    **dict.fromkeys(("1210", "1211", "1214", "1301"), frozenset({400})),
    **dict.fromkeys(("1302", "1305", "1308", "1310", "1113"), frozenset({429})),
}

# [DOC] A4. A tutorial waits for `FAILED`, which the table of states does not list.
STATES = States(running=("PROCESSING",), succeeded=("SUCCESS",), failed=("FAIL",))

# [DOC] A6: a code is always a string; beside it is only the message.
REFUSAL: Schema = object_of({"error": object_of({"code": STRING, "message": STRING})})

# [DOC] A1, [REC] 45 of 45. Both SDKs declare `request_id` as optional [SDK].
ANSWER: Schema = object_of(
    openai_endpoints.ANSWER,
    {"object": STRING, "request_id": STRING, "web_search": array(object_of({}))},
)

# [DOC] A2, [REC] 5522 of 5522: `object` only in 2026, `usage` only on the last event.
EVENT: Schema = object_of(
    openai_endpoints.EVENT, {"object": STRING, **openai_endpoints.EVENT_USAGE}
)

# [DOC] A4: ids are strings, and can be negative numbers.
SUBMITTED: Schema = object_of(
    {"id": STRING, "request_id": STRING, "model": or_null(STRING), "task_status": NAME}
)

_MOVIE: Schema = object_of({"url": STRING}, {"cover_image_url": or_null(STRING)})

# [DOC] A4: `model` is null while PROCESSING; the page of 2025 shows a result without
# `task_status`, the one for videos a result without `id`.
RESULT: Schema = both(
    object_of(
        {"request_id": STRING, "model": or_null(STRING)},
        {
            "id": STRING,
            "task_status": NAME,
            "created": INTEGER,
            "choices": {**openai_endpoints.CHOICES, "type": ["array", "null"]},
            "usage": or_null(object_of({}, openai_endpoints.COUNTS)),
            "video_result": {"type": ["array", "null"], "items": _MOVIE},
            "image_result": {"type": ["array", "null"], "items": object_of({"url": STRING})},
        },
    ),
    either(
        "a `task_status` or a result",
        having("task_status"),
        having("choices"),
        having("video_result"),
        having("image_result"),
    ),
)

# [DOC] A5, [FIELD]: no id, model or request_id.
IMAGES: Schema = object_of(
    {"created": INTEGER, "data": array(object_of({"url": NAME}), at_least=1)},
    {"content_filter": array(object_of({"role": STRING, "level": INTEGER}))},
)

CHAT_FIELDS = openai_endpoints.FIELDS

TASK_FIELDS = replace(
    CHAT_FIELDS,
    task_id=("/id",),
    state=("/task_status",),
    results=("/choices/[]", "/video_result/[]", "/image_result/[]"),
    images=("/image_result/[]/url",),
    videos=("/video_result/[]/url",),
    constant=(),
)
IMAGE_FIELDS = Fields(
    created=("/created",),
    apart=("/data",),
    prompt=("/prompt",),
    images=("/data/[]/url",),
    results=("/data/[]",),
    refused=CHAT_FIELDS.refused,
    code=CHAT_FIELDS.code,
    message=CHAT_FIELDS.message,
    size=("/size",),
    count=("/n",),
)

_VOLATILE = frozenset(
    {
        *openai_endpoints.VOLATILE,
        "/data/[]/url",
        "/video_result/[]/url",
        "/video_result/[]/cover_image_url",
        "/image_result/[]/url",
    }
)


def runs_tools(request: Json) -> bool:
    """Return whether *request* names tools that the service itself runs, such as `web_search`."""
    return any(kind != "function" for _, kind in query(request, "/tools/[]/type"))


def keeps_reasoning(request: Json) -> bool:
    """Return whether *request* asks the model to read earlier reasoning: `clear_thinking: false`.

    Such a request has to repeat that reasoning. The default of `clear_thinking` is true.
    [DOC] docs.bigmodel.cn thinking-mode.
    """
    return resolve(request, "/thinking/clear_thinking") is False


def counts_reasoning(request: Json) -> bool:
    """Return whether answers of the model of *request* count the tokens of their reasoning.

    Those of glm-5.3 do [REC 2026-08-21]; those of the models of 2025 do not [REC].
    """
    return str(resolve(request, "/model")).startswith(("glm-5.3", "glm-5.4"))


_post = partial(
    Endpoint,
    method="POST",
    role=Role.ANSWER,
    refusal=REFUSAL,
    volatile=_VOLATILE,
    statuses=STATUSES,
)

CHAT = _post(
    name="zhipuai.chat",
    path=lazy_pattern(r".*/paas/v4/chat/completions"),
    answer=ANSWER,
    event=EVENT,
    ends_with_done=True,  # [DOC] A2, [REC]
    finish_reasons=FINISH_REASONS,
    fields=CHAT_FIELDS,
    repeats_finish=True,  # [REC] glm-4.5v sends two finishing events
    objects=openai_endpoints.OBJECTS,
    tells_usage=lambda request: True,  # [REC] 15 of 15, [DOC] A2: in the last event, unasked
    keeps_reasoning=keeps_reasoning,
    counts_reasoning=counts_reasoning,
    runs_tools=runs_tools,
)

ASYNC_CHAT = _post(
    name="zhipuai.async-chat",
    path=lazy_pattern(r".*/paas/v4/async/chat/completions"),
    role=Role.SUBMIT,
    answer=SUBMITTED,
    states=STATES,
    fields=TASK_FIELDS,
)

# [DOC] A4; the path is the official SDK's.
VIDEOS = replace(
    ASYNC_CHAT,
    name="zhipuai.videos",
    path=lazy_pattern(r".*/paas/v4/videos/generations"),
    fields=replace(TASK_FIELDS, messages=()),
)

ASYNC_RESULT = replace(
    ASYNC_CHAT,
    name="zhipuai.async-result",
    method="GET",
    path=lazy_pattern(r".*/paas/v4/async-result/(?P<task>[^/]+)"),
    role=Role.POLL,
    answer=RESULT,
    finish_reasons=FINISH_REASONS,
)

IMAGE = _post(
    name="zhipuai.images",
    path=lazy_pattern(r".*/paas/v4/images/generations"),
    answer=IMAGES,
    fields=IMAGE_FIELDS,
)

EMBEDDINGS = _post(
    name="zhipuai.embeddings",
    path=lazy_pattern(r".*/paas/v4/embeddings"),
    answer=openai_endpoints.EMBEDDING,
    # OpenAI's form, without `id`; never recorded here.
    fields=openai_endpoints.EMBEDDING_FIELDS,
)

# [REC] C2: some services on this host refuse with a message and a number as the code.
LOOSE_REFUSAL: Schema = either(
    "an `error` with a `message`, or a `message`",
    object_of({"error": object_of({"message": STRING})}),
    having("message"),
    having("msg"),
)

# [DOC] docs.bigmodel.cn/api-reference, C2: rerank, audio; never recorded here.
RERANK = _post(
    name="zhipuai.rerank",
    path=lazy_pattern(r".*/paas/v4/rerank"),
    answer=openai_endpoints.RANKING,
    refusal=LOOSE_REFUSAL,
    fields=replace(openai_endpoints.RANKING_FIELDS, code=("/error/code", "/code")),
)

SPEECH = _post(
    name="zhipuai.speech",
    path=lazy_pattern(r".*/paas/v4/audio/speech"),
    answer=OBJECT,
    refusal=LOOSE_REFUSAL,
    speaks=True,
    fields=replace(CHAT_FIELDS, prompt=("/input",), messages=()),
)

TRANSCRIPTIONS = _post(
    name="zhipuai.transcriptions",
    path=lazy_pattern(r".*/paas/v4/audio/transcriptions"),
    answer=openai_endpoints.WORDS,
    refusal=LOOSE_REFUSAL,
    fields=openai_endpoints.WORDS_FIELDS,
)

ENDPOINTS = (
    *(CHAT, ASYNC_CHAT, VIDEOS, ASYNC_RESULT, IMAGE, EMBEDDINGS),
    *(RERANK, SPEECH, TRANSCRIPTIONS),
)


# ----------------------------------------------------------------- endpoints that no scenario asks

# Files, searches, speech and so on, and chats in other formats. Their answers are documented
# ([DOC] docs.bigmodel.cn/api-reference, C2) and were never recorded here, so that the schemas name
# no more than a program needs.


_FIELDS = replace(
    CHAT_FIELDS, code=("/error/code", "/code"), message=("/error/message", "/message", "/msg")
)


def _at(name: str, path: str, answer: Schema, method: str = "POST") -> Endpoint:
    return Endpoint(
        name=f"zhipuai.{name}",
        method=method,
        path=lazy_pattern(f".*/paas/v4{path}"),
        role=Role.LOOKUP,
        answer=answer,
        refusal=LOOSE_REFUSAL,
        fields=_FIELDS,
    )


_CHOICES: Schema = object_of({"choices": array(object_of({}))})

# [REC] C2: `error` beside `status: failed`, with HTTP 200.
_AGENT: Schema = either("`choices`, or a `status`", having("choices"), having("status"))

FURTHER: tuple[Endpoint, ...] = (
    replace(VIDEOS, name="zhipuai.async-images", path=lazy_pattern(r".*/async/images/generations")),
    _at("voices", "/(?:audio/customization|voice/.*)", OBJECT),
    _at("voice-list", "/voice/list", OBJECT, "GET"),
    _at("web-search", "/web_search", object_of({"search_result": array(object_of({}))})),
    *openai_endpoints.other_endpoints("zhipuai", ".*/paas/v4", LOOSE_REFUSAL),
    _at("parser", "/files/(?:parser/.*|ocr)", OBJECT),
    _at("tools", "/tools", _CHOICES),
    _at("reader", "/reader", object_of({"reader_result": object_of({})})),
    _at("assistant", "/assistant(?:/.*)?", OBJECT),
    _at("layout-parsing", "/layout_parsing", object_of({"id": STRING, "md_results": STRING})),
    _at("tokenizer", "/tokenizer", object_of({"usage": object_of({"prompt_tokens": NUMBER})})),
    _at("models", "/models(?:/[^/]+)?", OBJECT, "GET"),
    replace(
        _at("agents", "", _AGENT),
        path=lazy_pattern(r".*/v1/agents(?:/.*)?"),
        role=Role.ANSWER,
        event=_AGENT,
        ends_with_done=True,
        finish_reasons=FINISH_REASONS,
        fields=replace(
            _FIELDS,
            content=(
                "/choices/0/messages/0/content/text",
                "/choices/0/messages/0/content",
                "/choices/0/message/content",
            ),
            role=(),
        ),
    ),
    replace(
        _at("mcp", "", either("`result` or `error`", having("result"), having("error"))),
        path=lazy_pattern(r".*/api/mcp/[^/]+/mcp"),
        fields=replace(_FIELDS, refused=()),
    ),
    *anthropic.endpoints("zhipuai-anthropic", ".*/api/anthropic", LOOSE_REFUSAL),
    *responses.endpoints(
        "zhipuai-responses", "//(?:api.z.ai|open.bigmodel.cn)/api/v1", LOOSE_REFUSAL
    ),
)
"""The endpoints on Zhipu's hosts that `endpoints.ENDPOINTS` does not have."""
