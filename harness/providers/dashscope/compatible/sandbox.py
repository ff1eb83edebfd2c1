"""DashScope's API in OpenAI's format in the sandbox."""

from __future__ import annotations

from dataclasses import replace

from harness.providers.dashscope.sandbox import compatible_headers
from harness.providers.openai.sandbox import REFUSALS, ServiceFacts, server
from harness.sandbox.requests import Reason, Refused
from harness.sandbox.state import SandboxState


def _serves(state: SandboxState, model: str, kind: str) -> bool:
    """Return whether the service has a model; a chat is served here at one endpoint for all."""
    if kind not in ("chat", "embedding", "rerank"):
        return False
    try:
        state.find_model("dashscope", model, kind)
    except Refused:
        return False
    return True


SERVER = replace(
    server(
        "/compatible-mode/v1",
        ServiceFacts(
            serves=_serves,
            listed=("qwen-flash", "qwen-plus", "qwen3-max", "text-embedding-v4"),
            # [DOC] error-code: codes and messages of this API
            refusals={
                **REFUSALS,
                Reason.THROTTLED: (
                    429,
                    "limit_requests",
                    "You exceeded your current requests list.",
                ),
                Reason.FORBIDDEN: (
                    400,
                    "data_inspection_failed",
                    "Input data may contain inappropriate content.",
                ),
            },
            always_finish_reason=False,  # [REC]
            headers=compatible_headers,
        ),
    ),
    other_prefix="/compatible-api/v1",
)
