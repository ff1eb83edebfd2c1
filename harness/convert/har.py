"""HAR 1.2 (HTTP Archive), as browsers, mitmproxy and Charles export it.

Fields that HAR has no room for are written under `_harness`, as HAR allows: the sizes and times of
chunks, and request bodies that are no text. Other tools ignore them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from harness.convert.converted import Converted
from harness.errors import BadCassette
from harness.types import Exchange, Json, Request, Response, Timing
from harness.wire import read_json
from harness.wire.codings import with_plain_body

CREATOR = "llm-conversation-harness"
_NO_TIMES = "the times at which the pieces of a stream arrived"
_NO_BODY = "its response body was not saved (content.text is missing)"


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        """Leave out members that are null, which some tools write for what they do not know."""
        if not isinstance(value, dict):
            return value
        return {name: item for name, item in value.items() if item is not None}


def _in_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class _Pair(_Form):
    name: str
    value: str = ""


class _PostData(_Form):
    text: str | None = None
    encoding: str = ""
    params: list[_Pair] = []


class _Request(_Form):
    method: str
    url: str
    headers: list[_Pair] = []
    post_data: _PostData | None = Field(None, alias="postData")


class _Content(_Form):
    size: int = 0
    text: str | None = None
    encoding: str = ""


class _Response(_Form):
    status: int
    reason: str = Field("", alias="statusText")
    headers: list[_Pair] = []
    content: _Content = _Content()


class _Own(_Form):
    request_body: str | None = None
    chunks: list[int] = []
    arrived: list[float] = []
    turn: int | None = None


class _Entry(_Form):
    started: Annotated[datetime, AfterValidator(_in_utc)] | None = Field(
        None, alias="startedDateTime"
    )
    time: float = 0.0
    request: _Request
    response: _Response
    timings: dict[str, Any] = {}
    own: _Own | None = Field(None, alias="_harness")


def reads(document: Json) -> bool:
    """Return whether a JSON document is a HAR file."""
    log = document.get("log") if isinstance(document, dict) else None
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def read(content: bytes, source: str) -> Converted:
    """Return the exchanges of a HAR file.

    Raises:
        BadCassette: The file is no HAR.
    """
    document = read_json(content).value
    if not reads(document):
        raise BadCassette("not HAR: there is no log.entries", source)
    converted = Converted()
    entries: Any = document
    for number, raw in enumerate(entries["log"]["entries"], start=1):
        where = f"{source}, entry {number}"
        try:
            entry = _Entry.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            converted.skip(where, f"not an entry of HAR: {place}: {first['msg']}")
            continue
        _add(converted, entry, where)
    return converted


def _add(converted: Converted, entry: _Entry, where: str) -> None:
    """Add the exchange of an entry, or the reason why it has none."""
    response, content = entry.response, entry.response.content
    if response.status == 0:
        converted.skip(where, "it got no response")
        return
    if response.status == 101:
        converted.skip(where, "a websocket, whose messages are not read")
        return
    if entry.request.method.upper() == "CONNECT":
        converted.skip(where, "a tunnel (CONNECT), whose content the proxy did not read")
        return
    if content.text is None and content.size > 0:
        converted.skip(where, _NO_BODY)
        return
    try:
        body = _bytes(content.text or "", content.encoding)
        question = _question(entry)
    except (ValueError, binascii.Error):
        converted.skip(where, "a body that is said to be base64 is not")
        return
    if entry.own is None:
        converted.lose(_NO_TIMES)
    headers = tuple(_headers(response.headers))
    request = Request(
        entry.request.method.upper(),
        entry.request.url,
        tuple(_headers(entry.request.headers)),
        question,
    )
    answer = Response(response.status, response.reason, headers, body)
    if answer.header("content-encoding"):  # HAR has bodies without it
        answer = with_plain_body(answer, body)
    own = entry.own or _Own()
    converted.exchanges.append(
        Exchange(request, answer, _timing(entry), tuple(own.chunks), own.turn)
    )


def _bytes(text: str, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.b64decode(text, validate=True)
    return text.encode("utf-8", "surrogatepass")


def _question(entry: _Entry) -> bytes:
    """Return the body of a request."""
    if entry.own and entry.own.request_body is not None:
        return base64.b64decode(entry.own.request_body, validate=True)
    data = entry.request.post_data
    if data is None:
        return b""
    if data.text is None:
        return urlencode([(pair.name, pair.value) for pair in data.params]).encode()
    return _bytes(data.text, data.encoding)


def _headers(pairs: Sequence[_Pair]) -> Iterator[tuple[str, str]]:
    """Yield headers, without the pseudo headers of HTTP/2."""
    for pair in pairs:
        if not pair.name.startswith(":"):
            yield pair.name, pair.value


def _timing(entry: _Entry) -> Timing | None:
    if entry.started is None:
        return None
    numbers = {name: v for name, v in entry.timings.items() if isinstance(v, int | float) and v > 0}
    received = numbers.get("receive", 0.0)
    total = max(entry.time, 0.0) / 1000
    first = max(0.0, total - received / 1000)
    arrived = tuple(entry.own.arrived) if entry.own else ()
    return Timing(entry.started.timestamp(), first, total, arrived)


def write(exchanges: Sequence[Exchange], version: str) -> tuple[dict[str, Json], list[str]]:
    """Return exchanges as a HAR document, and what it has no room for (nothing).

    Args:
        exchanges: The exchanges.
        version: The version of the program, which HAR asks for.
    """
    entries: list[Json] = [_entry(exchange) for exchange in exchanges]
    log: dict[str, Json] = {
        "version": "1.2",
        "creator": {"name": CREATOR, "version": version},
        "entries": entries,
    }
    return {"log": log}, []


def _entry(exchange: Exchange) -> dict[str, Json]:
    request, response = exchange.request, exchange.response
    timing = exchange.timing or Timing(0.0, 0.0, 0.0)
    wait, total = timing.first_byte * 1000, timing.total * 1000
    own: dict[str, Json] = {
        "chunks": list(exchange.chunks),
        "arrived": list(timing.arrived),
        "turn": exchange.turn,
    }
    text = _text(request.body)
    if text is None:
        own["request_body"] = base64.b64encode(request.body).decode()
    entry: dict[str, Json] = {
        "startedDateTime": datetime.fromtimestamp(timing.start, UTC).isoformat(),
        "time": total,
        "request": {
            "method": request.method,
            "url": request.uri,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [{"name": n, "value": v} for n, v in request.headers],
            "queryString": [],
            "headersSize": -1,
            "bodySize": len(request.body),
        },
        "response": {
            "status": response.status,
            "statusText": response.reason,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [{"name": n, "value": v} for n, v in response.headers],
            "content": _content(response),
            "redirectURL": response.header("location") or "",
            "headersSize": -1,
            "bodySize": len(response.body),
        },
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": max(0.0, total - wait)},
        "_harness": own,
    }
    if request.body:
        kind = next((v for n, v in request.headers if n.lower() == "content-type"), "")
        sent = entry["request"]
        assert isinstance(sent, dict)  # noqa: S101 - narrows a union
        sent["postData"] = {"mimeType": kind, "text": text or ""}
    return entry


def _content(response: Response) -> dict[str, Json]:
    text = _text(response.body)
    content: dict[str, Json] = {
        "size": len(response.body),
        "mimeType": response.header("content-type") or "",
        "text": base64.b64encode(response.body).decode() if text is None else text,
    }
    return content if text is not None else {**content, "encoding": "base64"}


def _text(body: bytes) -> str | None:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None
