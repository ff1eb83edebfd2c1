"""Every kind of change: what it does to the bytes, and that it does nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import read_refusal
from harness.cassette.store import read
from harness.faults.transport import HARMFUL, HARMLESS, TORTURES, Ending, Fault, Recorded, Sent
from harness.faults.transport.members import LIMITS, NEW
from harness.faults.transport.refusals import refusal
from harness.faults.transport.schema import Member, members, nulled, without
from harness.providers import rules
from harness.providers.endpoints import ENDPOINTS, recognise
from harness.rules.schemas import violations
from harness.types import Cassette, Exchange, Failure, Reply, Request, Response, Usage
from harness.wire import read_events, read_json

CASSETTES = Path(__file__).parent.parent.parent / "cassettes"
SAMPLES = (
    "streaming/zhipuai-glm-4",
    "streaming/dashscope-qwen-plus-incremental",
    "weather-tool/zhipuai-glm-4",
    "weather-tool/dashscope-qwen-plus",
)


def recorded(name: str) -> list[Recorded]:
    """Every answer of a shipped cassette."""
    found = [(e, recognise(e)) for e in read(CASSETTES / f"{name}.yaml").exchanges]
    return [Recorded(e, known) for e, known in found if known and known.role is not Role.FILE]


STREAM = recorded("streaming/zhipuai-glm-4")[0]
BY_CRLF = Recorded(
    replace(
        STREAM.exchange,
        response=replace(STREAM.exchange.response, body=STREAM.body.replace(b"\n", b"\r\n")),
    ),
    STREAM.endpoint,
)
SOURCES = [BY_CRLF, *(one for name in SAMPLES for one in recorded(name))]
DOCUMENT = recorded("weather-tool/zhipuai-glm-4")[0]


def some(places: Sequence[int]) -> list[int]:
    """A few of many places: the ends, and some between them."""
    step = max(1, len(places) // 3)
    return sorted({*places[::step], *places[-1:]})


@cache
def made(torture: Fault) -> list[tuple[Recorded, Sent]]:
    """The change at some places of every sample."""
    return [
        (source, torture.change(source, place))
        for source in SOURCES
        for place in some(torture.places(source))
    ]


def _values(body: bytes) -> list[Any]:
    documents = [event.json for event in read_events(body).events]
    return [document.value for document in documents if not document.problem]


def _documents(source: Recorded, sent: Sent) -> list[Any]:
    body = sent.response.body
    return _values(body) if source.is_stream else [read_json(body).value]


def _ends(body: bytes) -> set[bytes]:
    return set(re.findall(rb"\r\n|\n|\r", body))


def _lines(body: bytes) -> list[bytes]:
    return re.split(rb"\r\n|\n|\r", body)


def _cut(source: Recorded, sent: Sent, ending: Ending) -> bool:
    body = sent.response.body
    whole = source.body
    return whole.startswith(body) and len(body) < len(whole) and sent.ending is ending


def _between(source: Recorded, sent: Sent) -> bool:
    return len(sent.response.body) in (0, *source.boundaries)


Check = Callable[[Recorded, Sent], bool]
SAYS: dict[str, Check] = {
    "byte_by_byte": lambda r, s: s.pieces == (1,) * len(r.body),
    "split_anywhere": lambda r, s: len(s.pieces) == 2 and sum(s.pieces) == len(r.body),
    "split_inside_a_character": lambda r, s: 0x80 <= r.body[s.pieces[0]] < 0xC0,
    "split_inside_a_line_end": lambda r, s: (
        s.response.body[s.pieces[0] - 1 : s.pieces[0] + 1] == b"\r\n"
    ),
    "merged_into_one_packet": lambda r, s: s.pieces == (len(r.body),),
    "slow_first_byte": lambda r, s: s.wait == 0.5 and s.response.body == r.body,
    "packed_in_gzip": lambda r, s: s.packed and s.response.body == r.body,
    "lines_end_in_lf": lambda r, s: _ends(s.response.body) == {b"\n"},
    "lines_end_in_crlf": lambda r, s: _ends(s.response.body) == {b"\r\n"},
    "lines_end_in_cr": lambda r, s: _ends(s.response.body) == {b"\r"},
    "space_after_colon": lambda r, s: (b"data: " in s.response.body) is not (b"data: " in r.body),
    "data_on_many_lines": lambda r, s: s.response.body.count(b"\ndata:") > r.body.count(b"\ndata:"),
    "byte_order_mark": lambda r, s: s.response.body == b"\xef\xbb\xbf" + r.body,
    "comments_between_events": lambda r, s: (
        s.response.body.replace(b": keep-alive\n\n", b"", 1) == r.body
    ),
    "long_comment": lambda r, s: max(map(len, _lines(s.response.body))) == 200_001,
    "unknown_fields": lambda r, s: (
        s.response.body.count(b"retry: 3000\nx-trace: 1\n") == len(r.reading.stream.events)
    ),
    "unknown_event": lambda r, s: (
        s.response.body.replace(b"event: ping\ndata: {}\n\n", b"", 1) == r.body
    ),
    "respelled": lambda r, s: s.response.body.isascii() and b'": ' in s.response.body,
    "unknown_members": lambda r, s: all(NEW in value for value in _documents(r, s)),
    "long_line": lambda r, s: (
        len(s.response.body) > 200_000 and [NEW in v for v in _documents(r, s)].count(True) == 1
    ),
    "separators_in_text": lambda r, s: "\u2028".encode() in s.response.body,
    "huge_counts": lambda r, s: str(s.raised)[:4].encode() in s.response.body,
    "optional_left_out": lambda r, s: _documents(r, s) != [p.value for p in r.reading.parts],
    "ended_between_events": lambda r, s: _cut(r, s, Ending.WHOLE) and _between(r, s),
    "ended_inside_an_event": lambda r, s: _cut(r, s, Ending.WHOLE) and not _between(r, s),
    "closed_between_events": lambda r, s: _cut(r, s, Ending.CLOSED) and _between(r, s),
    "closed_inside_an_event": lambda r, s: _cut(r, s, Ending.CLOSED) and not _between(r, s),
    "connection_reset": lambda r, s: _cut(r, s, Ending.RESET),
    "silence": lambda r, s: _cut(r, s, Ending.SILENT) and s.headless is (s.response.body == b""),
    "shorter_than_declared": lambda r, s: (
        s.declared == len(r.body) + 64 and r.body.startswith(s.response.body)
    ),
    "truncated_json": lambda r, s: (
        _cut(r, s, Ending.WHOLE) and bool(read_json(s.response.body).problem)
    ),
    "truncated_event": lambda r, s: (
        len(read_events(s.response.body).events) == len(r.reading.stream.events)
        and len(_values(s.response.body)) == len(_values(r.body)) - 1
    ),
    "not_utf8": lambda r, s: s.response.body.count(b"\xff") == 1,
    "required_left_out": lambda r, s: bool(
        violations(
            r.endpoint.event if r.is_stream and r.endpoint.event else r.endpoint.answer,
            _documents(r, s)[-1] if len(_documents(r, s)) == 1 else _first_broken(r, s),
        )
    ),
    "error_event": lambda r, s: isinstance(
        AnalyzedExchange(_answered(r, s), r.endpoint).outcome, Failure
    ),
    "refused_with_status_200": lambda r, s: s.response.status == 200 and _says_no(r, s),
    "too_many_requests": lambda r, s: (
        s.response.status == 429 and s.response.header("retry-after") == "1" and _says_no(r, s)
    ),
    "fault_in_html": lambda r, s: (
        s.response.status in (500, 502, 503) and s.response.body.startswith(b"<!DOCTYPE html>")
    ),
    "wrong_content_type": lambda r, s: (
        (s.response.header("content-type") or "").startswith("text/html")
        and s.response.status == 200
    ),
}
"""What each kind does, asked of the bytes."""


def _answered(source: Recorded, sent: Sent) -> Exchange:
    return Exchange(source.exchange.request, sent.response)


def _first_broken(source: Recorded, sent: Sent) -> Any:
    schema = source.endpoint.event or {}
    return next((v for v in _documents(source, sent) if violations(schema, v)), None)


def _says_no(source: Recorded, sent: Sent) -> bool:
    return not violations(source.endpoint.refusal, json.loads(sent.response.body))


@pytest.mark.parametrize("torture", TORTURES, ids=lambda torture: torture.name)
def test_each_kind_does_what_it_says(torture: Fault) -> None:
    """To the bytes, at some places of streams and documents of both forms."""
    tried = made(torture)
    assert tried
    wrong = [sent.what for source, sent in tried if not SAYS[torture.name](source, sent)]
    assert wrong == []


@pytest.mark.parametrize("torture", HARMLESS, ids=lambda torture: torture.name)
def test_harmless_ones_leave_the_answer_as_it_is(torture: Fault) -> None:
    """Something is different, and the harness's own reading finds nothing that is."""
    for source, sent in made(torture):
        untouched = Sent("", source.response(), ending=Ending.WHOLE)
        assert (sent.response, sent.pieces, sent.wait, sent.packed) != (
            untouched.response,
            (),
            0.0,
            False,
        )
        assert not torture.harmful
        assert source.keeps(sent.response) is not bool(sent.raised), sent.what


@pytest.mark.parametrize("torture", HARMFUL, ids=lambda torture: torture.name)
def test_harmful_ones_take_something(torture: Fault) -> None:
    """Unless they say that they do not, the answer is another, or broken off."""
    for source, sent in made(torture):
        assert sent.keeps or not source.keeps(sent.response), sent.what


def test_the_page_tells_of_every_kind() -> None:
    """In its own words, harmless and harmful apart."""
    page = (CASSETTES.parent / "docs" / "TORTURE.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (?!\d+/|–)(.*) \|$", page, re.MULTILINE)
    kinds = [(torture.name, torture.text) for torture in TORTURES]
    attributes = len(told) - len(kinds)
    assert told[attributes:] == kinds


def test_counts_are_raised_by_as_much_as_is_told() -> None:
    """The total by twice of it, so that it stays a sum."""
    torture = next(t for t in TORTURES if t.name == "huge_counts")
    before = STREAM.reading.outcome
    assert isinstance(before, Reply)
    for place, by in enumerate(LIMITS):
        sent = torture.change(STREAM, place)
        after = AnalyzedExchange(_answered(STREAM, sent), STREAM.endpoint).outcome
        assert isinstance(after, Reply)
        assert sent.raised == by
        was = before.usage or Usage()
        assert after.usage == Usage(
            (was.input_tokens or 0) + by,
            (was.output_tokens or 0) + by,
            (was.total_tokens or 0) + 2 * by,
        )


def test_members_are_known_by_the_schema() -> None:
    """Promised, left open, or one of several forms."""
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": ["array", "null"], "items": {"required": ["b"], "properties": {"b": {}}}}
        },
        "anyOf": [{"required": ["d"]}, {"required": ["e"]}],
    }
    value = {"a": [{"b": 1, "c": 2}], "d": 3}
    assert list(members(schema, value)) == [
        Member("/a", required=True, optional=False, nullable=True),
        Member("/a/[]/b", required=True, optional=False, nullable=False),
        Member("/a/[]/c", required=False, optional=True, nullable=False),
        Member("/d", required=False, optional=False, nullable=False),
    ]
    assert without(value, "/a/[]/b") == {"a": [{"c": 2}], "d": 3}
    assert nulled(value, "/a/[]/b") == {"a": [{"b": None, "c": 2}], "d": 3}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_refusals_have_the_form_of_their_service(endpoint: Any) -> None:
    """By the schema, and by the reading, wherever an endpoint refuses at all."""
    if not endpoint.fields.code:
        pytest.skip("this one refuses in no form that is known")
    body = refusal(endpoint, "1302", "too many")
    assert violations(endpoint.refusal, body) == []
    failure = read_refusal(endpoint, 429, body)
    assert (failure.code, failure.message) == ("1302", "too many")


def test_our_own_reading_survives_everything() -> None:
    """No change makes a reading or a rule raise."""
    exchanges = [
        Exchange(source.exchange.request, sent.response, chunks=sent.pieces)
        for torture in TORTURES
        for source in (STREAM, DOCUMENT)
        for place in some(torture.places(source))[:2]
        for sent in (torture.change(source, place),)
        if len(sent.response.body) < 50_000
    ]
    assert len(exchanges) > 80
    for exchange in exchanges:
        reading = AnalyzedExchange(exchange, recognise(exchange))
        assert reading.outcome is None or isinstance(reading.outcome, Reply | Failure)
        assert len(reading.outcomes_by_part) <= len(reading.parts)
    _check(exchanges[::3])


def _check(exchanges: list[Exchange]) -> None:
    from harness.analysis.transcript import analyze, transcript_of

    seen = analyze(transcript_of(Cassette(tuple(exchanges)), recognise), recognise)
    for rule in rules.RULES:
        list(rule.findings(seen))


def test_nothing_of_the_recorded_connection_is_sent() -> None:
    """Lengths, codings and cookies belonged to it."""
    headers = (("Content-Type", "a/b"), ("content-length", "3"), ("Set-Cookie", "c"), ("X-A", "1"))
    request = Request("POST", "http://a/api/paas/v4/chat/completions")
    source = Recorded(Exchange(request, Response(200, "OK", headers, b"{}")), STREAM.endpoint)
    assert source.response(b"", ("x-a", "2")).headers == (("Content-Type", "a/b"), ("x-a", "2"))
