"""The recorder: every exchange is captured as it passes, and the caller notices nothing."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests
import urllib3
from patience import patiently

from harness.cassette.reader import loads
from harness.cassette.writer import dumps
from harness.errors import RecordingFailed
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder, ResponseCapture
from harness.secrets.redactor import HOP_BY_HOP, Redactor
from harness.types import NO_STATUS, Cassette, Exchange, NetworkError, Request, Response

from .clients import (
    CLIENTS,
    STREAMING,
    Client,
    Received,
    by_http_client,
    by_httpx,
    by_requests,
    by_requests_in_small_pieces,
    by_urllib,
    by_urllib3,
    by_urllib3_read,
    by_urllib3_stream,
)
from .server import PIECES, STREAM, Server

pytestmark = pytest.mark.slow

KEY = "sk-12345678"


def ignore_piece() -> None:
    """Do nothing."""


def record(
    client: Client, url: str, method: str = "GET", body: bytes | str | None = None
) -> tuple[Received, tuple[Exchange, ...]]:
    """Return what the caller received, and the recorded exchange."""
    tape = Recorder(Redactor((KEY,)))
    with use_tape(tape):
        got = client(method, url, body, ignore_piece)
    return got, tape.exchanges()


def replay(
    client: Client,
    exchanges: tuple[Exchange, ...],
    url: str,
    method: str = "GET",
    body: bytes | str | None = None,
) -> Received:
    """Return what the caller receives from a replay, through the text of a cassette."""
    tape = Player(loads(dumps(Cassette(exchanges))))
    with use_tape(tape):
        got = client(method, url, body, ignore_piece)
    assert tape.unused() == ()
    return got


WAYS = [
    ("GET", "/json", None),
    ("GET", "/echo?a=%E4%BD%A0&b=http://x/", None),
    ("POST", "/echo", '{"你":"好"}'),
    ("POST", "/echo", b'{"a":\xff}'),
    ("POST", "/stream", b"{}"),
    ("GET", "/gzip", None),
    ("GET", "/gzip-stream", None),
    ("GET", "/nothing", None),
    ("DELETE", "/nothing", None),
    ("GET", "/empty", None),
    ("HEAD", "/head", None),
    ("POST", "/refused", b"{}"),
    ("GET", "/redirect", None),
    ("GET", "/until-closed", None),
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("method", "path", "body"), WAYS)
def test_a_replay_returns_what_was_recorded(
    server: Server, client: Client, method: str, path: str, body: bytes | str | None
) -> None:
    """A replay returns status, reason, bytes, pieces and kept headers to every client."""
    url = server.base + path
    got, exchanges = record(client, url, method, body)
    server.shutdown()
    again = replay(client, exchanges, url, method, body)
    assert (again.status, again.reason, again.body) == (got.status, got.reason, got.body)
    assert again.pieces == got.pieces
    assert again.headers == {
        name: Redactor().header(name, value)
        for name, value in got.headers.items()
        if name not in HOP_BY_HOP
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_an_exchange_is_recorded_as_it_was_sent(server: Server, client: Client) -> None:
    """Method, address, status, reason, headers without cookies' values and bodies."""
    _, (exchange,) = record(client, f"{server.base}/echo?a=1&b=http://x/", "POST", '{"你":"好"}')
    assert server.requests == [("POST", "/echo?a=1&b=http://x/", '{"你":"好"}'.encode())]
    assert exchange.request.method == "POST"
    assert exchange.request.uri == f"{server.base}/echo?a=1&b=http://x/"
    assert exchange.request.body == '{"你":"好"}'.encode()
    assert (exchange.response.status, exchange.response.reason) == (200, "OK")
    assert exchange.response.body == '{"你":"好"}'.encode()
    headers = {name.lower(): value for name, value in exchange.response.headers}
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"] == "17"
    assert headers["set-cookie"] == "a=REDACTED"


@pytest.mark.parametrize("client", [*STREAMING, by_requests_in_small_pieces])
def test_chunks_are_those_of_the_network(server: Server, client: Client) -> None:
    """Recorded chunks are those of the network, however small the caller's reads are."""
    got, (exchange,) = record(client, f"{server.base}/stream")
    assert got.body == STREAM
    assert exchange.response.body == STREAM
    assert exchange.chunks == tuple(len(piece) for piece in PIECES)


@pytest.mark.parametrize("client", CLIENTS)
def test_compressed_responses_are_recorded_decoded(server: Server, client: Client) -> None:
    """Compressed responses are recorded decoded, without chunk sizes and coding header."""
    for path in ("/gzip", "/gzip-stream"):
        got, (exchange,) = record(client, server.base + path)
        assert got.body == STREAM
        assert exchange.response.body == STREAM
        assert exchange.response.header("content-encoding") is None
        assert exchange.response.header("content-length") is None


@pytest.mark.parametrize("client", STREAMING)
def test_streams_pass_through_live(server: Server, client: Client) -> None:
    """The first piece reaches the caller before the server sends the second."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        got = client("GET", f"{server.base}/waiting", None, server.go.set)
    assert got.body == b"first\nsecond\n"
    (exchange,) = tape.exchanges()
    assert exchange.chunks == (6, 7)
    assert exchange.timing is not None
    assert abs(time.time() - exchange.timing.start) < 60
    assert 0 < exchange.timing.first_byte <= exchange.timing.total < 60


def test_lines_pass_through_live(server: Server) -> None:
    """Lines reach the caller as DashScope's SDK reads them, before the next one is sent."""
    tape = Recorder(Redactor())
    with use_tape(tape), requests.get(f"{server.base}/waiting", stream=True, timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(lines) == b"first"
        server.go.set()
        assert list(lines) == [b"second"]
    assert tape.exchanges()[0].chunks == (6, 7)


def test_times_are_those_of_the_network(server: Server) -> None:
    """The first byte is recorded as early, the last one as late."""
    tape = Recorder(Redactor())

    def dawdle() -> None:
        time.sleep(0.05)
        server.go.set()

    with use_tape(tape):
        by_httpx("GET", f"{server.base}/waiting", None, dawdle)
    timing = tape.exchanges()[0].timing
    assert timing is not None
    assert timing.total - timing.first_byte >= 0.05


READS: list[Callable[[urllib3.BaseHTTPResponse], bytes]] = [
    lambda answer: answer.read(),
    lambda answer: answer.data,
    lambda answer: b"".join(answer),
    lambda answer: b"".join(iter(lambda: answer.read(50), b"")),
    lambda answer: b"".join(iter(lambda: answer.read1(), b"")),
    lambda answer: b"".join(answer.read_chunked(50)),
    lambda answer: b"".join(answer.stream(1)),
]


@pytest.mark.parametrize("read", READS)
def test_every_way_to_read_urllib3s_body_is_captured(
    server: Server, read: Callable[[urllib3.BaseHTTPResponse], bytes]
) -> None:
    """In every way to read a body with urllib3, each byte is captured once."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/stream", preload_content=False)
        assert read(answer) == STREAM
        answer.release_conn()
    assert [exchange.response.body for exchange in tape.exchanges()] == [STREAM]
    with use_tape(Player(Cassette(tape.exchanges()))), urllib3.PoolManager() as pool:
        assert read(pool.request("GET", f"{server.base}/stream", preload_content=False)) == STREAM


def test_a_stream_that_is_not_closed_is_captured(server: Server) -> None:
    """A stream that the caller abandons without closing the response is captured."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/json", preload_content=False)
        stream = answer.stream(9)
        assert next(stream) == b'{"answer"'
        del stream
        assert [exchange.response.body for exchange in tape.exchanges()] == [b'{"answer"']
        answer.close()


def test_a_drained_response_is_captured(server: Server) -> None:
    """A response that urllib3 drains, as for redirects, is captured."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/json", preload_content=False)
        answer.drain_conn()
        answer.release_conn()
    assert tape.exchanges()[0].response.body == '{"answer":"你好"}'.encode()


# ------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("library", ["requests", "httpx", "urllib3"])
def test_redirects_are_recorded_and_replayed(server: Server, library: str) -> None:
    """Both responses of a redirect are recorded, and a replay follows it."""

    def ask() -> bytes:
        url = f"{server.base}/redirect"
        if library == "requests":
            return requests.get(url, timeout=60).content
        if library == "httpx":
            return httpx.get(url, follow_redirects=True).content
        with urllib3.PoolManager() as pool:
            return pool.request("GET", url).data

    tape = Recorder(Redactor())
    with use_tape(tape):
        body = ask()
    assert body == '{"answer":"你好"}'.encode()
    assert [e.response.status for e in tape.exchanges()] == [302, 200]
    again = Player(loads(dumps(Cassette(tape.exchanges()))))
    with use_tape(again):
        assert ask() == body
    assert again.unused() == ()


# --------------------------------------------------------------------------- what goes wrong


def test_an_abandoned_stream_is_recorded_as_far_as_it_came(server: Server) -> None:
    """A stream that the caller abandons is recorded and replayed as far as it came."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        with httpx.stream("GET", f"{server.base}/waiting") as answer:
            assert next(answer.iter_bytes()) == b"first\n"
        with requests.get(f"{server.base}/waiting", stream=True, timeout=60) as response:
            assert next(response.iter_content(2**16)) == b"first\n"
        with urllib3.PoolManager() as pool:
            raw = pool.request("GET", f"{server.base}/waiting", preload_content=False)
            assert next(raw.stream(2**16)) == b"first\n"
            raw.close()
        server.go.set()
    assert [e.response.body for e in tape.exchanges()] == [b"first\n"] * 3
    assert [e.chunks for e in tape.exchanges()] == [(6,)] * 3


def test_a_body_that_is_read_in_part_is_recorded_as_far_as_it_came(server: Server) -> None:
    """A body that is read in part and then closed or released is recorded that far."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        for end in ("close", "release_conn"):
            answer = pool.request("GET", f"{server.base}/json", preload_content=False)
            assert answer.read(9) == b'{"answer"'
            getattr(answer, end)()
            assert tape.exchanges()[-1].response.body == b'{"answer"'
            answer.close()
    assert len(tape.exchanges()) == 2


def test_an_abandoned_asynchronous_stream_is_recorded(server: Server) -> None:
    """An asynchronous stream that is abandoned, or whose task is cancelled, is recorded."""

    async def ask(patience: float) -> None:
        async with httpx.AsyncClient() as client:
            async with client.stream("GET", f"{server.base}/waiting") as answer:
                assert await anext(answer.aiter_bytes()) == b"first\n"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_read(client, f"{server.base}/waiting"), patience)

    def check(patience: float) -> None:
        tape = Recorder(Redactor())
        with use_tape(tape):
            asyncio.run(ask(patience))
        server.go.set()
        assert [e.response.body for e in tape.exchanges()] == [b"first\n"] * 2

    patiently(check)


async def _read(client: httpx.AsyncClient, url: str) -> None:
    await client.get(url)


@pytest.mark.parametrize("path", ["/breaks", "/short"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_broken_connection_is_replayed(server: Server, client: Client, path: str) -> None:
    """A broken connection raises the same error of the library in a recording and its replay."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        with pytest.raises(Exception, match=r".") as live:
            client("GET", server.base + path, None, ignore_piece)
        client("GET", f"{server.base}/json", None, ignore_piece)
    broken, whole = tape.exchanges()
    assert broken.broken_off is not None
    assert broken.response.body == {"/breaks": b"data: half", "/short": b"only this"}[path]
    assert whole.broken_off is None
    with pytest.raises(live.type):
        replay(client, (broken,), server.base + path)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_refused_connection_is_replayed(client: Client) -> None:
    """A refused connection raises the same error of the library in a recording and its replay."""
    tape = Recorder(Redactor())
    with use_tape(tape), pytest.raises(Exception, match=r".") as live:
        client("GET", "http://127.0.0.1:9/", None, ignore_piece)
    (refused,) = tape.exchanges()
    assert refused.broken_off is not None
    assert refused.broken_off.kind is NetworkError.REFUSED
    with pytest.raises(live.type):
        replay(client, (refused,), "http://127.0.0.1:9/")


def test_urllib3s_own_retries_work(server: Server) -> None:
    """urllib3's own retries work, and every attempt is recorded and replayed."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/flaky", retries=urllib3.Retry(2))
    assert answer.data == '{"answer":"你好"}'.encode()
    assert len(server.requests) == 2
    assert [e.response.status for e in tape.exchanges()] == [NO_STATUS, 200]
    player = Player(loads(dumps(Cassette(tape.exchanges()))))
    with use_tape(player), urllib3.PoolManager() as pool:
        again = pool.request("GET", f"{server.base}/flaky", retries=urllib3.Retry(2))
    assert again.data == answer.data
    assert player.unused() == ()


def test_urllib3_takes_positional_arguments(server: Server) -> None:
    """urllib3 takes positional arguments, and the pool's headers are sent and recorded."""
    tape = Recorder(Redactor())
    host, port = server.base.removeprefix("http://").split(":")
    pool = urllib3.HTTPConnectionPool(host, int(port), headers={"accept": "a/b"})
    with use_tape(tape):
        answer = pool.urlopen("POST", "/echo", b"x", None, urllib3.Retry(1), False)
    pool.close()
    assert answer.data == b"x"
    assert tape.exchanges()[0].request.headers == (("accept", "a/b"),)


def test_a_response_read_compressed_is_recorded_decoded(server: Server) -> None:
    """A response that the caller reads compressed is recorded decoded."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/gzip", decode_content=False)
    assert answer.data.startswith(b"\x1f\x8b")
    assert tape.exchanges()[0].response.body == STREAM


BODIES: list[tuple[Callable[[], Any], bytes]] = [
    (lambda: io.BytesIO(b"a file"), b"a file"),
    (lambda: io.StringIO("a text"), b"a text"),
    (lambda: iter([b"in ", "pieces"]), b"in pieces"),
    (lambda: bytearray(b"bytes"), b"bytes"),
]


@pytest.mark.parametrize(("body", "sent"), BODIES)
@pytest.mark.parametrize(
    "post",
    [
        lambda url, body: requests.post(url, data=body, timeout=60).content,
        lambda url, body: urllib3.request("POST", url, body=body).data,
    ],
    ids=["requests", "urllib3"],
)
def test_a_request_body_that_can_be_read_once_is_recorded(
    server: Server, post: Callable[[str, Any], bytes], body: Callable[[], Any], sent: bytes
) -> None:
    """Request bodies from files and generators are sent, recorded and replayed."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        post(f"{server.base}/echo", body())
    assert [(e.request.body, e.response.body) for e in tape.exchanges()] == [(sent, sent)]
    with use_tape(Player(Cassette(tape.exchanges()))):
        assert post(f"{server.base}/echo", body()) == sent


def test_a_request_body_of_unknown_type_is_an_error(server: Server) -> None:
    """A request body of an unknown type raises RecordingFailed."""
    with use_tape(Recorder(Redactor())), pytest.raises(RecordingFailed) as caught:
        urllib3.PoolManager().urlopen("POST", f"{server.base}/echo?k=v", body={"a": 1})
    assert str(caught.value) == f"POST {server.base}/echo: cannot record a body of dict"


@pytest.mark.parametrize("client", CLIENTS)
def test_secrets_are_removed_from_the_tape_only(server: Server, client: Client) -> None:
    """Secrets are removed from what is recorded, not from what the caller receives."""
    got, exchanges = record(client, f"{server.base}/key?k={KEY}", "POST", KEY)
    assert got.body == f'{{"key":"{KEY}"}}'.encode()
    (exchange,) = exchanges
    assert exchange.request.uri == f"{server.base}/key?k=REDACTED"
    assert exchange.request.body == b"REDACTED"
    assert exchange.response.body == b'{"key":"REDACTED"}'
    assert exchange.response.header("server") is not None
    assert KEY not in dumps(Cassette(exchanges))


# ------------------------------------------------------------------------------------ turns


def test_exchanges_know_their_turn(server: Server) -> None:
    """A turn holds the exchanges that began in it, in the order of their requests."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        with tape.turn(1) as first:
            by_httpx("GET", f"{server.base}/json", None, ignore_piece)
        with tape.turn(2) as second:
            by_requests("GET", f"{server.base}/json", None, ignore_piece)
            by_urllib3_stream("GET", f"{server.base}/nothing", None, ignore_piece)
        by_httpx("GET", f"{server.base}/empty", None, ignore_piece)
    assert [e.turn for e in tape.exchanges()] == [1, 2, 2, None]
    assert (*first, *second) == tape.exchanges()[:3]


def test_exchanges_are_in_the_order_of_their_requests(server: Server) -> None:
    """Exchanges are in the order of their requests, not of their ends."""
    tape = Recorder(Redactor())
    with use_tape(tape), httpx.stream("GET", f"{server.base}/stream") as answer:
        httpx.get(f"{server.base}/json")
        answer.read()
    assert [e.request.uri.rpartition("/")[2] for e in tape.exchanges()] == ["stream", "json"]


def test_a_recorder_sleeps_in_real_time() -> None:
    """`Recorder.sleep` takes real time."""
    began = time.perf_counter()
    Recorder(Redactor()).sleep(0.02)
    assert time.perf_counter() - began >= 0.02


def test_a_player_sleeps_in_simulated_time() -> None:
    """`Player.sleep` takes no real time."""
    began = time.perf_counter()
    Player(Cassette(())).sleep(60)
    assert time.perf_counter() - began < 20


BY_HTTP_CLIENT = (
    by_http_client,
    by_urllib,
    by_requests,
    by_requests_in_small_pieces,
    by_urllib3,
    by_urllib3_read,
    by_urllib3_stream,
)
"""The clients that read the bytes of headers as latin-1."""


def test_headers_with_any_characters_are_replayed() -> None:
    """Headers with characters that HTTP does not allow are replayed."""
    response = Response(200, "好的", (("x-log-id", "你好é"),), b"x")
    exchange = Exchange(Request("GET", "http://a/b"), response)
    for client in CLIENTS:
        text = "你好é".encode().decode("latin-1") if client in BY_HTTP_CLIENT else "你好é"
        assert replay(client, (exchange,), "http://a/b").headers == {"x-log-id": text}


def test_the_chunks_of_a_complete_body_are_not_kept() -> None:
    """The body of an exchange is in memory once, not as its chunks too."""
    capture, chunk = ResponseCapture(Request("GET", "https://a.test/"), None), bytes(range(99))
    count = sys.getrefcount(chunk)
    capture.start(200, "OK", ())
    capture.add_chunk(chunk)
    capture.add_chunk(b"more")
    capture.end()
    assert capture.exchange is not None
    assert capture.exchange.response.body == chunk + b"more"
    assert sys.getrefcount(chunk) == count
