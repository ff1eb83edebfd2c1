"""What an SDK sends of a call without messages."""

from __future__ import annotations

import pytest

from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.rules.requests import conversation_travels
from harness.types import Call, CallKind, Mode, Transcript, Turn

from .dashscope_exchanges import TEXT


@pytest.mark.parametrize(("prompt", "count"), [("Count to 3", 0), ("Count to 4", 1)])
def test_another_prompt_than_that_of_the_call_is_a_finding(prompt: str, count: int) -> None:
    """The request of the sample has the first one."""
    call = Call(CallKind.PROMPT, Mode.SYNC, "qwen-flash", prompt=prompt)
    transcript = Transcript("s", "dashscope/qwen-flash", (Turn(1, (TEXT,), call),))
    findings = list(conversation_travels(analyze(transcript, recognise)))
    assert [finding.place.pointer for finding in findings] == ["/input/prompt"] * count
