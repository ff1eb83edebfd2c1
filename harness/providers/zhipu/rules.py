"""Rules for Zhipu only. The tags, such as [REC], are explained in `harness.providers`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.rules.rule import WARNING, Rule, exchange_rule, show, stream_rule
from harness.rules.wire_format import event_part
from harness.types import Finding
from harness.wire import query, resolve


def is_zhipu(reading: AnalyzedExchange) -> bool:
    """Return whether the exchange is with a known endpoint of Zhipu."""
    endpoint = reading.checked_endpoint
    return endpoint is not None and endpoint.dialect == "zhipuai"


def _answers(reading: AnalyzedExchange) -> Sequence[Part]:
    return reading.answers if is_zhipu(reading) else []


def zhipu_events_have_no_name(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that Zhipu's events have no name.

    [REC]: none of 5522 recorded events has one. A client passes a named event to another listener,
    where it may be lost. Comments and ids, which proxies may add, are allowed.
    """
    for event in reading.stream.events if is_zhipu(reading) else ():
        if event.event not in ("", "message"):
            yield reading.violation("an event without a name", show(event.event), event_part(event))


def _is_id(value: object) -> bool:
    """Return whether *value* is a real id, with digits, and not a recorder's placeholder."""
    return isinstance(value, str) and any(c.isdigit() for c in value)


def zhipu_ids_agree(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that `id` and `request_id` of Zhipu's chats and the header `x-log-id` are the same.

    [REC]: so in all recordings. Not checked are chats whose request sets `request_id` [DOC],
    and tasks, whose ids have a prefix [DOC A4].
    """
    is_chat = bool(reading.endpoint and reading.endpoint.finish_reasons)
    if not is_zhipu(reading) or not is_chat or reading.fields.task_id:
        return
    if resolve(reading.request_json.value, "/request_id"):
        return
    header = reading.exchange.response.header("x-log-id")
    for part in _answers(reading)[:1]:
        own, request_id = resolve(part.value, "/id"), resolve(part.value, "/request_id")
        for name, pointer, other in (
            ("request_id", "/request_id", request_id),
            ("the header x-log-id", "/id", header),
        ):
            if _is_id(own) and _is_id(other) and own != other:
                actual = f"{show(own)} and {show(other)}"
                yield reading.violation(f"id and {name} to be the same", actual, part, pointer)


_BEIJING = timezone(timedelta(hours=8))
_TIMED_ID = re.compile(r"(20\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)[0-9a-f]{8,24}", re.ASCII)
_MAX_DIFFERENCE = 3600
"""The maximum difference in seconds; in all 60 recordings [REC] it is below 120."""


def zhipu_id_tells_time(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the Beijing time in Zhipu's ids is the same as `created`.

    [REC]: the two differ by less than two minutes in all 60 recordings; up to an hour is allowed.
    Ids in another format [DOC A1] have no time and are not checked. The times differ if, for
    example, a proxy updates only one of them in a cached answer.
    """
    for part in _answers(reading)[:1]:
        created, time = resolve(part.value, "/created"), _time(resolve(part.value, "/id"))
        if type(created) is int and time is not None and abs(time - created) > _MAX_DIFFERENCE:
            yield reading.violation(f"about {time}, as in the id", created, part, "/created")


def _time(own: object) -> int | None:
    match = _TIMED_ID.fullmatch(own) if isinstance(own, str) else None
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        time = datetime(year, month, day, hour, minute, second, tzinfo=_BEIJING)
    except ValueError:
        return None
    return int(time.timestamp())


_LEVELS = (0, 1, 2, 3)
_FILTERED = ("assistant", "user", "history")


def zhipu_filter_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that Zhipu's `content_filter` has a known role, and a level from 0 (severe) to 3.

    [DOC A5]. Programs that hide marked content depend on these roles and levels.
    """
    for part in _answers(reading):
        for pointer, item in query(part.value, "/content_filter/[]"):
            if resolve(item, "/role") not in _FILTERED or resolve(item, "/level") not in _LEVELS:
                expected = f"a role among {', '.join(_FILTERED)} and a level from 0 to 3"
                yield reading.violation(expected, show(item), part, pointer)


RULES: tuple[Rule, ...] = (
    stream_rule(zhipu_events_have_no_name, "A2", WARNING),
    exchange_rule(zhipu_ids_agree, "A1 first", WARNING),
    exchange_rule(zhipu_id_tells_time, "first A7", WARNING),
    exchange_rule(zhipu_filter_is_known, "A5", WARNING),
)
