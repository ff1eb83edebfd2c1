"""Faults that violate Zhipu's own rules."""

from __future__ import annotations

import re

from harness.analysis.edit import change_event, change_values, put, replace_value, with_header
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.providers.zhipu.rules import is_zhipu
from harness.types import Exchange, Json
from harness.wire import resolve


def _is_zhipu_stream(analyzed: AnalyzedExchange) -> bool:
    return is_zhipu(analyzed) and bool(analyzed.stream.events)


@exchange_fault("zhipu_events_have_no_name", (1, "result"), (-1, "error"), when=_is_zhipu_stream)
def zhipu_event_named(analyzed: AnalyzedExchange, event: tuple[int, str]) -> Exchange:
    """Add a name (`event:` line) to the first or the last event, as DashScope has it.

    *event* is (index of the event, name).
    """
    return change_event(analyzed, event[0], lambda block: f"event: {event[1]}\n".encode() + block)


def _chat_id(analyzed: AnalyzedExchange) -> str:
    """Return the id of a chat's answer; "" if it has none, or the request set `request_id`."""
    parts = analyzed.answers[:1] if is_zhipu(analyzed) else []
    own = resolve(parts[0].value, "/id") if parts else None
    endpoint = analyzed.endpoint
    is_chat = bool(endpoint and endpoint.finish_reasons and not endpoint.fields.task_id)
    sent = resolve(analyzed.request_json.value, "/request_id")
    has_digits = isinstance(own, str) and any(c.isdigit() for c in own)
    return str(own) if has_digits and is_chat and not sent else ""


def _with_member(analyzed: AnalyzedExchange, name: str, value: Json) -> Exchange | None:
    """Return the exchange with the member *name* set in its answer; None if it has no object."""
    parts = analyzed.answers[:1]
    if not parts or not isinstance(parts[0].value, dict):
        return None
    return replace_value(analyzed, parts[0], "", put(parts[0].value, f"/{name}", value))


@exchange_fault("zhipu_ids_agree", when=_chat_id)
def zhipu_request_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set `request_id` to a value that differs from `id`.

    Returns None if the answer is not a JSON object.
    """
    return _with_member(analyzed, "request_id", f"{_chat_id(analyzed)}7")


@exchange_fault("zhipu_ids_agree", when=_chat_id)
def zhipu_log_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the header x-log-id to a value that differs from `id`."""
    return with_header(analyzed.exchange, "x-log-id", f"{_chat_id(analyzed)}7")


@exchange_fault("zhipu_id_tells_time", 86_400, 8 * 3600, when=is_zhipu)
def zhipu_created_at_another_time(analyzed: AnalyzedExchange, seconds: int) -> Exchange | None:
    """Set `created` to a day, or to 8 hours (another time zone), after the time in the id.

    *seconds* is added to `created`. Returns None if the answer has no such time, or its id has no
    time.
    """
    parts = analyzed.answers[:1]
    own = resolve(parts[0].value, "/id") if parts else None
    created = resolve(parts[0].value, "/created") if parts else None
    has_time = isinstance(own, str) and re.fullmatch(r"20[0-9]{12}[0-9a-f]{8,24}", own)
    if not has_time or type(created) is not int:
        return None
    return change_values(analyzed, lambda value: put(value, "/created", created + seconds))


@exchange_fault("zhipu_filter_is_known", ("assistant", 7), ("stranger", 1), when=is_zhipu)
def zhipu_filter_unknown(analyzed: AnalyzedExchange, mark: tuple[str, int]) -> Exchange | None:
    """Set an unknown level or an unknown role in `content_filter`.

    *mark* is (role, level). Returns None if the answer is not a JSON object.
    """
    return _with_member(analyzed, "content_filter", [{"role": mark[0], "level": mark[1]}])


FAULTS = faults_of(vars())
