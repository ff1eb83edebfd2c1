"""Faults in the form of HTTP messages, JSON and server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.analysis import edit
from harness.analysis.endpoint import Role
from harness.analysis.exchange import DONE, AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.rules.rule import wants_stream
from harness.types import Exchange, Failure, Reply
from harness.wire import resolve

_MARKER = b"data: [DONE]\n\n"

BytesEdit = Callable[[bytes], bytes]


def _is_call(analyzed: AnalyzedExchange) -> bool:
    """Return whether the exchange is a call of a known endpoint, answered by no file."""
    known = analyzed.endpoint is not None and analyzed.endpoint.role is not Role.FILE
    return known and not analyzed.is_sound


@exchange_fault(
    "known_endpoint",
    {"uri": "https://example.invalid/v0/elsewhere"},
    {"method": "PATCH"},
    when=_is_call,
)
def unknown_endpoint(analyzed: AnalyzedExchange, changes: dict[str, str]) -> Exchange:
    """Replace the URL, or the method, of the request by one that no endpoint has.

    *changes* are the new values of attributes of `Request`, such as `{"method": "PATCH"}`.
    """
    request = replace(analyzed.exchange.request, **changes)  # type: ignore[arg-type]  # all are str
    return replace(analyzed.exchange, request=request)


def _sends_json(analyzed: AnalyzedExchange) -> bool:
    roles = (Role.ANSWER, Role.SUBMIT)
    known = analyzed.endpoint is not None and analyzed.endpoint.role in roles
    return known and isinstance(analyzed.request_json.value, dict)


@exchange_fault(
    "request_is_json",
    lambda body: body.rstrip()[:-1],
    lambda body: b"[" + body + b"]",
    when=_sends_json,
)
def request_malformed(analyzed: AnalyzedExchange, change: BytesEdit) -> Exchange:
    """Remove the last byte of the request body, or wrap the body in an array.

    *change* returns the new body, given the recorded one.
    """
    return edit.with_request(analyzed.exchange, change(analyzed.exchange.request.body))


# --------------------------------------------------------------------------------- documents


def _is_document(analyzed: AnalyzedExchange) -> bool:
    """Return whether the rules check the response, and it is a JSON object with members."""
    whole = analyzed.checked_endpoint is not None and not analyzed.is_stream
    value = analyzed.response_json.value if whole and not analyzed.response_json.problem else None
    return isinstance(value, dict) and bool(value)


@exchange_fault(
    "body_is_json",
    lambda body: body[:-1],
    lambda body: b'{"x":NaN,' + body[1:],
    lambda body: b'{"x":1,"x":2,' + body[1:],
    when=_is_document,
)
def body_malformed(analyzed: AnalyzedExchange, change: BytesEdit) -> Exchange:
    """Remove the last byte of the response body, or add NaN, or add a member twice.

    *change* returns the new body, given the recorded one.
    """
    return edit.with_body(analyzed.exchange, change(analyzed.exchange.response.body.strip()))


_GBK = "application/json; charset=gbk"


@exchange_fault("content_type_agrees_with_body", "text/html", _GBK, when=_is_document)
def document_mislabelled(analyzed: AnalyzedExchange, content_type: str) -> Exchange:
    """Set the Content-Type of a JSON document to HTML, or its charset to GBK.

    *content_type* is the new value of the header.
    """
    return edit.with_header(analyzed.exchange, "content-type", content_type)


# ----------------------------------------------------------------------------------- streams


def _is_stream(analyzed: AnalyzedExchange) -> bool:
    return analyzed.checked_endpoint is not None and bool(analyzed.stream.events)


@exchange_fault("content_type_agrees_with_body", when=_is_stream)
def stream_mislabelled(analyzed: AnalyzedExchange) -> Exchange:
    """Set the Content-Type of a stream to JSON."""
    return edit.with_header(analyzed.exchange, "content-type", "application/json")


@exchange_fault("stream_is_well_formed", when=_is_stream)
def last_blank_line_removed(analyzed: AnalyzedExchange) -> Exchange:
    """Remove the blank line that ends the last event."""
    return edit.with_body(
        analyzed.exchange, analyzed.exchange.response.body.rstrip(b"\r\n") + b"\n"
    )


@exchange_fault("stream_is_well_formed", b"dta: x\n", b":\xff\n", when=_is_stream)
def event_malformed(analyzed: AnalyzedExchange, line: bytes) -> Exchange:
    """Add an unknown field, or a comment that is not UTF-8, to the first event.

    *line* is the added line.
    """
    return edit.change_event(analyzed, 1, lambda block: line + block)


@exchange_fault(
    "events_are_json", lambda data: data[:-1], lambda data: b'{"x":NaN,' + data[1:], when=_is_stream
)
def event_data_malformed(analyzed: AnalyzedExchange, change: BytesEdit) -> Exchange | None:
    """Remove the last character of an event's data, or add NaN to the data.

    Returns None if no event has a JSON object on one line. *change* returns the new data, given the
    recorded data.
    """
    objects = [part for part in analyzed.parts if isinstance(part.value, dict) and part.value]
    event = analyzed.stream.events[objects[0].event - 1] if objects and objects[0].event else None
    if event is None or not event.data or event.lines:
        return None
    data = event.data.strip().encode()
    return edit.change_event(analyzed, event.number, lambda b: b.replace(data, change(data), 1))


def _ends_with_marker(analyzed: AnalyzedExchange) -> bool:
    marked = analyzed.endpoint is not None and analyzed.endpoint.ends_with_done
    return marked and _is_stream(analyzed) and isinstance(analyzed.outcome, Reply)


@exchange_fault("done_marker", when=_ends_with_marker)
def done_marker_removed(analyzed: AnalyzedExchange) -> Exchange:
    """Remove the marker [DONE] at the end of a stream."""
    blocks = zip(edit.event_blocks(analyzed), analyzed.stream.events, strict=True)
    return edit.with_event_blocks(
        analyzed, [block for block, event in blocks if event.data != DONE]
    )


@exchange_fault("done_marker", when=_ends_with_marker)
def done_marker_first(analyzed: AnalyzedExchange) -> Exchange | None:
    """Insert a marker [DONE] before the first event.

    Returns None if the stream has only one event.
    """
    blocks = edit.event_blocks(analyzed)
    return edit.with_event_blocks(analyzed, [_MARKER, *blocks]) if len(blocks) > 1 else None


@exchange_fault("done_marker", when=_is_stream)
def done_marker_added(analyzed: AnalyzedExchange) -> Exchange | None:
    """Append the marker [DONE] to a stream of an endpoint that does not send it.

    Returns None if the endpoint sends the marker, or may send it.
    """
    body = analyzed.exchange.response.body.rstrip(b"\n") + b"\n\n"
    endpoint = analyzed.endpoint
    marked = endpoint and (endpoint.ends_with_done or "done_marker" in endpoint.exempt)
    return None if marked else edit.with_body(analyzed.exchange, body + _MARKER)


@exchange_fault("delivery_as_asked", when=_sends_json)
def other_delivery_requested(analyzed: AnalyzedExchange) -> Exchange | None:
    """Request a stream for a response that is a document, and a document for a stream.

    Returns None if the response is not an answer, or if the endpoint cannot stream.
    """
    endpoint = analyzed.checked_endpoint
    if not endpoint or not endpoint.event or not isinstance(analyzed.outcome, Reply):
        return None
    if wants_stream(analyzed) and resolve(analyzed.request_json.value, "/stream") is not True:
        request = analyzed.exchange.request  # a header asks for the stream
        kept = tuple(h for h in request.headers if h[0].lower() == "user-agent")
        bare = replace(analyzed.exchange, request=replace(request, headers=kept))
        analyzed = replace(analyzed, exchange=bare)
    return edit.change_request(analyzed, "/stream", not analyzed.is_stream)


@exchange_fault("status_agrees_with_body")
def refusal_with_status_200(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the status of a refusal to 200.

    Returns None if the response is not a refusal, or is not recognised as a refusal with status
    200.
    """
    if analyzed.accepted or not isinstance(analyzed.outcome, Failure):
        return None
    accepted = edit.with_status(analyzed.exchange, 200)
    return accepted if replace(analyzed, exchange=accepted).refusals else None


FAULTS = faults_of(vars())
