"""Breaking what holds of DashScope's wire alone."""

from __future__ import annotations

from harness.analysis.exchange import AnalyzedExchange
from harness.faults.breaks import edit
from harness.rules.rule import spoken
from harness.types import Exchange
from harness.wire import compact_bytes, resolve

_DIALECT = "dashscope"
_FORMS = (_DIALECT, "compatible")
_ID = "0" * 32


def _told(reading: AnalyzedExchange) -> list[bytes]:
    """The events of a stream in DashScope's own form."""
    endpoint = spoken(reading)
    ours = endpoint is not None and endpoint.dialect == _DIALECT
    return edit.blocks(reading) if ours and reading.stream.events else []


def event_is_lost(reading: AnalyzedExchange) -> Exchange | None:
    """The first event is lost."""
    told = _told(reading)
    return edit.with_blocks(reading, told[1:]) if len(told) > 1 else None


def event_comes_twice(reading: AnalyzedExchange) -> Exchange | None:
    """An event comes twice."""
    told = _told(reading)
    return edit.with_blocks(reading, [told[0], *told]) if told else None


def _renamed(reading: AnalyzedExchange, old: bytes, new: bytes) -> Exchange | None:
    told = _told(reading)
    if not told or old not in told[-1]:
        return None
    return edit.with_block(reading, len(told), told[-1].replace(old, new, 1))


def event_has_another_name(reading: AnalyzedExchange) -> Exchange | None:
    """An event is called a message."""
    return _renamed(reading, b"event:result", b"event:message")


def event_has_no_name(reading: AnalyzedExchange) -> Exchange | None:
    """An event has no name."""
    return _renamed(reading, b"event:result\n", b"")


def one_event_has_no_status(reading: AnalyzedExchange) -> Exchange | None:
    """One event of several tells no status."""
    if len(_told(reading)) < 2:
        return None
    return _renamed(reading, b":HTTP_STATUS/200\n", b"")


def result_has_an_errors_status(reading: AnalyzedExchange) -> Exchange | None:
    """An event that is a result tells the status of an error."""
    return _renamed(reading, b":HTTP_STATUS/200", b":HTTP_STATUS/500")


def error_comes_with_200(reading: AnalyzedExchange) -> Exchange | None:
    """A stream that was accepted ends with a refusal."""
    told = _told(reading)
    if not told:
        return None
    number = len(told) + 1
    refusal = {"code": "InternalError", "message": "Broken.", "request_id": _ID}
    head = f"id:{number}\nevent:error\n:HTTP_STATUS/500\ndata:".encode()
    return edit.with_blocks(reading, [*told, head + compact_bytes(refusal) + b"\n\n"])


def _own_id(reading: AnalyzedExchange) -> bool:
    endpoint = spoken(reading)
    if endpoint is None or endpoint.dialect not in _FORMS or not reading.parts:
        return False
    own = resolve(reading.parts[0].value, "/request_id")
    return isinstance(own, str) and bool(own) and own != _ID


def header_tells_another_id(reading: AnalyzedExchange) -> Exchange | None:
    """The header tells the id of another request."""
    return edit.with_header(reading.exchange, "x-request-id", _ID) if _own_id(reading) else None


def body_tells_another_id(reading: AnalyzedExchange) -> Exchange | None:
    """The body tells the id of another request."""
    if not _own_id(reading):
        return None
    own = resolve(reading.parts[0].value, "/request_id")
    told = edit.with_header(reading.exchange, "x-request-id", str(own))
    if len(str(own)) not in range(32, 37) or set(str(own).lower()) - set("0123456789abcdef-"):
        return None
    changed = edit.put(reading, reading.parts[0], "/request_id", _ID)
    return edit.with_body(told, changed.response.body) if changed else None


def _timed(reading: AnalyzedExchange, cost: int) -> Exchange | None:
    endpoint = spoken(reading)
    if endpoint is None or endpoint.dialect not in _FORMS:
        return None
    exchange = reading.exchange
    for name, value in (
        ("req-arrive-time", "1765106934000"),
        ("resp-start-time", "1765106934512"),
        ("req-cost-time", str(cost)),
    ):
        exchange = edit.with_header(exchange, name, value)
    return exchange


def it_took_longer(reading: AnalyzedExchange) -> Exchange | None:
    """It took a second more than the times say."""
    return _timed(reading, 1512)


def it_took_no_time(reading: AnalyzedExchange) -> Exchange | None:
    """It took no time, and the times say otherwise."""
    return _timed(reading, 0)
