"""Each count of tokens that an endpoint can send is checked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.analysis.edit import put, with_body
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.providers.samples import SAMPLES
from harness.rules.usage import usage_details_fit, usage_is_not_negative
from harness.types import Exchange, Json
from harness.wire import compact_bytes

from .making import foreign

COUNTS = ("input_tokens", "output_tokens", "total_tokens")
DETAILS = {"input_parts": "input_tokens", "output_parts": "output_tokens"}


def analyzed(exchange: Exchange) -> AnalyzedExchange:
    """Return the exchange, analyzed on its own."""
    return analyze(foreign(exchange), recognise).readings[0]


def with_value(reading: AnalyzedExchange, pointer: str, value: Json) -> AnalyzedExchange:
    """Return the exchange with a value at a pointer of its JSON answer."""
    answer = put(reading.response_json.value, pointer, value)
    return analyzed(with_body(reading.exchange, compact_bytes(answer)))


def whole_answers() -> Iterator[AnalyzedExchange]:
    """Yield the answers of the samples with token counts that are one JSON document."""
    for exchanges in SAMPLES.values():
        for reading in map(analyzed, exchanges):
            has_usage = getattr(reading.outcome, "usage", None) is not None
            if has_usage and not reading.is_stream:
                yield reading


ANSWERS = list(whole_answers())


@pytest.mark.parametrize("name", [*COUNTS, *DETAILS])
def test_a_negative_count_is_a_violation(name: str) -> None:
    """Input, output, total, and every detail of input and output."""
    checked = 0
    for reading in ANSWERS:
        assert reading.endpoint is not None
        for pointer in getattr(reading.endpoint.fields, name):
            changed = with_value(reading, pointer, -1)
            findings = list(usage_is_not_negative(changed))
            assert [(finding.place.pointer, finding.actual) for finding in findings] == [
                (pointer, "-1")
            ]
            checked += 1
    assert checked


@pytest.mark.parametrize("name", DETAILS)
def test_a_detail_larger_than_its_count_is_a_violation(name: str) -> None:
    """A detail of the input is compared with the input, one of the output with the output."""
    checked = 0
    for reading in ANSWERS:
        assert reading.endpoint is not None
        limit = getattr(getattr(reading.outcome, "usage", None), DETAILS[name])
        for pointer in getattr(reading.endpoint.fields, name):
            if limit is None:
                continue
            assert not list(usage_details_fit(with_value(reading, pointer, limit)))
            (finding,) = usage_details_fit(with_value(reading, pointer, limit + 1))
            assert (finding.place.pointer, finding.expected) == (pointer, f"at most {limit}")
            checked += 1
    assert checked
