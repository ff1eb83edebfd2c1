"""Cassettes of any size, of what an SDK really asks."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speakers import ASKED_AT, JSON, QUESTION, ProviderServer
from harness.cassette import dumps
from harness.types import Cassette, Exchange, Origin, Provenance, Request, Response, Timing

_HEADERS = (*JSON.items(), ("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("server", "bench"))


def of_exchanges(speaker: ProviderServer, count: int, folder: Path) -> Path:
    """A cassette with the answers to the questions 0 to `count`."""
    path = folder / f"{speaker.name.split()[0]}-{count}.yaml"
    if not path.exists():
        asked = _asked(speaker)
        exchanges = tuple(_exchange(asked, speaker.answer, number) for number in range(count + 1))
        path.write_text(dumps(Cassette(exchanges, Provenance(Origin.SANDBOX))), encoding="utf-8")
    return path


def of_size(speaker: ProviderServer, size: int, folder: Path) -> Path:
    """A cassette of about so many bytes, half of whose exchanges are streams."""
    asked = _asked(speaker)
    exchanges: list[Exchange] = []
    length = 0
    while length < size:
        number = len(exchanges)
        exchange = _exchange(asked, speaker.answer, number)
        if number % 2:
            event = b"data: " + speaker.answer + b"\n\n"
            body = event * 10
            answer = Response(200, "OK", (("content-type", "text/event-stream"),), body)
            exchange = Exchange(
                exchange.request, answer, exchange.timing, (len(event),) * 10, number + 1
            )
        exchanges.append(exchange)
        length += len(exchange.request.body) + len(exchange.response.body) + 700
    path = folder / f"{speaker.name.split()[0]}-{size}-bytes.yaml"
    path.write_text(dumps(Cassette(tuple(exchanges), Provenance(Origin.SANDBOX))), encoding="utf-8")
    return path


def _asked(speaker: ProviderServer) -> Request:
    """What the SDK sends for question 0."""
    seen: list[Request] = []

    def answer(method: str, uri: str, body: bytes) -> bytes:
        seen.append(Request(method, uri, tuple(JSON.items()), body))
        return speaker.answer

    speaker.over_memory(answer)(0)
    return seen[0]


def _exchange(asked: Request, answer: bytes, number: int) -> Exchange:
    """Question and answer of that number; a body may spell its Chinese in escapes."""
    zero, mine = f" {0:06d}", f" {number:06d}"
    assert zero in QUESTION.format(0)  # noqa: S101 - what is replaced below
    request = Request(
        asked.method, asked.uri, asked.headers, asked.body.replace(zero.encode(), mine.encode())
    )
    response = Response(200, "OK", _HEADERS, answer)
    timing = Timing(float(ASKED_AT + number), 0.25, 0.5)
    return Exchange(request, response, timing, (len(answer),), number + 1)
