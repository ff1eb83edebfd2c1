"""The patch of http.client: requests made in pieces, connections, and the libraries above it."""

from __future__ import annotations

import http.client
import io
import xmlrpc.client
from collections.abc import Callable
from contextlib import closing
from itertools import product
from typing import Any

import pytest
import urllib3

from harness.config.hosts import AllowedHosts
from harness.errors import CassetteMiss
from harness.intercept.context import Block, Playback
from harness.intercept.http_client import ReplayedResponse, ReplaySocket
from harness.intercept.patch import use_block, use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.intercept.replay_or_record import ReplayOrRecord
from harness.secrets.redactor import Redactor
from harness.types import BrokenOff, Cassette, Exchange, NetworkError, Request, Response

from .server import PIECES, STREAM, Server

Ask = Callable[[http.client.HTTPConnection], Any]


def recorded(server: Server, ask: Ask) -> tuple[Any, tuple[Exchange, ...]]:
    """Return what *ask* returns of a connection, and what was recorded."""
    tape = Recorder(Redactor())
    with use_tape(tape), closing(http.client.HTTPConnection(server.host, server.port)) as one:
        got = ask(one)
    return got, tape.exchanges()


def replayed(exchanges: tuple[Exchange, ...], ask: Ask) -> Any:
    """Return what *ask* returns of a connection to nowhere."""
    player = Player(Cassette(exchanges))
    with use_tape(player), closing(http.client.HTTPConnection("127.0.0.1", 9)) as one:
        got = ask(one)
    assert player.unused() == ()
    return got


def in_pieces(one: http.client.HTTPConnection) -> bytes:
    """Send a body in pieces of known length."""
    one.putrequest("POST", "/echo")
    one.putheader("Content-Length", "7")
    one.endheaders()
    one.send(b"ab")
    one.send(io.StringIO("cd"))  # type: ignore[arg-type]  # a file of text is sent, too
    one.send([b"e", b"fg"])
    return one.getresponse().read()


def in_chunks(one: http.client.HTTPConnection) -> bytes:
    """Send a body in chunks, one of which looks like the last."""
    body = iter([b"a", b"0\r\n\r\n0\r\n", b"b" * 5000])
    one.request("POST", "/echo", body, encode_chunked=True)
    return one.getresponse().read()


def in_own_chunks(one: http.client.HTTPConnection) -> bytes:
    """Send a body whose chunks the caller has made."""
    one.putrequest("POST", "/echo")
    one.putheader("Transfer-Encoding", "chunked")
    one.endheaders()
    for piece in (b"3\r\nab", b"c\r\n0\r", b"\n\r\n"):
        one.send(piece)
    return one.getresponse().read()


def connected_first(one: http.client.HTTPConnection) -> bytes:
    """Connect before the request."""
    one.connect()
    assert one.sock is not None
    one.request("POST", "/echo", b"x")
    return one.getresponse().read()


def kept_alive(one: http.client.HTTPConnection) -> list[bytes]:
    """Send several requests on one connection, one without a body in its response."""
    read = []
    for method, path in (("GET", "/json"), ("HEAD", "/head"), ("GET", "/nothing"), ("GET", "/x?1")):
        one.request(method, path.replace("/x?1", "/stream"))
        read.append(one.getresponse().read())
    return read


WAYS: tuple[Ask, ...] = (in_pieces, in_chunks, in_own_chunks, connected_first, kept_alive)


@pytest.mark.parametrize("ask", WAYS)
def test_requests_are_recorded_whole(server: Server, ask: Ask) -> None:
    """However a request is sent, it is one exchange with its body, which is replayed."""
    got, exchanges = recorded(server, ask)
    assert [e.request.body for e in exchanges] == [body for _, _, body in server.requests]
    assert replayed(exchanges, ask) == got


def test_chunks_are_recorded_as_they_were_sent(server: Server) -> None:
    """Lines of a stream reach the caller as they come; the chunks on the tape are the server's."""

    def ask(one: http.client.HTTPConnection) -> list[bytes]:
        one.request("GET", "/stream")
        return list(one.getresponse())

    lines, (exchange,) = recorded(server, ask)
    assert b"".join(lines) == STREAM
    assert exchange.chunks == tuple(map(len, PIECES))


def test_what_the_caller_read_is_recorded(server: Server) -> None:
    """A body that is closed early is recorded as far as it was read."""

    def ask(one: http.client.HTTPConnection) -> bytes:
        one.request("GET", "/large?5000")
        with one.getresponse() as got:
            return got.read(1500)

    got, (exchange,) = recorded(server, ask)
    assert (exchange.response.body, exchange.broken_off) == (got, None)


def test_urllib3_is_taped_once(server: Server) -> None:
    """A request of urllib3, through a pool or on a connection of its own, is one exchange."""

    def ask(one: http.client.HTTPConnection) -> list[bytes]:
        with urllib3.PoolManager() as pool:
            read = [pool.request("GET", f"http://{one.host}:{one.port}/json").data]
        with closing(urllib3.connection.HTTPConnection(one.host, one.port)) as own:
            own.request("GET", "/stream")
            return [*read, own.getresponse().data]

    got, exchanges = recorded(server, ask)
    assert [e.request.uri for e in exchanges] == [f"{server.base}/json", f"{server.base}/stream"]
    assert replayed(exchanges, ask) == got


def test_httplib2_and_xmlrpc(server: Server) -> None:
    """httplib2, which connects by itself, and xmlrpc.client are recorded and replayed."""
    httplib2: Any = pytest.importorskip("httplib2")

    def ask(one: http.client.HTTPConnection) -> tuple[Any, str]:
        base = f"http://{one.host}:{one.port}"
        with closing(httplib2.Http(timeout=60)) as client:
            response, body = client.request(f"{base}/gzip", "POST", b"{}")
        with (
            xmlrpc.client.ServerProxy(f"{base}/refused") as proxy,
            pytest.raises(xmlrpc.client.ProtocolError) as caught,
        ):
            proxy.ask()
        return (response.status, body), caught.value.errmsg

    got, exchanges = recorded(server, ask)
    assert got == ((200, STREAM), "Too Many Requests")
    assert replayed(exchanges, ask) == got


def test_a_miss_and_a_tape_that_may_record(server: Server) -> None:
    """A replay sends nothing; a tape that may record sends what is missing, and only that."""

    def ask(one: http.client.HTTPConnection, path: str = "/json") -> bytes:
        one.request("GET", path)
        return one.getresponse().read()

    got, exchanges = recorded(server, ask)
    server.requests.clear()
    player = Player(Cassette(exchanges))
    tape = ReplayOrRecord(player, Recorder(Redactor()))
    with closing(http.client.HTTPConnection(server.host, server.port)) as one:
        with use_tape(player), pytest.raises(CassetteMiss, match="no recorded answer to GET"):
            one.request("GET", "/echo")
        one.close()
        with use_tape(tape):
            read = [ask(one, path) for path in ("/json", "/echo", "/json", "/echo")]
    assert read == [got, b"-", got, b"-"]
    assert [path for _, path, _ in server.requests] == ["/echo", "/echo"]


def test_an_allowed_host_is_asked_past_the_tape(server: Server) -> None:
    """A request to an allowed host is sent, and is on no tape."""
    player = Player(Cassette(()))
    connection = http.client.HTTPConnection(server.host, server.port)
    with closing(connection), use_block(Block(player, AllowedHosts(("localhost",)))):
        connection.request("GET", "/json")
        assert connection.getresponse().status == 200
    assert server.requests == [("GET", "/json", b"")]


def test_secrets_do_not_reach_the_tape(server: Server) -> None:
    """A key in a header is not on the tape; in the answer that the caller gets, it is."""
    key = "sk-12345678"
    tape = Recorder(Redactor((key,)))
    with use_tape(tape), closing(http.client.HTTPConnection(server.host, server.port)) as one:
        one.request("POST", "/key", key, {"Authorization": f"Bearer {key}"})
        assert key in one.getresponse().read().decode()
    assert key not in repr(tape.exchanges())


def test_a_tunnel_is_not_part_of_the_address() -> None:
    """A request through a proxy's tunnel goes to the host behind it; its failure is the proxy's."""
    tape = Recorder(Redactor())

    def ask() -> str:
        with closing(http.client.HTTPSConnection("127.0.0.1", 9)) as one:
            one.set_tunnel("example.com")
            with pytest.raises(OSError) as caught:  # noqa: PT011 - its text is compared
                one.request("GET", "/x")
        return str(caught.value)

    with use_tape(tape):
        live = ask()
    (exchange,) = tape.exchanges()
    assert exchange.request.uri == "https://example.com/x"
    assert exchange.broken_off is not None
    assert exchange.broken_off.kind is NetworkError.REFUSED
    with use_tape(Player(Cassette((exchange,)))):
        assert ask() == live


TYPE = ("Content-Type", "application/json")
HEADS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (TYPE, ("Set-Cookie", "a=1"), ("set-cookie", "b=2; Path=/"), ("X-Empty", "")),
    (("Content-Length", "99"), ("Connection", "Close")),
    (("Content-Length", "-1"),),
    (("content-length", "3"), ("Transfer-Encoding", "chunked")),
    (("Transfer-Encoding", "gzip, chunked"),),
    (("X-Spaces", " \t a  b \t"), ("X-Lines", "a\r\n b\x1cc"), ("X-Umlaut", "\xfc\x85\xa0")),
    (("X-Chinese", "\u4e2d"), ("X Bad", "name"), TYPE),
    (("Content-Type", "Multipart/mixed; boundary=x"),),
    (("content-type", " message/http"), ("From", "x")),
    tuple((f"X-{number}", "x") for number in range(99)),
)
"""Heads that Python's parser of e-mail keeps as they are, and others that it changes."""


@pytest.mark.parametrize("headers", HEADS)
@pytest.mark.parametrize("broken_off", [None, BrokenOff(NetworkError.RESET, "reset")])
def test_a_replayed_head_is_read_as_python_reads_it(
    headers: tuple[tuple[str, str], ...], broken_off: BrokenOff | None
) -> None:
    """Whatever the head is, the response equals that of `http.client` for the same bytes."""
    bodies: tuple[tuple[bytes, tuple[int, ...]], ...] = (
        (b"", ()),
        (b"abc", (3,)),
        (b"abc", (1, 2)),
    )
    for status, method, (body, chunks) in product((200, 204, 304, 99), ("POST", "HEAD"), bodies):
        response = Response(status, " OK ", headers, body)
        request = Request(method, "http://host/")
        exchange = Exchange(request, response, chunks=chunks, broken_off=broken_off)
        expected, actual = (
            _as_read(cls, ReplaySocket(Playback(exchange, 0.0)), method)
            for cls in (http.client.HTTPResponse, ReplayedResponse)
        )
        assert expected == actual


def _as_read(cls: Any, socket: ReplaySocket, method: str) -> object:
    """Return all that a response of *cls* shows, or the text of its error."""
    response = cls(socket, method=method)
    try:
        response.begin()
        shown = {**vars(response), **vars(message := response.msg), "defects": str(message.defects)}
        shown["_payload"] = message.is_multipart() or message.get_payload()
        for name in ("fp", "msg", "headers", "_sock", "_is_head"):
            shown.pop(name, None)
        return shown, message.items(), str(message), response.peek(1)[:1], response.read()
    except (http.client.HTTPException, OSError) as error:
        return repr(error)
