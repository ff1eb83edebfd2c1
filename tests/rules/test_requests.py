"""What an SDK sends of a call without messages."""

from __future__ import annotations

import pytest

from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.providers.responses.endpoints import conversation
from harness.rules.requests import conversation_travels
from harness.types import Call, CallKind, Json, Mode, Transcript, Turn

from .dashscope_exchanges import TEXT


@pytest.mark.parametrize(("prompt", "count"), [("Count to 3", 0), ("Count to 4", 1)])
def test_another_prompt_than_that_of_the_call_is_a_finding(prompt: str, count: int) -> None:
    """The request of the sample has the first one."""
    call = Call(CallKind.PROMPT, Mode.SYNC, "qwen-flash", prompt=prompt)
    transcript = Transcript("s", "dashscope/qwen-flash", (Turn(1, (TEXT,), call),))
    findings = list(conversation_travels(analyze(transcript, recognise)))
    assert [finding.place.pointer for finding in findings] == ["/input/prompt"] * count


def test_the_members_of_a_text_in_a_response_are_read() -> None:
    """A mark for the cache is compared with that of the call; texts alone are one text."""
    text: dict[str, Json] = {"type": "input_text", "text": "a"}
    marked: dict[str, Json] = {**text, "cache_control": {"type": "ephemeral"}}
    cases: list[tuple[list[Json], Json]] = [
        ([text, text], "aa"),
        ([marked], [{**marked, "type": "text"}]),
    ]
    for parts, content in cases:
        sent: dict[str, Json] = {"role": "user", "content": parts}
        assert conversation({"input": [sent]}) == [("/input/0", {**sent, "content": content})]
