"""The status of a refusal is one that is documented for its code."""

from __future__ import annotations

import pytest
from exchanges import post

from harness.analysis.edit import with_status
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.rules.answers import (
    reasoning_is_kept_apart,
    refusal_fits_schema,
    refusal_status_fits_code,
)
from harness.types import Json

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
