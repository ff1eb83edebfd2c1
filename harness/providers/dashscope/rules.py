"""Rules for DashScope only. The tags, such as [REC], are explained in `harness.providers`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.exchange import AnalyzedExchange, violation
from harness.rules.rule import WARNING, Rule, exchange_rule, show, stream_rule
from harness.rules.wire_format import event_part
from harness.types import Finding
from harness.wire import Event, query, resolve

_ID = re.compile(r"[0-9a-fA-F-]{32,36}")
_STATUS = re.compile(r"HTTP_STATUS/([0-9]{3})")


def _is_form(reading: AnalyzedExchange, *forms: str) -> bool:
    endpoint = reading.checked_endpoint
    return endpoint is not None and endpoint.dialect in forms


def is_dashscope(reading: AnalyzedExchange) -> bool:
    """Return whether the exchange is with DashScope, in its own format or in OpenAI's."""
    return _is_form(reading, "dashscope", "compatible")


def own_events(reading: AnalyzedExchange) -> tuple[Event, ...]:
    """Return the events of a stream in DashScope's own format; empty for any other response."""
    return reading.stream.events if _is_form(reading, "dashscope") else ()


def dashscope_events_count_up(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that DashScope's events have the ids 1, 2, 3 and so on.

    [DOC B3], [REC] all recorded streams. A gap means that an event was lost.
    """
    for event in own_events(reading):
        if event.id != str(event.number):
            expected = f"the event id {event.number}"
            yield reading.violation(expected, show(event.id), event_part(event))


def dashscope_event_is_named(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that DashScope's events are named `result` or `error`.

    [DOC B3], [REC] all recorded streams.
    """
    for event in own_events(reading):
        if event.event not in ("result", "error"):
            expected = "the event result or error"
            yield reading.violation(expected, show(event.event), event_part(event))


def dashscope_event_tells_status(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that DashScope's events have a comment with a status, such as `:HTTP_STATUS/200`.

    [REC] all recorded streams. The status must be 400 or more in an event named `error`, and less
    in one named `result`. For an error within a stream, it is the only status. A stream without any
    status is accepted, because [DOC B3] shows one, and because a proxy may drop comments.
    """
    events = [(event, _statuses(event)) for event in own_events(reading)]
    for event, statuses in events if any(statuses for _, statuses in events) else ():
        place = reading.place(part=event_part(event))
        if len(statuses) != 1:
            yield violation("one comment HTTP_STATUS", show(list(event.comments)), place)
            continue
        is_error = statuses[0] >= "400"
        if not is_error and resolve(event.json.value, "/code"):
            yield violation("a status of 400 or more of a refusal", statuses[0], place)
        elif event.event == ("result" if is_error else "error"):
            yield violation(f"a status that agrees with {event.event}", statuses[0], place)


def _statuses(event: Event) -> list[str]:
    matches = (_STATUS.fullmatch(comment.strip()) for comment in event.comments)
    return [match[1] for match in matches if match]


def dashscope_request_ids_agree(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that DashScope's header `x-request-id`, if it is sent, is the body's `request_id`.

    [REC] all recordings; the answers to polls have no such header. The provider's support asks for
    this id.
    """
    if not is_dashscope(reading):
        return
    header = reading.exchange.response.header("x-request-id") or ""
    if not _ID.fullmatch(header):
        return
    for part in reading.parts[:1]:
        request_id = resolve(part.value, "/request_id")
        if isinstance(request_id, str) and request_id not in ("", header):
            expected = f"{show(header)} as in the header x-request-id"
            yield reading.violation(expected, show(request_id), part, "/request_id")


def dashscope_files_say_how_they_ended(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a file of a task that failed has a code and a message, and no other file has.

    [DOC] B5, Paraformer: each file has its own `subtask_status`. A program would download what a
    file that failed does not have.
    """
    for part in reading.parts if _is_form(reading, "dashscope") else ():
        for pointer, result in query(part.value, "/output/results/[]"):
            state, code = resolve(result, "/subtask_status"), resolve(result, "/code")
            place = reading.place(f"{pointer}/subtask_status", part)
            if state == "FAILED" and not (code and resolve(result, "/message")):
                yield violation("a code and a message with the state FAILED", show(result), place)
            elif state == "SUCCEEDED" and code:
                yield violation("no code with the state SUCCEEDED", show(code), place)


_MAX_ROUNDING = 2
"""The accepted difference, in milliseconds."""


def dashscope_times_agree(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that DashScope's `req-cost-time` is `resp-start-time` minus `req-arrive-time`.

    All are in milliseconds; in all 133 recordings [REC] they agree up to one millisecond. They may
    disagree in an answer from the cache of a proxy.
    """
    if not is_dashscope(reading):
        return
    names = ("req-arrive-time", "resp-start-time", "req-cost-time")
    arrived, started, cost = (_milliseconds(reading, name) for name in names)
    if arrived is None or started is None or cost is None:
        return
    if abs(started - arrived - cost) > _MAX_ROUNDING:
        yield violation(f"req-cost-time {started - arrived}", cost, reading.place())


def _milliseconds(reading: AnalyzedExchange, name: str) -> int | None:
    text = reading.exchange.response.header(name) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


RULES: tuple[Rule, ...] = (
    stream_rule(dashscope_events_count_up, "B3"),
    stream_rule(dashscope_event_is_named, "B3"),
    stream_rule(dashscope_event_tells_status, "B3"),
    exchange_rule(dashscope_files_say_how_they_ended, "B5"),
    exchange_rule(dashscope_request_ids_agree, "first", WARNING),
    exchange_rule(dashscope_times_agree, "first A7", WARNING),
)
