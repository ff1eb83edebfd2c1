"""Breaking what holds of Zhipu's wire alone."""

from __future__ import annotations

import re

from harness.analysis.exchange import AnalyzedExchange
from harness.faults.breaks import edit
from harness.rules.rule import answers, spoken
from harness.types import Exchange
from harness.wire import resolve

_DIALECT = "zhipuai"


def _ours(reading: AnalyzedExchange) -> bool:
    endpoint = spoken(reading)
    return endpoint is not None and endpoint.dialect == _DIALECT


def event_has_a_name(reading: AnalyzedExchange) -> Exchange | None:
    """An event has the name of another service's."""
    if not _ours(reading) or not reading.stream.events:
        return None
    return edit.with_block(reading, 1, b"event: result\n" + edit.blocks(reading)[0])


def error_has_a_name(reading: AnalyzedExchange) -> Exchange | None:
    """The last event is named as an error."""
    if not _ours(reading) or not reading.stream.events:
        return None
    last = len(reading.stream.events)
    return edit.with_block(reading, last, b"event:error\n" + edit.blocks(reading)[-1])


def _own_id(reading: AnalyzedExchange) -> str:
    told = answers(reading)[:1] if _ours(reading) else []
    own = resolve(told[0].value, "/id") if told else ""
    is_chat = reading.endpoint is not None and not reading.endpoint.fields.task_id
    sent = resolve(reading.request_json.value, "/request_id")
    digits = isinstance(own, str) and any(c.isdigit() for c in own)
    return str(own) if is_chat and digits and not sent else ""


def request_id_is_another(reading: AnalyzedExchange) -> Exchange | None:
    """The id of the request is not the answer's."""
    own = _own_id(reading)
    part = answers(reading)[0] if own else None
    if part is None:
        return None
    return edit.put(reading, part, "", edit.planted(part.value, "/request_id", f"{own}7"))


def log_id_is_another(reading: AnalyzedExchange) -> Exchange | None:
    """The header tells the id of another answer."""
    own = _own_id(reading)
    return edit.with_header(reading.exchange, "x-log-id", f"{own}7") if own else None


def _created(reading: AnalyzedExchange, change: int) -> Exchange | None:
    told = answers(reading)[:1] if _ours(reading) else []
    own = resolve(told[0].value, "/id") if told else ""
    created = resolve(told[0].value, "/created") if told else None
    timely = isinstance(own, str) and re.fullmatch(r"20[0-9]{12}[0-9a-f]{8,24}", own)
    if not timely or type(created) is not int:
        return None
    return edit.put_all(reading, lambda value: edit.planted(value, "/created", created + change))


def created_a_day_later(reading: AnalyzedExchange) -> Exchange | None:
    """The answer was created a day later than its id says."""
    return _created(reading, 86_400)


def created_in_another_zone(reading: AnalyzedExchange) -> Exchange | None:
    """The time of creation is Beijing's, taken for UTC."""
    return _created(reading, 8 * 3600)


def _filtered(reading: AnalyzedExchange, role: str, level: int) -> Exchange | None:
    told = answers(reading)[:1] if _ours(reading) else []
    if not told or not isinstance(told[0].value, dict):
        return None
    marks = [{"role": role, "level": level}]
    return edit.put(reading, told[0], "", edit.planted(told[0].value, "/content_filter", marks))


def filter_has_another_scale(reading: AnalyzedExchange) -> Exchange | None:
    """The filter tells a level that is not on the scale."""
    return _filtered(reading, "assistant", 7)


def filter_marks_somebody_else(reading: AnalyzedExchange) -> Exchange | None:
    """The filter marks what somebody unknown said."""
    return _filtered(reading, "stranger", 1)
