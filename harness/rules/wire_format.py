"""Rules for HTTP bodies (JSON, server-sent events), their status and Content-Type."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import DONE, AnalyzedExchange, violation
from harness.rules.rule import show, wants_stream
from harness.rules.schemas import violations
from harness.types import Failure, Finding
from harness.wire import Event, resolve

_MAX_PROBLEMS = 10
"""Largest number of problems that are reported for one stream."""


def known_endpoint(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a request goes to an operation whose format is known.

    Requests to other operations are recorded and replayed, but not checked.
    """
    if reading.endpoint is None and not reading.is_binary:
        request = reading.exchange.request
        actual = f"{request.method} {request.uri}"
        yield violation("an operation the harness knows", actual, reading.place())


def request_is_json(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the body of a request is one JSON object in UTF-8.

    Both services accept nothing else. An accepted request with an empty body is not checked: the
    recorder was configured to leave the body out.
    """
    endpoint, document = reading.endpoint, reading.request_json
    if endpoint is None or endpoint.role not in (Role.ANSWER, Role.SUBMIT):
        return
    if reading.accepted and not reading.exchange.request.body:
        return
    if document.problem:
        place = reading.request_place(offset=document.offset)
        yield violation("a request in JSON", document.problem, place)
    elif not isinstance(document.value, dict):
        actual = show(document.value)
        yield violation("a JSON object as request", actual, reading.request_place())


def body_is_json(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the body of an answer is well-formed JSON in UTF-8.

    No NaN, no duplicate key, not cut off; Python's own `json` accepts more than JSON. Every
    endpoint of a model answers in JSON, refusals included; others by their Content-Type. Where a
    refusal may be nothing but a text, it may be plain text, too; so may that of a gateway, which
    could not reach the service [FIELD].
    """
    if reading.is_stream or _looks_like_events(reading) or _needs_no_body(reading):
        return
    if reading.is_binary:
        return
    document = reading.response_json
    endpoint = reading.checked_endpoint
    is_text = not reading.accepted and reading.media_type == "text/plain"
    is_gateway = reading.exchange.response.status in _OF_GATEWAYS
    if is_text and endpoint and (is_gateway or not violations(endpoint.refusal, "refused")):
        return
    has_type = reading.media_type == "application/json"
    is_json = has_type or (endpoint is not None and endpoint.role is not Role.LOOKUP)
    if is_json and document.problem:
        yield violation("JSON", _not_json(reading), reading.place(offset=document.offset or None))


_OF_GATEWAYS = (502, 503, 504)


def _not_json(reading: AnalyzedExchange) -> str:
    """Return what is wrong with a body that is not JSON; for HTML or plain text, how it begins."""
    body, document = reading.exchange.response.body, reading.response_json
    if document.offset or not body or body.lstrip().startswith((b"{", b"[")):
        return document.problem if body else "an empty body"
    return f"a body that begins with {show(body[:40].decode('utf-8', 'replace'))}"


def _needs_no_body(reading: AnalyzedExchange) -> bool:
    """Return whether a response may be empty: by its status, or as its endpoint is unknown."""
    response = reading.exchange.response
    is_empty = response.status == 204 or 300 <= response.status < 400
    return is_empty or (not response.body and reading.endpoint is None)


def content_type_agrees_with_body(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the Content-Type is that of the body: JSON or server-sent events, in UTF-8.

    SDKs choose by this header how to read an answer, or fail. An answer whose recorder left out its
    headers, or replaced this one, is not checked; nor a list or the like without this one, as
    Zhipu's voices are sent [REC C2], nor such a refusal, as Azure's gateway sends them [FIELD].
    """
    response, endpoint = reading.exchange.response, reading.checked_endpoint
    if endpoint is None or not response.body or reading.hides_type or reading.is_lines:
        return
    expected, actual = _body_type(reading), reading.media_type
    may_lack = endpoint.role is Role.LOOKUP or response.status >= 400
    if not expected or (not actual and may_lack):
        return
    may_be = endpoint.refusal_types if response.status >= 400 else ()
    if actual not in (expected, *may_be):
        yield violation(f"the content type {expected}", show(actual), reading.place())
    charset = reading.content_type.partition("charset=")[2].partition(";")[0].strip(' "')
    if charset not in ("", "utf-8", "utf8"):
        yield violation("the charset UTF-8", show(charset), reading.place())


def _body_type(reading: AnalyzedExchange) -> str:
    """Return the media type of a body by its bytes; empty if it is neither JSON nor a stream."""
    if _looks_like_events(reading):
        return "text/event-stream"
    return "" if reading.response_json.problem else "application/json"


def _looks_like_events(reading: AnalyzedExchange) -> bool:
    return reading.exchange.response.body.lstrip().startswith((b"data:", b"id:", b"event:", b":"))


def stream_is_well_formed(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a stream follows the grammar of server-sent events, to its last event.

    The grammar is WHATWG's. A stream without its closing blank line was cut off.
    """
    is_json = not reading.is_lines and _body_type(reading) == "application/json"
    if not reading.is_stream or is_json:
        return
    for offset, problem in reading.stream.problems[:_MAX_PROBLEMS]:
        yield violation("well-formed server-sent events", problem, reading.place(offset=offset))
    if not reading.stream.events:
        yield violation("at least one event", "none", reading.place())


def event_part(event: Event, offset: int | None = None) -> Part:
    """Return a `Part` without a value, to give a finding about *event* its place.

    The place is the beginning of the event or, with *offset*, that byte of its data.
    """
    return Part(None, event.number, event.offset if offset is None else event.byte(offset))


def events_are_json(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the data of each event is well-formed JSON, except for the closing marker."""
    if reading.checked_endpoint is None:
        return
    for event in reading.stream.events:
        document = event.json
        if event.data != DONE and document.problem:
            expected = "JSON as data"
            yield reading.violation(expected, document.problem, event_part(event, document.offset))


def done_marker(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a stream ends with `[DONE]` if its API promises that, and only then.

    Zhipu and the OpenAI-compatible API promise it; a client that waits for it would hang.
    """
    endpoint, events = reading.checked_endpoint, reading.stream.events
    if endpoint is None or endpoint.event is None or not events or not reading.accepted:
        return
    markers = [event for event in events if event.data == DONE]
    if not endpoint.ends_with_done:
        for event in markers:
            yield reading.violation(f"no {DONE}", "one", event_part(event))
    elif not markers and not isinstance(reading.outcome, Failure):
        yield reading.violation(f"{DONE} at the end of the stream", "none", event_part(events[-1]))
    for event in events[markers[0].number :] if endpoint.ends_with_done and markers else ():
        yield reading.violation(f"nothing after {DONE}", show(event.data), event_part(event))


def delivery_as_asked(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a request for a stream gets a stream, and any other request a document.

    A refusal is a JSON document in either case.
    """
    endpoint, request = reading.checked_endpoint, reading.request_json.value
    if endpoint is None or not isinstance(request, dict) or not reading.accepted:
        return
    if wants_stream(reading) and endpoint.event is not None and not reading.is_stream:
        expected, actual = "a stream", "one whole answer"
    elif request.get("stream") is False and reading.is_stream:
        expected, actual = "one whole answer", "a stream"
    else:
        return
    if not reading.refusals:
        yield violation(f"{expected} as requested", actual, reading.place())


def status_agrees_with_body(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a refusal has an HTTP status of 400 or more.

    A client that relies on the status treats the refusal as an answer. It happens: Zhipu's 1305
    (overloaded) came with HTTP 200 [FIELD 2026-04], DashScope's error events in a 200 stream [REC].
    Errors after the first events of a stream are not checked, for the status has been sent then;
    nor are results that say themselves that they failed (`status: failed`) [DOC].
    """
    is_late = bool(reading.answers)
    for part in reading.refusals[:1] if reading.accepted and not is_late else ():
        if resolve(part.value, "/status") == "failed":
            continue
        code = reading.outcome.code if isinstance(reading.outcome, Failure) else ""
        actual = f"{reading.exchange.response.status} with the code {code!r}"
        yield reading.violation("an HTTP status of 400 or more", actual, part)
