"""What holds of DashScope's wire alone. Tags as in the dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.rules.rule import WARNING, Rule, exchange_rule, show, spoken, violation
from harness.types import Finding
from harness.wire import Event, resolve

DIALECT = "dashscope"
FORMS = (DIALECT, "compatible")

_ID = re.compile(r"[0-9a-fA-F-]{32,36}")
_STATUS = re.compile(r"HTTP_STATUS/([0-9]{3})")


def _events(reading: AnalyzedExchange) -> tuple[Event, ...]:
    endpoint = spoken(reading)
    return reading.stream.events if endpoint and endpoint.dialect == DIALECT else ()


def _at(event: Event) -> Part:
    return Part(None, event.number, event.offset)


def dashscope_events_count_up(reading: AnalyzedExchange) -> Iterator[Finding]:
    """DashScope: the events of a stream are numbered 1, 2, 3 by their `id`.

    [DOC B3], [REC] all. A gap is a lost event.
    """
    for event in _events(reading):
        if event.id != str(event.number):
            place = reading.place(part=_at(event))
            yield violation(f"the event id {event.number}", show(event.id), place)


def dashscope_event_is_named(reading: AnalyzedExchange) -> Iterator[Finding]:
    """DashScope: an event is a `result` or an `error`.

    [DOC] B3, [REC] all.
    """
    for event in _events(reading):
        if event.event not in ("result", "error"):
            place = reading.place(part=_at(event))
            yield violation("the event result or error", show(event.event), place)


def dashscope_event_tells_status(reading: AnalyzedExchange) -> Iterator[Finding]:
    """DashScope: each event has a comment `:HTTP_STATUS/200`, or of 400 and more for an error.

    [REC] all. It is the only place where a refusal within a stream tells its status. The page of
    [DOC B3] shows a stream without any, and a proxy may drop comments: all or none.
    """
    events = _events(reading)
    if not any(_told(event) for event in events):
        return
    for event in events:
        told = _told(event)
        if len(told) != 1:
            place = reading.place(part=_at(event))
            yield violation("one comment HTTP_STATUS", show(list(event.comments)), place)
        elif event.event in ("result", "error") and (told[0] >= "400") != (event.event == "error"):
            place = reading.place(part=_at(event))
            yield violation(f"a status that agrees with {event.event}", told[0], place)


def _told(event: Event) -> list[str]:
    return [match[1] for c in event.comments if (match := _STATUS.fullmatch(c.strip()))]


def dashscope_request_ids_agree(reading: AnalyzedExchange) -> Iterator[Finding]:
    """DashScope: the header `x-request-id`, where it is sent, is the body's `request_id`.

    [REC] all; polls have no such header. Support asks for this id.
    """
    endpoint = spoken(reading)
    header = reading.exchange.response.header("x-request-id") or ""
    if endpoint is None or endpoint.dialect not in FORMS or not _ID.fullmatch(header):
        return
    for part in reading.parts[:1]:
        found = resolve(part.value, "/request_id")
        if isinstance(found, str) and found and found != header:
            place = reading.place("/request_id", part)
            yield violation(f"{show(header)} as in the header x-request-id", show(found), place)


_ROUNDING = 2


def dashscope_times_agree(reading: AnalyzedExchange) -> Iterator[Finding]:
    """DashScope: from `req-arrive-time` to `resp-start-time` it takes `req-cost-time`.

    All are in milliseconds and agree to one [REC 133 of 133]. A proxy that answers from a cache of
    its own does not keep them together.
    """
    endpoint = spoken(reading)
    if endpoint is None or endpoint.dialect not in FORMS:
        return
    arrived, began, cost = (_milliseconds(reading, name) for name in _TIMES)
    if arrived is None or began is None or cost is None:
        return
    if abs(began - arrived - cost) > _ROUNDING:
        yield violation(f"req-cost-time {began - arrived}", str(cost), reading.place())


_TIMES = ("req-arrive-time", "resp-start-time", "req-cost-time")


def _milliseconds(reading: AnalyzedExchange, name: str) -> int | None:
    text = reading.exchange.response.header(name) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


RULES: tuple[Rule, ...] = (
    exchange_rule(dashscope_events_count_up, "B3"),
    exchange_rule(dashscope_event_is_named, "B3"),
    exchange_rule(dashscope_event_tells_status, "B3"),
    exchange_rule(dashscope_request_ids_agree, "first", WARNING),
    exchange_rule(dashscope_times_agree, "first A7", WARNING),
)
