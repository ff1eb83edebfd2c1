"""What holds of Zhipu's wire alone. Tags as in the dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from harness.analysis.endpoint import Endpoint, Part
from harness.analysis.exchange import AnalyzedExchange
from harness.rules.rule import WARNING, Rule, answers, exchange_rule, show, spoken, violation
from harness.types import Finding
from harness.wire import query, resolve

DIALECT = "zhipuai"


def _ours(reading: AnalyzedExchange) -> Endpoint | None:
    endpoint = spoken(reading)
    return endpoint if endpoint and endpoint.dialect == DIALECT else None


def zhipu_events_have_no_name(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Zhipu: the events of a stream have no name.

    True of all 5522 recorded events [REC]. A named event goes to another listener, where a client
    has one. Comments and ids, as proxies add them, change nothing.
    """
    if _ours(reading) is None:
        return
    for event in reading.stream.events:
        if event.event not in ("", "message"):
            place = reading.place(part=Part(None, event.number, event.offset))
            yield violation("an event without a name", show(event.event), place)


def _told(value: object) -> bool:
    """Whether an id is one, and not the stand-in that a recorder put in its place."""
    return isinstance(value, str) and any(c.isdigit() for c in value)


def zhipu_ids_agree(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Zhipu: a chat's `id`, its `request_id` and the header `x-log-id` are the same.

    True of all recordings [REC] of chats, unless the client sent a `request_id` of its own [DOC].
    Tasks add a prefix to theirs [DOC A4].
    """
    endpoint = _ours(reading)
    if (
        endpoint is None
        or endpoint.fields.task_id
        or resolve(reading.request_json.value, "/request_id")
    ):
        return
    logged = reading.exchange.response.header("x-log-id")
    for part in answers(reading)[:1]:
        own = resolve(part.value, "/id")
        for pointer, other in (
            ("/request_id", resolve(part.value, "/request_id")),
            ("/id", logged),
        ):
            if _told(own) and _told(other) and own != other:
                name = "the header x-log-id" if pointer == "/id" else "request_id"
                place = reading.place(pointer, part)
                yield violation(
                    f"id and {name} to be the same", f"{show(own)} and {show(other)}", place
                )


_BEIJING = timezone(timedelta(hours=8))
_ID = re.compile(r"(20\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)[0-9a-f]{8,24}", re.ASCII)
_AN_HOUR = 3600


def zhipu_id_tells_time(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Zhipu: an id of the form time and hex tells the time of `created`, in Beijing.

    Less than two minutes apart in all 60 recordings [REC]; an hour is let pass. Ids of other forms
    [DOC A1] say nothing. An answer from somebody's cache keeps one and renews the other.
    """
    if _ours(reading) is None:
        return
    for part in answers(reading)[:1]:
        created, told = resolve(part.value, "/created"), _time(resolve(part.value, "/id"))
        if type(created) is int and told is not None and abs(told - created) > _AN_HOUR:
            place = reading.place("/created", part)
            yield violation(f"about {told}, as the id says", str(created), place)


def _time(own: object) -> int | None:
    match = _ID.fullmatch(own) if isinstance(own, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        told = datetime(year, month, day, hour, minute, second, tzinfo=_BEIJING)
    except ValueError:
        return None
    return int(told.timestamp())


_LEVELS = (0, 1, 2, 3)
_FILTERED = ("assistant", "user", "history")


def zhipu_filter_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Zhipu: a `content_filter` names who said it, and a level from 0 (most severe) to 3.

    [DOC A5]. Programs hide what the filter marks, and have to know the scale.
    """
    if _ours(reading) is None:
        return
    for part in answers(reading):
        for pointer, told in query(part.value, "/content_filter/[]"):
            if resolve(told, "/role") not in _FILTERED or resolve(told, "/level") not in _LEVELS:
                expected = f"a role among {', '.join(_FILTERED)} and a level from 0 to 3"
                yield violation(expected, show(told), reading.place(pointer, part))


RULES: tuple[Rule, ...] = (
    exchange_rule(zhipu_events_have_no_name, "A2", WARNING),
    exchange_rule(zhipu_ids_agree, "A1 first", WARNING),
    exchange_rule(zhipu_id_tells_time, "first A7", WARNING),
    exchange_rule(zhipu_filter_is_known, "A5", WARNING),
)
