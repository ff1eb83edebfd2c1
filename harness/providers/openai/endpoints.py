"""OpenAI's format, which other services adopted: field locations, JSON Schemas and endpoints.

What differs between services with a package of their own (required fields, ids, refusals) is there.
`endpoints` returns the endpoints of any other service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.endpoint_table import EndpointTable
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
    nullable,
    object_of,
)
from harness.types import Json
from harness.wire import resolve

# [DOC] A3, [REC]: a whole call has id, type and function, whose arguments are JSON text. A call of
# the service's built-in tools has a member named after its type instead of `function`.
TOOL_CALL: Schema = object_of(
    {"id": STRING, "type": STRING},
    {
        "index": INTEGER,
        "function": nullable(object_of({"name": STRING, "arguments": STRING})),
    },
)

# [REC] B6: later pieces of a streamed call leave out the name and have an empty id.
TOOL_CALL_PIECE: Schema = object_of(
    {},
    {
        "function": nullable(
            object_of({}, {"name": nullable(STRING), "arguments": nullable(STRING)}),
        ),
        "index": nullable(INTEGER),
        "id": nullable(STRING),
        "type": nullable(STRING),
    },
)

# A text, or a list of pieces of which some have text: requests with images or sounds have such a
# list, and so have the answers of some models.
TEXT: Schema = {"type": ["string", "array", "null"], "items": object_of({}, {"text": STRING})}

_SAYS: Schema = either(
    "text as `content`, or `tool_calls`",
    {**having("content"), "properties": {"content": {"type": ["string", "array"]}}},
    {
        **having("tool_calls"),
        "properties": {"tool_calls": {"type": "array", "minItems": 1}},
    },
    # A1 [FIELD]: thinking may use up all tokens.
    {
        **having("reasoning_content"),
        "properties": {"reasoning_content": {"type": "string", "minLength": 1}},
    },
    {**having("audio"), "properties": {"audio": {"type": "object"}}},
)

# [DOC] A1, [REC]: text, or tool calls beside which the text may be missing.
MESSAGE: Schema = both(
    object_of(
        {"role": STRING},
        {
            "content": TEXT,
            "reasoning_content": nullable(STRING),
            "tool_calls": {"type": ["array", "null"], "items": TOOL_CALL},
        },
    ),
    _SAYS,
)

# [REC]: role may be absent or null after the first event; content is absent beside tool calls.
DELTA: Schema = object_of(
    {},
    {
        "role": nullable(STRING),
        "content": TEXT,
        "reasoning_content": nullable(STRING),
        "tool_calls": {"type": ["array", "null"], "items": TOOL_CALL_PIECE},
    },
)

_TOKENS: Schema = {
    "type": ["array", "null"],
    "items": object_of({"token": STRING, "logprob": NUMBER}),
}

CHOICES: Schema = array(
    object_of(
        {"index": INTEGER, "message": MESSAGE, "finish_reason": NAME},
        {"logprobs": nullable(object_of({}, {"content": _TOKENS}))},
    ),
    at_least=1,
)

DELTAS: Schema = array(
    object_of({"index": INTEGER, "delta": DELTA}, {"finish_reason": nullable(STRING)})
)

COUNTS: Mapping[str, Schema] = {
    "prompt_tokens": INTEGER,
    "completion_tokens": INTEGER,
    "total_tokens": INTEGER,
}

# [DOC] A1, [REC]
USAGE: Schema = object_of(
    COUNTS,
    {
        "prompt_tokens_details": nullable(object_of({})),
        "completion_tokens_details": nullable(object_of({})),
    },
)

ANSWER: Mapping[str, Schema] = {
    "id": STRING,
    "created": INTEGER,
    "model": NAME,
    "choices": CHOICES,
    "usage": USAGE,
}
"""The required members of a whole answer of every service."""

EVENT: Mapping[str, Schema] = {
    "id": STRING,
    "created": INTEGER,
    "model": NAME,
    "choices": DELTAS,
}
"""The required members of a stream's event of every service."""

EVENT_USAGE: Mapping[str, Schema] = {"usage": {**USAGE, "type": ["object", "null"]}}
"""The member with the token counts, in the last event or in a separate one."""

# OpenAI's format of embeddings, which the services document as theirs; never recorded here.
EMBEDDING: Schema = object_of(
    {
        "model": NAME,
        "data": array(
            object_of(
                {"index": INTEGER, "embedding": {"type": ["array", "string"], "items": NUMBER}},
                {"object": {"const": "embedding"}},
            ),
            at_least=1,
        ),
        # [REC] Mistral spells the name of the details so.
        "usage": object_of(
            {"total_tokens": INTEGER},
            {"prompt_tokens": INTEGER, "prompt_token_details": nullable(object_of({}))},
        ),
    },
    {"id": STRING, "object": {"const": "list"}},
)

# Some services send a number as `code`, and members of their own beside it.
REFUSAL: Schema = object_of(
    {"error": object_of({"message": STRING}, {"code": {"type": ["string", "integer", "null"]}})}
)

# `id`, `object` and `created` are OpenAI's, and its SDK needs them.
WHOLE: Schema = object_of({**ANSWER, "object": STRING})

CHUNK: Schema = object_of({**EVENT, "object": STRING}, EVENT_USAGE)

# `id` only: services differ in all other members.
MODELS: Schema = object_of({"data": array(object_of({"id": NAME}))})

# Gemini's own list has `models`, at its host's other paths [REC].
MODELS_OR_ONE: Schema = either(
    "a model, or a list of models",
    MODELS,
    object_of({"id": NAME}),
    object_of({"models": array(object_of({"name": NAME}))}),
    object_of({"name": NAME}),
)


def asks_for_usage(request: Json) -> bool:
    """Return whether *request* asks a stream for token counts: `stream_options.include_usage`."""
    return resolve(request, "/stream_options/include_usage") is True


# [REC] what services add, leave out or have elsewhere: `reasoning`, the thinking as a part of the
# content (Mistral), tool calls without a type (Mistral), no content beside tool calls (Groq).
_SERVICE_CALLS: Schema = {
    "type": ["array", "null"],
    "items": object_of(
        {}, {"function": nullable(object_of({"name": STRING, "arguments": STRING}))}
    ),
}

_SERVICE_MESSAGE: Schema = object_of(
    {"role": STRING},
    {"content": TEXT, "reasoning_content": nullable(STRING), "tool_calls": _SERVICE_CALLS},
)

# [FIELD] Azure leaves out a message that its content filter took away.
_FILTERED: Schema = object_of(
    {"content_filter_results": OBJECT, "finish_reason": {"const": "content_filter"}}
)

SERVICE_WHOLE: Schema = object_of(
    {
        "id": STRING,
        "model": NAME,
        "choices": array(
            both(
                object_of(
                    {"finish_reason": nullable(NAME)},
                    {"message": _SERVICE_MESSAGE, "index": INTEGER},
                ),
                either("`message`", having("message"), _FILTERED),
            ),
            at_least=1,
        ),
    },
    {"created": NUMBER, "object": STRING, "usage": nullable(USAGE)},
)

# [DOC] Azure sends the results of its content filter in events of their own. [FIELD] MiniMax ends
# a stream with the whole answer, and has no other counts than these before. Gemini's events had no
# id in 2025, but counts each.
_SERVICE_CHUNK: Schema = object_of(
    {
        "model": STRING,
        "choices": array(
            both(
                object_of({}, {"delta": DELTA, "finish_reason": nullable(STRING)}),
                either(
                    "`delta`", having("delta"), having("message"), having("content_filter_results")
                ),
            )
        ),
    },
    {
        "id": STRING,
        "created": NUMBER,
        "object": STRING,
        "usage": either(
            "token counts",
            nullable(USAGE),
            object_of({"total_tokens": INTEGER, "total_characters": INTEGER}),
        ),
    },
)
SERVICE_CHUNK: Schema = {**_SERVICE_CHUNK, "if": having("usage"), "else": {"required": ["id"]}}

_REASON: Schema = {"not": {"type": ["null", "boolean", "number"]}}

# [REC], [FIELD] C6: OpenAI's, `error` as a text (Ollama), flat (older vLLM, Mistral), or nothing
# but a text (SiliconFlow).
SERVICE_REFUSAL: Schema = either(
    "an `error` with a `message`, or a `message`",
    {"type": "string", "minLength": 1},
    object_of({"error": object_of({"message": _REASON})}),
    object_of({"error": STRING}),
    object_of({"message": _REASON}),
    object_of({"detail": _REASON}),
    object_of({"error_msg": STRING}),
    object_of({"base_resp": object_of({"status_msg": STRING})}),
)

# [FIELD] Gemini's endpoint of this format has no `usage`.
SERVICE_EMBEDDING: Schema = object_of(
    {"model": NAME, "data": EMBEDDING["properties"]["data"]},
    {"usage": nullable(EMBEDDING["properties"]["usage"])},
)

RANKING: Schema = object_of(
    {"results": array(object_of({"index": INTEGER, "relevance_score": NUMBER}), at_least=1)},
    {
        "usage": nullable(object_of({}, {"total_tokens": INTEGER})),
        **dict.fromkeys(("id", "model", "object", "request_id"), nullable(STRING)),
    },
)

# [DOC] platform.openai.com/docs/api-reference/images: a link, or the picture as base64.
IMAGES: Schema = object_of(
    {
        "created": NUMBER,
        "data": array(either("`url` or `b64_json`", having("url"), having("b64_json")), at_least=1),
    }
)

WORDS: Schema = object_of({"text": STRING}, dict.fromkeys(("id", "model", "request_id"), STRING))
"""The answer with the words of a sound."""

FILE: Schema = either(
    "a file, or a list of files",
    object_of({"id": NAME}),
    object_of({"data": array(object_of({}))}),
)
"""An uploaded file, or all of them; a deleted one has an id too."""

BATCH: Schema = either(
    "a batch, or a list of batches",
    object_of({"id": NAME, "status": NAME}),
    object_of({"data": array(object_of({}))}),
)

MODERATION: Schema = either(
    "`results` or `result_list`",
    object_of({"results": array(object_of({}))}),
    object_of({"result_list": array(object_of({}))}),
)


TABLE = EndpointTable(Path(__file__).with_suffix(".toml"), asks_for_usage, code=globals())


def other_endpoints(
    dialect: str, prefix: str, refusal: Schema | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints of OpenAI's format that scenarios do not call, such as files, batches.

    Args:
        dialect: The part of the endpoints' names before the dot.
        prefix: A regular expression for the path of the base URL.
        refusal: The JSON Schema of the service's refusals; None for the usual ones.
    """
    changes: dict[str, Any] = {"refusal": refusal} if refusal else {}
    return tuple(TABLE.endpoints(dialect, prefix, "other", **changes).values())


def endpoints(service: str, reasons: Iterable[str] = ()) -> tuple[Endpoint, ...]:
    """Return the endpoints of a service in OpenAI's format, such as chat, embeddings and models.

    Their paths match any base URL, so the service's provider has to set `hosts`.

    Args:
        service: The name of the service.
        reasons: Finish reasons that the service has in addition to OpenAI's.
    """
    return tuple(
        replace(one, finish_reasons=one.finish_reasons.union(reasons if one.event else ()))
        for one in TABLE.endpoints(service, ".*").values()
    )
