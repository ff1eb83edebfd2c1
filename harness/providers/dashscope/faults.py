"""Faults that violate DashScope's own rules."""

from __future__ import annotations

from harness.analysis import edit
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.providers.dashscope.rules import is_dashscope, own_events
from harness.types import Exchange, Json
from harness.wire import compact_bytes, resolve

_ID = "0" * 32


@exchange_fault("status_agrees_with_body", when=own_events)
def dashscope_error_event(analyzed: AnalyzedExchange) -> Exchange | None:
    """Replace a stream by an error event with the status 500."""
    refusal: Json = {"code": "InternalError", "message": "Broken.", "request_id": _ID}
    head = b"id:1\nevent:error\n:HTTP_STATUS/500\ndata:"
    return edit.with_event_blocks(analyzed, [head + compact_bytes(refusal) + b"\n\n"])


@exchange_fault("dashscope_events_count_up", when=own_events)
def dashscope_event_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the first event of a stream with several events.

    Returns None if the stream has fewer than two events.
    """
    blocks = edit.event_blocks(analyzed)
    return edit.with_event_blocks(analyzed, blocks[1:]) if len(blocks) > 1 else None


@exchange_fault("dashscope_events_count_up", when=own_events)
def dashscope_event_repeated(analyzed: AnalyzedExchange) -> Exchange | None:
    """Duplicate the first event."""
    blocks = edit.event_blocks(analyzed)
    return edit.with_event_blocks(analyzed, [blocks[0], *blocks])


@exchange_fault("dashscope_event_is_named", b"event:message\n", b"", when=own_events)
def dashscope_event_renamed(analyzed: AnalyzedExchange, line: bytes) -> Exchange:
    """Rename the last event to `message`, or remove its name.

    *line* replaces the line with the name; if it is empty, the line is removed.
    """
    return edit.change_event(analyzed, -1, lambda block: block.replace(b"event:result\n", line, 1))


@exchange_fault("dashscope_event_tells_status", b":HTTP_STATUS/500\n", b"", when=own_events)
def dashscope_status_differs(analyzed: AnalyzedExchange, line: bytes) -> Exchange | None:
    """Set the status of the last event to 500, or remove it if there are other events.

    *line* replaces the line with the status; if it is empty, the line is removed. Returns None if
    it would be removed from the only event.
    """
    if not line and len(analyzed.stream.events) < 2:
        return None
    return edit.change_event(
        analyzed, -1, lambda block: block.replace(b":HTTP_STATUS/200\n", line, 1)
    )


def _request_id(analyzed: AnalyzedExchange) -> str:
    """Return the request id in the body of the answer; "" if it has none."""
    parts = analyzed.parts if is_dashscope(analyzed) else ()
    own = resolve(parts[0].value, "/request_id") if parts else None
    return own if isinstance(own, str) and own != _ID else ""


@exchange_fault("dashscope_request_ids_agree", when=_request_id)
def dashscope_header_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the header x-request-id to the id of another request."""
    return edit.with_header(analyzed.exchange, "x-request-id", _ID)


@exchange_fault("dashscope_request_ids_agree", when=_request_id)
def dashscope_body_id_differs(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the request id in the body to the id of another request.

    The header x-request-id gets the id that the body had. Returns None if it is not a UUID.
    """
    own = _request_id(analyzed)
    if len(own) not in range(32, 37) or set(own.lower()) - set("0123456789abcdef-"):
        return None
    changed = edit.replace_value(analyzed, analyzed.parts[0], "/request_id", _ID)
    headed = edit.with_header(analyzed.exchange, "x-request-id", own)
    return edit.with_body(headed, changed.response.body) if changed else None


@exchange_fault("dashscope_times_agree", 1512, 0, when=is_dashscope)
def dashscope_duration_differs(analyzed: AnalyzedExchange, duration: int) -> Exchange:
    """Set `req-cost-time` to 1512 or 0 ms, although the timestamps are 512 ms apart."""
    exchange = edit.with_header(analyzed.exchange, "req-arrive-time", "1765106934000")
    exchange = edit.with_header(exchange, "resp-start-time", "1765106934512")
    return edit.with_header(exchange, "req-cost-time", str(duration))


@exchange_fault("dashscope_files_say_how_they_ended", when=is_dashscope)
def dashscope_file_failed_without_a_code(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the state of a successful file of a task to `FAILED`, without an error code.

    Returns None if no file of the answer has the state `SUCCEEDED`.
    """
    return edit.with_text_replaced(
        analyzed, '"subtask_status":"SUCCEEDED"', '"subtask_status":"FAILED"'
    )


FAULTS = faults_of(vars())
