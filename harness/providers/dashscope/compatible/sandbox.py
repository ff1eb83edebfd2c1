"""DashScope's API in OpenAI's format in the sandbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.providers.dashscope.sandbox import compatible_headers
from harness.providers.dashscope.sandbox.generation import reasons
from harness.providers.openai.sandbox import RANGES, REFUSALS, ServiceFacts, server
from harness.sandbox.requests import Reason, Refused, read_refusals
from harness.sandbox.state import SandboxState
from harness.types import Call, Mode


def _serves(state: SandboxState, model: str, kind: str) -> bool:
    """Return whether the service has a model; a chat is served here at one endpoint for all."""
    if kind not in ("chat", "embedding", "rerank"):
        return False
    try:
        state.find_model("dashscope", model, kind)
    except Refused:
        return False
    return True


def _thinks(state: SandboxState, call: Call) -> bool:
    """Return whether a model reasons. Raises Refused for one that does only in a stream."""
    row = state.find_model("dashscope", call.model, "chat")
    try:
        return reasons(row, call.parameters, streamed=call.mode is Mode.STREAM)
    except Refused as refused:
        raise Refused(Reason.STREAM_ONLY, refused.detail) from None


SERVER = replace(
    server(
        "/compatible-mode/v1",
        ServiceFacts(
            serves=_serves,
            ranges=RANGES,
            listed=("qwen-flash", "qwen-plus", "qwen3.7-max", "text-embedding-v4"),
            refusals={**REFUSALS, **read_refusals(Path(__file__).with_name("refusals.toml"))},
            thinks=_thinks,
            always_finish_reason=False,  # [REC]
            headers=compatible_headers,
        ),
    ),
    other_prefix="/compatible-api/v1",
)
