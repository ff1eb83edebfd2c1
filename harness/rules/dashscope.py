"""What holds of DashScope's wire alone. Tags as in the dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.reading import Part, Reading
from harness.rules.rule import show, spoken
from harness.types import Finding
from harness.wire import Event, at

DIALECT = "dashscope"
FORMS = (DIALECT, "compatible")

_ID = re.compile(r"[0-9a-fA-F-]{32,36}")
_STATUS = re.compile(r"HTTP_STATUS/([0-9]{3})")


def _events(reading: Reading) -> tuple[Event, ...]:
    endpoint = spoken(reading)
    return reading.stream.events if endpoint and endpoint.dialect == DIALECT else ()


def _at(event: Event) -> Part:
    return Part(None, event.number, event.offset)


def dashscope_events_count_up(reading: Reading) -> Iterator[Finding]:
    """DashScope: the events of a stream are numbered 1, 2, 3 by their `id`.

    [DOC B3], [REC] all. A gap is a lost event.
    """
    for event in _events(reading):
        if event.id != str(event.number):
            message = f"expected the event id {event.number}, found {show(event.id)}"
            yield Finding(message, reading.place(part=_at(event)))


def dashscope_event_is_named(reading: Reading) -> Iterator[Finding]:
    """DashScope: an event is a `result` or an `error`.

    [DOC] B3, [REC] all."""
    for event in _events(reading):
        if event.event not in ("result", "error"):
            message = f"expected the event result or error, found {show(event.event)}"
            yield Finding(message, reading.place(part=_at(event)))


def dashscope_event_tells_status(reading: Reading) -> Iterator[Finding]:
    """DashScope: each event has a comment `:HTTP_STATUS/200`, or of 400 and more for an error.

    [REC] all. It is the only place where a refusal within a stream tells its status.
    """
    for event in _events(reading):
        told = [match[1] for c in event.comments if (match := _STATUS.fullmatch(c.strip()))]
        if len(told) != 1:
            message = f"expected one comment HTTP_STATUS, found {show(list(event.comments))}"
            yield Finding(message, reading.place(part=_at(event)))
        elif event.event in ("result", "error") and (told[0] >= "400") != (event.event == "error"):
            message = f"expected a status that agrees with {event.event}, found {told[0]}"
            yield Finding(message, reading.place(part=_at(event)))


def dashscope_request_ids_agree(reading: Reading) -> Iterator[Finding]:
    """DashScope: the header `x-request-id`, where it is sent, is the body's `request_id`.

    [REC] all; polls have no such header. Support asks for this id.
    """
    endpoint = spoken(reading)
    header = reading.exchange.response.header("x-request-id") or ""
    if endpoint is None or endpoint.dialect not in FORMS or not _ID.fullmatch(header):
        return
    for part in reading.parts[:1]:
        found = at(part.value, "/request_id")
        if isinstance(found, str) and found and found != header:
            message = f"expected {show(header)} as in the header x-request-id, found {show(found)}"
            yield Finding(message, reading.place("/request_id", part))
