"""Gemini's own format: `generateContent`, whole and streamed. C6 of docs/WIRE_FACTS.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.endpoint import Endpoint, Fields, Part, Role, Schema
from harness.analysis.json_schema import (
    INTEGER,
    NAME,
    OBJECT,
    STRING,
    array,
    either,
    nullable,
    object_of,
)
from harness.analysis.reply import is_refusal, read_refusal
from harness.types import Json, Outcome, Reply, ToolCall, Usage
from harness.wire import Missing, as_text, query, resolve
from harness.wire.patterns import lazy_pattern

FINISH_REASONS = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED",
        "STOP",
        "MAX_TOKENS",
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "OTHER",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MALFORMED_FUNCTION_CALL",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_OTHER",
        "IMAGE_RECITATION",
        "NO_IMAGE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)

_NUMBERED = ("STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""Finish reasons by their numbers from 1, which `enum-encoding=int` asks for [FIELD]."""

FIELDS = Fields(
    id=("/responseId",),
    model=("/modelVersion",),
    content=("/candidates/0/content/parts",),
    finish_reason=("/candidates/0/finishReason",),
    input_tokens=("/usageMetadata/promptTokenCount",),
    output_tokens=("/usageMetadata/candidatesTokenCount",),
    total_tokens=("/usageMetadata/totalTokenCount",),
    input_parts=("/usageMetadata/cachedContentTokenCount",),
    refused=("/error",),
    code=("/error/status", "/error/code"),
    message=("/error/message",),
    apart=("/candidates",),
    constant=("/responseId", "/modelVersion"),
    tools=tuple(
        f"/tools{item}/{name}"
        for item in ("/[]", "")
        for name in ("functionDeclarations", "function_declarations")
    ),
    others=("/candidates/[]/content/parts",),
)

_COUNTS = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")

_CALL: Schema = object_of({"name": NAME}, {"args": nullable(OBJECT)})
_PIECE: Schema = object_of({}, {"text": STRING, "functionCall": _CALL})

ANSWER: Schema = object_of(
    {},
    {
        "candidates": array(
            object_of(
                {},
                {
                    "content": object_of({}, {"parts": array(_PIECE), "role": {"const": "model"}}),
                    "finishReason": either("a name, or a number", NAME, INTEGER),
                    "index": INTEGER,
                },
            )
        ),
        "usageMetadata": object_of({}, dict.fromkeys(_COUNTS, INTEGER)),
        "modelVersion": STRING,
    },
)

REFUSAL: Schema = object_of({"error": object_of({"message": STRING, "code": INTEGER})})


def read(parts: Sequence[Part], request: Json) -> Outcome | None:
    """Return the reply or failure in a response; None if no part of it is a JSON object.

    *parts* are a whole answer, or the events of a streamed one, which are a list without
    `alt=sse` [FIELD]. *request* is not used.
    """
    refusal = next((part for part in parts if is_refusal(part, FIELDS)), None)
    if refusal is not None:
        return read_refusal(_READER, 200, refusal.value)
    listed = [part.value if isinstance(part.value, list) else [part.value] for part in parts]
    values = [value for one in listed for value in one if isinstance(value, dict)]
    if not values:
        return None
    said = [p for v in values for _, p in query(v, "/candidates/0/content/parts/[]")]
    texts = [(resolve(p, "/text"), resolve(p, "/thought") is True) for p in said]
    pieces = [text for text, thought in texts if isinstance(text, str) and not thought]
    thoughts = [text for text, thought in texts if isinstance(text, str) and thought]
    reasons = [_reason(resolve(value, FIELDS.finish_reason[0])) for value in values]
    return Reply(
        id=_text(values[0], "/responseId"),
        model=_text(values[0], "/modelVersion"),
        content="".join(pieces) if pieces else None,
        reasoning="".join(thoughts) if thoughts else None,
        tool_calls=tuple(
            ToolCall(
                _text(call, "/id") or f"call_{number}",
                _text(call, "/name") or "",
                json.dumps(args if isinstance(args := resolve(call, "/args"), dict) else {}),
            )
            for number, (_, call) in enumerate(
                found for p in said for found in query(p, "/functionCall")
            )
        ),
        finish_reason=next((r for r in reversed(reasons) if r is not None), None),
        usage=next((u for v in reversed(values) if (u := _usage(v))), None),
        pieces=tuple(pieces) if parts[0].event is not None else (),
    )


def _text(value: Json, pointer: str) -> str | None:
    return as_text(resolve(value, pointer))


def _reason(value: Json | Missing) -> str | None:
    if type(value) is int and 0 < value <= len(_NUMBERED):
        return _NUMBERED[value - 1]
    return "OTHER" if type(value) is int and value else as_text(value)


def _usage(value: Json) -> Usage | None:
    """Return the counts: thinking is output and the results of the service's tools are input."""

    def count(*names: str) -> int | None:
        found = [resolve(value, f"/usageMetadata/{name}") for name in names]
        numbers = [number for number in found if type(number) is int]
        return sum(numbers) if numbers else None

    total = count("totalTokenCount")
    if total is None:
        return None
    given = count("promptTokenCount", "toolUsePromptTokenCount")
    return Usage(given, count("candidatesTokenCount", "thoughtsTokenCount"), total)


GENERATE = Endpoint(
    name="gemini.generate",
    method="POST",
    path=lazy_pattern(r".*/models/[^/:]+:generateContent"),
    role=Role.ANSWER,
    answer=ANSWER,
    event=ANSWER,
    refusal=REFUSAL,
    read=read,
    volatile=frozenset({"/responseId"}),
    finish_reasons=FINISH_REASONS,
    fields=FIELDS,
    repeats_finish=True,
    # [REC] The first events count the text only, without pictures, files and tools; a refusal of a
    # stream is JSON under the type of the stream.
    exempt=frozenset({"input_tokens_stay", "usage_never_shrinks", "content_type_agrees_with_body"}),
)

_LOOKUP = replace(GENERATE, role=Role.LOOKUP, answer=OBJECT, event=None, read=None)
_CALLS = "countTokens|embedContent|batchEmbedContents|predict|predictLongRunning"
_STORED = "cachedContents|files|operations|models|batches"

ENDPOINTS = (
    GENERATE,
    replace(
        GENERATE,
        name="gemini.stream",
        path=lazy_pattern(r".*/models/[^/:]+:streamGenerateContent"),
        answer=either("an answer, or a list of them", ANSWER, array(ANSWER, at_least=1)),
    ),
    replace(_LOOKUP, name="gemini.lookup", path=lazy_pattern(rf".*/models/[^/:]+:(?:{_CALLS})")),
    *(
        replace(
            _LOOKUP,
            name=f"gemini.stored-{method.lower()}",
            method=method,
            path=lazy_pattern(
                rf".*/v1(?:alpha|beta\d?)?/(?!openai/)(?:.*/)?(?:{_STORED})(?:/[^:]*)?"
            ),
        )
        for method in ("POST", "GET", "DELETE")
    ),
)

_READER = GENERATE
