"""The endpoints of Zhipu's API (BigModel, Z.ai), with schemas and field locations.

A1 to A6 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

from pathlib import Path

from harness.analysis.endpoint_table import EndpointTable
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.responses import endpoints as responses
from harness.types import Json
from harness.wire import query, resolve


def runs_tools(request: Json) -> bool:
    """Return whether *request* names tools that the service itself runs, such as `web_search`."""
    return any(kind != "function" for _, kind in query(request, "/tools/[]/type"))


def keeps_reasoning(request: Json) -> bool:
    """Return whether *request* sets `thinking.clear_thinking` to false; its default is true.

    The model then reads the reasoning of earlier answers, which the request has to send back.
    [DOC] docs.bigmodel.cn thinking-mode.
    """
    return resolve(request, "/thinking/clear_thinking") is False


def counts_reasoning(request: Json) -> bool:
    """Return whether the model of *request* reports how many tokens its reasoning has.

    Answers of glm-5.3 do [REC 2026-08-21]; answers of the models of 2025 do not [REC].
    """
    return str(resolve(request, "/model")).startswith(("glm-5.3", "glm-5.4"))


_ADDRESS = ".*/paas/v4"

TABLE = EndpointTable(
    Path(__file__).with_suffix(".toml"),
    *(runs_tools, keeps_reasoning, counts_reasoning),
    base=openai_endpoints.TABLE,
)
NAMED = TABLE.endpoints("zhipuai", _ADDRESS)
ENDPOINTS = tuple(NAMED.values())
CHAT, ASYNC_RESULT, VIDEOS = NAMED["chat"], NAMED["async-result"], NAMED["videos"]
SPEECH, TRANSCRIPTIONS = NAMED["speech"], NAMED["transcriptions"]

_REFUSAL = TABLE.schema("loose_refusal")

FURTHER = (
    *TABLE.endpoints("zhipuai", _ADDRESS, "spoken").values(),
    *openai_endpoints.other_endpoints("zhipuai", _ADDRESS, _REFUSAL),
    *TABLE.endpoints("zhipuai", _ADDRESS, "further").values(),
    *anthropic.endpoints("zhipuai-anthropic", ".*/api/anthropic", _REFUSAL),
    *responses.endpoints("zhipuai-responses", "//(?:api.z.ai|open.bigmodel.cn)/api/v1", _REFUSAL),
)
"""The endpoints of the same hosts that scenarios do not ask, and chats in other formats."""
