"""What the live services really sent breaks no rule, a few known oddities excepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cassette, dialects
from harness.reading import transcript_of
from harness.rules import check

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
FILES = sorted(RECORDINGS.glob("*/*.yaml"))

NO_TOOL_CALL_ID = ("tool_results_answer_calls", "turn 1, exchange 1, /messages/2")
"""The recording client (req_llm) sends tool results without `tool_call_id`; Z.ai answered."""

ODDITIES: dict[str, list[tuple[str, str]]] = {
    "zhipu/glm_4_5__tool_round_trip_2.yaml": [NO_TOOL_CALL_ID],
    "zhipu/glm_4_5_air__tool_round_trip_2.yaml": [NO_TOOL_CALL_ID],
    "zhipu/glm_4_5_flash__tool_round_trip_2.yaml": [NO_TOOL_CALL_ID],
    "zhipu/glm_4_5v__tool_round_trip_2.yaml": [NO_TOOL_CALL_ID],
    "zhipu/glm_4_6__tool_round_trip_2.yaml": [NO_TOOL_CALL_ID],
    # The recording client (crewAI) writes the tool's result into the assistant's own message and
    # lets the model go on from there: the history is changed, and the assistant speaks last.
    "dashscope-compatible/TestToolCalls.test_agent_with_single_tool.yaml": [
        ("messages_are_well_formed", "turn 2, exchange 2, /messages/2"),
        ("messages_are_well_formed", "turn 4, exchange 4, /messages/2"),
        ("history_is_carried", "turn 2, exchange 2, /messages/2"),
        ("history_is_carried", "turn 4, exchange 4, /messages/2"),
    ],
}

absent = pytest.mark.skipif(not FILES, reason=f"no real recordings at {RECORDINGS}")


@absent
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_recording_breaks_no_rule(path: Path) -> None:
    """Each finding is a known oddity of the program that recorded, and each oddity is found."""
    recorded = cassette.loads(path.read_text(encoding="utf-8"), str(path))
    findings = check(transcript_of(recorded, dialects.recognise))
    told = [(finding.rule, str(finding.place)) for finding in findings]
    assert told == ODDITIES.get(path.relative_to(RECORDINGS).as_posix(), [])


@absent
def test_every_recorded_exchange_is_recognised() -> None:
    """An exchange that no endpoint fits would not be checked at all."""
    recorded = [cassette.loads(path.read_text(encoding="utf-8"), str(path)) for path in FILES]
    endpoints = [dialects.recognise(e) for told in recorded for e in told.exchanges]
    assert len(endpoints) == 197
    assert None not in endpoints
