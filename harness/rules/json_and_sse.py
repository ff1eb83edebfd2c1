"""Is what travelled JSON, and are streams streams?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import DONE, AnalyzedExchange
from harness.rules.rule import refusals, show, spoken, violation, wants_stream
from harness.types import Failure, Finding
from harness.wire import Event

_AT_MOST = 10


def known_endpoint(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The request goes to an operation whose format the harness knows.

    What goes elsewhere is recorded and replayed, but nothing in it was checked.
    """
    if reading.endpoint is None and not reading.is_binary:
        request = reading.exchange.request
        found = f"{request.method} {request.uri}"
        yield violation("an operation the harness knows", found, reading.place())


def request_is_json(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The body of a request is one JSON object in UTF-8.

    Both services take nothing else; a recorder that stored something else changed the question.
    One that stored none at all was told so: where it was answered, there was one.
    """
    endpoint = reading.endpoint
    if endpoint is None or endpoint.role not in (Role.ANSWER, Role.SUBMIT):
        return
    if reading.accepted and not reading.exchange.request.body:
        return
    if reading.request_json.problem:
        place = reading.request_place(offset=reading.request_json.offset)
        yield violation("a request in JSON", reading.request_json.problem, place)
    elif not isinstance(reading.request_json.value, dict):
        yield violation(
            "a JSON object as request", show(reading.request_json.value), reading.request_place()
        )


def body_is_json(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The body of an answer is well-formed JSON in UTF-8: no NaN, no key twice, nothing cut off.

    Every endpoint answers JSON, refusals included. Python's own `json` reads more than JSON.
    """
    if reading.is_stream or _looks_like_events(reading) or _has_no_body(reading):
        return
    if (
        spoken(reading) or _media_type(reading) == "application/json"
    ) and reading.response_json.problem:
        yield violation(
            "JSON", _no_json(reading), reading.place(offset=reading.response_json.offset or None)
        )


def _no_json(reading: AnalyzedExchange) -> str:
    """What is wrong with a body; of a page or an error in plain text, how it begins."""
    body, problem = reading.exchange.response.body, reading.response_json.problem
    if reading.response_json.offset or not body or body.lstrip().startswith((b"{", b"[")):
        return problem if body else "an empty body"
    return f"a body that begins with {show(body[:40].decode('utf-8', 'replace'))}"


def _has_no_body(reading: AnalyzedExchange) -> bool:
    """Redirects and the like answer nothing, nor does a request of another kind need to."""
    response = reading.exchange.response
    passing = response.status in (204, 304) or 300 <= response.status < 400
    return passing or (not response.body and reading.endpoint is None)


def content_type_agrees_with_body(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The Content-Type says what the body is: JSON, or server-sent events, in UTF-8.

    SDKs choose how to read an answer by this header, or fail to. Where there is no header at all,
    a recorder left them out.
    """
    response = reading.exchange.response
    if spoken(reading) is None or not response.body or not response.headers:
        return
    found = _media_type(reading)
    wanted = _body_type(reading)
    if not wanted:
        return
    if found != wanted:
        yield violation(f"the content type {wanted}", show(found), reading.place())
    charset = _charset(reading)
    if charset not in ("", "utf-8", "utf8"):
        yield violation("the charset UTF-8", show(charset), reading.place())


def _header(reading: AnalyzedExchange) -> str:
    return (reading.exchange.response.header("content-type") or "").lower()


def _media_type(reading: AnalyzedExchange) -> str:
    return _header(reading).partition(";")[0].strip()


def _charset(reading: AnalyzedExchange) -> str:
    return _header(reading).partition("charset=")[2].partition(";")[0].strip(' "')


def _body_type(reading: AnalyzedExchange) -> str:
    """What the body itself looks like; empty where it looks like nothing known."""
    if _looks_like_events(reading):
        return "text/event-stream"
    return "" if reading.response_json.problem else "application/json"


def _looks_like_events(reading: AnalyzedExchange) -> bool:
    begins = (b"data:", b"id:", b"event:", b":")
    return reading.exchange.response.body.lstrip().startswith(begins)


def stream_is_well_formed(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A stream obeys the grammar of server-sent events, and its last event is closed.

    The WHATWG grammar; a stream without its closing blank line was cut off.
    """
    if not reading.is_stream or _body_type(reading) == "application/json":
        return
    for offset, problem in reading.stream.problems[:_AT_MOST]:
        found = f"that {problem}"
        yield violation("well-formed server-sent events", found, reading.place(offset=offset))
    if not reading.stream.events:
        yield violation("at least one event", "none", reading.place())


def _at(event: Event, offset: int = 0) -> Part:
    return Part(None, event.number, event.byte(offset))


def events_are_json(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The data of each event is well-formed JSON.

    The only exception is the closing marker of the endpoints that have one.
    """
    if spoken(reading) is None:
        return
    for event in reading.stream.events:
        document = event.json
        if event.data != DONE and document.problem:
            place = reading.place(part=_at(event, document.offset))
            yield violation("JSON as data", document.problem, place)


def done_marker(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A stream ends with `[DONE]` where that is its form, and only there.

    Zhipu and the OpenAI-compatible form promise it; a client that waits for it hangs without.
    """
    endpoint = spoken(reading)
    events = reading.stream.events
    if endpoint is None or not events or not reading.accepted:
        return
    done = [event for event in events if event.data == DONE]
    if not endpoint.ends_with_done:
        for event in done:
            yield violation(f"no {DONE}", "one", reading.place(part=_at(event)))
    elif not done and not isinstance(reading.outcome, Failure):
        place = reading.place(part=_at(events[-1]))
        yield violation(f"{DONE} at the end of the stream", "none", place)
    elif done:
        for event in events[done[0].number :]:
            yield violation(
                f"nothing after {DONE}", show(event.data), reading.place(part=_at(event))
            )


def delivery_as_asked(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Who asks for a stream gets a stream, and who asks for none gets none.

    A refusal comes as plain JSON in any case.
    """
    endpoint = spoken(reading)
    asked = reading.request_json.value
    if endpoint is None or not isinstance(asked, dict) or not reading.accepted:
        return
    if wants_stream(reading) and endpoint.event is not None and not reading.is_stream:
        expected, found = "a stream", "one whole answer"
    elif asked.get("stream") is False and reading.is_stream:
        expected, found = "one whole answer", "a stream"
    else:
        return
    if not refusals(reading):
        yield violation(f"{expected}, as asked for", found, reading.place())


def status_agrees_with_body(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A refusal comes with an HTTP status that says so.

    A client that trusts the status takes the refusal for an answer. It happens: Zhipu's 1305
    (overloaded) came with HTTP 200 [FIELD 2026-04], DashScope's error events in a 200 stream [REC].
    """
    if not reading.accepted:
        return
    for part in refusals(reading)[:1]:
        status = reading.exchange.response.status
        code = reading.outcome.code if isinstance(reading.outcome, Failure) else ""
        found = f"{status} with the code {code!r}"
        yield violation("an HTTP status of 400 or more", found, reading.place(part=part))
