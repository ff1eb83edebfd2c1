"""Breaking JSON, server-sent events, headers and statuses."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.endpoint import Role
from harness.analysis.exchange import DONE, AnalyzedExchange
from harness.faults.breaks import edit
from harness.rules.rule import refusals, spoken, wants_stream
from harness.types import Exchange, Failure, Reply
from harness.wire import resolve


def goes_elsewhere(reading: AnalyzedExchange) -> Exchange | None:
    """The request goes to an address that nobody knows."""
    endpoint = reading.endpoint
    if endpoint is None or endpoint.role is Role.FILE:
        return None
    return edit.with_uri(reading.exchange, "https://example.invalid/v0/elsewhere")


def has_another_method(reading: AnalyzedExchange) -> Exchange | None:
    """The request has another method."""
    endpoint = reading.endpoint
    if endpoint is None or endpoint.role is Role.FILE:
        return None
    return replace(reading.exchange, request=replace(reading.exchange.request, method="PATCH"))


def _asks_json(reading: AnalyzedExchange) -> bool:
    roles = (Role.ANSWER, Role.SUBMIT)
    known = reading.endpoint is not None and reading.endpoint.role in roles
    return known and isinstance(reading.request_json.value, dict)


def request_is_cut_off(reading: AnalyzedExchange) -> Exchange | None:
    """The last byte of the request is lost."""
    body = reading.exchange.request.body.rstrip()
    return edit.with_request(reading.exchange, body[:-1]) if _asks_json(reading) else None


def request_is_a_list(reading: AnalyzedExchange) -> Exchange | None:
    """The request is a list."""
    body = reading.exchange.request.body
    return edit.with_request(reading.exchange, b"[" + body + b"]") if _asks_json(reading) else None


def _object(reading: AnalyzedExchange) -> bytes:
    """The body of a whole answer that is a JSON object with members; empty for any other."""
    whole = spoken(reading) and not reading.is_stream and not reading.response_json.problem
    held = reading.response_json.value if whole else None
    return reading.exchange.response.body.strip() if isinstance(held, dict) and held else b""


def body_is_cut_off(reading: AnalyzedExchange) -> Exchange | None:
    """The last byte of the answer is lost."""
    body = _object(reading)
    return edit.with_body(reading.exchange, body[:-1]) if body else None


def body_says_nan(reading: AnalyzedExchange) -> Exchange | None:
    """The answer holds NaN, as Python writes it."""
    body = _object(reading)
    return edit.with_body(reading.exchange, b'{"x":NaN,' + body[1:]) if body else None


def body_says_a_key_twice(reading: AnalyzedExchange) -> Exchange | None:
    """The answer has one key twice."""
    body = _object(reading)
    return edit.with_body(reading.exchange, b'{"x":1,"x":2,' + body[1:]) if body else None


def says_html(reading: AnalyzedExchange) -> Exchange | None:
    """A JSON body says it is HTML."""
    if not _object(reading):
        return None
    return edit.with_header(reading.exchange, "content-type", "text/html")


def stream_says_json(reading: AnalyzedExchange) -> Exchange | None:
    """A stream says it is JSON."""
    if not spoken(reading) or not reading.stream.events:
        return None
    return edit.with_header(reading.exchange, "content-type", "application/json")


def says_gbk(reading: AnalyzedExchange) -> Exchange | None:
    """A JSON body says it is written in GBK."""
    if not _object(reading):
        return None
    return edit.with_header(reading.exchange, "content-type", "application/json; charset=gbk")


def blank_line_is_lost(reading: AnalyzedExchange) -> Exchange | None:
    """The last event is not closed."""
    body = reading.exchange.response.body
    if not reading.stream.events:
        return None
    return edit.with_body(reading.exchange, body.rstrip(b"\r\n") + b"\n")


def has_an_unknown_field(reading: AnalyzedExchange) -> Exchange | None:
    """A line of the first event has a field that the grammar does not know."""
    told = edit.blocks(reading)
    return edit.with_block(reading, 1, b"dta: x\n" + told[0]) if told else None


def has_a_byte_that_is_no_character(reading: AnalyzedExchange) -> Exchange | None:
    """A comment of the first event holds a byte that is not UTF-8."""
    told = edit.blocks(reading)
    return edit.with_block(reading, 1, b":\xff\n" + told[0]) if told else None


def event_is_cut_off(reading: AnalyzedExchange) -> Exchange | None:
    """The last character of an event's data is lost."""
    return _data(reading, lambda data: data[:-1])


def event_says_nan(reading: AnalyzedExchange) -> Exchange | None:
    """An event holds NaN, as Python writes it."""
    return _data(reading, lambda data: b'{"x":NaN,' + data[1:])


def _data(reading: AnalyzedExchange, change: object) -> Exchange | None:
    part = next((part for part in reading.parts if isinstance(part.value, dict)), None)
    if part is None or part.event is None or not spoken(reading) or not part.value:
        return None
    event = reading.stream.events[part.event - 1]
    if not edit.one_line(event) or not callable(change):
        return None
    body, start = reading.exchange.response.body, event.data_offset
    data = event.data.strip().encode()
    return edit.with_body(reading.exchange, body[:start] + change(data) + body[start + len(data) :])


def _ended(reading: AnalyzedExchange) -> bool:
    """Whether this is a stream of the form that ends with a marker, and did."""
    told = isinstance(reading.outcome, Reply) and spoken(reading)
    return bool(told and reading.endpoint and reading.endpoint.ends_with_done and reading.stream)


def marker_is_lost(reading: AnalyzedExchange) -> Exchange | None:
    """The stream ends without its marker."""
    if not _ended(reading) or not reading.stream.events:
        return None
    told = zip(edit.blocks(reading), reading.stream.events, strict=True)
    return edit.with_blocks(reading, [block for block, event in told if event.data != DONE])


def marker_comes_early(reading: AnalyzedExchange) -> Exchange | None:
    """The marker stands before the last event too."""
    if not _ended(reading) or len(reading.stream.events) < 2:
        return None
    return edit.with_blocks(reading, [b"data: [DONE]\n\n", *edit.blocks(reading)])


def marker_is_added(reading: AnalyzedExchange) -> Exchange | None:
    """A stream that has no marker ends with one."""
    endpoint = spoken(reading)
    if endpoint is None or endpoint.ends_with_done or not reading.stream.events:
        return None
    body = reading.exchange.response.body.rstrip(b"\n")
    return edit.with_body(reading.exchange, body + b"\n\ndata: [DONE]\n\n")


def _may_stream(reading: AnalyzedExchange) -> bool:
    endpoint = spoken(reading)
    return bool(
        endpoint and endpoint.event and reading.accepted and isinstance(reading.outcome, Reply)
    )


def stream_was_asked_for(reading: AnalyzedExchange) -> Exchange | None:
    """A stream was asked for, and a whole answer came."""
    if not _may_stream(reading) or reading.is_stream or not _asks_json(reading):
        return None
    return edit.ask(reading, "/stream", True)


def no_stream_was_asked_for(reading: AnalyzedExchange) -> Exchange | None:
    """No stream was asked for, and one came."""
    if not _may_stream(reading) or not reading.is_stream or not _asks_json(reading):
        return None
    if wants_stream(reading) and resolve(reading.request_json.value, "/stream") is not True:
        kept = tuple(h for h in reading.exchange.request.headers if h[0].lower() == "user-agent")
        bare = replace(reading.exchange, request=replace(reading.exchange.request, headers=kept))
        reading = replace(reading, exchange=bare)
    return edit.ask(reading, "/stream", False)


def refusal_comes_with_200(reading: AnalyzedExchange) -> Exchange | None:
    """A refusal comes with the status of an answer."""
    if reading.accepted or not isinstance(reading.outcome, Failure):
        return None
    accepted = edit.with_status(reading.exchange, 200)
    return accepted if refusals(replace(reading, exchange=accepted)) else None
