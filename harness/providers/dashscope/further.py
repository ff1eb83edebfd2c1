"""The endpoints of DashScope's API that scenarios do not call: applications, files and so on.

Their answers are documented ([DOC] help.aliyun.com/zh/model-studio, B8 and C1) and were never
recorded here, so that the schemas name no more than a program needs. Its chats in other formats are
here, too.
"""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.endpoint import Endpoint, Role, Schema
from harness.analysis.json_schema import STRING, either, having, nullable, object_of
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.dashscope.endpoints import (
    CANCEL,
    FIELDS,
    GENERATION,
    TEXT2IMAGE,
    UPLOADS,
    WEBSOCKET,
)
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.responses import endpoints as responses
from harness.wire.patterns import lazy_pattern

_CODING = r"//coding(?:-intl)?\.dashscope\.aliyuncs\.com"

OPENAI_REFUSAL: Schema = either(
    "an `error` with a `message`, or a `code` and a `message`",
    object_of({"error": object_of({"message": STRING})}),
    having("code", "message"),
)
"""The refusal of the doors in other formats; the gateway before them refuses in the own one."""

_OUTPUT: Schema = object_of({"output": object_of({}), "request_id": STRING})


def _at(name: str, path: str, answer: Schema = _OUTPUT, method: str = "POST") -> Endpoint:
    return replace(
        CANCEL,
        name=f"dashscope.{name}",
        method=method,
        path=lazy_pattern(f".*/api/v1{path}"),
        role=Role.LOOKUP,
        answer=answer,
    )


def _task(name: str, path: str) -> Endpoint:
    return replace(
        TEXT2IMAGE, name=f"dashscope.{name}", path=lazy_pattern(f".*/api/v1/services/{path}/?")
    )


# [DOC] the text of an application, whose models are counted in `usage.models`.
_APPLICATION: Schema = object_of(
    {
        "output": object_of({}, {"text": nullable(STRING), "finish_reason": nullable(STRING)}),
        "request_id": STRING,
    }
)

FURTHER: tuple[Endpoint, ...] = (
    replace(
        GENERATION,
        name="dashscope.application",
        path=lazy_pattern(r".*/api/v1/apps/[^/]+/completion"),
        answer=_APPLICATION,
        event=_APPLICATION,
        counts_reasoning=lambda request: False,
        tells_usage=lambda request: False,
        fields=replace(
            FIELDS,
            input_tokens=("/usage/models/0/input_tokens",),
            output_tokens=("/usage/models/0/output_tokens",),
            total_tokens=("/usage/models/0/total_tokens",),
        ),
    ),
    _task("background", "aigc/background-generation/generation"),
    _task("out-painting", "aigc/image2image/out-painting"),
    _task("virtual-model", "aigc/virtualmodel/generation"),
    _at("voices", "/services/audio/tts/customization"),
    _at("task-list", "/tasks/?", object_of({"request_id": STRING}), "GET"),
    UPLOADS,
    # [SDK] utils/oss_utils.py: a file is posted to the storage; the sandbox has one of its own.
    replace(
        WEBSOCKET,
        name="dashscope.storage",
        method="POST",
        path=lazy_pattern(
            r"//dashscope[^/]*\.oss-[^/]+\.aliyuncs\.com/?|.*/api/v1/sandbox-storage/?"
        ),
    ),
    _at("tokenizer", "/tokenizer", object_of({"usage": object_of({}), "request_id": STRING})),
    _at("files", "/files(?:/.*)?", object_of({"request_id": STRING})),
    _at("file", "/files(?:/.*)?", object_of({"request_id": STRING}), "GET"),
    _at("file-removal", "/files/[^/]+", object_of({"request_id": STRING}), "DELETE"),
    *anthropic.endpoints("dashscope-anthropic", ".*/apps/anthropic", OPENAI_REFUSAL),
    *anthropic.endpoints(
        "dashscope-claude-code", ".*/api/v2/apps/claude-code-proxy", OPENAI_REFUSAL
    ),
)
"""The endpoints on DashScope's hosts that `endpoints.ENDPOINTS` does not have."""

COMPATIBLE_FURTHER: tuple[Endpoint, ...] = (
    *openai_endpoints.other_endpoints(
        "compatible", rf"(?:.*/compatible-(?:mode|api)|{_CODING})/v1", OPENAI_REFUSAL
    ),
    *responses.endpoints("compatible-responses", ".*/compatible-mode/v1", OPENAI_REFUSAL),
    Endpoint(
        name="compatible.models",
        method="GET",
        path=lazy_pattern(r".*/compatible-mode/v1/models(?:/[^/]+)*"),
        role=Role.LOOKUP,
        answer=openai_endpoints.MODELS_OR_ONE,
        refusal=OPENAI_REFUSAL,
        fields=openai_endpoints.SERVICE_FIELDS,
    ),
)
"""The endpoints in OpenAI's format that `compatible.ENDPOINTS` does not have."""
