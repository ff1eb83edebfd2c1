"""Each fault of a delivery changes the bytes as described, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.edit import put_all, remove
from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import read_refusal
from harness.cassette.store import read
from harness.faults.content import LIMITS, NEW, Member, members, refusal
from harness.faults.delivery import Delivery, DeliveryFault, Ending, RecordedAnswer
from harness.faults.registry import DELIVERY_FAULTS
from harness.providers import rules
from harness.providers.endpoints import ENDPOINTS, recognise
from harness.rules.schemas import violations
from harness.types import Cassette, Exchange, Failure, Json, Reply, Request, Response, Usage
from harness.wire import read_events, read_json

HARMFUL = [fault for fault in DELIVERY_FAULTS if fault.harmful]
HARMLESS = [fault for fault in DELIVERY_FAULTS if not fault.harmful]
CASSETTES = Path(__file__).parent.parent.parent / "cassettes"
SAMPLES = (
    "streaming/zhipuai-glm-5.3-flash",
    "streaming/dashscope-qwen-plus-incremental",
    "weather-tool/zhipuai-glm-5.3-flash",
    "weather-tool/dashscope-qwen-plus",
)


def recorded(name: str) -> list[RecordedAnswer]:
    """Return every answer of a shipped cassette."""
    found = [(e, recognise(e)) for e in read(CASSETTES / f"{name}.yaml").exchanges]
    return [RecordedAnswer(e, known) for e, known in found if known and known.role is not Role.FILE]


STREAM = recorded("streaming/zhipuai-glm-5.3-flash")[0]
BY_CRLF = RecordedAnswer(
    replace(
        STREAM.exchange,
        response=replace(STREAM.exchange.response, body=STREAM.body.replace(b"\n", b"\r\n")),
    ),
    STREAM.endpoint,
)
SOURCES = [BY_CRLF, *(one for name in SAMPLES for one in recorded(name))]
DOCUMENT = recorded("weather-tool/zhipuai-glm-5.3-flash")[0]


def some(places: Sequence[int]) -> list[int]:
    """Return a few of many places: the ends, and some between them."""
    step = max(1, len(places) // 3)
    return sorted({*places[::step], *places[-1:]})


def delivered(fault: DeliveryFault, source: RecordedAnswer, place: int) -> Delivery:
    """Return the delivery of a fault at a place that exists."""
    delivery = fault.apply(source, place)
    assert delivery is not None
    return delivery


@cache
def deliveries(fault: DeliveryFault) -> list[tuple[RecordedAnswer, Delivery]]:
    """Return the deliveries at some places of every sample."""
    return [
        (source, delivered(fault, source, place))
        for source in SOURCES
        for place in some(fault.places(source))
    ]


def _values(body: bytes) -> list[Any]:
    documents = [event.json for event in read_events(body).events]
    return [document.value for document in documents if not document.problem]


def _documents(source: RecordedAnswer, delivery: Delivery) -> list[Any]:
    body = delivery.response.body
    return _values(body) if source.is_stream else [read_json(body).value]


def _ends(body: bytes) -> set[bytes]:
    return set(re.findall(rb"\r\n|\n|\r", body))


def _lines(body: bytes) -> list[bytes]:
    return re.split(rb"\r\n|\n|\r", body)


def _cut(source: RecordedAnswer, delivery: Delivery, ending: Ending) -> bool:
    body = delivery.response.body
    whole = source.body
    return whole.startswith(body) and len(body) < len(whole) and delivery.ending is ending


def _between(source: RecordedAnswer, delivery: Delivery) -> bool:
    return len(delivery.response.body) in (0, *source.event_ends)


Check = Callable[[RecordedAnswer, Delivery], bool]
CHANGES: dict[str, Check] = {
    "byte_by_byte": lambda r, s: s.packets == (1,) * len(r.body),
    "split_anywhere": lambda r, s: len(s.packets) == 2 and sum(s.packets) == len(r.body),
    "split_inside_a_character": lambda r, s: 0x80 <= r.body[s.packets[0]] < 0xC0,
    "split_inside_a_line_end": lambda r, s: (
        s.response.body[s.packets[0] - 1 : s.packets[0] + 1] == b"\r\n"
    ),
    "merged_into_one_packet": lambda r, s: s.packets == (len(r.body),),
    "slow_first_byte": lambda r, s: s.delay == 0.5 and s.response.body == r.body,
    "packed_in_gzip": lambda r, s: s.gzip and s.response.body == r.body,
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
        s.response.body.count(b"retry: 3000\nx-trace: 1\n") == len(r.stream.events)
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
    "huge_counts": lambda r, s: str(s.counts_raised)[:4].encode() in s.response.body,
    "optional_left_out": lambda r, s: _documents(r, s) != [p.value for p in r.parts],
    "ended_between_events": lambda r, s: _cut(r, s, Ending.COMPLETE) and _between(r, s),
    "ended_inside_an_event": lambda r, s: _cut(r, s, Ending.COMPLETE) and not _between(r, s),
    "closed_between_events": lambda r, s: _cut(r, s, Ending.CLOSED) and _between(r, s),
    "closed_inside_an_event": lambda r, s: _cut(r, s, Ending.CLOSED) and not _between(r, s),
    "connection_reset": lambda r, s: _cut(r, s, Ending.RESET),
    "silence": lambda r, s: (
        _cut(r, s, Ending.SILENT) and s.without_head is (s.response.body == b"")
    ),
    "shorter_than_declared": lambda r, s: (
        s.declared_length == len(r.body) + 64 and r.body.startswith(s.response.body)
    ),
    "truncated_json": lambda r, s: (
        _cut(r, s, Ending.COMPLETE) and bool(read_json(s.response.body).problem)
    ),
    "truncated_event": lambda r, s: (
        len(read_events(s.response.body).events) == len(r.stream.events)
        and len(_values(s.response.body)) == len(_values(r.body)) - 1
    ),
    "not_utf8": lambda r, s: s.response.body.count(b"\xff") == 1,
    "required_left_out": lambda r, s: bool(
        violations(
            r.endpoint.event if r.is_stream and r.endpoint.event else r.endpoint.answer,
            _documents(r, s)[-1] if len(_documents(r, s)) == 1 else _first_invalid(r, s),
        )
    ),
    "error_event": lambda r, s: isinstance(
        AnalyzedExchange(_exchange(r, s), r.endpoint).outcome, Failure
    ),
    "refused_with_status_200": lambda r, s: s.response.status == 200 and _is_refusal(r, s),
    "too_many_requests": lambda r, s: (
        s.response.status == 429 and s.response.header("retry-after") == "1" and _is_refusal(r, s)
    ),
    "fault_in_html": lambda r, s: (
        s.response.status in (500, 502, 503) and s.response.body.startswith(b"<!DOCTYPE html>")
    ),
    "wrong_content_type": lambda r, s: (
        (s.response.header("content-type") or "").startswith("text/html")
        and s.response.status == 200
    ),
}
"""Whether a delivery has the change of a fault, by the bytes."""


def _exchange(source: RecordedAnswer, delivery: Delivery) -> Exchange:
    return Exchange(source.exchange.request, delivery.response)


def _first_invalid(source: RecordedAnswer, delivery: Delivery) -> Any:
    schema = source.endpoint.event or {}
    return next((v for v in _documents(source, delivery) if violations(schema, v)), None)


def _is_refusal(source: RecordedAnswer, delivery: Delivery) -> bool:
    return not violations(source.endpoint.refusal, json.loads(delivery.response.body))


@pytest.mark.parametrize("fault", DELIVERY_FAULTS, ids=lambda fault: str(fault.name))
def test_each_fault_changes_what_it_describes(fault: DeliveryFault) -> None:
    """The bytes are changed as described, in streams and documents of both forms."""
    tried = deliveries(fault)
    assert tried
    check = CHANGES[fault.name]
    wrong = [delivery.description for source, delivery in tried if not check(source, delivery)]
    assert wrong == []


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: str(fault.name))
def test_harmless_faults_keep_the_content(fault: DeliveryFault) -> None:
    """The delivery differs, and the content that the harness reads does not."""
    for source, delivery in deliveries(fault):
        unchanged = Delivery(delivery.description, source.response())
        assert delivery != unchanged
        same = source.says_the_same(delivery.response)
        assert same is not bool(delivery.counts_raised), delivery.description


@pytest.mark.parametrize("fault", HARMFUL, ids=lambda fault: str(fault.name))
def test_harmful_faults_change_the_content(fault: DeliveryFault) -> None:
    """The content differs, unless the delivery says that it may be the same."""
    for source, delivery in deliveries(fault):
        same = source.says_the_same(delivery.response)
        assert delivery.may_be_same or not same, delivery.description


def test_the_documentation_lists_every_fault() -> None:
    """docs/FAULTS.md has the name and description of each fault, in order."""
    page = (CASSETTES.parent / "docs" / "FAULTS.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \| (?!\d+/|–)(.*) \|$", page, re.MULTILINE)
    faults = [(fault.name, fault.description) for fault in DELIVERY_FAULTS]
    attributes = len(described) - len(faults)
    assert described[attributes:] == faults


def test_counts_are_raised_by_the_reported_number() -> None:
    """The total is raised by twice the number, so that it stays a sum."""
    fault = next(t for t in DELIVERY_FAULTS if t.name == "huge_counts")
    before = STREAM.outcome
    assert isinstance(before, Reply)
    for place, by in enumerate(LIMITS):
        delivery = delivered(fault, STREAM, place)
        after = AnalyzedExchange(_exchange(STREAM, delivery), STREAM.endpoint).outcome
        assert isinstance(after, Reply)
        assert delivery.counts_raised == by
        was = before.usage or Usage()
        assert after.usage == Usage(
            (was.input_tokens or 0) + by,
            (was.output_tokens or 0) + by,
            (was.total_tokens or 0) + 2 * by,
        )


def test_members_are_classified_by_the_schema() -> None:
    """A member is required, optional, or one of several alternatives."""
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": ["array", "null"], "items": {"required": ["b"], "properties": {"b": {}}}}
        },
        "anyOf": [{"required": ["d"]}, {"required": ["e"]}],
    }
    value: Json = {"a": [{"b": 1, "c": 2}], "d": 3}
    assert list(members(schema, value)) == [
        Member("/a", required=True, optional=False, nullable=True),
        Member("/a/[]/b", required=True, optional=False, nullable=False),
        Member("/a/[]/c", required=False, optional=True, nullable=False),
        Member("/d", required=False, optional=False, nullable=False),
    ]
    assert remove(value, "/a/[]/b") == {"a": [{"c": 2}], "d": 3}
    assert put_all(value, "/a/[]/b", None) == {"a": [{"b": None, "c": 2}], "d": 3}


REFUSING = [endpoint for endpoint in ENDPOINTS if endpoint.fields.code]
"""The endpoints whose refusals have a known form."""


@pytest.mark.parametrize("endpoint", REFUSING, ids=lambda endpoint: endpoint.name)
def test_refusals_fit_the_schema_of_their_endpoint(endpoint: Any) -> None:
    """A made refusal is valid, and read as a failure with its code."""
    body = refusal(endpoint, "1302")
    assert violations(endpoint.refusal, body) == []
    failure = read_refusal(endpoint, 429, body)
    assert failure.code == "1302"
    assert "overloaded" in failure.message


def test_no_fault_makes_the_analysis_raise() -> None:
    """Changed answers are analyzed and checked without an exception."""
    exchanges = [
        Exchange(source.exchange.request, delivery.response, chunks=delivery.packets)
        for fault in DELIVERY_FAULTS
        for source in (STREAM, DOCUMENT)
        for place in some(fault.places(source))[:2]
        for delivery in (delivered(fault, source, place),)
        if len(delivery.response.body) < 50_000
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


def test_headers_of_the_recorded_connection_are_not_sent() -> None:
    """Lengths, codings and cookies of the recording are left out."""
    headers = (("Content-Type", "a/b"), ("content-length", "3"), ("Set-Cookie", "c"), ("X-A", "1"))
    request = Request("POST", "http://a/api/paas/v4/chat/completions")
    source = RecordedAnswer(Exchange(request, Response(200, "OK", headers, b"{}")), STREAM.endpoint)
    assert source.response(b"", ("x-a", "2")).headers == (("Content-Type", "a/b"), ("x-a", "2"))
