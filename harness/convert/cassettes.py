"""Cassettes of vcrpy (older ones too), cassetter, go-vcr and LangChain, with their times."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import yaml

from harness.cassette import safe_yaml
from harness.cassette.reader import loads
from harness.convert.converted import Converted
from harness.errors import BadCassette
from harness.types import Exchange, Response, Timing
from harness.wire import as_list, as_object
from harness.wire.codings import drop_stale_content_encoding

NO_PIECES = "the times and sizes of the pieces of a stream"
_IN_SECONDS: Mapping[str, float] = {
    "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|μs|ns)")


def read(content: bytes, source: str) -> Converted:
    """Return the exchanges in *content*, the bytes of a cassette, in the order of recording.

    *source* is the name of the file for messages.

    Raises:
        BadCassette: The file is no cassette.
    """
    content = modernized(content, source)
    converted = Converted([*loads(content, source).exchanges])
    if all(exchange.timing is None for exchange in converted.exchanges):
        _take_times(converted, content)
    for exchange in converted.exchanges:
        if not exchange.chunks:
            converted.lose(NO_PIECES)
    return converted


def _take_times(converted: Converted, content: bytes) -> None:
    """Order the exchanges as they were recorded, with the times that the file notes of them."""
    exchanges = converted.exchanges
    notes = [*_notes(content, len(exchanges))]
    order = sorted(range(len(exchanges)), key=lambda n: str(notes[n].get("recorded_at", "")))
    responses = [_part(notes[n], "response") for n in order]
    converted.exchanges = [_timed(exchanges[n], r) for n, r in zip(order, responses, strict=True)]
    for exchange, response in zip(converted.exchanges, responses, strict=True):
        if exchange.timing is None and _seconds(response.get("duration")) is not None:
            converted.lose("its duration, as there is no Date header to say when it was")


def reads_toml(text: str) -> bool:
    """Return whether a text is a cassette in TOML, which has a table `[[interactions]]`."""
    return "[[interactions]]" in text


def read_toml(content: bytes, source: str) -> Converted:
    """Return the exchanges in *content*, the bytes of a TOML cassette of the tool cassetter.

    *source* is the name of the file for messages.

    Raises:
        BadCassette: The file is no such cassette.
    """
    try:
        document: Any = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadCassette(f"not TOML: {error}", source) from None
    for interaction in as_list(document.get("interactions")):
        for side in (_part(interaction, "request"), _part(interaction, "response")):
            kind = side.pop("body_type", "none")  # the text of JSON is kept as it stands
            side["body"] = {
                "type": "text" if kind == "json" else kind,
                "content": side.pop("body_content", None),
            }
    return read(json.dumps(document, default=str).encode(), source)


def _notes(content: bytes, count: int) -> Iterator[dict[str, Any]]:
    """Yield each interaction as the file has it; an empty object where it has none."""
    document: Any = None
    if b"recorded_at" not in content and b"duration" not in content:
        yield from ({} for _ in range(count))
        return
    with suppress(yaml.YAMLError, ValueError, RecursionError, OverflowError):
        document = safe_yaml.load(content)
    found = as_list(as_object(document).get("interactions"))
    for number in range(count):
        yield as_object(found[number] if number < len(found) else None)


def _part(value: Any, name: str) -> dict[str, Any]:
    return as_object(as_object(value).get(name))


def _timed(exchange: Exchange, note: Mapping[str, Any]) -> Exchange:
    """Return an exchange with the duration that go-vcr noted, at the date of the response."""
    seconds, sent = _seconds(note.get("duration")), _date(exchange.response)
    if seconds is None or sent is None:
        return exchange
    response = drop_stale_content_encoding(exchange.response)
    return replace(exchange, response=response, timing=Timing(sent, seconds, seconds))


def _seconds(duration: Any) -> float | None:
    """Return a duration of Go, such as `1m2.5s` or a number of nanoseconds, in seconds."""
    if type(duration) is int:
        return duration / 1e9 if duration > 0 else None
    parts = [*_PART.finditer(duration)] if isinstance(duration, str) else []
    if not parts or "".join(part[0] for part in parts) != duration:
        return None
    return sum(float(part[1]) * _IN_SECONDS[part[2]] for part in parts) or None


def _date(response: Response) -> float | None:
    with suppress(TypeError, ValueError):
        return parsedate_to_datetime(response.header("date") or "").timestamp()
    return None


# -------------------------------------------------------------------------------------- older forms

# vcrpy before 1.0: a list of interactions, whose requests have host, port, path and protocol.
# The tests of LangChain's packages: a list of requests, and one of their responses.

_BEGIN = re.compile(rb"\s*(?:-{3}\s+)?(?:- (?:request|response):|\[|(?:requests|responses):)")
_TAGS = re.compile(
    rb"!!python/(?:tuple|unicode|str|object:vcr\.request\.Request"
    rb"|object/apply:(?:__builtin__|builtins)\.frozenset)"
)
_USUAL_PORTS = {"http": 80, "https": 443}


def modernized(content: bytes, source: str) -> bytes:
    """Convert *content*, a cassette in an older format of vcrpy, to the current format.

    Any other content is returned unchanged. *source* is the name of the file for messages.

    Raises:
        BadCassette: The content begins like an older form, but is not complete.
    """
    if not _BEGIN.match(content):
        return content
    try:
        document = safe_yaml.load(_TAGS.sub(b"", content))
        interactions = _interactions(document)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        return content  # the reader says what is wrong
    except (AttributeError, IndexError, KeyError, TypeError):
        raise BadCassette("an old cassette of vcrpy that is not whole", source) from None
    return yaml.safe_dump({"interactions": interactions, "version": 1}).encode()


def _interactions(document: Any) -> list[Any]:
    if isinstance(document, list):
        return [_old(item) for item in document]
    pairs = zip(document["requests"], document["responses"], strict=True)
    return [{"request": request, "response": response} for request, response in pairs]


def _old(item: Any) -> dict[str, Any]:
    """Return an interaction of vcrpy before 1.0 in the form of today."""
    request, response = item["request"], item["response"]
    protocol, port = request["protocol"], request["port"]
    host = request["host"] + ("" if port == _USUAL_PORTS.get(protocol) else f":{port}")
    sent = request["headers"]
    if not isinstance(sent, dict):  # a list with one list of pairs
        sent = dict(sent[0]) if sent else {}
    lines = [line.partition(":") for line in response["headers"]]
    return {
        "request": {
            "method": request["method"],
            "uri": f"{protocol}://{host}{request['path']}",
            "headers": {name: [value] for name, value in sent.items()},
            "body": request["body"],
        },
        "response": {
            "status": response["status"],
            "headers": {
                name: [v.strip() for n, _, v in lines if n == name] for name, _, _ in lines
            },
            "body": response["body"],
        },
    }
