"""Helpers that change exchanges and put them into transcripts."""

from __future__ import annotations

from harness.analysis.edit import with_body, with_request
from harness.analysis.transcript import transcript_of
from harness.providers import endpoints
from harness.types import (
    Call,
    CallKind,
    Cassette,
    Exchange,
    Expectation,
    Message,
    Mode,
    Outcome,
    Transcript,
    Turn,
)


def edited(whole: Exchange, old: str, new: str, times: int = 1) -> Exchange:
    """Return the exchange with *old* replaced in the body of its answer."""
    body = whole.response.body
    assert old.encode() in body, f"{old} is not in {body.decode()}"
    changed = body.replace(old.encode(), new.encode(), times)
    return with_body(whole, changed)


def asking(whole: Exchange, old: str, new: str) -> Exchange:
    """Return the exchange with *old* replaced in the body of its request."""
    body = whole.request.body
    assert old.encode() in body, f"{old} is not in {body.decode()}"
    changed = body.replace(old.encode(), new.encode(), 1)
    return with_request(whole, changed)


def foreign(*exchanges: Exchange) -> Transcript:
    """Return a transcript of exchanges that another tool recorded, without an SDK."""
    return transcript_of(Cassette(exchanges), endpoints.recognise, source="test.yaml")


def played(
    *exchanges: Exchange, outcome: Outcome | None = None, expect: Expectation | None = None
) -> Transcript:
    """Return a transcript of one turn that an SDK ran."""
    turn = Turn(1, exchanges, outcome=outcome, expect=expect or Expectation())
    return Transcript("weather", "zhipuai/glm-5.3-flash", (turn,))


def talked(*turns: tuple[tuple[Message, ...], Exchange]) -> Transcript:
    """Return a transcript of several turns, each with the messages of its call."""
    numbered = (
        Turn(n, (whole,), Call(CallKind.CHAT, Mode.SYNC, "glm-4", messages))
        for n, (messages, whole) in enumerate(turns, start=1)
    )
    return Transcript("weather", "zhipuai/glm-5.3-flash", tuple(numbered))
