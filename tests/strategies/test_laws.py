"""Properties of the harness that hold for any answer of a service."""

from __future__ import annotations

from dataclasses import replace

import pytest
from contracts.recorded import learn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness import strategies
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import analyze, transcript_of
from harness.cassette.reader import loads
from harness.cassette.writer import dumps
from harness.comparison.pairs import compare
from harness.contracts.judge import Judge
from harness.parse import PARSERS, Parser
from harness.parse.answering import answered
from harness.parse.run import ask, can_ask
from harness.providers.endpoints import HEADERS, recognise
from harness.providers.rules import check
from harness.secrets.redactor import Redactor
from harness.strategies import BrokenExchanges, splits
from harness.types import Cassette, Exchange
from harness.wire import read_events

pytestmark = pytest.mark.slow

SOME = settings(max_examples=8)
STREAMS = [way for way in strategies.WAYS if way[1] == "stream"]
ANY = st.one_of([strategies.exchanges(*way) for way in strategies.WAYS])
TASKS = strategies.tasks("zhipuai") | strategies.tasks("dashscope")
CONVERSATIONS = st.one_of([strategies.conversations(p, m) for p, m, k in STREAMS if k == "chat"])
SINGLE = ANY.map(lambda exchange: (exchange,))
EXCHANGES: SearchStrategy[tuple[Exchange, ...]] = TASKS | CONVERSATIONS | SINGLE
STREAMED = st.one_of([strategies.exchanges(*way) for way in STREAMS])
KEY = "0123456789abcdef0123456789abcdef.0123456789abcdef"
BROKEN = st.one_of([strategies.broken(*way) for way in strategies.WAYS])


@SOME
@given(EXCHANGES)
def test_a_cassette_that_is_dumped_can_be_loaded(exchanges: tuple[Exchange, ...]) -> None:
    """Loading returns the same exchanges, and dumping them again the same text."""
    text = dumps(Cassette(exchanges))
    assert loads(text).exchanges == exchanges
    assert dumps(loads(text)) == text


@SOME
@given(EXCHANGES)
def test_redaction_is_idempotent(exchanges: tuple[Exchange, ...]) -> None:
    """Redacted exchanges contain no secret and violate no rule."""
    redactor = Redactor((KEY,), headers=HEADERS)
    signed = ("Authorization", f"Bearer {KEY}")
    sent = [
        replace(e, request=replace(e.request, headers=(*e.request.headers, signed)))
        for e in exchanges
    ]
    once = tuple(map(redactor.exchange, sent))
    assert tuple(map(redactor.exchange, once)) == once
    assert KEY not in repr(once)
    bodies = b"".join(exchange.response.body for exchange in once)
    assert bodies.count(b"Signature=") == bodies.count(b"Signature=REDACTED")
    assert check(transcript_of(Cassette(once), recognise)) == ()


@SOME
@given(EXCHANGES)
def test_a_recording_equals_itself(exchanges: tuple[Exchange, ...]) -> None:
    """Comparing it with itself finds no difference."""
    first = analyze(transcript_of(Cassette(exchanges), recognise), recognise)
    second = analyze(transcript_of(Cassette(exchanges), recognise), recognise)
    assert compare(first, second).all_differences == ()


@SOME
@given(BROKEN)
def test_no_rule_raises_on_broken_exchanges(example: BrokenExchanges) -> None:
    """At least one rule has a finding."""
    assert check(transcript_of(Cassette(example.exchanges), recognise)) != ()


@SOME
@given(STREAMED, st.data())
def test_a_stream_may_be_cut_anywhere(exchange: Exchange, data: st.DataObject) -> None:
    """The events before the cut are read unchanged, and no rule raises."""
    body = exchange.response.body
    length = data.draw(st.integers(0, len(body)))
    cut = replace(exchange, response=replace(exchange.response, body=body[:length]), chunks=())
    check(transcript_of(Cassette((cut,)), recognise))
    complete = [event for event in read_events(body[:length]).events if event.complete]
    assert complete == list(read_events(body).events[: len(complete)])


@SOME
@given(st.lists(EXCHANGES, min_size=1, max_size=3))
def test_a_contract_accepts_the_recordings_it_was_inferred_from(
    recordings: list[tuple[Exchange, ...]],
) -> None:
    """It has no findings in any of them."""
    analyzed = [
        (f"{n}.yaml", analyze(transcript_of(Cassette(exchanges), recognise), recognise))
        for n, exchanges in enumerate(recordings)
    ]
    judge = Judge(learn(analyzed))
    assert [finding for _, transcript in analyzed for finding in judge.check(transcript)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_it_does_not_matter_where_a_stream_is_split(name: str) -> None:
    """The official SDKs read the same from chunks of any size, over a real socket."""
    parser = PARSERS[name]
    if not parser.installed:
        pytest.skip(f"{name} is not installed")

    @settings(max_examples=3)
    @given(STREAMED, st.data())
    def same(exchange: Exchange, data: st.DataObject) -> None:
        body = exchange.response.body
        sizes = tuple(len(piece) for piece in data.draw(splits(body)) if piece)
        whole = AnalyzedExchange(replace(exchange, chunks=()), recognise(exchange))
        split = AnalyzedExchange(replace(exchange, chunks=sizes), whole.endpoint)
        if can_ask(parser, whole):
            assert _read(parser, split) == _read(parser, whole)

    same()


def _read(parser: Parser, reading: AnalyzedExchange) -> object:
    with answered(reading.exchange) as answering:
        return ask(parser, reading, answering)
