"""One change to a valid answer that no fault makes is found by its rule."""

from __future__ import annotations

import pytest

from harness.analysis.edit import with_body
from harness.providers.rules import check
from harness.providers.samples import SAMPLES

from .making import edited, foreign

PLANTED = {
    "a choice that begins with 1": (
        "zhipu sync",
        '"index":0,"message"',
        '"index":1,"message"',
        "choices_are_as_requested",
    ),
    "a piece of text that is a number": (
        "anthropic stream",
        '"text_delta","text":"I look',
        '"text_delta","text":5,"x":"I look',
        "answer_fits_schema",
    ),
    "no counts at the end": (
        "anthropic stream",
        '"stop_sequence":null},"usage"',
        '"stop_sequence":null},"used"',
        "answer_fits_schema",
    ),
    "a part that is done with another text": (
        "responses stream",
        '"part":{"type":"output_text","text":"It is',
        '"part":{"type":"output_text","text":"It was',
        "deltas_join_to_items",
    ),
    "an item that is done by another name": (
        "responses stream",
        '"item":{"id":"msg_67ccd2bf17f0819081ff3bb2cf6508e6","type":"message","status":"completed"',
        '"item":{"id":"msg_2","type":"message","status":"completed"',
        "items_are_added_first",
    ),
    "a complete response without counts": (
        "responses whole",
        '"usage":{',
        '"used":{',
        "answer_fits_schema",
    ),
    "a failed response without an error": (
        "responses whole",
        '"status":"completed","output"',
        '"status":"failed","output"',
        "status_fits_details",
    ),
    "a tool of the service without a type": (
        "dashscope incremental",
        '"output":{',
        '"output":{"tool_info":[{}],',
        "answer_fits_schema",
    ),
    "details of a usage that are texts": (
        "zhipu reasoning",
        '"cached_tokens":',
        '"cached_tokens":"0","x":',
        "usage_is_not_negative",
    ),
    "counts of a beginning that are texts": (
        "anthropic stream",
        '"cache_read_input_tokens":',
        '"cache_read_input_tokens":"0","x":',
        "usage_is_not_negative",
    ),
    "a choice before the first": (
        "zhipu sync",
        '"index":0',
        '"index":-1',
        "choices_are_as_requested",
    ),
    "no role": ("zhipu sync", '"role":"assistant"', '"role":""', "role_is_known"),
    "a call without a type": (
        "zhipu tool and its result",
        '"type":"function"',
        '"type":""',
        "tool_type_is_known",
    ),
    "a time before 1970": (
        "compatible sync",
        '"created":',
        '"created":-',
        "created_agrees_with_date",
    ),
    "a message that begins as text": (
        "anthropic stream",
        '"content":[]',
        '"content":{}',
        "answer_fits_schema",
    ),
    "a part whose text is a number": (
        "responses stream",
        '"part":{"type":"output_text","text":"It is',
        '"part":{"type":"output_text","text":5,"x":"It is',
        "answer_fits_schema",
    ),
    "a ranking of a model without a name": (
        "zhipu rerank",
        '"request_id":',
        '"request_id":5,"x":',
        "answer_fits_schema",
    ),
    "a score beyond 1": (
        "dashscope rerank",
        '"relevance_score":0.7',
        '"relevance_score":1.7',
        "answer_fits_schema",
    ),
    "two items with one id": (
        "responses whole",
        '"output":[',
        '"output":[{"id":"msg_67ccd2bf17f0819081ff3bb2cf6508e6","type":"reasoning","summary":[]},',
        "items_are_as_documented",
    ),
    "a renamed text of a part": (
        "responses whole",
        '"type":"output_text","text":',
        '"type":"output_text","texts":',
        "fields_are_spelled_as_documented",
    ),
    "a piece of nothing known": (
        "dashscope multimodal",
        '"content":[{"text":',
        '"content":[{"words":',
        "answer_fits_schema",
    ),
    "a negative count that no schema has": (
        "zhipu reasoning",
        '"prompt_tokens_details":{',
        '"prompt_tokens_details":{"audio_tokens":-1,',
        "usage_is_not_negative",
    ),
    "a delta whose text has another name": (
        "zhipu stream",
        '"content":"',
        '"payload":"',
        "answer_fits_schema",
    ),
    "a part that was not added": (
        "responses stream",
        '"content_index":0,"delta"',
        '"content_index":9,"delta"',
        "items_are_added_first",
    ),
    "a call beyond the next": (
        "compatible streamed tool",
        '"index":0,"id":"call_',
        '"index":1,"id":"call_',
        "tool_pieces_belong",
    ),
    "a delta of another type than its text": (
        "anthropic stream",
        '"text_delta","text":"I look',
        '"words_delta","text":"I look',
        "answer_fits_schema",
    ),
    "a part before the first": (
        "responses stream",
        '"content_index":0',
        '"content_index":-1',
        "items_are_added_first",
    ),
    "an index of a block that is an object": (
        "anthropic stream",
        '"content_block_start","index":0',
        '"content_block_start","index":{}',
        "answer_fits_schema",
    ),
    "an index of a delta that is an array": (
        "anthropic stream",
        '"content_block_delta","index":0',
        '"content_block_delta","index":[]',
        "message_events_are_in_order",
    ),
    "a refusal in an event with the status 200": (
        "dashscope incremental",
        '"output":{',
        '"code":"X","message":"y","output":{',
        "dashscope_event_tells_status",
    ),
}


@pytest.mark.parametrize(("name", "old", "new", "rule"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(name: str, old: str, new: str, rule: str) -> None:
    """The sample without it breaks no rule, as other tests check."""
    first, *rest = SAMPLES[name]
    findings = check(foreign(edited(first, old, new), *rest))
    assert rule in {finding.rule for finding in findings}


def test_words_of_no_sound_at_all_are_found() -> None:
    """A file of words has at least one channel."""
    *earlier, words = SAMPLES["dashscope transcription"]
    start = words.response.body.index(b'"transcripts"')
    empty = with_body(words, words.response.body[:start] + b'"transcripts":[]}')
    assert "answer_fits_schema" in {f.rule for f in check(foreign(*earlier, empty))}
