"""Make cassettes of any size from the requests that an SDK really sends."""

from __future__ import annotations

from pathlib import Path

from benchmarks.clients import ASKED_AT, JSON, QUESTION, Client
from harness.cassette.writer import dumps
from harness.types import Cassette, Exchange, Origin, Provenance, Request, Response, Timing

_HEADERS = (*JSON.items(), ("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("server", "bench"))


def of_exchanges(client: Client, count: int, folder: Path) -> Path:
    """Return the path of a cassette with the answers to questions 0 to `count`."""
    path = folder / f"{client.name.split()[0]}-{count}.yaml"
    if not path.exists():
        request = _request(client)
        exchanges = tuple(_exchange(request, client.answer, number) for number in range(count + 1))
        path.write_text(dumps(Cassette(exchanges, Provenance(Origin.SANDBOX))), encoding="utf-8")
    return path


def of_size(client: Client, size: int, folder: Path) -> Path:
    """Return the path of a cassette of about `size` bytes, half of its exchanges streamed."""
    request = _request(client)
    exchanges: list[Exchange] = []
    length = 0
    while length < size:
        number = len(exchanges)
        exchange = _exchange(request, client.answer, number)
        if number % 2:
            event = b"data: " + client.answer + b"\n\n"
            body = event * 10
            answer = Response(200, "OK", (("content-type", "text/event-stream"),), body)
            exchange = Exchange(
                exchange.request, answer, exchange.timing, (len(event),) * 10, number + 1
            )
        exchanges.append(exchange)
        length += len(exchange.request.body) + len(exchange.response.body) + 700
    path = folder / f"{client.name.split()[0]}-{size}-bytes.yaml"
    path.write_text(dumps(Cassette(tuple(exchanges), Provenance(Origin.SANDBOX))), encoding="utf-8")
    return path


def _request(client: Client) -> Request:
    """Return the request that the SDK sends for question 0."""
    seen: list[Request] = []

    def answer(method: str, uri: str, body: bytes) -> bytes:
        seen.append(Request(method, uri, tuple(JSON.items()), body))
        return client.answer

    client.over_memory(answer)(0)
    return seen[0]


def _exchange(request: Request, answer: bytes, number: int) -> Exchange:
    """Return the exchange of question `number`; a body may spell Chinese in escapes."""
    zero, mine = f" {0:06d}", f" {number:06d}"
    assert zero in QUESTION.format(0)  # noqa: S101 - what is replaced below
    request = Request(
        request.method,
        request.uri,
        request.headers,
        request.body.replace(zero.encode(), mine.encode()),
    )
    response = Response(200, "OK", _HEADERS, answer)
    timing = Timing(float(ASKED_AT + number), 0.25, 0.5)
    return Exchange(request, response, timing, (len(answer),), number + 1)
