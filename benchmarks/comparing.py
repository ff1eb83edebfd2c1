"""Two large answers that differ in many places, compared."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.compare import compare
from harness.providers import endpoints
from harness.types import Exchange, LooseJson, Request, Response, Transcript, Turn

ITEMS = 1_666
"""Of six values each: together 10,000."""


def document(step: int) -> LooseJson:
    """An answer of 1 MB with 10,000 values; of two with another step, a third of them differ."""
    items = [
        {
            "id": n,
            "name": f"{n % step} " * 100,
            "price": n % step,
            "tags": ["茶" * 60, None, "b" * 60],
        }
        for n in range(ITEMS)
    ]
    return {"choices": [{"message": {"content": "", "items": items}}]}


def compared() -> Callable[[], None]:
    """An action: both read and compared."""
    bodies = [json.dumps(document(step), ensure_ascii=False).encode() for step in (997, 991)]

    def action() -> None:
        found = compare(_read(bodies[0]), _read(bodies[1]))
        assert len(found.told) > 1_000  # noqa: S101 - or nothing was measured

    return action


def _read(body: bytes) -> AnalyzedTranscript:
    uri = "https://there/api/paas/v4/chat/completions"
    response = Response(200, "", (("content-type", "application/json"),), body)
    turn = Turn(1, (Exchange(Request("POST", uri), response),))
    return analyze(Transcript("s", "t", (turn,)), endpoints.recognise)
