"""The endpoints of DashScope's own API (Qwen, Wanx), with schemas and field locations.

B1 to B7 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.analysis.endpoint import Endpoint, Fields, Role, Schema, States
from harness.analysis.json_schema import (
    INTEGER,
    NAME,
    NUMBER,
    STRING,
    array,
    either,
    having,
    nullable,
    object_of,
)
from harness.config.settings import load_models
from harness.errors import Unsupported
from harness.providers.dashscope import compatible
from harness.providers.dashscope.compatible import translates
from harness.providers.openai.endpoints import TOOL_CALL, TOOL_CALL_PIECE
from harness.types import Call, Json
from harness.wire import resolve
from harness.wire.patterns import lazy_pattern

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
"""The names of DashScope's own request and response headers."""

# [DOC] B2; the string "null" stands for "none yet".
FINISH_REASONS = frozenset({"stop", "length", "tool_calls"})

# [DOC] B5: an unknown or expired task answers UNKNOWN with HTTP 200 [REC].
STATES = States(
    running=("PENDING", "RUNNING"),
    succeeded=("SUCCEEDED",),
    failed=("FAILED", "CANCELED", "UNKNOWN"),
    explained=("FAILED",),
    forgotten=("UNKNOWN",),
)

# [REC], [DOC], [FIELD] B7
STATUSES = {
    "InvalidApiKey": frozenset({401}),
    **dict.fromkeys(
        ("InvalidParameter", "UnsupportedOperation", "DataInspectionFailed", "Arrearage"),
        frozenset({400}),
    ),
    **dict.fromkeys(
        ("Throttling", "Throttling.RateQuota", "Throttling.AllocationQuota"), frozenset({429})
    ),
    "AccessDenied": frozenset({403}),
}

# [DOC] B7: comes with 400, like errors of a request.
UNPAID = frozenset({"Arrearage"})

# [REC] B7: flat.
REFUSAL: Schema = object_of({"code": STRING, "message": STRING, "request_id": STRING})

# [DOC] B3: without total_tokens; [REC] with it.
USAGE: Schema = object_of(
    {"input_tokens": INTEGER, "output_tokens": INTEGER}, {"total_tokens": INTEGER}
)

# [REC] B4: no tokens where images are answered.
# [FIELD] the first event of a stream with a search has `usage: {}`.
EVENT_USAGE: Schema = {
    **object_of({}, {"input_tokens": INTEGER, "output_tokens": INTEGER, "total_tokens": INTEGER}),
    **either(
        "`input_tokens` and `output_tokens`, or {}",
        having("input_tokens", "output_tokens"),
        {"not": {"anyOf": [{"required": ["input_tokens"]}, {"required": ["output_tokens"]}]}},
    ),
}

LOOSE_USAGE: Schema = object_of(
    {}, {"input_tokens": INTEGER, "output_tokens": INTEGER, "total_tokens": INTEGER}
)


def _choices(content: Schema, call: Schema) -> Schema:
    """Return the schema of `choices` [REC] B2.

    `index` is optional: it is absent in answers of 2024 and in multimodal ones. So is the finish
    reason of an event: models of other vendors have one in the last event only [FIELD].

    Args:
        content: The schema of a message's content.
        call: The schema of a tool call.
    """
    message = object_of(
        {"role": STRING, "content": content},
        {
            "reasoning_content": nullable(STRING),
            "tool_calls": {"type": ["array", "null"], "items": call},
        },
    )
    reason = {"finish_reason": {**NAME, "type": ["string", "null"]}}
    required = {} if call is TOOL_CALL_PIECE else reason
    return array(
        object_of({"message": message, **required}, {"index": INTEGER, **reason}), at_least=1
    )


def _output(content: Schema, call: Schema) -> Schema:
    """Return the schema of `output` [REC] B1, B2.

    It has either `text` and `finish_reason`, or `choices`.

    Args:
        content: The schema of a message's content.
        call: The schema of a tool call.
    """
    members = {
        **{"text": STRING, "finish_reason": STRING, "choices": _choices(content, call)},
        "tool_info": array(object_of({"type": NAME})),
    }
    forms = ({"required": ["text", "finish_reason"]}, {"required": ["choices"]})
    return {
        **object_of({}, members),
        **either("`text` and `finish_reason`, or `choices`", *forms),
    }


def _or_sound(output: Schema) -> Schema:
    """Return the schema *output*, extended by answers with only `audio`, as from qwen-tts."""
    sound = {"required": ["audio"], "properties": {"audio": {"type": "object"}}}
    meaning = f"{output['description']}, or `audio`"
    return {**output, **either(meaning, *output["anyOf"], sound)}


def _researched(output: Schema) -> Schema:
    """Return the schema *output*, extended by the events of qwen-deep-research [FIELD] C4."""
    said = object_of({}, dict.fromkeys(("phase", "status", "content"), _TEXT))
    research = object_of({"message": said, "fininshed_reason": _TEXT})  # the service's spelling
    meaning = f"{output['description']}, or `message` and `fininshed_reason`"
    return {**output, **either(meaning, *output["anyOf"], research)}


# Beside tool calls some models have no text at all.
_TEXT: Schema = nullable(STRING)

# [REC] B4: a list of pieces without `type`, each a text, an image or a sound.
_MIXED: Schema = {"type": ["array", "string", "null"], "items": object_of({}, {"text": STRING})}


def _answer(output: Schema, usage: Schema) -> Schema:
    return object_of({"output": output, "usage": usage, "request_id": STRING})


def _event(output: Schema, usage: Schema) -> Schema:
    """Return the schema of an event; those before the last may lack the counts [FIELD]."""
    return object_of({"output": output, "request_id": STRING}, {"usage": usage})


# [DOC] B5, [REC] 6 of 6
SUBMITTED: Schema = object_of(
    {"output": object_of({"task_id": STRING, "task_status": NAME}), "request_id": STRING}
)

_METRICS: Schema = object_of({"TOTAL": INTEGER, "SUCCEEDED": INTEGER, "FAILED": INTEGER})

# [DOC] B5: images that failed have a code instead of a url. Other kinds of task give one object,
# or a link of another name.
_RESULT: Schema = either(
    "a `url` or `transcription_url`, or a `code` and a `message`",
    having("url"),
    having("transcription_url"),
    having("code", "message"),
    {
        "not": {
            "anyOf": [{"required": [name]} for name in ("url", "code", "message", "subtask_status")]
        }
    },
)

# [DOC] B5, [REC] 23 of 23; times are Beijing time without a zone.
TASK: Schema = object_of(
    {
        "request_id": STRING,
        "output": object_of(
            {"task_id": STRING, "task_status": NAME},
            {
                "submit_time": STRING,
                "scheduled_time": STRING,
                "end_time": STRING,
                "results": {
                    "type": ["array", "object"],
                    "items": {**object_of({}, {"url": NAME, "code": STRING}), **_RESULT},
                },
                "task_metrics": _METRICS,
                "choices": array(object_of({"message": object_of({}, {"content": _MIXED})})),
                "video_url": NAME,
                "code": STRING,
                "message": STRING,
            },
        ),
    },
    {"usage": nullable(object_of({}))},
)

# [REC] 3 of 3; a sparse vector, where one is asked for, is in a field of its own.
_VECTOR: Schema = object_of(
    {"text_index": INTEGER},
    {"embedding": array(NUMBER, at_least=1)},
)
_EMBEDDED: Schema = object_of(
    {
        "output": object_of({"embeddings": array(_VECTOR, at_least=1)}),
        "usage": object_of({"total_tokens": INTEGER}),
        "request_id": STRING,
    }
)

# A file of texts is embedded by a task, at the same address (text-embedding-async).
EMBEDDING: Schema = {
    "if": {"properties": {"output": {"required": ["task_id"]}}},
    "then": SUBMITTED,
    "else": _EMBEDDED,
}

# [REC] 3 of 3; [DOC] the scores are from 0 to 1.
_SCORE: Schema = {**NUMBER, "minimum": 0, "maximum": 1}
RANKING: Schema = object_of(
    {
        "output": object_of(
            {"results": array(object_of({"index": INTEGER, "relevance_score": _SCORE}), at_least=1)}
        ),
        "usage": object_of({"total_tokens": INTEGER}),
        "request_id": STRING,
    }
)

FIELDS = Fields(
    id=("/request_id",),
    request_id=("/request_id",),
    choices="/output/choices",
    content=("/output/choices/0/message/content", "/output/text", "/output/message/content"),
    reasoning=("/output/choices/0/message/reasoning_content",),
    tool_calls=("/output/choices/0/message/tool_calls",),
    finish_reason=(
        "/output/choices/0/finish_reason",
        "/output/finish_reason",
        "/output/fininshed_reason",
    ),
    index=("/output/choices/0/index",),
    input_tokens=("/usage/input_tokens",),
    output_tokens=("/usage/output_tokens",),
    total_tokens=("/usage/total_tokens",),
    images=("/output/choices/[]/message/content/[]/image",),
    sounds=("/output/audio/url",),
    counts=(
        "/usage/characters",
        "/usage/plugins/search/count",
        "/usage/plugins/code_interpreter/count",
    ),
    refused=("/code",),
    code=("/code", "/output/code"),
    message=("/message", "/output/message"),
    constant=("/request_id",),
    role=("/output/choices/[]/message/role", "/output/message/role"),
    input_parts=(
        "/usage/prompt_tokens_details/cached_tokens",
        "/usage/input_tokens_details/text_tokens",
        "/usage/input_tokens_details/image_tokens",
        "/usage/image_tokens",
    ),
    output_parts=(
        "/usage/output_tokens_details/reasoning_tokens",
        "/usage/output_tokens_details/text_tokens",
    ),
    reasoning_tokens=("/usage/output_tokens_details/reasoning_tokens",),
    # [DOC] qwen3-asr tells the language of a sound without words.
    others=(
        *("/output/audio", "/output/choices/[]/message/audio", "/output/tool_info"),
        "/output/choices/[]/message/annotations",
    ),
    apart=("/output/choices/[]", "/output/text", "/output/results/[]"),
    messages=("/input/messages",),
    tools=("/parameters/tools",),
    size=("/parameters/size",),
    count=("/parameters/n",),
    prompt=("/input/prompt",),
    parameters="/parameters",
)

EMBEDDING_FIELDS = replace(
    FIELDS,
    vectors=("/output/embeddings/[]/embedding",),
    positions=("/output/embeddings/[]/text_index",),
    texts=("/input/texts",),
    dimension=("/parameters/dimension",),
)

RANKING_FIELDS = replace(
    FIELDS,
    prompt=("/input/query",),
    positions=("/output/results/[]/index",),
    scores=("/output/results/[]/relevance_score",),
    texts=("/input/documents",),
    count=("/parameters/top_n",),
)

TASK_FIELDS = replace(
    FIELDS,
    images=("/output/results/[]/url", "/output/choices/[]/message/content/[]/image"),
    videos=("/output/video_url", "/output/results/video_url"),
    # [DOC] of several files, and of one (qwen3-asr-flash-filetrans)
    transcripts=("/output/results/[]/transcription_url", "/output/result/transcription_url"),
    words=("/transcripts/[]/text",),
    # [REC] images, videos; the others belong to kinds of task that were never recorded here.
    results=(
        "/output/results/[]",
        "/output/video_url",
        "/output/results/video_url",
        "/output/choices/[]",
        "/output/result",
        "/output/image_url",
        "/output/output_image_url",
        "/output/url",  # the vectors of many texts
    ),
    task_id=("/output/task_id",),
    state=("/output/task_status",),
    metrics=("/output/task_metrics",),
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
        "/output/results/[]/transcription_url",
        "/output/result/transcription_url",
        "/output/audio/url",
        "/output/audio/id",
        "/output/audio/expires_at",
    }
)


def cumulative(request: Json) -> bool | None:
    """Return whether each event of a stream repeats the text so far; None if unknown.

    It is unknown for translation models, and if *request* does not set `incremental_output`, since
    the default depends on the model: [DOC], section B3 of docs/WIRE_FACTS.md.
    """
    incremental = resolve(request, "/parameters/incremental_output")
    if translates(request):
        return None
    return not incremental if isinstance(incremental, bool) else None


def runs_tools(request: Json) -> bool:
    """Return whether the service itself searches the web or runs code to answer *request*.

    It does by a parameter (`enable_search`, `enable_code_interpreter`, `skill`), or because the
    model is qwen-deep-research: [DOC], section C4 of docs/WIRE_FACTS.md.
    """
    deep = str(resolve(request, "/model")).startswith("qwen-deep-research")
    if deep or resolve(request, "/parameters/skill"):
        return True
    return any(resolve(request, f"/parameters/{name}") is True for name in compatible.SERVER_TOOLS)


def keeps_reasoning(request: Json) -> bool:
    """Return whether *request* asks the model to read earlier reasoning: `preserve_thinking`.

    Such a request has to repeat that reasoning, although the service accepts it without: [DOC],
    section C1 of docs/WIRE_FACTS.md.
    """
    return resolve(request, "/parameters/preserve_thinking") is True


_post = partial(
    Endpoint,
    method="POST",
    role=Role.ANSWER,
    refusal=REFUSAL,
    unpaid=UNPAID,
    volatile=_VOLATILE,
    fields=FIELDS,
    statuses=STATUSES,
)

_IMAGE_PROMPT = "/input/messages/0/content/0/text"
"""The description of an image, where models take it as a message."""

GENERATION = _post(
    name="dashscope.generation",
    path=lazy_pattern(r".*/api/v1/services/aigc/text-generation/generation"),
    answer=_answer(_output(_TEXT, TOOL_CALL), USAGE),
    event=_event(_researched(_output(_TEXT, TOOL_CALL_PIECE)), EVENT_USAGE),
    finish_reasons=FINISH_REASONS,
    cumulative=cumulative,
    keeps_reasoning=keeps_reasoning,
    counts_reasoning=compatible.counts_reasoning,
    runs_tools=runs_tools,
    tells_usage=lambda request: True,  # [REC] all
)

MULTIMODAL = replace(
    GENERATION,
    name="dashscope.multimodal",
    path=lazy_pattern(r".*/api/v1/services/aigc/multimodal-generation/generation"),
    answer=_answer(_or_sound(_output(_MIXED, TOOL_CALL)), LOOSE_USAGE),
    event=_answer(_or_sound(_output(_MIXED, TOOL_CALL_PIECE)), LOOSE_USAGE),
    tells_usage=lambda request: False,
    fields=replace(FIELDS, prompt=(_IMAGE_PROMPT, "/input/text")),
)

TEXT2IMAGE = _post(
    name="dashscope.text2image",
    path=lazy_pattern(r".*/api/v1/services/aigc/(?:text2image|image2image)/image-synthesis"),
    role=Role.SUBMIT,
    answer=SUBMITTED,
    states=STATES,
    fields=TASK_FIELDS,
)

# [DOC] Wan2.7 image API, 2026-11-20: the prompt is a message; the results are choices.
IMAGE_GENERATION = replace(
    TEXT2IMAGE,
    name="dashscope.image-generation",
    path=lazy_pattern(r".*/api/v1/services/aigc/image-generation/generation"),
    fields=replace(TASK_FIELDS, prompt=(_IMAGE_PROMPT,)),
)

VIDEO = replace(
    TEXT2IMAGE,
    name="dashscope.video",
    path=lazy_pattern(r".*/api/v1/services/aigc/(?:video-generation|image2video)/video-synthesis"),
)

# [DOC] help.aliyun.com, Paraformer, Fun-ASR and Qwen-ASR file transcription
TRANSCRIPTION = replace(
    TEXT2IMAGE,
    name="dashscope.transcription",
    path=lazy_pattern(r".*/api/v1/services/audio/asr/transcription/?"),
    fields=replace(TASK_FIELDS, texts=("/input/file_urls", "/input/file_url")),
)

TASKS = replace(
    TEXT2IMAGE,
    name="dashscope.tasks",
    method="GET",
    path=lazy_pattern(r".*/api/v1/tasks/(?P<task>[^/]+)"),
    role=Role.POLL,
    answer=TASK,
)

# [REC] cnblogs cancel-completed-task; only its refusal was ever recorded.
CANCEL = Endpoint(
    name="dashscope.cancel",
    method="POST",
    path=lazy_pattern(r".*/api/v1/tasks/[^/]+/cancel"),
    role=Role.OTHER,
    answer=object_of({"request_id": STRING}),
    refusal=REFUSAL,
    unpaid=UNPAID,
    fields=FIELDS,
)

# The permission to upload a file [DOC] get-temporary-file-url; the storage has a host of its own.
UPLOADS = replace(
    CANCEL,
    name="dashscope.uploads",
    method="GET",
    path=lazy_pattern(r".*/api/v1/uploads"),
    role=Role.LOOKUP,
    answer=object_of({"request_id": STRING, "data": object_of({"upload_host": STRING})}),
)

EMBEDDINGS = replace(
    GENERATION,
    name="dashscope.embedding",
    path=lazy_pattern(r".*/api/v1/services/embeddings/text-embedding/text-embedding"),
    answer=EMBEDDING,
    event=None,
    finish_reasons=frozenset(),
    fields=EMBEDDING_FIELDS,
)

# Images, videos and texts as vectors; its answers were never recorded here.
MIXED_EMBEDDINGS = replace(
    EMBEDDINGS,
    name="dashscope.multimodal-embedding",
    path=lazy_pattern(r".*/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"),
    answer=object_of(
        {
            "output": object_of({"embeddings": array(object_of({"embedding": array(NUMBER)}), 1)}),
            "usage": object_of({}),
            "request_id": STRING,
        }
    ),
    # Images are counted beside the tokens of texts here.
    fields=replace(
        EMBEDDING_FIELDS,
        positions=("/output/embeddings/[]/index",),
        texts=("/input/contents",),
        input_parts=(),
    ),
)

RERANK = replace(
    EMBEDDINGS,
    name="dashscope.rerank",
    path=lazy_pattern(r".*/api/v1/services/rerank/text-rerank/text-rerank"),
    answer=RANKING,
    fields=RANKING_FIELDS,
)

# [SDK] dashscope 2.0.2, audio/http_tts: CosyVoice over HTTP
SPEECH = replace(
    GENERATION,
    name="dashscope.speech",
    path=lazy_pattern(r".*/api/v1/services/audio/tts/SpeechSynthesizer/?"),
    answer=_answer(object_of({"audio": object_of({})}), object_of({})),
    event=_answer(object_of({}), object_of({})),
    finish_reasons=frozenset({"stop"}),
    fields=replace(FIELDS, prompt=("/input/text",), content=()),
)

# [REC] 4 of 4: speech. What travels inside the socket is not recorded.
WEBSOCKET = replace(
    CANCEL,
    name="dashscope.websocket",
    method="GET",
    path=lazy_pattern(r".*/api-ws/v1/inference/?"),
    answer={},
    refusal={},
    fields=Fields(),
)

ENDPOINTS = (
    GENERATION,
    MULTIMODAL,
    TEXT2IMAGE,
    IMAGE_GENERATION,
    VIDEO,
    TRANSCRIPTION,
    TASKS,
    CANCEL,
    EMBEDDINGS,
    MIXED_EMBEDDINGS,
    RERANK,
    SPEECH,
    WEBSOCKET,
)

_BY_NAME = {endpoint.name.partition(".")[2]: endpoint for endpoint in ENDPOINTS}
_OTHERWISE = {
    "chat": GENERATION,
    "prompt": GENERATION,
    "image": MULTIMODAL,
    "image async": TEXT2IMAGE,
    "video async": VIDEO,
    "embedding": EMBEDDINGS,
    "rerank": RERANK,
    "speech": MULTIMODAL,
    "transcription": MULTIMODAL,
    "transcription async": TRANSCRIPTION,
}


def endpoint_of(call: Call) -> Endpoint:
    """Return the endpoint that *call* is sent to.

    This is the endpoint that it names, else that of its model in the table of models, else the
    usual one for its kind. A call to a multimodal model goes to the multimodal endpoint, even if it
    has only text [DOC] help.aliyun.com qwen-api-via-dashscope (2026-09-28).

    Raises:
        Unsupported: There is no endpoint of that name.
    """
    model = load_models(Path.cwd()).find("dashscope", call.model, call.task_kind)
    name = call.endpoint or (model.endpoint if model else "")
    if name and name not in _BY_NAME:
        raise Unsupported(f"dashscope has no endpoint {name!r}; there are: {', '.join(_BY_NAME)}")
    return _BY_NAME[name] if name else _OTHERWISE[call.task_kind]
