"""OpenAI's format, which other services adopted: field locations, JSON Schemas and endpoints.

What differs between services with a package of their own (required fields, ids, refusals) is there.
`endpoints` returns the endpoints of any other service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from harness.analysis.endpoint import Endpoint, Fields, Role, Schema
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
from harness.wire.patterns import lazy_pattern

FIELDS = Fields(
    id=("/id",),
    request_id=("/request_id",),
    model=("/model",),
    choices="/choices",
    content=("/choices/0/message/content", "/choices/0/delta/content"),
    reasoning=("/choices/0/message/reasoning_content", "/choices/0/delta/reasoning_content"),
    tool_calls=("/choices/0/message/tool_calls", "/choices/0/delta/tool_calls"),
    finish_reason=("/choices/0/finish_reason",),
    index=("/choices/0/index",),
    input_tokens=("/usage/prompt_tokens",),
    output_tokens=("/usage/completion_tokens",),
    total_tokens=("/usage/total_tokens",),
    refused=("/error",),
    code=("/error/code", "/error/type"),
    message=("/error/message",),
    constant=("/id", "/created", "/model"),
    role=("/choices/[]/message/role", "/choices/[]/delta/role"),
    object=("/object",),
    created=("/created",),
    input_parts=("/usage/prompt_tokens_details/cached_tokens",),
    output_parts=("/usage/completion_tokens_details/reasoning_tokens",),
    reasoning_tokens=("/usage/completion_tokens_details/reasoning_tokens",),
    others=tuple(
        f"/choices/[]/{where}/{name}"
        for name in ("audio", "refusal")
        for where in ("message", "delta")
    ),
    apart=("/choices/[]/message", "/choices/[]/delta", "/usage"),
    messages=("/messages",),
    tools=("/tools",),
    prompt=("/prompt",),
)
"""The JSON pointers of a chat's fields; parameters are top-level members of a request."""

VOLATILE = frozenset(
    {
        "/id",
        "/request_id",
        "/created",
        "/choices/[]/message/tool_calls/[]/id",
        "/choices/[]/delta/tool_calls/[]/id",
    }
)
"""Paths whose values differ between any two answers."""

OBJECTS = frozenset({"chat.completion", "chat.completion.chunk"})
"""The possible values of the member `object`."""

EMBEDDING_FIELDS = replace(
    FIELDS,
    vectors=("/data/[]/embedding",),
    positions=("/data/[]/index",),
    texts=("/input",),
    dimension=("/dimensions",),
)
"""The JSON pointers of the fields of an embeddings call."""

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
                {"object": STRING},
            ),
            at_least=1,
        ),
        "usage": object_of({"total_tokens": INTEGER}),
    },
    {"id": STRING, "object": STRING},
)

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""The roles of messages that OpenAI documents."""

FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""The finish reasons that OpenAI documents."""

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
SERVICE_FIELDS = replace(
    FIELDS,
    reasoning=(
        *FIELDS.reasoning,
        "/choices/0/message/reasoning",
        "/choices/0/delta/reasoning",
    ),
    # [FIELD] Ollama's events have different times. [REC] OpenRouter sends an error with a delta and
    # the token counts.
    constant=("/id", "/model"),
    apart=("/choices/[]/message",),
    # [FIELD] MiniMax refuses with HTTP 200 and a status that is not 0.
    refused=("/error", "/base_resp/status_code"),
    # [FIELD] reasoning is no part of the output at xAI and in Gemini's endpoint of this format.
    output_parts=(),
    reasoning_apart=FIELDS.reasoning_tokens,
    code=("/error/code", "/error/type", "/base_resp/status_code", "/code", "/type", "/object"),
    message=(
        *("/error/message", "/message", "/error", "/detail", "/error_msg"),
        "/base_resp/status_msg",
    ),
    others=(
        *FIELDS.others,
        "/choices/[]/message/reasoning_details",
        "/choices/[]/message/annotations",
        "/choices/[]/message/images",
        "/choices/[]/message/function_call",
        "/choices/[]/delta/images",
        "/choices/[]/delta/function_call",
    ),
)

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

RANKING_FIELDS = replace(
    SERVICE_FIELDS,
    prompt=("/query",),
    positions=("/results/[]/index",),
    scores=("/results/[]/relevance_score",),
    texts=("/documents",),
    count=("/top_n",),
)

# [DOC] platform.openai.com/docs/api-reference/images: a link, or the picture as base64.
IMAGES: Schema = object_of(
    {
        "created": NUMBER,
        "data": array(either("`url` or `b64_json`", having("url"), having("b64_json")), at_least=1),
    }
)

IMAGE_FIELDS = replace(
    SERVICE_FIELDS,
    created=("/created",),
    prompt=("/prompt",),
    images=("/data/[]/url",),
    results=("/data/[]",),
    size=("/size",),
    count=("/n",),
)

WORDS: Schema = object_of({"text": STRING}, dict.fromkeys(("id", "model", "request_id"), STRING))
"""The answer with the words of a sound."""

WORDS_FIELDS = replace(SERVICE_FIELDS, content=("/text",), finish_reason=())

SPEECH_FIELDS = replace(SERVICE_FIELDS, prompt=("/input",))

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


_STORES = "vector_stores|containers|uploads|assistants|threads"


def other_endpoints(dialect: str, prefix: str, refusal: Schema) -> tuple[Endpoint, ...]:
    """Return the endpoints of OpenAI's format that scenarios do not call, such as files, batches.

    Args:
        dialect: The part of the endpoints' names before the dot.
        prefix: A regular expression for the path of the base URL.
        refusal: The JSON Schema of the service's refusals.
    """
    fields = replace(SERVICE_FIELDS, finish_reason=("/choices/0/finish_reason",))

    def at(name: str, path: str, answer: Schema, method: str = "POST") -> Endpoint:
        return Endpoint(
            name=f"{dialect}.{name}",
            method=method,
            path=lazy_pattern(prefix + path),
            role=Role.LOOKUP,
            answer=answer,
            refusal=refusal,
            fields=fields,
        )

    completion = object_of({"choices": array(object_of({"text": STRING}))})
    return (
        replace(
            at("completions", "/completions", completion),
            role=Role.ANSWER,
            event=completion,
            ends_with_done=True,
            finish_reasons=FINISH_REASONS,
            repeats_finish=True,
            fields=replace(fields, content=("/choices/0/text",)),
        ),
        at("files", "/files(?:/[^/]+)?", FILE),
        at("file", "/files(?:/[^/]+)?", FILE, "GET"),
        at("file-deleted", "/files/[^/]+", FILE, "DELETE"),
        at("batches", "/batches(?:/[^/]+/cancel)?", BATCH),
        at("batch", "/batches(?:/[^/]+)?", BATCH, "GET"),
        at("moderations", "/moderations", MODERATION),
        at("fine-tuning", "/fine_tuning/jobs(?:/.*)?", object_of({"id": NAME})),
        at("audio-calls", "/audio/.*", OBJECT),
        at("image-calls", "/images/.*", OBJECT),
        *(
            at(f"stored-{method.lower()}", f"/(?:{_STORES})(?:/.*)?", OBJECT, method)
            for method in ("POST", "GET", "DELETE")
        ),
    )


def endpoints(service: str, reasons: Iterable[str] = ()) -> tuple[Endpoint, ...]:
    """Return the endpoints of a service in OpenAI's format, such as chat, embeddings and models.

    Their paths match any base URL, so the service's provider has to set `hosts`.

    Args:
        service: The name of the service.
        reasons: Finish reasons that the service has in addition to OpenAI's.
    """
    post = partial(Endpoint, method="POST", role=Role.ANSWER, refusal=SERVICE_REFUSAL)
    chat = post(
        name=f"{service}.chat",
        path=lazy_pattern(r".*/chat/completions"),
        answer=SERVICE_WHOLE,
        event=SERVICE_CHUNK,
        ends_with_done=True,
        volatile=VOLATILE,
        finish_reasons=FINISH_REASONS.union(reasons),
        fields=SERVICE_FIELDS,
        repeats_finish=True,
        objects=OBJECTS,
        tells_usage=asks_for_usage,
        roles=ROLES,
        takes_prefill=True,
    )
    return (
        chat,
        post(
            name=f"{service}.embeddings",
            path=lazy_pattern(r".*/embeddings"),
            answer=SERVICE_EMBEDDING,
            volatile=frozenset({"/id", "/request_id"}),
            fields=EMBEDDING_FIELDS,
        ),
        post(
            name=f"{service}.images",
            path=lazy_pattern(r".*/images/generations"),
            answer=IMAGES,
            volatile=frozenset({"/created", "/data/[]/url"}),
            fields=IMAGE_FIELDS,
        ),
        post(
            name=f"{service}.rerank",
            path=lazy_pattern(r".*/reranks?"),
            answer=RANKING,
            volatile=frozenset({"/id"}),
            fields=RANKING_FIELDS,
        ),
        post(
            name=f"{service}.speech",
            path=lazy_pattern(r".*/audio/speech"),
            answer=OBJECT,
            speaks=True,
            fields=SPEECH_FIELDS,
        ),
        post(
            name=f"{service}.transcriptions",
            path=lazy_pattern(r".*/audio/transcriptions"),
            answer=WORDS,
            fields=WORDS_FIELDS,
            exempt=frozenset({"body_is_json"}),  # [DOC] `response_format: text`, `srt`, `vtt`
        ),
        replace(chat, name=f"{service}.fill", path=lazy_pattern(r".*/(?:fim|agents)/completions")),
        Endpoint(
            name=f"{service}.models",
            method="GET",
            path=lazy_pattern(r".*/models(?:/[^/]+)*"),
            role=Role.LOOKUP,
            answer=MODELS_OR_ONE,
            refusal=SERVICE_REFUSAL,
            fields=SERVICE_FIELDS,
        ),
    )
