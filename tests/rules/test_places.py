"""A finding points at the very bytes of what is wrong."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice

import pytest

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import TranscriptFault
from harness.analysis.transcript import analyze
from harness.faults.explain import sample_transcripts
from harness.faults.registry import RULE_FAULTS, injected
from harness.providers import endpoints
from harness.providers.rules import RULES, check
from harness.providers.samples import SAMPLES
from harness.rules import judge
from harness.types import Finding
from harness.wire import MISSING, resolve

from .making import edited, foreign

STREAM = SAMPLES["zhipu stream"][0]


samples = cache(sample_transcripts)


def body(reading: AnalyzedExchange, finding: Finding) -> bytes:
    """The body that a place is in."""
    exchange = reading.exchange
    return exchange.request.body if finding.place.request else exchange.response.body


def value(reading: AnalyzedExchange, finding: Finding) -> object:
    """What stands at the pointer of a place; absent where nothing does."""
    place = finding.place
    if place.request:
        return resolve(reading.request_json.value, place.pointer)
    part = next((part for part in reading.parts if part.event == place.event), None)
    return resolve(part.value, place.pointer) if part else MISSING


@pytest.mark.no_cover  # the tests of each rule run the same lines
@pytest.mark.parametrize("fault", RULE_FAULTS, ids=lambda fault: str(fault.name))
def test_the_byte_is_where_the_pointer_leads(fault: TranscriptFault) -> None:
    """The JSON that begins at the byte is what the pointer leads to, in answers and requests."""
    all_changed = (changed for sample in samples().values() for changed in injected(fault, sample))
    for changed in islice(all_changed, 3):  # `test_every_fault_is_found_where_it_is` has all
        analyzed = analyze(changed, endpoints.recognise)
        for finding in judge(analyzed, RULES).findings:
            place = finding.place
            if place.exchange is None or not place.pointer:
                continue
            reading = analyzed.readings[place.exchange - 1]
            expected = value(reading, finding)
            if expected is MISSING or place.offset is None:
                continue
            text = body(reading, finding)[place.offset :].decode("utf-8", "replace")
            assert json.JSONDecoder().raw_decode(text)[0] == expected


def test_data_on_several_lines_is_counted_line_by_line() -> None:
    """The byte of a value on an event's second line of data is the one in the body."""
    split = edited(STREAM, '"model":"glm-4","choices"', '"model":"glm-4",\ndata: "choices"')
    (finding,) = check(foreign(edited(split, '"index":0', '"index":"0"')))
    assert finding.place.offset is not None
    broken = edited(split, '"index":0', '"index":"0"').response.body
    assert broken[finding.place.offset :].startswith(b'"0"')


def test_both_halves_of_a_message_are_told() -> None:
    """What was expected and what was found, apart, for programs."""
    (finding,) = check(foreign(edited(STREAM, '"total_tokens":12', '"total_tokens":13')))
    assert (finding.expected, finding.actual) == ("8 + 4 = 12 tokens in total", "13")
    assert finding.message == f"expected {finding.expected}, actual {finding.actual}"
