"""A finding points at the very bytes of what is wrong."""

from __future__ import annotations

import json

import pytest

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import analyze
from harness.faults.breaks import MUTATORS, Mutator
from harness.faults.breaks.examples import EXAMPLES, played, recorded
from harness.providers import endpoints
from harness.rules import check
from harness.types import Finding
from harness.wire import MISSING, resolve

from .making import edited, foreign

STREAM = EXAMPLES["zhipu stream"][0]


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


@pytest.mark.parametrize("mutator", MUTATORS, ids=lambda m: f"{m.breaks}-{m.name}")
def test_the_byte_is_where_the_pointer_leads(mutator: Mutator) -> None:
    """The JSON that begins at the byte is what the pointer leads to, in answers and requests."""
    for exchanges in EXAMPLES.values():
        mutant = mutator.mutate(played(recorded(exchanges)))
        told = analyze(mutant, endpoints.recognise) if mutant else None
        for finding in check(mutant) if mutant else ():
            place = finding.place
            if told is None or place.exchange is None or not place.pointer:
                continue
            reading = told.readings[place.exchange - 1]
            expected = value(reading, finding)
            if expected is MISSING or place.offset is None:
                continue
            text = body(reading, finding)[place.offset :].decode("utf-8", "replace")
            assert json.JSONDecoder().raw_decode(text)[0] == expected
        if mutant:
            return


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
    assert (finding.expected, finding.actual) == ("8 + 4 = 12 tokens in all", "13")
    assert finding.message == f"expected {finding.expected}, actual {finding.actual}"
