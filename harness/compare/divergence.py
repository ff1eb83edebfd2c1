"""The first turn in which two conversations part by more than wording.

From there on they are two conversations: what differs later follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.compare.types import Difference, Divergence, Kind, Layer, TurnComparison

ALIKE = 0.2
"""Texts that have less in common say something else, as `engine.similarity` measures it. Five real
models that answered the same five questions were alike by 0.19 to 0.98."""


_REASONS: Sequence[tuple[str, str]] = (
    ("/outcome", "failure"),
    ("/status", "failure"),
    ("/tool_calls", "tool call"),
    ("/finish_reason", "finish reason"),
    ("/content/", "JSON"),
    ("/images", "images"),
    ("/content", "text"),
)
"""Where in an answer two can part, and what that is called; what weighs more comes first."""


def divergence(turns: Iterable[TurnComparison]) -> Divergence | None:
    """The first turn that parts by more than wording, counts and times; None if none does."""
    found = (_parted(turn.number, turn.differences) for turn in turns)
    return next((each for each in found if each is not None), None)


def _parted(turn: int, differences: Sequence[Difference]) -> Divergence | None:
    for told in differences:
        if told.kind is Kind.MISSING_TURN:
            return Divergence(turn, "turn", told)
    for path, why in _REASONS:
        there = [d for d in differences if _is_there(d, path) and not _is_wording(d)]
        if there:
            return Divergence(turn, why, min(there, key=lambda d: "/arguments" in d.spot.path))
    return None


def _is_there(told: Difference, path: str) -> bool:
    if told.layer is not Layer.ANSWER:
        return False
    own = told.spot.path
    return own.startswith(path) if path.endswith("/") else own == path or own.startswith(path + "/")


def _is_wording(told: Difference) -> bool:
    """Whether two texts are alike, or one is empty where the other is none, beside tool calls."""
    if told.spot.path != "/content":
        return False
    if told.similarity is None:
        return not told.left and not told.right
    return told.similarity >= ALIKE
