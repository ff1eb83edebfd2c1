"""Making exchanges, changing them, and telling them as conversations."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from PIL import Image

from harness import dialects
from harness.reading import transcript_of
from harness.types import (
    Call,
    Cassette,
    Exchange,
    Expectation,
    Json,
    Kind,
    Message,
    Mode,
    Outcome,
    Request,
    Response,
    Transcript,
    Turn,
)


def exchange(
    method: str,
    uri: str,
    asked: Json,
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


def post(uri: str, asked: Json, answer: Json, status: int = 200, **headers: str) -> Exchange:
    """A question and its whole answer."""
    return exchange("POST", uri, asked, dump(answer), "application/json", status, **headers)


def get(uri: str, answer: Json) -> Exchange:
    """A poll."""
    return exchange("GET", uri, None, dump(answer), "application/json;charset=UTF-8")


def stream(uri: str, asked: Json, body: bytes, **headers: str) -> Exchange:
    """A question and its answer in events."""
    return exchange("POST", uri, asked, body, "text/event-stream;charset=UTF-8", 200, **headers)


def dump(value: Json) -> bytes:
    """JSON as the services write it: no spaces, Chinese as Chinese."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def data_only(*values: Json) -> bytes:
    """Events of nothing but data, and the closing marker."""
    return b"".join(b"data: " + dump(v) + b"\n\n" for v in values) + b"data: [DONE]\n\n"


def numbered(*values: Json) -> bytes:
    """Events with id, name and status."""
    head = "id:{}\nevent:result\n:HTTP_STATUS/200\ndata:"
    return b"".join(
        head.format(n).encode() + dump(value) + b"\n\n" for n, value in enumerate(values, start=1)
    )


def picture(width: int, height: int) -> bytes:
    """A small PNG."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (20, 60, 120)).save(out, "PNG")
    return out.getvalue()


def edited(whole: Exchange, old: str, new: str, times: int = 1) -> Exchange:
    """The same exchange, with something else in the body of its answer."""
    body = whole.response.body
    assert old.encode() in body, f"{old} is not in {body.decode()}"
    changed = body.replace(old.encode(), new.encode(), times)
    return replace(whole, response=replace(whole.response, body=changed))


def asking(whole: Exchange, old: str, new: str) -> Exchange:
    """The same exchange, with something else in the body of its request."""
    body = whole.request.body
    assert old.encode() in body, f"{old} is not in {body.decode()}"
    changed = body.replace(old.encode(), new.encode(), 1)
    return replace(whole, request=replace(whole.request, body=changed))


def headed(whole: Exchange, name: str, value: str) -> Exchange:
    """The same exchange, with another response header."""
    kept = tuple(pair for pair in whole.response.headers if pair[0].lower() != name.lower())
    return replace(whole, response=replace(whole.response, headers=((name, value), *kept)))


def with_body(whole: Exchange, body: bytes) -> Exchange:
    """The same exchange, with another body of its answer."""
    return replace(whole, response=replace(whole.response, body=body))


def with_status(whole: Exchange, status: int) -> Exchange:
    """The same exchange, with another HTTP status."""
    return replace(whole, response=replace(whole.response, status=status))


def at_uri(whole: Exchange, uri: str) -> Exchange:
    """The same exchange, with another address."""
    return replace(whole, request=replace(whole.request, uri=uri))


def foreign(*exchanges: Exchange) -> Transcript:
    """Exchanges as another tool recorded them: no SDK ran."""
    return transcript_of(Cassette(exchanges), dialects.recognise, source="test.yaml")


def played(
    *exchanges: Exchange, outcome: Outcome | None = None, expect: Expectation | None = None
) -> Transcript:
    """One turn that an SDK carried out."""
    turn = Turn(1, exchanges, outcome=outcome, expect=expect or Expectation())
    return Transcript("weather", "zhipuai/glm-4", (turn,))


def talked(*turns: tuple[tuple[Message, ...], Exchange]) -> Transcript:
    """A conversation of several turns, each with the messages of its call."""
    told = (
        Turn(n, (whole,), Call(Kind.CHAT, Mode.SYNC, "glm-4", said))
        for n, (said, whole) in enumerate(turns, start=1)
    )
    return Transcript("weather", "zhipuai/glm-4", tuple(told))
