"""Exchanges written out as they travel: the words that examples are made of."""

from __future__ import annotations

import io
import json

from PIL import Image

from harness.types import Exchange, LooseJson, Request, Response
from harness.wire import compact_bytes


def exchange(
    method: str,
    uri: str,
    asked: LooseJson,
    body: bytes,
    content_type: str = "application/json",
    status: int = 200,
    **headers: str,
) -> Exchange:
    """One round trip; further response headers are given with `_` for `-`."""
    sent = b"" if asked is None else json.dumps(asked, ensure_ascii=False).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    response = Response(status, "", (("Content-Type", content_type), *named), body)
    return Exchange(Request(method, uri, (), sent), response)


def post(
    uri: str, asked: LooseJson, answer: LooseJson, status: int = 200, **headers: str
) -> Exchange:
    """A question and its whole answer."""
    return exchange(
        "POST", uri, asked, compact_bytes(answer), "application/json", status, **headers
    )


def get(uri: str, answer: LooseJson) -> Exchange:
    """A poll."""
    return exchange("GET", uri, None, compact_bytes(answer), "application/json;charset=UTF-8")


def stream(uri: str, asked: LooseJson, body: bytes, **headers: str) -> Exchange:
    """A question and its answer in events."""
    return exchange("POST", uri, asked, body, "text/event-stream;charset=UTF-8", 200, **headers)


def data_only(*values: LooseJson) -> bytes:
    """Events of nothing but data, and the closing marker."""
    return b"".join(b"data: " + compact_bytes(v) + b"\n\n" for v in values) + b"data: [DONE]\n\n"


def numbered(*values: LooseJson) -> bytes:
    """Events with id, name and status."""
    head = "id:{}\nevent:result\n:HTTP_STATUS/200\ndata:"
    return b"".join(
        head.format(n).encode() + compact_bytes(value) + b"\n\n"
        for n, value in enumerate(values, start=1)
    )


def picture(width: int, height: int) -> bytes:
    """A small PNG."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (20, 60, 120)).save(out, "PNG")
    return out.getvalue()
