"""Raw HTTP as lines of text: requests and responses, exchange by exchange."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.report.format import seconds
from harness.types import Exchange
from harness.wire import Event, read_json
from harness.wire.text import count

LineKind = Literal["exchange", "request", "answer", "event", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of raw HTTP, of some kind."""

    kind: LineKind
    text: str


def wire(read: AnalyzedTranscript) -> Iterator[Line]:
    """Yield the lines of every exchange; JSON bodies are indented."""
    for reading in read.readings:
        yield from _exchange(reading)


def _exchange(reading: AnalyzedExchange) -> Iterator[Line]:
    exchange = reading.exchange
    request, response = exchange.request, exchange.response
    turn = f", turn {reading.turn}" if reading.turn is not None else ""
    name = f", {reading.endpoint.name}" if reading.endpoint else ", unknown endpoint"
    yield Line("exchange", f"exchange {reading.number}{turn}{name}")
    yield Line("request", f"{request.method} {request.uri}")
    yield from (Line("request", f"{name}: {value}") for name, value in request.headers)
    yield from _body("request", request.body)
    yield Line("answer", f"HTTP {response.status} {response.reason}".rstrip())
    yield from (Line("answer", f"{name}: {value}") for name, value in response.headers)
    yield from _times(exchange)
    if reading.is_stream:
        yield from _events(reading)
    elif response.artefact is not None:
        size = count(response.artefact.size, "byte")
        yield Line("note", f"a file of {size}: {response.artefact.name}")
    elif reading.is_binary:
        yield Line("note", f"a file of {count(len(response.body), 'byte')}")
    else:
        yield from _body("answer", response.body)


def _times(exchange: Exchange) -> Iterator[Line]:
    timing = exchange.timing
    if timing is not None:
        times = f"first byte after {seconds(timing.first_byte)}, all after {seconds(timing.total)}"
        chunks = f", in {count(len(exchange.chunks), 'chunk')}" if exchange.chunks else ""
        yield Line("note", times + chunks)


def _body(kind: LineKind, body: bytes) -> Iterator[Line]:
    if body:
        document = read_json(body)
        if document.problem:
            text = body.decode("utf-8", "replace")
        else:
            text = json.dumps(document.value, ensure_ascii=False, indent=2)
        yield from (Line(kind, line) for line in text.splitlines())


def _events(reading: AnalyzedExchange) -> Iterator[Line]:
    for event in reading.stream.events:
        yield Line("note", _name(event))
        yield from (Line("event", line) for line in event.data.splitlines() or [""])
    for offset, problem in reading.stream.problems:
        yield Line("problem", f"byte {offset}: {problem}")


def _name(event: Event) -> str:
    parts = [f"event {event.number}, byte {event.offset}"]
    parts += [
        f"{name} {value}" for name, value in (("id", event.id), ("type", event.event)) if value
    ]
    parts += [f"comment {comment.strip()}" for comment in event.comments]
    parts += [] if event.complete else ["never ended"]
    return ", ".join(parts)
