"""Recording: every exchange is heard as it passes, and the caller notices nothing."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from harness.cassette import dumps, loads
from harness.errors import RecordingFailed, SecretNotRedacted
from harness.intercept import Player, Recorder, use_tape
from harness.secrets.redactor import RESPONSE_HEADERS, Redactor
from harness.types import Cassette, Exchange, Request, Response

from .clients import (
    CLIENTS,
    STREAMING,
    Client,
    Got,
    by_httpx,
    by_requests,
    by_requests_in_small_pieces,
    by_urllib3_stream,
)
from .server import PIECES, STREAM, Server

KEY = "sk-12345678"


def nothing() -> None:
    """What a caller does who does not care."""


def record(
    client: Client, url: str, method: str = "GET", body: bytes | str | None = None
) -> tuple[Got, tuple[Exchange, ...]]:
    """What the caller got, and what is on the tape."""
    tape = Recorder(Redactor((KEY,)))
    with use_tape(tape):
        got = client(method, url, body, nothing)
    return got, tape.exchanges()


def replay(
    client: Client,
    exchanges: tuple[Exchange, ...],
    url: str,
    method: str = "GET",
    body: bytes | str | None = None,
) -> Got:
    """What the caller gets from the tape, by way of a file."""
    tape = Player(loads(dumps(Cassette(exchanges))))
    with use_tape(tape):
        got = client(method, url, body, nothing)
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
def test_a_replay_gives_what_was_recorded(
    server: Server, client: Client, method: str, path: str, body: bytes | str | None
) -> None:
    """Status, reason, bytes, pieces, and every header that is kept; to every client."""
    url = server.base + path
    got, exchanges = record(client, url, method, body)
    server.shutdown()
    again = replay(client, exchanges, url, method, body)
    assert (again.status, again.reason, again.body) == (got.status, got.reason, got.body)
    if "gzip" in path:  # its pieces and length were those of the compressed body
        assert got.body == STREAM
        assert "content-encoding" not in again.headers
    else:
        assert again.pieces == got.pieces
        kept = {name: value for name, value in got.headers.items() if name in RESPONSE_HEADERS}
        assert again.headers == kept


@pytest.mark.parametrize("client", CLIENTS)
def test_an_exchange_is_recorded_as_it_travelled(server: Server, client: Client) -> None:
    """Method, address, body; status, reason, headers without cookies, body."""
    _, (exchange,) = record(client, f"{server.base}/echo?a=1&b=http://x/", "POST", '{"你":"好"}')
    assert server.asked == [("POST", "/echo?a=1&b=http://x/", '{"你":"好"}'.encode())]
    assert exchange.request.method == "POST"
    assert exchange.request.uri == f"{server.base}/echo?a=1&b=http://x/"
    assert exchange.request.body == '{"你":"好"}'.encode()
    assert (exchange.response.status, exchange.response.reason) == (200, "OK")
    assert exchange.response.body == '{"你":"好"}'.encode()
    headers = {name.lower(): value for name, value in exchange.response.headers}
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"] == "17"
    assert "set-cookie" not in headers


@pytest.mark.parametrize("client", [*STREAMING, by_requests_in_small_pieces])
def test_chunks_are_those_of_the_network(server: Server, client: Client) -> None:
    """However small the pieces are in which the caller takes them."""
    got, (exchange,) = record(client, f"{server.base}/stream")
    assert got.body == STREAM
    assert exchange.response.body == STREAM
    assert exchange.chunks == tuple(len(piece) for piece in PIECES)


@pytest.mark.parametrize("client", CLIENTS)
def test_compressed_answers_are_kept_for_readers(server: Server, client: Client) -> None:
    """Decoded, without chunk sizes and the header that says otherwise."""
    for path in ("/gzip", "/gzip-stream"):
        got, (exchange,) = record(client, server.base + path)
        assert got.body == STREAM
        assert exchange.response.body == STREAM
        assert exchange.response.header("content-encoding") is None
        assert exchange.response.header("content-length") is None


@pytest.mark.parametrize("client", STREAMING)
def test_streams_pass_through_live(server: Server, client: Client) -> None:
    """The first piece reaches the caller before the server has sent the second."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        got = client("GET", f"{server.base}/waiting", None, server.go.set)
    assert got.body == b"first\nsecond\n"
    (exchange,) = tape.exchanges()
    assert exchange.chunks == (6, 7)
    assert exchange.timing is not None
    assert abs(time.time() - exchange.timing.start) < 60
    assert 0 < exchange.timing.first_byte <= exchange.timing.total < 3


def test_lines_pass_through_live(server: Server) -> None:
    """As DashScope's SDK reads them."""
    tape = Recorder(Redactor())
    with use_tape(tape), requests.get(f"{server.base}/waiting", stream=True, timeout=9) as answer:
        lines = answer.iter_lines()
        assert next(lines) == b"first"
        server.go.set()
        assert list(lines) == [b"second"]
    assert tape.exchanges()[0].chunks == (6, 7)


def test_times_are_those_of_the_network(server: Server) -> None:
    """The first byte comes early, the last one late."""
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
def test_every_way_to_read_urllib3s_body_is_heard(
    server: Server, read: Callable[[urllib3.BaseHTTPResponse], bytes]
) -> None:
    """Whole, in pieces, as a file, by chunks: nothing passes unheard, and nothing twice."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/stream", preload_content=False)
        assert read(answer) == STREAM
        answer.release_conn()
    assert [exchange.response.body for exchange in tape.exchanges()] == [STREAM]
    with use_tape(Player(Cassette(tape.exchanges()))), urllib3.PoolManager() as pool:
        assert read(pool.request("GET", f"{server.base}/stream", preload_content=False)) == STREAM


def test_a_stream_given_up_is_heard_although_nobody_closes_the_answer(server: Server) -> None:
    """The end of the stream is enough."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/json", preload_content=False)
        stream = answer.stream(9)
        assert next(stream) == b'{"answer"'
        del stream
        assert [exchange.response.body for exchange in tape.exchanges()] == [b'{"answer"']
        answer.close()


def test_an_answer_drained_unread_is_heard(server: Server) -> None:
    """As urllib3 does with redirects."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/json", preload_content=False)
        answer.drain_conn()
        answer.release_conn()
    assert tape.exchanges()[0].response.body == '{"answer":"你好"}'.encode()


# ------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("library", ["requests", "httpx", "urllib3"])
def test_redirects_are_followed_on_the_tape(server: Server, library: str) -> None:
    """Both answers are recorded, and a replay goes the same way."""

    def ask() -> bytes:
        url = f"{server.base}/redirect"
        if library == "requests":
            return requests.get(url, timeout=9).content
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


def test_a_stream_given_up_is_kept_as_far_as_it_came(server: Server) -> None:
    """By httpx, requests and urllib3; replayed, it is as long as that."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        with httpx.stream("GET", f"{server.base}/waiting") as answer:
            assert next(answer.iter_bytes()) == b"first\n"
        with requests.get(f"{server.base}/waiting", stream=True, timeout=9) as response:
            assert next(response.iter_content(2**16)) == b"first\n"
        with urllib3.PoolManager() as pool:
            raw = pool.request("GET", f"{server.base}/waiting", preload_content=False)
            assert next(raw.stream(2**16)) == b"first\n"
            raw.close()
        server.go.set()
    assert [e.response.body for e in tape.exchanges()] == [b"first\n"] * 3
    assert [e.chunks for e in tape.exchanges()] == [(6,)] * 3


def test_a_body_read_in_part_and_closed_is_kept_as_far_as_it_came(server: Server) -> None:
    """Read as a file, and then no further; closed, or given back unread."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        for end in ("close", "release_conn"):
            answer = pool.request("GET", f"{server.base}/json", preload_content=False)
            assert answer.read(9) == b'{"answer"'
            getattr(answer, end)()
            assert tape.exchanges()[-1].response.body == b'{"answer"'
            answer.close()
    assert len(tape.exchanges()) == 2


def test_an_asynchronous_stream_given_up_is_kept(server: Server) -> None:
    """Also where its task is cancelled."""

    async def ask() -> None:
        async with httpx.AsyncClient() as client:
            async with client.stream("GET", f"{server.base}/waiting") as answer:
                assert await anext(answer.aiter_bytes()) == b"first\n"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_read(client, f"{server.base}/waiting"), 0.3)

    tape = Recorder(Redactor())
    with use_tape(tape):
        asyncio.run(ask())
    server.go.set()
    assert [e.response.body for e in tape.exchanges()] == [b"first\n"] * 2


async def _read(client: httpx.AsyncClient, url: str) -> None:
    await client.get(url)


@pytest.mark.parametrize("path", ["/breaks", "/short"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_connection_that_breaks_is_the_callers_error(
    server: Server, client: Client, path: str
) -> None:
    """The library's own error; half an answer is none, and is not kept."""
    tape = Recorder(Redactor())
    broken = (httpx.RemoteProtocolError, requests.ConnectionError, urllib3.exceptions.HTTPError)
    chunked = requests.exceptions.ChunkedEncodingError
    others = (httpx2.RemoteProtocolError, chunked, aiohttp.ClientPayloadError)
    with use_tape(tape):
        with pytest.raises((*broken, *others)):
            client("GET", server.base + path, None, nothing)
        client("GET", f"{server.base}/json", None, nothing)
    assert [e.request.uri for e in tape.exchanges()] == [f"{server.base}/json"]


@pytest.mark.parametrize("client", CLIENTS)
def test_nobody_at_the_address_is_the_callers_error(client: Client) -> None:
    """Nothing is recorded of it."""
    tape = Recorder(Redactor())
    refused = (httpx.ConnectError, requests.ConnectionError, urllib3.exceptions.HTTPError)
    with (
        use_tape(tape),
        pytest.raises((*refused, httpx2.ConnectError, aiohttp.ClientConnectorError)),
    ):
        client("GET", "http://127.0.0.1:9/", None, nothing)
    assert tape.exchanges() == ()


def test_urllib3s_own_retries_work(server: Server) -> None:
    """It calls itself, with arguments by position; one exchange is heard, the one answered."""
    tape = Recorder(Redactor())
    with use_tape(tape), urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{server.base}/flaky", retries=urllib3.Retry(2))
    assert answer.data == '{"answer":"你好"}'.encode()
    assert len(server.asked) == 2
    assert [e.response.status for e in tape.exchanges()] == [200]


def test_urllib3s_arguments_may_stand_by_position(server: Server) -> None:
    """As its documentation allows; the pool's headers are sent, and recorded."""
    tape = Recorder(Redactor())
    host, port = server.base.removeprefix("http://").split(":")
    pool = urllib3.HTTPConnectionPool(host, int(port), headers={"accept": "a/b"})
    with use_tape(tape):
        answer = pool.urlopen("POST", "/echo", b"x", None, urllib3.Retry(1), False)
    pool.close()
    assert answer.data == b"x"
    assert tape.exchanges()[0].request.headers == (("accept", "a/b"),)


@pytest.mark.parametrize("path", ["/odd-coding", "/broken-gzip"])
def test_a_body_nobody_can_decode_is_not_written(server: Server, path: str) -> None:
    """It cannot be looked through for secrets; the caller's own error comes first."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        if path == "/odd-coding":
            assert by_httpx("GET", server.base + path, None, nothing).body == b"?"
        else:
            with pytest.raises(httpx.DecodingError):
                by_httpx("GET", server.base + path, None, nothing)
    with pytest.raises(SecretNotRedacted, match="could not be undone"):
        tape.exchanges()


def test_an_answer_urllib3_left_compressed_is_decoded_on_the_tape(server: Server) -> None:
    """The caller wanted it so; who reads a cassette does not."""
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
        lambda url, body: requests.post(url, data=body, timeout=9).content,
        lambda url, body: urllib3.request("POST", url, body=body).data,
    ],
    ids=["requests", "urllib3"],
)
def test_a_body_that_can_be_read_once_is_sent_kept_and_played(
    server: Server, post: Callable[[str, Any], bytes], body: Callable[[], Any], sent: bytes
) -> None:
    """Files, from where they stand, and generators."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        post(f"{server.base}/echo", body())
    assert [(e.request.body, e.response.body) for e in tape.exchanges()] == [(sent, sent)]
    with use_tape(Player(Cassette(tape.exchanges()))):
        assert post(f"{server.base}/echo", body()) == sent


def test_a_body_of_no_known_kind_is_refused(server: Server) -> None:
    """What was sent could not be kept."""
    with use_tape(Recorder(Redactor())), pytest.raises(RecordingFailed) as caught:
        urllib3.PoolManager().urlopen("POST", f"{server.base}/echo?k=v", body={"a": 1})
    assert str(caught.value) == f"POST {server.base}/echo: cannot record a body of dict"


@pytest.mark.parametrize("client", CLIENTS)
def test_secrets_are_taken_out_and_the_caller_has_them(server: Server, client: Client) -> None:
    """What the tape keeps is clean; what the caller gets is what was sent."""
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
    """Those that began in it, in the order they were asked."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        with tape.turn(1) as first:
            by_httpx("GET", f"{server.base}/json", None, nothing)
        with tape.turn(2) as second:
            by_requests("GET", f"{server.base}/json", None, nothing)
            by_urllib3_stream("GET", f"{server.base}/nothing", None, nothing)
        by_httpx("GET", f"{server.base}/empty", None, nothing)
    assert [e.turn for e in tape.exchanges()] == [1, 2, 2, None]
    assert (*first, *second) == tape.exchanges()[:3]


def test_exchanges_stand_in_the_order_they_were_asked(server: Server) -> None:
    """Not in the order they ended."""
    tape = Recorder(Redactor())
    with use_tape(tape), httpx.stream("GET", f"{server.base}/stream") as answer:
        httpx.get(f"{server.base}/json")
        answer.read()
    assert [e.request.uri.rpartition("/")[2] for e in tape.exchanges()] == ["stream", "json"]


def test_a_recorder_really_waits() -> None:
    """There is somebody to wait for."""
    began = time.perf_counter()
    Recorder(Redactor()).sleep(0.02)
    assert time.perf_counter() - began >= 0.02


def test_a_player_does_not_wait() -> None:
    """What was waited for has happened."""
    began = time.perf_counter()
    Player(Cassette(())).sleep(60)
    assert time.perf_counter() - began < 1


def test_headers_of_any_letters_are_replayed() -> None:
    """Another tool's cassette may hold what no header should."""
    response = Response(200, "好的", (("x-log-id", "你好é"),), b"x")
    exchange = Exchange(Request("GET", "http://a/b"), response)
    for client in CLIENTS:
        assert replay(client, (exchange,), "http://a/b").headers == {"x-log-id": "你好é"}
