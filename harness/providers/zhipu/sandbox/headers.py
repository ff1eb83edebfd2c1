"""The headers of an answer, and the id that they share with its body."""

from __future__ import annotations

import uuid

from harness.sandbox.house import Headers, now


def new_id() -> str:
    """[REC] a Beijing time to the second, and 16 hex digits; the same in body and x-log-id."""
    return f"{now():%Y%m%d%H%M%S}{uuid.uuid4().hex[:16]}"


def headers(id: str) -> Headers:
    """[REC] the headers of a whole answer, 2025-10 (server ZenZGA/2.4)."""
    vary = ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"]
    return [
        ("content-type", "application/json; charset=UTF-8"),
        ("connection", "keep-alive"),
        *_always(id),
        *(("vary", name) for name in ["Accept-Encoding", *vary, *vary]),
    ]


def stream_headers(id: str) -> Headers:
    """[REC] the headers of a stream, 2025-10."""
    return [
        ("content-type", "text/event-stream;charset=UTF-8"),
        *_always(id),
        ("vary", "Access-Control-Request-Headers"),
    ]


def _always(id: str) -> Headers:
    cookie = f"acw_tc={uuid.uuid5(uuid.NAMESPACE_OID, id).hex}00000000;path=/;HttpOnly;Max-Age=1800"
    return [
        ("server", "ZenZGA/2.4"),
        ("set-cookie", cookie),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-log-id", id),
    ]
