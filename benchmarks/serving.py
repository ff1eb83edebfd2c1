"""Measure the replay server: opening sessions, time to the first byte, many clients at once.

Run `python -m benchmarks.serving`; it prints, and judges nothing.
"""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route

from benchmarks.figures import OURS, Row
from harness.sandbox.server import run_in_thread
from harness.serve.library import Library
from harness.serve.replay import Sessions, application
from harness.types import Cassette, Exchange, Request, Response

_URI = "https://api.example.com/v1/chat/completions"
_TEXT = b"x" * 2000


def library(count: int) -> Library:
    """Return a library of *count* exchanges with requests of 2 kB and streams of ten chunks."""
    headers = (("content-type", "text/event-stream"),)
    answer, chunks = b"data: 0123456789\n\n" * 10, (18,) * 10
    exchanges = (
        Exchange(
            Request("POST", _URI, (), b'{"n": %d, "text": "%s"}' % (n, _TEXT)),
            Response(200, "", headers, answer),
            None,
            chunks,
        )
        for n in range(count)
    )
    return Library({"one": Cassette(tuple(exchanges))})


def opening(sessions: int, count: int) -> float:
    """Return the seconds that opening *sessions* over *count* exchanges takes."""
    served = Sessions(library(count))
    start = time.perf_counter()
    for number in range(sessions):
        served.get(f"s{number}", "")
    return time.perf_counter() - start


def first_byte(address: str, number: int, session: str) -> float:
    """Return the seconds from sending a request to the first byte of the answer's body."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.connect()
    start = time.perf_counter()
    body = b'{"n": %d, "text": "%s"}' % (number, _TEXT)
    connection.request("POST", f"/~{session}/v1/chat/completions", body)
    response = connection.getresponse()
    response.read(1)
    taken = time.perf_counter() - start
    response.read()
    connection.close()
    return taken


CLIENTS = 256


def rows(requests: int) -> list[Row]:
    """Return the median and the 99th percentile of first bytes, beside a bare Starlette app."""
    with (
        run_in_thread(_bare(), 0) as bare,
        run_in_thread(application(Sessions(library(1_000))), 0) as ours,
    ):
        runs = {"floor": [loaded(bare, requests)], OURS: [loaded(ours, requests)]}
    return [
        Row(f"{CLIENTS} clients, {requests:,} requests, {name}", "s", samples, "floor")
        for name, place in (("median", 0.5), ("99 %", 0.99))
        for samples in [
            {tool: [run[int(place * len(run))] for run in made] for tool, made in runs.items()}
        ]
    ]


def loaded(address: str, requests: int) -> list[float]:
    """Return the sorted seconds to the first byte, by the clock, of requests of many clients."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        numbers = range(requests)
        return sorted(
            pool.map(lambda n: first_byte(address, n % 1_000, f"c{n % CLIENTS}"), numbers)
        )


def _bare() -> Starlette:
    """Return an app that reads a request and sends the same answer."""

    async def answer(request: StarletteRequest) -> StarletteResponse:
        await request.body()
        return StarletteResponse(b"data: 0123456789\n\n" * 10, media_type="text/event-stream")

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


def main() -> None:
    """Print the figures."""
    first, rest = opening(1, 1_000), opening(100, 1_000)
    print(f"opening 1 session over 1,000 exchanges: {first * 1000:.1f} ms")
    print(f"opening 100 sessions over 1,000 exchanges: {rest * 1000:.1f} ms")
    with run_in_thread(application(Sessions(library(1_000))), 0) as address:
        times = sorted(first_byte(address, n, "one") for n in range(300))
        print(f"first byte: median {times[150] * 1000:.2f} ms, 95 % {times[285] * 1000:.2f} ms")
        start = time.perf_counter()
        with ThreadPoolExecutor(64) as pool:
            many = sorted(
                pool.map(lambda n: first_byte(address, n % 1_000, f"c{n % 64}"), range(640))
            )
        seconds = time.perf_counter() - start
        print(
            f"64 clients, 640 requests: {640 / seconds:.0f} per second, "
            f"first byte median {many[320] * 1000:.1f} ms"
        )


if __name__ == "__main__":
    main()
