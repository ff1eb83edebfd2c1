"""Wrong values in answers of each kind: links, counts, indices, and files behind links."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.analysis.transcript import transcript_of
from harness.providers import endpoints
from harness.providers.rules import check
from harness.providers.samples import SAMPLES
from harness.types import Cassette, Json


def broken(name: str, number: int, pointer: str, value: Json) -> set[str]:
    """Return the rules that a sample breaks with another value in its answer *number*."""
    exchanges = list(SAMPLES[name])
    response = exchanges[number].response
    node = body = json.loads(response.body)
    *parents, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
    for step in parents:
        node = node[step]
    node[last] = value
    changed = replace(response, body=json.dumps(body).encode())
    exchanges[number] = replace(exchanges[number], response=changed)
    transcript = transcript_of(Cassette(tuple(exchanges)), endpoints.recognise)
    return {finding.rule for finding in check(transcript)}


@pytest.mark.parametrize(
    ("name", "number", "pointer", "value", "rule"),
    [
        ("dashscope speech", 0, "/output/audio/url", "/a.wav", "file_link_is_absolute"),
        ("dashscope speech", 0, "/output/audio/url", "", "file_link_is_absolute"),
        ("dashscope speech", 0, "/usage/characters", -5, "usage_is_not_negative"),
        ("dashscope video", 1, "/output/video_url", "/a.mp4", "file_link_is_absolute"),
        ("zhipu video", 1, "/video_result/0/url", "", "file_link_is_absolute"),
        (
            "dashscope transcription",
            1,
            "/output/results/0",
            {"subtask_status": "SUCCEEDED"},
            "answer_fits_schema",
        ),
        (
            "dashscope transcription",
            1,
            "/output/results/0/transcription_url",
            "a.json",
            "file_link_is_absolute",
        ),
        ("dashscope transcription", 2, "/transcripts/0/text", 5, "answer_fits_schema"),
        (
            "dashscope multimodal embedding",
            0,
            "/output/embeddings/0/index",
            9,
            "embedding_for_each_text",
        ),
        ("dashscope rerank", 0, "/output/results", [], "answer_fits_schema"),
        (
            "dashscope message",
            0,
            "/usage/plugins",
            {"search": {"count": -1}},
            "usage_is_not_negative",
        ),
        ("compatible with two choices", 0, "/choices/1/index", 5, "choices_are_as_requested"),
    ],
)
def test_a_wrong_value_is_found(
    name: str, number: int, pointer: str, value: Json, rule: str
) -> None:
    """By its rule; the sample itself breaks none."""
    assert rule in broken(name, number, pointer, value)
