"""Real recordings of other tools: every recorded request gets its recorded answer.

Requests are sent with httpx and requests and compared byte for byte. Zhipu's were recorded by a
library for Elixir; `test_real_recordings_by_sdks` sends the others with their own SDKs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests

from harness.cassette.reader import loads
from harness.cassette.store import read
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.types import Exchange, Json, Request

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
FILES = sorted(RECORDINGS.rglob("*.yaml"))

Send = Callable[[Request], tuple[int, bytes]]


def through_httpx(request: Request) -> tuple[int, bytes]:
    """Send a request with httpx; return status and body."""
    with httpx.Client() as client:
        answer = client.request(
            request.method, request.uri, content=request.body, headers=_headers(request)
        )
    return answer.status_code, answer.content


def through_requests(request: Request) -> tuple[int, bytes]:
    """Send a request with requests; return status and body."""
    answer = requests.request(
        request.method, request.uri, data=request.body, headers=_headers(request), timeout=60
    )
    return answer.status_code, answer.content


def _headers(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers if name.lower() == "content-type"}


def _is_http(exchange: Exchange) -> bool:
    """Return whether an exchange is plain HTTP; of websockets only the opening is recorded."""
    return exchange.request.uri.startswith("http")


@pytest.mark.skipif(not FILES, reason=f"no real recordings at {RECORDINGS}")
@pytest.mark.parametrize("send", [through_httpx, through_requests])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_real_request_gets_its_recorded_answer(path: Path, send: Send) -> None:
    """Every recorded request gets its answer byte for byte, and none is left over."""
    cassette = read(path)
    asked = [exchange for exchange in cassette.exchanges if _is_http(exchange)]
    tape = Player(cassette)
    with use_tape(tape):
        for exchange in asked:
            answer = exchange.response
            assert send(exchange.request) == (answer.status, answer.body)
    assert [e for e in tape.unused() if _is_http(e)] == []


def test_a_cassette_in_json_is_read() -> None:
    """A cassette of vcrpy's JSON serializer is read, with emoji as surrogate pairs."""
    request: Json = {"method": "GET", "uri": "http://a/", "headers": {}, "body": None}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "😀"}}
    cassette = {"version": 1, "interactions": [{"request": request, "response": response}]}
    assert loads(json.dumps(cassette)).exchanges[0].response.body.decode() == "😀"
