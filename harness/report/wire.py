"""Raw HTTP on a console: requests and responses, exchange by exchange."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from rich.console import Console

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.locale import localized_error
from harness.report.console import print_lines
from harness.report.format import seconds
from harness.types import NO_STATUS, Exchange
from harness.wire import Event, read_json
from harness.wire.text import count

_STYLES = {"": "bold", "> ": "cyan", "< ": "green", "  ": "dim", "! ": "bold red"}
"""The style of a line by its prefix."""

Line: TypeAlias = tuple[str, str]
"""A line's prefix and its text.

The prefix is `> ` in a request, `< ` in a response, `! ` for a problem, spaces for a note, and
empty for the heading of an exchange.
"""


def wire(console: Console, read: AnalyzedTranscript) -> None:
    """Print the raw HTTP of the transcript *read*; JSON bodies are indented."""
    for reading in read.readings:
        console.print()
        lines = (  # what was recorded is not translated
            (_STYLES[prefix], prefix + (text if prefix in ("> ", "< ") else localized_error(text)))
            for prefix, text in _exchange(reading)
        )
        print_lines(console, lines)


def _exchange(reading: AnalyzedExchange) -> Iterator[Line]:
    exchange = reading.exchange
    request, response = exchange.request, exchange.response
    turn = f", turn {reading.turn}" if reading.turn is not None else ""
    name = f", {reading.endpoint.name}" if reading.endpoint else ", unknown endpoint"
    yield "", f"exchange {reading.number}{turn}{name}"
    yield "> ", f"{request.method} {request.uri}"
    yield from (("> ", f"{name}: {value}") for name, value in request.headers)
    yield from _body("> ", request.body)
    if exchange.broken_off is None or response.status != NO_STATUS:
        yield "< ", f"HTTP {response.status} {response.reason}".rstrip()
    yield from (("< ", f"{name}: {value}") for name, value in response.headers)
    yield from _times(exchange)
    if reading.is_stream:
        yield from _events(reading)
    elif response.artefact is not None:
        size = count(response.artefact.size, "byte")
        yield "  ", f"a file of {size}: {response.artefact.name}"
    elif reading.is_binary and exchange.broken_off is None:
        yield "  ", f"a file of {count(len(response.body), 'byte')}"
    else:
        yield from _body("< ", response.body)
    if exchange.broken_off is not None:
        broken_off = exchange.broken_off
        yield "! ", f"ended by a network failure, {broken_off.kind}: {broken_off.message}"


def _times(exchange: Exchange) -> Iterator[Line]:
    timing = exchange.timing
    if timing is not None:
        times = f"first byte after {seconds(timing.first_byte)}, all after {seconds(timing.total)}"
        chunks = f", in {count(len(exchange.chunks), 'chunk')}" if exchange.chunks else ""
        yield "  ", times + chunks


def _body(prefix: str, body: bytes) -> Iterator[Line]:
    if body:
        document = read_json(body)
        if document.problem:
            pieces: Iterable[str] = (body.decode("utf-8", "replace"),)
        else:
            pieces = _INDENTED.iterencode(document.value)
        yield from ((prefix, line) for line in _lines(pieces))


_INDENTED = json.JSONEncoder(ensure_ascii=False, indent=2)
_MANY = 10_000


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text in *pieces*, of which a list would take many times its memory."""
    pieces, rest = iter(pieces), ""
    while some := [*islice(pieces, _MANY)]:
        text = "".join((rest, *some))
        end = text.rfind("\n") + 1
        yield from text[:end].splitlines()
        rest = text[end:]
    yield from rest.splitlines()


def _events(reading: AnalyzedExchange) -> Iterator[Line]:
    for event in reading.stream.events:
        yield "  ", _name(event)
        yield from (("< ", line) for line in event.data.splitlines() or [""])
    for offset, problem in reading.stream.problems:
        yield "! ", f"byte {offset}: {problem}"


def _name(event: Event) -> str:
    parts = [f"event {event.number}, byte {event.offset}"]
    parts += [
        f"{name} {value}" for name, value in (("id", event.id), ("type", event.event)) if value
    ]
    parts += [f"comment {comment.strip()}" for comment in event.comments]
    parts += [] if event.complete else ["never ended"]
    return ", ".join(parts)
