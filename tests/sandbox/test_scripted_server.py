"""The scripted server sends its scripts byte by byte."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from harness.sandbox.scripted_server import Pause, Reset, Script, response_script, serve_scripts
from harness.types import Response

ANSWER = Response(
    200, "OK", (("Content-Type", "text/event-stream"), ("content-length", "7")), "数据: 你".encode()
)


def test_a_recorded_response_is_sent_in_its_chunks() -> None:
    """Chunks may end inside a character; Content-Length is omitted."""
    sizes = (1, 3, 4)
    with (
        serve_scripts(lambda head, body: response_script(ANSWER, sizes)) as address,
        httpx.stream("GET", address, trust_env=False) as response,
    ):
        read = list(response.iter_raw())
    assert b"".join(read) == ANSWER.body
    assert response.headers["content-type"] == "text/event-stream"
    assert "content-length" not in response.headers


@pytest.mark.parametrize("chunked", [False, True])
def test_the_whole_request_is_read(chunked: bool) -> None:
    """Its body may have a length or be chunked."""
    requests: list[tuple[bytes, bytes]] = []

    def respond(head: bytes, body: bytes) -> Script:
        requests.append((head, body))
        return response_script(ANSWER)

    body = "问".encode() * 50_000
    content = iter([body[:70_000], body[70_000:]]) if chunked else body
    with serve_scripts(respond) as address:
        httpx.post(f"{address}/a?b=1", content=content, trust_env=False)
    ((head, received),) = requests
    assert head.startswith(b"POST /a?b=1 HTTP/1.1\r\n")
    assert received == body


def test_a_reset_breaks_the_connection() -> None:
    """The client gets a read error."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with (
        serve_scripts(lambda _, __: [head, Pause(0.05), Reset()]) as address,
        pytest.raises(httpx.ReadError),
    ):
        httpx.get(address, trust_env=False)


def test_a_script_may_end_too_early() -> None:
    """Without a reset the connection is closed normally."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with serve_scripts(lambda _, __: [head]) as address, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(address, trust_env=False)


def test_a_pause_ends_with_the_server() -> None:
    """Stopping the server does not wait, and leaves no thread."""
    before = threading.active_count()
    began = time.perf_counter()
    with serve_scripts(lambda _, __: [Pause(3600)]) as address, pytest.raises(httpx.ReadTimeout):
        httpx.get(address, timeout=httpx.Timeout(60, read=0.1), trust_env=False)
    assert time.perf_counter() - began < 60
    assert threading.active_count() <= before
