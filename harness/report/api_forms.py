"""Ways of asking: a provider's messages, its prompt, its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.types import CallKind, Reply
from harness.wire import walk


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A way of asking: in which form (`messages`, `prompt`, `image`), and of whom."""

    image: bool
    provider: str
    asked: str

    def __str__(self) -> str:
        return f"{self.provider} · {self.asked}"

    @property
    def topic(self) -> str:
        """What it asks for: `image` or `text`."""
        return "image" if self.image else "text"


def way(read: AnalyzedTranscript, turn: AnalyzedTurn) -> Way:
    """How a turn was asked, and of whom."""
    known = next((r.endpoint for r in turn.readings if r.endpoint), None)
    provider = known.dialect if known else read.transcript.target.partition("/")[0]
    asked = _asked(turn)
    return Way(asked == CallKind.IMAGE, provider or "?", asked)


def _asked(turn: AnalyzedTurn) -> str:
    call = turn.turn.call
    if call is not None:
        return "messages" if call.kind is CallKind.CHAT else call.kind.value
    if isinstance(turn.outcome, Reply) and turn.outcome.images:
        return CallKind.IMAGE.value
    first = turn.readings[0].request_json if turn.readings else None
    paths = [pointer for pointer, _ in walk(first.value)] if first and not first.problem else []
    if any(path.endswith("/messages") for path in paths):
        return "messages"
    return "prompt" if any(path.endswith("/prompt") for path in paths) else "other"
