"""Refusals, and the texts, times and tokens of answers."""

from __future__ import annotations

import pytest
from exchanges import USAGE, choices, post

from harness.analysis.edit import with_status
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.rules.answers import (
    answer_says_something,
    created_agrees_with_date,
    log_probabilities_fit_text,
    reasoning_is_kept_apart,
    refusal_fits_schema,
    refusal_status_fits_code,
)
from harness.types import Json
from harness.wire import as_list, as_object

from .making import foreign

URI = "https://open.bigmodel.cn/api/paas/v4/chat/completions"
BUSY: Json = {"error": {"code": "1302", "message": "too many requests"}}
"""A code that is documented to come with HTTP 429."""


def refused(status: int, body: Json = BUSY) -> AnalyzedExchange:
    """Return the refusal with an HTTP status, analyzed."""
    exchange = with_status(post(URI, {"model": "glm-4", "messages": []}, body), status)
    return analyze(foreign(exchange), recognise).readings[0]


@pytest.mark.parametrize(("status", "count"), [(400, 1), (401, 1), (500, 1), (429, 0)], ids=str)
def test_a_code_with_another_status_is_a_finding(status: int, count: int) -> None:
    """Every status from 400 on counts, 400 itself included."""
    findings = list(refusal_status_fits_code(refused(status)))
    assert len(findings) == count


def test_a_refusal_in_another_form_is_a_finding() -> None:
    """A code that is a number, where the service documents a text."""
    (finding,) = refusal_fits_schema(refused(429, {"error": {"code": 1302, "message": "busy"}}))
    assert finding.place.pointer == "/error/code"
    assert list(refusal_fits_schema(refused(429))) == []


@pytest.mark.parametrize(("length", "count"), [(21, 1), (20, 0)])
def test_a_text_that_begins_with_its_reasoning_is_a_finding(length: int, count: int) -> None:
    """Only if the reasoning is long; a short one may be the beginning by chance."""
    thought = "x" * length
    message: Json = {"role": "assistant", "content": f"{thought} So.", "reasoning_content": thought}
    answer: Json = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    exchange = post(URI, {"model": "glm-4", "messages": []}, answer)
    reading = analyze(foreign(exchange), recognise).readings[0]
    assert len(list(reasoning_is_kept_apart(reading))) == count


def answered(text: str, **more: Json) -> AnalyzedExchange:
    """Return the reading of an answer; *more* are members of its choice."""
    (choice,) = as_list(choices(text))
    head: dict[str, Json] = {"id": "1", "request_id": "1", "created": 1, "model": "glm-4"}
    answer: Json = {**head, "choices": [{**as_object(choice), **more}], "usage": USAGE}
    request: Json = {"model": "glm-4", "messages": [], "logprobs": True}
    return analyze(foreign(post(URI, request, answer)), recognise).readings[0]


def test_an_empty_answer_is_a_finding() -> None:
    """Its role is no text."""
    assert len(list(answer_says_something(answered("")))) == 1
    assert list(answer_says_something(answered("Hi"))) == []


@pytest.mark.parametrize(("hour", "count"), [("00", 0), ("01", 0), ("02", 1)])
def test_a_time_hours_from_the_header_is_a_finding(hour: str, count: int) -> None:
    """Less than an hour may be the clock."""
    date = f"Thu, 01 Jan 1970 {hour}:00:00 GMT"
    exchange = post(URI, {"model": "glm-4", "messages": []}, {"created": 1}, Date=date)
    reading = analyze(foreign(exchange), recognise).readings[0]
    assert len(list(created_agrees_with_date(reading))) == count


@pytest.mark.parametrize(("sent", "count"), [([72, 105], 0), ([72, 106], 1)])
def test_other_bytes_than_the_token_has_are_a_finding(sent: list[Json], count: int) -> None:
    """The bytes are those of the token in UTF-8."""
    tokens: Json = {"content": [{"token": "Hi", "logprob": -0.1, "bytes": sent}]}
    findings = list(log_probabilities_fit_text(answered("Hi", logprobs=tokens)))
    pointers = [finding.place.pointer for finding in findings]
    assert pointers[:1] == ["/choices/0/logprobs/content/0"] * count
