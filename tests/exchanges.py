"""Builders of small, valid sample exchanges."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable

from harness.analysis.endpoint import Endpoint, Recognise, find
from harness.types import Exchange, Json, Request, Response
from harness.wire import compact_bytes

USER: Json = {"role": "user", "content": "What is the weather in Beijing?"}
_FUNCTION: Json = {
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
TOOLS: Json = [{"type": "function", "function": _FUNCTION}]
TOOL_CALL: dict[str, Json] = {
    "id": "call_8231168139794583938",
    "index": 0,
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Beijing"}'},
}
USAGE: dict[str, Json] = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}


def choices(content: str | None, finish: str = "stop", **more: Json) -> Json:
    """Return the `choices` of a chat completion; *more* are further members of the message."""
    text: dict[str, Json] = {} if content is None else {"content": content}
    message: Json = {"role": "assistant", **text, **more}
    return [{"finish_reason": finish, "index": 0, "message": message}]


def exchange(
    method: str,
    uri: str,
    request: Json,
    body: bytes,
    content_type: str = "application/json",
    status: int = 200,
    **headers: str,
) -> Exchange:
    """Return an exchange: a request and its response.

    Args:
        method: The HTTP method.
        uri: The URL of the request.
        request: The JSON body of the request; None for no body.
        body: The body of the response.
        content_type: The Content-Type of the response.
        status: The HTTP status of the response.
        headers: Further headers of the response, with `_` for `-` in their names.
    """
    sent = b"" if request is None else json.dumps(request, ensure_ascii=False).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    response = Response(status, "", (("Content-Type", content_type), *named), body)
    return Exchange(Request(method, uri, (), sent), response)


def post(uri: str, request: Json, answer: Json, status: int = 200, **headers: str) -> Exchange:
    """Return the exchange of a POST request whose response is the JSON document *answer*."""
    body = compact_bytes(answer)
    return exchange("POST", uri, request, body, "application/json", status, **headers)


def get(uri: str, answer: Json) -> Exchange:
    """Return the exchange of a GET request that polls a task, with the JSON document *answer*."""
    return exchange("GET", uri, None, compact_bytes(answer), "application/json;charset=UTF-8")


def stream(uri: str, request: Json, body: bytes, **headers: str) -> Exchange:
    """Return the exchange of a POST request whose response is the event stream *body*."""
    return exchange("POST", uri, request, body, "text/event-stream;charset=UTF-8", 200, **headers)


def data_events(*values: Json) -> bytes:
    """Return the body of a stream: a `data:` line for each value, and `data: [DONE]`."""
    return b"".join(b"data: " + compact_bytes(v) + b"\n\n" for v in values) + b"data: [DONE]\n\n"


def png(width: int, height: int) -> bytes:
    """Return a PNG file of this size, in pixels."""
    rows = (b"\0" + b"\x14\x3c\x78" * width) * height  # each begins with its filter: none
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)  # 8 bits a colour, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def recogniser(endpoints: Iterable[Endpoint]) -> Recognise:
    """Return a function that finds the endpoint of an exchange among *endpoints*.

    The function ignores the name of the provider, and returns None if no endpoint matches.
    """
    table = tuple(endpoints)
    return lambda exchange, provider="": find(table, exchange.request.method, exchange.request.uri)
