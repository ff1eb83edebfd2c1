"""Answers that are none: refusals in the service's own form, pages of servers in between, and
bytes that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.endpoint import Endpoint
from harness.faults.transport.events import Block, blocks, data_of, joined, with_data
from harness.faults.transport.recorded import Recorded
from harness.faults.transport.sent import Sent
from harness.types import LooseJson
from harness.wire import compact_bytes, read_json

JSON = ("Content-Type", "application/json")
HTML = ("Content-Type", "text/html; charset=utf-8")
FAULTS = ((500, "Internal Server Error"), (502, "Bad Gateway"), (503, "Service Unavailable"))
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>%s</title></head>\n"
    b"<body><h1>%s</h1><hr>nginx</body></html>\n"
)


def refusal(endpoint: Endpoint, code: str, message: str) -> LooseJson:
    """A refusal's body, with everything where the endpoint has it."""
    fields = endpoint.fields
    told: LooseJson = {}
    for pointers, text in (
        (fields.code, code),
        (fields.message, message),
        (fields.request_id, "torture"),
    ):
        for pointer in pointers:
            if not pointer.startswith("/output/"):
                told = _put(told, pointer[1:].split("/"), text)
    return told


def _put(value: LooseJson, steps: list[str], text: str) -> LooseJson:
    if not steps:
        return text
    return {**value, steps[0]: _put(value.get(steps[0], {}), steps[1:], text)}


def _body(recorded: Recorded, code: str) -> bytes:
    return compact_bytes(
        refusal(recorded.endpoint, code, "the service is overloaded, try again later")
    )


def too_many_requests(recorded: Recorded, spot: int) -> Sent:
    """429 with `Retry-After: 1`, and a refusal in the service's own form."""
    response = recorded.response(_body(recorded, "1302"), JSON, ("Retry-After", "1"))
    refused = replace(response, status=429, reason="Too Many Requests")
    return Sent("429 with Retry-After: 1", refused)


def refused_with_status_200(recorded: Recorded, spot: int) -> Sent:
    """200 and a refusal as plain JSON, even where a stream was asked for."""
    response = recorded.response(_body(recorded, "1305"), JSON)
    return Sent("a refusal in JSON with status 200", response)


def fault_pages(recorded: Recorded) -> Sequence[int]:
    """Each status of `FAULTS`."""
    return range(len(FAULTS))


def fault_in_html(recorded: Recorded, spot: int) -> Sent:
    """5xx with a page in HTML, from a server in between."""
    status, reason = FAULTS[spot]
    page = PAGE % (reason.encode(), reason.encode())
    response = replace(recorded.response(page, HTML), status=status, reason=reason)
    return Sent(f"{status} in HTML", response)


def kinds_of_content(recorded: Recorded) -> Sequence[int]:
    """A page of somebody else's, and the answer itself under a wrong name."""
    return range(2)


def wrong_content_type(recorded: Recorded, spot: int) -> Sent:
    """200 and `text/html`: a page in place of the answer, or the answer under a wrong name."""
    if spot == 1:
        mislabelled = recorded.response(None, HTML)
        return Sent("the answer labelled text/html", mislabelled, keeps=True)
    return Sent("200 and a page in HTML", recorded.response(PAGE % (b"Sign in", b"Sign in"), HTML))


def error_event(recorded: Recorded, spot: int) -> Sent:
    """An event that refuses comes in the middle of a stream, and the stream ends."""
    block = _refusing(recorded)
    body = recorded.body[:spot] + joined([block])
    response = recorded.response(body)
    return Sent(f"an error event after {spot} bytes of the stream", response)


def _refusing(recorded: Recorded) -> Block:
    """In the form of the stream's own events: with a kind, if they have one."""
    data = _body(recorded, "ServiceUnavailable")
    named = any(event.event for event in recorded.reading.stream.events)
    head = (b"id:99", b"event:error", b":HTTP_STATUS/503") if named else ()
    return (*head, (b"data:" if named else b"data: ") + data)


def with_data_cut(recorded: Recorded) -> Sequence[int]:
    """Every event of a stream whose data is JSON, by its number among all, from 0."""
    if not recorded.is_stream:
        return ()
    events = blocks(recorded.body)
    return [at for at, block in enumerate(events) if not read_json(data_of(block)).problem]


def truncated_event(recorded: Recorded, spot: int) -> Sent:
    """The JSON of one event is only its first half; the events around it are whole."""
    events = blocks(recorded.body)
    data = data_of(events[spot])
    events[spot] = with_data(events[spot], data[: len(data) // 2])
    return _sent(recorded, joined(events), f"half of event {spot + 1}'s JSON")


def texts(recorded: Recorded) -> Sequence[int]:
    """The offset of every character of several bytes; where there is none, of every letter."""
    body = recorded.body
    leads = [at for at, byte in enumerate(body) if byte >= 0xC0]
    return leads or [at for at, byte in enumerate(body) if chr(byte).isalpha()]


def not_utf8(recorded: Recorded, spot: int) -> Sent:
    """One byte of a text is one that UTF-8 does not have."""
    body = recorded.body[:spot] + b"\xff" + recorded.body[spot + 1 :]
    return _sent(recorded, body, f"byte {spot} is FF")


def _sent(recorded: Recorded, body: bytes, what: str) -> Sent:
    return Sent(what, recorded.response(body), keeps=True)
