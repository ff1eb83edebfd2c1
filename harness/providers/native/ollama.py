"""Ollama's own format: `/api/chat` and `/api/generate`. C6 of docs/WIRE_FACTS.md."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.endpoint import Endpoint, Fields, Role, Schema
from harness.analysis.json_schema import INTEGER, NAME, STRING, array, either, object_of
from harness.wire.patterns import lazy_pattern

FIELDS = Fields(
    model=("/model",),
    content=("/message/content", "/response"),
    reasoning=("/message/thinking", "/thinking"),
    finish_reason=("/done_reason",),
    input_tokens=("/prompt_eval_count",),
    output_tokens=("/eval_count",),
    refused=("/error",),
    code=("/error",),
    message=("/error",),
    constant=("/model",),
    role=("/message/role",),
    others=("/message/tool_calls",),
    messages=("/messages",),
    tools=("/tools",),
    parameters="/options",
)

_MESSAGE: Schema = object_of({"role": STRING, "content": STRING}, {"thinking": STRING})

# [DOC] one object, or one per line of a stream; the counts are in the last.
ANSWER: Schema = object_of(
    {"model": NAME, "created_at": STRING, "done": {"type": "boolean"}},
    {
        "message": _MESSAGE,
        "response": STRING,
        "done_reason": STRING,
        "prompt_eval_count": INTEGER,
        "eval_count": INTEGER,
        "total_duration": INTEGER,
    },
)

CHAT = Endpoint(
    name="ollama.native-chat",
    method="POST",
    path=lazy_pattern(r".*/api/chat"),
    role=Role.ANSWER,
    answer=ANSWER,
    event=ANSWER,
    refusal=object_of({"error": STRING}),
    volatile=frozenset({"/created_at"}),
    finish_reasons=frozenset({"stop", "length", "load", "unload"}),
    fields=FIELDS,
    exempt=frozenset({"tool_results_answer_calls"}),  # [FIELD] calls have no ids
)

ENDPOINTS = (
    CHAT,
    replace(CHAT, name="ollama.native-generate", path=lazy_pattern(r".*/api/generate")),
    replace(
        CHAT,
        name="ollama.native-embed",
        path=lazy_pattern(r".*/api/embed(?:dings)?"),
        role=Role.LOOKUP,
        answer=either(
            "`embeddings`, or `embedding`",
            object_of({"embeddings": array(array({"type": "number"}))}),
            object_of({"embedding": array({"type": "number"})}),
        ),
        event=None,
    ),
    replace(
        CHAT,
        name="ollama.native-models",
        method="GET",
        path=lazy_pattern(r".*/api/tags"),
        role=Role.LOOKUP,
        answer=object_of({"models": array(object_of({"name": NAME}))}),
        event=None,
    ),
)
