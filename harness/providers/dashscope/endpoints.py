"""The endpoints of DashScope's own API (Qwen, Wanx), with schemas and field locations.

B1 to B7 are sections of docs/WIRE_FACTS.md. The tags are explained in `harness.providers`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.endpoint_table import EndpointTable
from harness.analysis.json_schema import either
from harness.config.settings import load_models
from harness.errors import Unsupported
from harness.providers.anthropic import endpoints as anthropic
from harness.providers.dashscope import compatible
from harness.providers.dashscope.compatible import translates
from harness.providers.openai import endpoints as openai_endpoints
from harness.providers.responses import endpoints as responses
from harness.types import Call, Json
from harness.wire import resolve


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

    It does if a parameter asks for it (`enable_search`, `enable_code_interpreter`, `skill`), or if
    the model is qwen-deep-research: [DOC], section C4 of docs/WIRE_FACTS.md.
    """
    deep = str(resolve(request, "/model")).startswith("qwen-deep-research")
    if deep or resolve(request, "/parameters/skill"):
        return True
    return any(resolve(request, f"/parameters/{name}") is True for name in compatible.SERVER_TOOLS)


def keeps_reasoning(request: Json) -> bool:
    """Return whether *request* sets the parameter `preserve_thinking: true`.

    The model then reads the reasoning of earlier answers, and the request has to send it back,
    although the service does not refuse a request that lacks it: [DOC], section C1 of
    docs/WIRE_FACTS.md.
    """
    return resolve(request, "/parameters/preserve_thinking") is True


TABLE = EndpointTable(
    Path(__file__).with_suffix(".toml"),
    *(cumulative, keeps_reasoning, compatible.counts_reasoning, runs_tools),
    base=openai_endpoints.TABLE,
)


def _output(content: str, call: str) -> Schema:
    """Return the schema of `output` [REC] B1, B2.

    It has either `text` and `finish_reason`, or `choices`. Of a choice `index` is optional: it is
    absent in answers of 2024 and in multimodal ones. So is the finish reason of an event: models of
    other vendors have one in the last event only [FIELD].

    Args:
        content: The name of the schema of a message's content.
        call: The name of the schema of a tool call.
    """
    calls = {"$type": ["array", "null"], "$items": call}
    message = {
        **{"role": "string", "content": content},
        **{"reasoning_content?": "text", "tool_calls?": calls},
    }
    reason = "finish_reason?" if call == "tool_call_piece" else "finish_reason"
    choice = {"message": message, "index?": "integer", reason: "name|null"}
    members = {"text?": "string", "finish_reason?": "string", "choices?": [choice, 1]}
    forms = ({"$required": ["text", "finish_reason"]}, {"$required": ["choices"]})
    meaning = "`text` and `finish_reason`, or `choices`"
    tools = [{"type": "name"}]
    return TABLE.schema({**members, "tool_info?": tools, "$either": [meaning, *forms]})


def _or(output: Schema, what: str, form: Any) -> Schema:
    """Return the schema *output* with one more alternative, described by *what*."""
    meaning = f"{output['description']}, or {what}"
    return {**output, **either(meaning, *output["anyOf"], TABLE.schema(form))}


# As from qwen-tts: an answer with nothing but a sound.
_SOUND = ("`audio`", {"$required": ["audio"], "$properties": {"audio": "sound"}})

# [FIELD] C4: the events of qwen-deep-research, with the service's spelling.
_SAID = dict.fromkeys(("phase?", "status?", "content?"), "text")
_RESEARCH = ("`message` and `fininshed_reason`", {"message": _SAID, "fininshed_reason": "text"})

TABLE.schemas |= {
    "text_output": _output("text", "tool_call"),
    "text_pieces": _or(_output("text", "tool_call_piece"), *_RESEARCH),
    "mixed_output": _or(_output("mixed", "tool_call"), *_SOUND),
    "mixed_pieces": _or(_output("mixed", "tool_call_piece"), *_SOUND),
}

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
    model = load_models(os.getcwd()).find("dashscope", call.model, call.task_kind)
    name = call.endpoint or (model.endpoint if model else "") or _OTHERWISE[call.task_kind]
    if name not in _NAMED:
        raise Unsupported(f"dashscope has no endpoint {name!r}; there are: {', '.join(_NAMED)}")
    return _NAMED[name]
