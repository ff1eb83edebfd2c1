"""The headers of an answer: who served it, when it was asked for, and how long that took."""

from __future__ import annotations

import uuid
from datetime import datetime

from harness.sandbox.house import Headers, now

_JSON = "application/json"
_VARY = "Origin,Access-Control-Request-Method,Access-Control-Request-Headers"


def headers(
    request_id: str, arrived: datetime, more: Headers, kind: str = _JSON, vary: str = ""
) -> Headers:
    """[REC] the headers of nearly every answer, 2025-11 to 2026-03."""
    started = now()
    cost = int((started - arrived).total_seconds() * 1000)
    return [
        ("vary", vary or f"{_VARY}, Accept-Encoding"),
        ("content-type", kind),
        ("x-request-id", request_id),
        ("x-dashscope-timeout", "298"),
        *more,
        *_clock(request_id, arrived, started, cost),
    ]


def _clock(request_id: str, arrived: datetime, started: datetime, cost: int) -> Headers:
    cookie = uuid.uuid5(uuid.NAMESPACE_OID, request_id).hex
    return [
        ("req-cost-time", str(cost)),
        ("req-arrive-time", str(int(arrived.timestamp() * 1000))),
        ("resp-start-time", str(int(started.timestamp() * 1000))),
        ("x-envoy-upstream-service-time", str(cost)),
        ("set-cookie", f"acw_tc={request_id}{cookie};path=/;HttpOnly;Max-Age=1800"),
        ("server", "istio-envoy"),
    ]


def answer_headers(request_id: str, arrived: datetime) -> Headers:
    """[REC] the headers of a whole answer."""
    more = [("x-dashscope-call-gateway", "true"), ("x-dashscope-finished", "true")]
    return headers(request_id, arrived, more)


def stream_headers(request_id: str, arrived: datetime) -> Headers:
    """[REC] the headers of a stream."""
    more = [("x-dashscope-call-gateway", "true"), ("x-dashscope-finished", "false")]
    return headers(request_id, arrived, more, "text/event-stream;charset=UTF-8", _VARY)


def poll_headers(request_id: str, arrived: datetime) -> Headers:
    """[REC] a poll's answer has no x-request-id and no x-dashscope-... headers."""
    plain = headers(request_id, arrived, [], "application/json;charset=UTF-8", "Accept-Encoding")
    return [(name, value) for name, value in plain if not name.startswith(("x-request", "x-dash"))]
