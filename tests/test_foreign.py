"""Other tools' cassettes are played: every real recording answers the request that made it.

Through plain httpx and requests, byte for byte; for Zhipu's that is all there is, as the library
that recorded them is one for Elixir. `test_foreign_sdks` asks the others as their own SDKs do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests

from harness.cassette import loads
from harness.cassette.store import read
from harness.intercept import Player, use_tape
from harness.types import Exchange, LooseJson, Request

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"
FILES = sorted(RECORDINGS.rglob("*.yaml"))

Send = Callable[[Request], tuple[int, bytes]]


def through_httpx(request: Request) -> tuple[int, bytes]:
    """Status and body, as httpx gives them."""
    with httpx.Client() as client:
        answer = client.request(
            request.method, request.uri, content=request.body, headers=_headers(request)
        )
    return answer.status_code, answer.content


def through_requests(request: Request) -> tuple[int, bytes]:
    """Status and body, as requests gives them."""
    answer = requests.request(
        request.method, request.uri, data=request.body, headers=_headers(request), timeout=5
    )
    return answer.status_code, answer.content


def _headers(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers if name.lower() == "content-type"}


def _spoken_over_http(exchange: Exchange) -> bool:
    """Websockets are recorded too, but only their opening."""
    return exchange.request.uri.startswith("http")


@pytest.mark.skipif(not FILES, reason=f"no real recordings at {RECORDINGS}")
@pytest.mark.parametrize("send", [through_httpx, through_requests])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_real_request_gets_the_answer_it_got(path: Path, send: Send) -> None:
    """In order, byte for byte, with nothing left over."""
    cassette = read(path)
    asked = [exchange for exchange in cassette.exchanges if _spoken_over_http(exchange)]
    tape = Player(cassette)
    with use_tape(tape):
        for exchange in asked:
            answer = exchange.response
            assert send(exchange.request) == (answer.status, answer.body)
    assert [e for e in tape.unused() if _spoken_over_http(e)] == []


def test_a_cassette_in_json_is_read() -> None:
    """vcrpy's other serializer writes emoji as two halves, which YAML does not take."""
    request: LooseJson = {"method": "GET", "uri": "http://a/", "headers": {}, "body": None}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "😀"}}
    told = {"version": 1, "interactions": [{"request": request, "response": response}]}
    assert loads(json.dumps(told)).exchanges[0].response.body.decode() == "😀"
