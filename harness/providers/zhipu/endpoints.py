"""The endpoints of Zhipu's API (BigModel, Z.ai), with schemas and field locations.

A1 to A6 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

from pathlib import Path

from harness.analysis.endpoint import Schema
from harness.analysis.endpoint_table import EndpointTable
from harness.analysis.json_schema import (
    INTEGER,
    NAME,
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

# [DOC] A6: a code is always a string; beside it is only the message.
REFUSAL: Schema = object_of({"error": object_of({"code": STRING, "message": STRING})})

# [DOC] A1, [REC] 45 of 45. Both SDKs declare `request_id` as optional [SDK].
ANSWER: Schema = object_of(
    openai_endpoints.ANSWER,
    {
        **dict.fromkeys(("object", "request_id"), STRING),
        **dict.fromkeys(("web_search", "content_filter"), array(object_of({}))),
    },
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


# [REC] C2: some services on this host refuse with a message and a number as the code.
LOOSE_REFUSAL: Schema = either(
    "an `error` with a `message`, or a `message`",
    object_of({"error": object_of({"message": STRING})}),
    having("message"),
    having("msg"),
)

_ADDRESS = ".*/paas/v4"

TABLE = EndpointTable(
    Path(__file__).with_suffix(".toml"),
    *(runs_tools, keeps_reasoning, counts_reasoning),
    code=globals(),
    base=openai_endpoints.TABLE,
)
_NAMED = TABLE.endpoints("zhipuai", _ADDRESS)
ENDPOINTS = tuple(_NAMED.values())
CHAT, ASYNC_CHAT, ASYNC_RESULT = _NAMED["chat"], _NAMED["async-chat"], _NAMED["async-result"]
VIDEOS, IMAGE, EMBEDDINGS = _NAMED["videos"], _NAMED["images"], _NAMED["embeddings"]
RERANK, SPEECH, TRANSCRIPTIONS = _NAMED["rerank"], _NAMED["speech"], _NAMED["transcriptions"]

FURTHER = (
    *TABLE.endpoints("zhipuai", _ADDRESS, "spoken").values(),
    *openai_endpoints.other_endpoints("zhipuai", _ADDRESS, LOOSE_REFUSAL),
    *TABLE.endpoints("zhipuai", _ADDRESS, "further").values(),
    *anthropic.endpoints("zhipuai-anthropic", ".*/api/anthropic", LOOSE_REFUSAL),
    *responses.endpoints(
        "zhipuai-responses", "//(?:api.z.ai|open.bigmodel.cn)/api/v1", LOOSE_REFUSAL
    ),
)
"""The endpoints of the same hosts that scenarios do not ask, and chats in other formats."""
