"""The endpoints of DashScope's own API (Qwen, Wanx), with schemas and field locations.

B1 to B7 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

from pathlib import Path

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.endpoint_table import EndpointTable
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
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.dashscope import compatible
from harness.providers.dashscope.compatible import translates
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.openai.endpoints import TOOL_CALL, TOOL_CALL_PIECE
from harness.providers.responses import endpoints as responses
from harness.types import Call, Json
from harness.wire import resolve

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
    sound = {"required": ["audio"], "properties": {"audio": _SOUND}}
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

_PIECES = ("text", "image", "audio", "video", "ocr_result")

# [REC] B4: a list of pieces without `type`, each a text, an image or a sound.
_MIXED: Schema = {
    "type": ["array", "string", "null"],
    "items": {
        **object_of({}, dict.fromkeys(("type", *_PIECES), STRING)),
        **either(
            f"a piece with one of {', '.join(_PIECES)}",
            *({"required": [name]} for name in _PIECES),
        ),
    },
}

# [DOC] qwen-tts, CosyVoice over HTTP; in a stream, the link is empty until the end.
_SOUND: Schema = object_of(
    {}, {"data": _TEXT, "url": _TEXT, "id": STRING, "expires_at": {"type": "integer", "minimum": 0}}
)


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
                **dict.fromkeys(("submit_time", "scheduled_time", "end_time"), STRING),
                "results": {
                    "type": ["array", "object"],
                    "items": {
                        **object_of(
                            {},
                            {
                                **dict.fromkeys(("url", "file_url", "subtask_status"), NAME),
                                **dict.fromkeys(("code", "message"), STRING),
                            },
                        ),
                        **_RESULT,
                    },
                },
                "task_metrics": _METRICS,
                "choices": array(
                    object_of(
                        {"message": object_of({}, {"content": _MIXED})}, {"finish_reason": STRING}
                    )
                ),
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


TEXT_ANSWER = _answer(_output(_TEXT, TOOL_CALL), USAGE)
TEXT_EVENT = _event(_researched(_output(_TEXT, TOOL_CALL_PIECE)), EVENT_USAGE)
MIXED_ANSWER = _answer(_or_sound(_output(_MIXED, TOOL_CALL)), LOOSE_USAGE)
MIXED_EVENT = _answer(_or_sound(_output(_MIXED, TOOL_CALL_PIECE)), LOOSE_USAGE)
SPOKEN = _answer(object_of({"audio": _SOUND}), object_of({}))
SPOKEN_EVENT = _answer(object_of({}), object_of({}))

TABLE = EndpointTable(
    Path(__file__).with_suffix(".toml"),
    *(cumulative, keeps_reasoning, compatible.counts_reasoning, runs_tools),
    code=globals(),
    base=openai_endpoints.TABLE,
)
_ADDRESS = ".*/api/v1"
_NAMED = TABLE.endpoints("dashscope", _ADDRESS)
ENDPOINTS = tuple(_NAMED.values())

GENERATION, MULTIMODAL = _NAMED["generation"], _NAMED["multimodal"]
TEXT2IMAGE, IMAGE_GENERATION = _NAMED["text2image"], _NAMED["image-generation"]
VIDEO, TRANSCRIPTION, TASKS = _NAMED["video"], _NAMED["transcription"], _NAMED["tasks"]
EMBEDDINGS, MIXED_EMBEDDINGS = _NAMED["embedding"], _NAMED["multimodal-embedding"]
RERANK, SPEECH = _NAMED["rerank"], _NAMED["speech"]

_OPENAI_REFUSAL = TABLE.schema("openai_refusal")
_CODING = r"//coding(?:-intl)?\.dashscope\.aliyuncs\.com"

FURTHER = (
    *TABLE.endpoints("dashscope", _ADDRESS, "further").values(),
    *anthropic.endpoints("dashscope-anthropic", ".*/apps/anthropic", _OPENAI_REFUSAL),
    *anthropic.endpoints(
        "dashscope-claude-code", ".*/api/v2/apps/claude-code-proxy", _OPENAI_REFUSAL
    ),
)
"""The endpoints on DashScope's hosts that scenarios do not call."""

COMPATIBLE_FURTHER = (
    *openai_endpoints.other_endpoints(
        "compatible", rf"(?:.*/compatible-(?:mode|api)|{_CODING})/v1", _OPENAI_REFUSAL
    ),
    *responses.endpoints("compatible-responses", ".*/compatible-mode/v1", _OPENAI_REFUSAL),
    *TABLE.endpoints("compatible", table="compatible").values(),
)
"""The endpoints in OpenAI's format that `compatible.ENDPOINTS` does not have."""

_OTHERWISE = {
    "chat": "generation",
    "prompt": "generation",
    "image": "multimodal",
    "image async": "text2image",
    "video async": "video",
    "embedding": "embedding",
    "rerank": "rerank",
    "speech": "multimodal",
    "transcription": "multimodal",
    "transcription async": "transcription",
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
    name = call.endpoint or (model.endpoint if model else "") or _OTHERWISE[call.task_kind]
    if name not in _NAMED:
        raise Unsupported(f"dashscope has no endpoint {name!r}; there are: {', '.join(_NAMED)}")
    return _NAMED[name]
