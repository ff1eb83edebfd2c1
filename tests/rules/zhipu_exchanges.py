"""Builders of Zhipu's exchanges, and its sample exchanges by shorter names."""

from __future__ import annotations

from exchanges import USAGE

from harness.providers.samples import SAMPLES
from harness.types import Json

ZHIPU = "https://open.bigmodel.cn/api/paas/v4"
CHAT = f"{ZHIPU}/chat/completions"
LOG = "20251015010747037842e5920240d7"
HEAD: dict[str, Json] = {"id": LOG, "created": 1760461667, "model": "glm-4"}


def answer(choices: Json) -> dict[str, Json]:
    """Return the body of a chat completion of Zhipu with these choices."""
    return {**HEAD, "request_id": LOG, "choices": choices, "usage": USAGE}


def event(finish: str | None = None, **delta: Json) -> Json:
    """Return an event of a streamed chat completion; *delta* are the members of its delta."""
    choice: Json = {"index": 0, **({"finish_reason": finish} if finish else {}), "delta": delta}
    return {**HEAD, "choices": [choice], **({"usage": USAGE} if finish else {})}


(SYNC,) = SAMPLES["zhipu sync"]
(STREAM,) = SAMPLES["zhipu stream"]
TOOL, TOOL_RESULT = SAMPLES["zhipu tool and its result"]
(TOOL_STREAM,) = SAMPLES["zhipu streamed tool, two finishing events"]
(REFUSED,) = SAMPLES["zhipu refusal"]
DRAWN, _ = SAMPLES["zhipu image"]
REASONED, REASONED_ON = SAMPLES["zhipu reasoning sent back"]
SAME, SAME_STREAM = SAMPLES["zhipu same answer, document and stream"]
