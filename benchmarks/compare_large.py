"""Compare two large answers that differ in many places."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.comparison.pairs import compare
from harness.providers import endpoints
from harness.types import Exchange, Request, Response, Transcript, Turn

ITEMS = 1_666
"""Items of six values each: 10,000 values in all."""


def document(step: int) -> Any:
    """Return an answer of 1 MB with 10,000 values; a third differ between two steps."""
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


def comparison() -> Callable[[], None]:
    """Return an action that reads and compares two such answers."""
    bodies = [json.dumps(document(step), ensure_ascii=False).encode() for step in (997, 991)]

    def action() -> None:
        comparison = compare(_read(bodies[0]), _read(bodies[1]))
        assert len(comparison.all_differences) > 1_000  # noqa: S101 - else nothing was measured

    return action


def _read(body: bytes) -> AnalyzedTranscript:
    uri = "https://there/api/paas/v4/chat/completions"
    response = Response(200, "", (("content-type", "application/json"),), body)
    turn = Turn(1, (Exchange(Request("POST", uri), response),))
    return analyze(Transcript("s", "t", (turn,)), endpoints.recognise)
