"""HAR 1.2 (HTTP Archive), as browsers, mitmproxy and Charles export it.

Fields that HAR has no room for are written under `_harness`, as HAR allows: the sizes and times of
chunks, and request bodies that are no text. Other tools ignore them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import Field, ValidationError

from harness.convert.converted import NO_DATE, Converted, ForeignObject, first_problem
from harness.errors import BadCassette
from harness.types import Exchange, Json, Request, Response, Timing
from harness.wire import as_object, read_json
from harness.wire.codings import with_plain_body

CREATOR = "llm-conversation-harness"
_NO_TIMES = "the times at which the pieces of a stream arrived"
_NO_BODY = "its response body was not saved (content.text is missing)"
_NO_REQUEST_BODY = "the request body, which was not saved"
_CUT_OFF = "the end of the response body, which is shorter than its size"
_NO_TEXT = "bytes that are no text: U+FFFD stands for them"
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)")


class _Pair(ForeignObject):
    name: str
    value: str = ""


class _Body(ForeignObject):
    """A body as HAR saves it.

    Attributes:
        mime_type: Its content type.
        text: The text, or base64 if *encoding* says so; None if it was not saved here.
        encoding: How *text* is encoded.
        file: The name of the file beside the HAR that has it, as Playwright writes it.
        size: The number of its bytes; of a request it is elsewhere.
        params: The fields of a form.
    """

    mime_type: str = Field("", alias="mimeType")
    text: str | None = None
    encoding: str = ""
    file: str = Field("", alias="_file", pattern=r"^[^/\\]*$")
    size: int = 0
    params: tuple[_Pair, ...] = ()


_NOTHING = _Body.model_validate({})


class _Request(ForeignObject):
    method: str
    url: str
    headers: tuple[_Pair, ...] = ()
    post_data: _Body = Field(_NOTHING, alias="postData")
    size: int = Field(0, alias="bodySize")


class _Response(ForeignObject):
    status: int
    reason: str = Field("", alias="statusText")
    headers: tuple[_Pair, ...] = ()
    content: _Body = _NOTHING
    size: int = Field(-1, alias="bodySize")


class _Own(ForeignObject):
    request_body: str | None = None
    chunks: tuple[int, ...] = ()
    arrived: tuple[float, ...] = ()
    turn: int | None = None


class _Entry(ForeignObject):
    started: str = Field("", alias="startedDateTime")
    time: float = 0.0
    request: _Request
    response: _Response
    timings: dict[str, Any] = Field(default_factory=dict)
    own: _Own | None = Field(None, alias="_harness")


def reads(document: Json) -> bool:
    """Return whether a JSON document is a HAR file."""
    log = as_object(document).get("log")
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def read(content: bytes, source: str) -> Converted:
    """Return the exchanges in *content*, the bytes of a HAR file.

    *source* is the name of the file for messages; entries that have no readable exchange are noted
    as skipped.

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
            converted.skip(where, f"not an entry of HAR: {first_problem(error)}")
            continue
        _add(converted, entry, source, where)
    return converted


def _add(converted: Converted, entry: _Entry, source: str, where: str) -> None:
    """Add the exchange of an entry, or the reason why it has none."""
    response, content = entry.response, entry.response.content
    if reason := _unreadable(entry):
        converted.skip(where, reason)
        return
    folder = Path(source).parent
    charset = "utf-8" if entry.own else ""
    try:
        body = _bytes(content, folder, charset)
        request_body = _request_body(entry, folder, charset)
    except (ValueError, binascii.Error):
        converted.skip(where, "a body that is said to be base64 is not")
        return
    except OSError as error:
        converted.skip(where, f"{content.file} cannot be read: {error.strerror}")
        return
    if entry.own is None:
        converted.lose(_NO_TIMES)
    timing = _timing(entry)
    is_coded = any(pair.name.lower() == "content-encoding" for pair in response.headers)
    is_coded_size = is_coded and content.size == response.size  # as mitmproxy says it
    said = (
        (NO_DATE, timing is None),
        (_CUT_OFF, len(body) < content.size and not is_coded_size),
        (_NO_REQUEST_BODY, not request_body and entry.request.size > 0),
        (_NO_TEXT, "\ufffd" in f"{content.text}{entry.request.post_data.text}"),
    )
    for what, is_lost in said:
        if is_lost:
            converted.lose(what)
    headers = tuple(_headers(response.headers))
    request = Request(
        entry.request.method.upper(),
        entry.request.url,
        tuple(_headers(entry.request.headers)),
        request_body,
    )
    answer = Response(response.status, response.reason, headers, body)
    if answer.header("content-encoding"):  # HAR has bodies without it
        answer = with_plain_body(answer, body)
    own = entry.own or _Own()
    converted.exchanges.append(Exchange(request, answer, timing, tuple(own.chunks), own.turn))


def _unreadable(entry: _Entry) -> str:
    """Return why an entry has no exchange that can be read; empty if it may have one."""
    if entry.response.status == 0:
        return "it got no response"
    if entry.response.status == 101:
        return "a websocket, whose messages are not read"
    if entry.request.method.upper() == "CONNECT":
        return "a tunnel (CONNECT), whose content the proxy did not read"
    return _NO_BODY if _is_missing(entry) else ""


def _is_missing(entry: _Entry) -> bool:
    """Return whether a response had a body that was not saved, such as one that was streamed."""
    response, content = entry.response, entry.response.content
    if content.text is not None or content.file:
        return False
    headers = {pair.name.lower(): pair.value for pair in response.headers}
    is_empty = headers.get("content-length") == "0" or response.status in (204, 304)
    return content.size > 0 or ("content-type" in headers and not is_empty)


def _bytes(saved: _Body, folder: Path, charset: str) -> bytes:
    """Return the bytes of a body, whose text is in *charset*, or else in that of its type."""
    if saved.file:
        return (folder / saved.file).read_bytes()
    text = saved.text or ""
    if saved.encoding == "base64":
        return base64.b64decode("".join(text.split()), validate=True)
    named = _CHARSET.search(saved.mime_type)
    with suppress(LookupError, UnicodeEncodeError):
        return text.encode(charset or (named[1] if named else "utf-8"), "surrogateescape")
    return text.encode("utf-8", "surrogatepass")


def _request_body(entry: _Entry, folder: Path, charset: str) -> bytes:
    """Return the body of a request."""
    if entry.own and entry.own.request_body is not None:
        return base64.b64decode(entry.own.request_body, validate=True)
    data = entry.request.post_data
    if data.params and not data.text and not data.mime_type.startswith("multipart/"):
        return urlencode([(pair.name, pair.value) for pair in data.params]).encode()
    return _bytes(data, folder, charset)


def _headers(pairs: Sequence[_Pair]) -> Iterator[tuple[str, str]]:
    """Yield headers, without the pseudo headers of HTTP/2."""
    for pair in pairs:
        if not pair.name.startswith(":"):
            yield pair.name, pair.value


def _timing(entry: _Entry) -> Timing | None:
    try:
        started = datetime.fromisoformat(entry.started)
    except ValueError:
        return None
    started = started if started.tzinfo else started.replace(tzinfo=UTC)
    numbers = {name: v for name, v in entry.timings.items() if isinstance(v, int | float) and v > 0}
    received = numbers.get("receive", 0.0)
    total = max(entry.time, 0.0) / 1000
    first = max(0.0, total - received / 1000)
    arrived = tuple(entry.own.arrived) if entry.own else ()
    return Timing(started.timestamp(), first, total, arrived)


def write(exchanges: Sequence[Exchange], version: str) -> tuple[dict[str, Json], list[str]]:
    """Return exchanges as a HAR document, and what it lacks of them: always an empty list.

    Args:
        exchanges: The exchanges.
        version: The version of the harness, which HAR requires.
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
