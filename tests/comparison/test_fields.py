"""Where every field stands, in recorded bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.cassette import store
from harness.comparison.fields import (
    FIELDS,
    AnswerForm,
    FieldCell,
    FieldMatrix,
    Presence,
    field_matrix,
    presence,
)
from harness.providers import endpoints, recordings
from harness.types import Exchange, Request, Response, Transcript, Turn

SHIPPED = Path(__file__).parents[2] / "cassettes"
RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"

CHAT = "/api/paas/v4/chat/completions"
GENERATION = "/api/v1/services/aigc/text-generation/generation"
MESSAGES = {"model": "m", "messages": [{"role": "user", "content": "?"}]}


def exchange(path: str, *answers: Any, request: Any = None, status: int = 200) -> Exchange:
    """An exchange with one JSON answer, or a stream of several."""
    body = json.dumps(answers[0]).encode()
    kind = "application/json"
    if len(answers) > 1:
        body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in answers)
        kind = "text/event-stream"
    return Exchange(
        Request("POST", f"https://there{path}", (), json.dumps(request or MESSAGES).encode()),
        Response(status, "", (("content-type", kind),), body),
    )


def transcript_of(*exchanges: Exchange, target: str = "ours/m") -> AnalyzedTranscript:
    """A transcript of one turn for each exchange."""
    turns = tuple(Turn(n, (e,)) for n, e in enumerate(exchanges, start=1))
    return analyze(Transcript("s", target, turns, source="a.yaml"), endpoints.recognise)


def says(content: Any) -> Any:
    """An answer in the chat form."""
    return {"choices": [{"message": {"content": content}}]}


def cell(result: FieldMatrix, field: str, form: int = 0) -> FieldCell:
    """One field in one form."""
    return next(row for row in result.rows if row.field.name == field).cells[form]


def places(
    result: FieldMatrix, field: str, form: int = 0
) -> list[tuple[str, tuple[str, ...], str]]:
    """Where one field stands in one form, with its types and how often."""
    sites = cell(result, field, form).sites
    return [(s.pointer, s.types, f"{s.presence} {s.present}/{s.of}") for s in sites]


def test_a_field_has_its_place_types_and_number() -> None:
    """A key that is there is present, whatever its type; the exchange is told with it."""
    answers: list[Any] = [says("x"), says(None), {"choices": [{"message": {}}]}]
    result = field_matrix([transcript_of(*(exchange(CHAT, answer) for answer in answers))])
    assert result.forms == (AnswerForm("zhipuai.chat", "answer", "messages", "ours/m"),)
    assert tuple(one.answers for one in result.columns) == (3,)
    assert places(result, "content") == [
        ("/choices/0/message/content", ("null", "string"), "sometimes 2/3")
    ]
    evidence = cell(result, "content").sites[0].evidence
    assert (evidence.source, evidence.exchange, evidence.event) == ("a.yaml", 1, None)


def test_a_field_that_is_nowhere_is_never_there() -> None:
    """What was looked at is told; of refusals nobody expects content."""
    refusal = exchange(CHAT, {"error": {"code": "1", "message": "m"}}, status=400)
    result = field_matrix([transcript_of(exchange(CHAT, says("x")), refusal)])
    never = cell(result, "reasoning", 0)
    assert (never.presence, never.of, never.expected) == (Presence.NEVER, 1, True)
    assert never.pointers[0] == "/choices/0/message/reasoning_content"
    assert not cell(result, "content", 1).expected
    assert places(result, "error code", 1) == [("/error/code", ("string",), "always 1/1")]


def test_prompt_and_messages_are_two_forms() -> None:
    """The text of an answer to a prompt stands elsewhere than that of one to messages."""
    text = {"output": {"text": "x", "finish_reason": "stop"}}
    choices = {"output": {"choices": [{"message": {"content": "x"}}]}}
    result = field_matrix(
        [
            transcript_of(
                exchange(GENERATION, text, request={"model": "m", "input": {"prompt": "?"}}),
                exchange(GENERATION, choices, request={"model": "m", "input": MESSAGES}),
            )
        ]
    )
    assert [form.request for form in result.forms] == ["messages", "prompt"]
    assert [places(result, "content", form)[0][0] for form in (0, 1)] == [
        "/output/choices/0/message/content",
        "/output/text",
    ]
    assert result.has_differences


def test_one_event_is_enough_for_a_stream_to_have_a_field() -> None:
    """A stream is one answer; of its events it is told in how many the field is."""
    events = ({"choices": [{"delta": {"content": "x"}}]}, {"choices": [{"finish_reason": "stop"}]})
    result = field_matrix([transcript_of(exchange(CHAT, *events))])
    (site,) = cell(result, "finish reason").sites
    assert (site.present, site.of, site.events, site.of_events) == (1, 1, 1, 2)
    assert site.evidence.event == 2


def test_a_refusal_may_come_with_http_200() -> None:
    """It is no answer that lacks its content."""
    result = field_matrix(
        [transcript_of(exchange(CHAT, {"error": {"code": "1305", "message": "busy"}}))]
    )
    assert [form.response for form in result.forms] == ["refusal"]


def test_a_transcript_without_target_is_named_by_dialect_and_model() -> None:
    """Another tool's cassette says no target, but its requests name a model."""
    result = field_matrix([transcript_of(exchange(CHAT, says("x")), target="")])
    assert result.forms[0].target == "zhipuai/m"


def test_nothing_makes_an_empty_matrix() -> None:
    """No transcript has no form; every field has its row all the same."""
    result = field_matrix([])
    assert (result.forms, len(result.rows), result.has_differences) == ((), len(FIELDS), False)
    assert presence(0, 0) is Presence.NEVER


def test_the_shipped_cassettes_cover_what_there_is() -> None:
    """Every way of asking and answering, and the place of each in the recorded bytes."""
    result = field_matrix(recordings.read_cassette(path) for path in store.find([SHIPPED]))
    ways = {(form.endpoint.partition(".")[0], form.response) for form in result.forms}
    assert {json_answer for _, json_answer in ways} == {
        *("answer", "stream", "refusal"),
        *("task accepted", "task running", "task ended"),
    }
    assert {form.request for form in result.forms} == {"messages", "prompt"}, "polls as their task"
    images = {
        site.pointer
        for position in range(len(result.forms))
        for site in cell(result, "image url", position).sites
    }
    assert images == {
        *("/data/[]/url", "/output/results/[]/url"),
        "/output/choices/[]/message/content/[]/image",
    }


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the real recordings are not beside this")
def test_real_recordings_keep_content_where_the_dialects_say() -> None:
    """A compatible answer and a native one, asked by messages and by prompt."""
    folder = RECORDINGS / "dashscope-compatible"
    native = RECORDINGS / "dashscope" / "test_generation_call_basic.yaml"
    result = field_matrix(recordings.read_cassette(path) for path in store.find([folder, native]))
    where = {
        (form.endpoint, form.response): {s.pointer for s in cell(result, "content", at).sites}
        for at, form in enumerate(result.forms)
    }
    assert where == {
        ("compatible.chat", "answer"): {"/choices/0/message/content"},
        ("compatible.chat", "stream"): {"/choices/0/delta/content"},
        ("compatible.chat", "refusal"): set(),
        ("dashscope.generation", "answer"): {"/output/text"},
    }
