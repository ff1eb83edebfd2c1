"""The work of all rules grows with the size of a cassette, and so does their memory."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType

import pytest

from benchmarks.shapes import SHAPES, chat, user
from harness.analysis.transcript import analyze, transcript_of
from harness.providers import endpoints
from harness.providers.rules import RULES
from harness.rules import judge as apply
from harness.types import Cassette, Exchange

Shape = Callable[[int], Iterator[Exchange]]


def judge(exchanges: tuple[Exchange, ...]) -> int:
    """Apply every rule; return the number of findings."""
    transcript = transcript_of(Cassette(exchanges), endpoints.recognise)
    analyzed = analyze(transcript, endpoints.recognise)
    return len(apply(analyzed, RULES).findings)


def calls(exchanges: tuple[Exchange, ...]) -> int:
    """Return how many functions are called while every rule is applied."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        judge(exchanges)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["separate", "continued", "pictures", "many_choices", "many_findings"]
)
def test_no_rule_compares_every_exchange_with_every_other(name: str) -> None:
    """Twice the exchanges, choices or findings are at most a little more than twice the calls."""
    shape = SHAPES[name]
    judge(tuple(shape(2)))  # what is made once
    once, twice = (calls(tuple(shape(count))) for count in (100, 200))
    assert twice < 2.1 * once


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one_text", "many_words", "one_stream", "one_vector"])
def test_the_memory_is_a_small_multiple_of_the_answer(name: str) -> None:
    """No pattern keeps memory for each character."""
    shape = SHAPES[name]
    (exchange,) = shape(1)
    tracemalloc.start()
    try:
        judge((exchange,))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * len(exchange.response.body)


@pytest.mark.slow
def test_a_long_transcript_does_not_keep_parsed_answers() -> None:
    """What was parsed of an answer takes many times its size, and is needed for a while."""
    one = chat([user("hello")], "hello")
    answer = {**json.loads(one.response.body), "search": [{"index": n} for n in range(100)]}
    body = json.dumps(answer).encode()
    exchanges = (replace(one, response=replace(one.response, body=body)),) * 150
    tracemalloc.start()
    try:
        judge(exchanges)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(body) * len(exchanges)
