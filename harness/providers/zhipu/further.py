"""The endpoints of Zhipu's API that no scenario asks: files, searches, speech and so on.

Their answers are documented ([DOC] docs.bigmodel.cn/api-reference, C2) and were never recorded
here, so that the schemas name no more than a program needs. Its chats in
other formats are here too.
"""

from __future__ import annotations

import re
from dataclasses import replace

from harness.analysis.endpoint import Endpoint, Role, Schema
from harness.analysis.json_schema import NUMBER, OBJECT, STRING, array, either, having, record
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.responses import endpoints as responses
from harness.providers.zhipu.endpoints import (
    CHAT_FIELDS,
    FINISH_REASONS,
    LOOSE_REFUSAL,
    VIDEOS,
)

_FIELDS = replace(
    CHAT_FIELDS, code=("/error/code", "/code"), message=("/error/message", "/message", "/msg")
)


def _at(name: str, path: str, answer: Schema, method: str = "POST") -> Endpoint:
    return Endpoint(
        name=f"zhipuai.{name}",
        method=method,
        path=re.compile(f".*/paas/v4{path}"),
        role=Role.LOOKUP,
        answer=answer,
        refusal=LOOSE_REFUSAL,
        fields=_FIELDS,
    )


_CHOICES: Schema = record({"choices": array(record({}))})

# [REC] C2: `error` beside `status: failed`, with HTTP 200.
_AGENT: Schema = either("`choices`, or a `status`", having("choices"), having("status"))

FURTHER: tuple[Endpoint, ...] = (
    replace(VIDEOS, name="zhipuai.async-images", path=re.compile(r".*/async/images/generations")),
    _at("voices", "/(?:audio/customization|voice/.*)", OBJECT),
    _at("voice-list", "/voice/list", OBJECT, "GET"),
    _at("web-search", "/web_search", record({"search_result": array(record({}))})),
    *openai_endpoints.other_endpoints("zhipuai", ".*/paas/v4", LOOSE_REFUSAL),
    _at("parser", "/files/(?:parser/.*|ocr)", OBJECT),
    _at("tools", "/tools", _CHOICES),
    _at("reader", "/reader", record({"reader_result": record({})})),
    _at("assistant", "/assistant(?:/.*)?", OBJECT),
    _at("layout-parsing", "/layout_parsing", record({"id": STRING, "md_results": STRING})),
    _at("tokenizer", "/tokenizer", record({"usage": record({"prompt_tokens": NUMBER})})),
    _at("models", "/models(?:/[^/]+)?", OBJECT, "GET"),
    replace(
        _at("agents", "", _AGENT),
        path=re.compile(r".*/v1/agents(?:/.*)?"),
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
        path=re.compile(r".*/api/mcp/[^/]+/mcp"),
        fields=replace(_FIELDS, refused=()),
    ),
    *anthropic.endpoints("zhipuai-anthropic", ".*/api/anthropic", LOOSE_REFUSAL),
    *responses.endpoints(
        "zhipuai-responses", "//(?:api.z.ai|open.bigmodel.cn)/api/v1", LOOSE_REFUSAL
    ),
)
"""The endpoints on Zhipu's hosts that `endpoints.ENDPOINTS` does not have."""
