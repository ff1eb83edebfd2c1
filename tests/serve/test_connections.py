"""What a served exchange does to the connection, and answers that are not plain bodies."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from harness.cassette import store
from harness.intercept import matching, player
from harness.sandbox import server
from harness.sandbox.server import run_in_thread
from harness.secrets.redactor import Redactor
from harness.serve.cassettes import ServedCassettes
from harness.serve.links import HEADER, Links
from harness.serve.replay import NO_WEBSOCKETS, Sessions, application
from harness.serve.server import replay_variables
from harness.types import (
    NO_STATUS,
    BrokenOff,
    Cassette,
    CodedBody,
    Exchange,
    NetworkError,
    Provenance,
    Request,
    Response,
)

from .test_replay import exchange, send, served, serving

PICTURE = "https://files.example.com/a/b.png?Expires=1&Signature=xyz"


@pytest.fixture(autouse=True, params=[H11Protocol, HttpToolsProtocol])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read requests by each of the libraries that uvicorn chooses from."""
    one = type("Protocol", (server.Connection, request.param), {})
    monkeypatch.setattr(server, "_Protocol", one)


def broken(kind: NetworkError, body: bytes = b"", status: int = NO_STATUS) -> Exchange:
    """Return an exchange that a network failure ended, after *body*."""
    complete = exchange(answer=body, status=status, chunks=(len(body),) if body else ())
    return replace(complete, broken_off=BrokenOff(kind, "gone"))


def test_a_reset_connection_is_reset_again(capfd: pytest.CaptureFixture[str]) -> None:
    """Before any response, and quietly."""
    with serving(served(broken(NetworkError.RESET))) as (address, sessions):
        with pytest.raises(ConnectionResetError):
            send(address, exchange())
        assert sessions.get("", "").answered == 1
    assert capfd.readouterr().err == ""


def test_a_closed_connection_is_closed_again() -> None:
    """A client sees the end of the connection, not a reset."""
    with (
        serving(served(broken(NetworkError.CLOSED))) as (address, _),
        pytest.raises(http.client.RemoteDisconnected),
    ):
        send(address, exchange())


@pytest.mark.parametrize("kind", [NetworkError.NAME, NetworkError.READ_TIMEOUT])
def test_failures_that_no_server_can_repeat_are_resets(kind: NetworkError) -> None:
    """A name that is not resolved, a timeout."""
    with (
        serving(served(broken(kind))) as (address, _),
        pytest.raises(ConnectionResetError),
    ):
        send(address, exchange())


@pytest.mark.parametrize("kind", [NetworkError.RESET, NetworkError.CLOSED])
def test_a_stream_is_cut_where_it_was(
    kind: NetworkError, capfd: pytest.CaptureFixture[str]
) -> None:
    """What arrived comes first; then the failure, without a word of the server's."""
    arrived: list[bytes] = []
    cut = broken(kind, b"data: 1\n\n", 200)
    with serving(served(cut)) as (address, _), httpx.Client() as client:
        response = client.send(
            client.build_request("POST", f"{address}/v1/chat/completions"), stream=True
        )
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            deque(map(arrived.append, response.iter_raw()))
    assert b"".join(arrived) == b"data: 1\n\n"
    assert capfd.readouterr().err == ""


def test_anthropics_form_of_a_miss() -> None:
    """`type` is `error`, and the header says that asking again is of no use."""
    with serving(served(exchange())) as (address, _):
        answer = httpx.post(f"{address}/v1/messages", json={"model": "m", "messages": []})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (404, "false")
    assert (answer.json()["type"], answer.json()["error"]["type"]) == ("error", "cassette_miss")
    assert "no recorded answer to POST" in answer.json()["error"]["message"]


def test_a_miss_names_the_cassette_and_the_exchange_in_it() -> None:
    """The nearest of all, also across cassettes with other volatile values."""
    far, near = exchange("/v1/embeddings"), exchange(question=b'{"a": 1, "b": 1}')
    cassettes = {
        "first": Cassette((far, far, far)),
        "second": Cassette((far, near)),
        "third": Cassette((far,), Provenance(volatile=("/seed",))),
    }
    with serving(ServedCassettes(cassettes)) as (address, _):
        answer = httpx.post(f"{address}/v1/chat/completions", json={"a": 1, "b": 2})
        assert (
            "the closest recorded request is exchange 2 of second, which differs in" in answer.text
        )
        alone = httpx.post(f"{address}/second/v1/chat/completions", json={"a": 1, "b": 2})
        assert "exchange 2 of second" in alone.text


def test_sessions_share_their_matching_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is computed once for each recorded exchange, whatever the number of sessions."""
    computed = []

    def counted(request: Request, volatile: tuple[str, ...]) -> matching.Key:
        computed.append(request)
        return matching.key_of(request, volatile)

    monkeypatch.setattr(player, "key_of", counted)
    cassettes = served(*(exchange(question=b'{"n": %d}' % n) for n in range(50)))
    sessions = Sessions(cassettes)
    for number in range(20):
        found = sessions.get(f"s{number}", "").find(cassettes.exchanges[number].request)
        assert found is not None
    assert len(computed) == 50
    assert [len(sessions.get(f"s{n}", "").used()) for n in range(20)] == [1] * 20


def raw(address: str, *parts: bytes) -> bytes:
    """Send bytes on one connection; return all that comes until the server closes it."""
    host, port = urlsplit(address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(b"".join(parts))
        return b"".join(iter(lambda: client.recv(65536), b""))


def post(body: bytes, *headers: str) -> bytes:
    """Return a request as it is sent."""
    lines = ("POST /v1/chat/completions HTTP/1.1", "Host: x", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + (
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def test_requests_sent_without_waiting_are_answered_in_order() -> None:
    """Two on one connection, each with its own answer."""
    recorded = [exchange(question=b"%d" % n, answer=b"answer %d" % n) for n in (1, 2)]
    with serving(served(*recorded)) as (address, _):
        got = raw(address, post(b"2"), post(b"1", "Connection: close"))
    assert got.index(b"answer 2") < got.index(b"answer 1")


def test_a_compressed_request_is_matched_by_what_it_holds() -> None:
    """The recording is of a client that did not compress, with other spaces."""
    with serving(served(exchange(question=b'{"a": 1}', answer=b"yes"))) as (address, _):
        got = httpx.post(
            f"{address}/v1/chat/completions",
            content=gzip.compress(b'{"a":1}'),
            headers={"content-encoding": "gzip"},
        )
    assert got.text == "yes"


def test_a_client_that_leaves_before_its_request_is_whole(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing is answered or missed, nothing is printed, and the next client is answered."""
    with serving(served(exchange(question=b"question", answer=b"yes"))) as (address, sessions):
        host, port = urlsplit(address).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(post(b"question")[:-3])
        assert raw(address, post(b"question", "Connection: close")).endswith(b"yes")
        session = sessions.get("", "")
        assert (session.answered, session.misses) == (1, [])
    assert capfd.readouterr().err == ""


def test_the_recorded_date_is_the_only_one() -> None:
    """The server adds none of its own."""
    date = ("date", "Sun, 01 Feb 2026 01:30:36 GMT")
    plain = exchange(answer=b"{}")
    recorded = replace(plain, response=replace(plain.response, headers=(date,)))
    with serving(served(recorded)) as (address, _):
        assert httpx.post(f"{address}/v1/chat/completions").headers.get_list("date") == [date[1]]


def test_a_long_answer_is_sent_in_its_chunks() -> None:
    """Several chunks in one system call, and each as recorded."""
    chunks = (5, 70_000, 3)
    recorded = exchange(answer=bytes(70_008), chunks=chunks)
    with serving(served(recorded)) as (address, _):
        got = raw(address, post(b"", "Connection: close"))
    parts = (b"%x\r\n%s\r\n" % (size, bytes(size)) for size in (*chunks, 0))
    assert got.endswith(b"\r\n\r\n" + b"".join(parts))


def test_an_answer_that_is_not_read_waits_with_the_service() -> None:
    """A client that reads nothing of a long answer has little of it held for it."""
    body = bytes(2**24)
    sent: list[int] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            await send(message)
            sent.append(len(message.get("body", b"")))

        await application(sessions)(scope, receive, counted)

    sessions = Sessions(served(exchange(answer=body)))
    with run_in_thread(answer, 0) as address:
        host, port = urlsplit(address).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(post(b"", "Connection: close"))
            while sum(sent) < 2**18:  # so much fits into the buffers of the system
                time.sleep(0.001)
            assert send(address, exchange("/v1/other"))[0] == 404  # others are answered
            assert sum(sent) < 2**23
            got = b"".join(iter(lambda: client.recv(2**20), b""))
    assert got.endswith(b"\r\n\r\n" + body)


def test_a_client_that_leaves_a_long_answer(caplog: pytest.LogCaptureFixture) -> None:
    """What is left of the answer is thrown away, without a word."""
    is_over = threading.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await application(sessions)(scope, receive, send)
        is_over.set()

    sessions = Sessions(served(exchange(answer=bytes(2**24))))
    with run_in_thread(answer, 0) as address:
        host, port = urlsplit(address).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(post(b""))
            client.recv(2**16)
        assert is_over.wait(60)
    assert caplog.messages == []


def test_the_status_page_counts_no_misses() -> None:
    """It is there without the slash at its end; another method is refused."""
    with serving(served(exchange())) as (address, sessions):
        assert httpx.get(f"{address}/__harness").json()["sessions"] == []
        refused = httpx.post(f"{address}/__harness/")
        assert (refused.status_code, sessions.opened) == (405, {})


def test_recorded_requests_are_made_comparable_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sessions have misses."""
    recorded = exchange(question=b'{"a": 1}')
    compared = []

    def counted(self: Redactor, request: Request) -> Request:
        compared.append(request.body)
        return request

    monkeypatch.setattr(Redactor, "request", counted)
    with serving(served(recorded)) as (address, _):
        for name in ("one", "two"):
            miss = httpx.post(f"{address}/~{name}/v1/chat/completions", json={"a": 2})
            assert miss.status_code == 404
    assert compared.count(b'{"a": 1}') == 1


@pytest.mark.parametrize("via", ["", "/~s1", "/one"])
def test_rewritten_links_lead_to_the_recorded_file(via: str) -> None:
    """In the session of the answer, and as the recorded link when they are sent back."""
    body = json.dumps({"data": [{"url": PICTURE}]}).replace("/", "\\/").encode()
    answer = exchange("/v1/images/generations", answer=body)
    again = exchange("/v1/chat/completions", json.dumps({"image": PICTURE}).encode())
    picture = Exchange(Request("GET", PICTURE), Response(200, "", (), b"\x89PNG"))
    cassettes = served(answer, picture, again)
    sessions = Sessions(cassettes, links=Links.of(cassettes.exchanges))
    with run_in_thread(application(sessions), 0) as address:
        got = httpx.post(f"{address}{via}/v1/images/generations")
        link = got.json()["data"][0]["url"]
        assert link == f"{address}{via}/a/b.png?Expires=1&Signature=xyz"
        assert got.headers[HEADER] == "1"
        assert httpx.get(link).content == b"\x89PNG"
        assert httpx.post(f"{address}{via}/v1/chat/completions", json={"image": link}).is_success
        assert all(session.misses == [] for session in sessions.opened.values())
        assert len(sessions.opened) == 1


def test_links_are_sent_as_recorded_unless_rewriting_is_asked_for() -> None:
    """Byte for byte."""
    body = json.dumps({"url": PICTURE}).encode()
    picture = Exchange(Request("GET", PICTURE), Response(200, "", (), b"\x89PNG"))
    with serving(served(exchange(answer=body), picture)) as (address, _):
        status, headers, got = send(address, exchange())
    assert (status, got, HEADER in headers) == (200, body, False)


def test_chunks_of_a_stream_stay_when_links_are_rewritten() -> None:
    """Each recorded chunk is one chunk, with its links rewritten."""
    parts = [b'data: {"url": "' + PICTURE.encode() + b'"}\n\n', b"data: [DONE]\n\n"]
    recorded = exchange(answer=b"".join(parts), chunks=tuple(map(len, parts)))
    links = Links((PICTURE,))
    rewritten = links.rewritten(recorded, "http://h:1")
    assert rewritten.response.body.startswith(b'data: {"url": "http://h:1/a/b.png?')
    assert sum(rewritten.chunks) == len(rewritten.response.body)
    assert rewritten.chunks[1] == len(parts[1])


def test_head_keeps_the_recorded_length() -> None:
    """Without a body, the length is that of the recording."""
    response = Response(200, "", (("content-length", "12345"),), b"")
    recorded = Exchange(Request("HEAD", "https://api.example.com/v1/files/f"), response)
    with serving(served(recorded)) as (address, _):
        answer = httpx.head(f"{address}/v1/files/f")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (
        200,
        "12345",
        b"",
    )


@pytest.mark.parametrize("status", [204, 304])
def test_answers_that_have_no_body(status: int) -> None:
    """They have no Content-Length, and the connection can be used again."""
    plain = exchange(method="GET", status=status, answer=b"")
    length = (*plain.response.headers, ("content-length", "5"))
    recorded = replace(plain, response=replace(plain.response, headers=length))
    with serving(served(recorded)) as (address, _), httpx.Client() as client:
        for _again in range(2):
            answer = client.get(f"{address}/v1/chat/completions")
            assert (answer.status_code, answer.content) == (status, b"")
            assert "content-length" not in answer.headers
            assert "transfer-encoding" not in answer.headers


def test_an_unknown_content_coding_travels_as_recorded() -> None:
    """The client gets the bytes and the header, and may know what to do."""
    response = Response(200, "", (("content-encoding", "x-own"),), b"\x00\x01coded")
    recorded = Exchange(Request("POST", "https://api.example.com/v1/chat/completions"), response)
    with serving(served(recorded)) as (address, _):
        _, headers, body = send(address, recorded)
    assert (headers["content-encoding"], body) == ("x-own", b"\x00\x01coded")


def test_a_coded_body_is_sent_as_it_came() -> None:
    """The cassette shows the decoded text; the wire has the recorded bytes again."""
    coded = gzip.compress(b'{"a": 1}', mtime=1)
    plain = exchange(answer=b'{"a": 1}')
    recorded = replace(plain, coded=CodedBody("gzip", coded, (), len(coded)))
    with serving(served(recorded)) as (address, _):
        _, headers, body = send(address, recorded)
    assert (headers["content-encoding"], headers["content-length"], body) == (
        "gzip",
        str(len(coded)),
        coded,
    )


def test_websockets_are_refused_in_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    """The answer to the handshake says why; the server prints nothing."""
    with serving(served(exchange())) as (address, sessions):
        host, port = urlsplit(address).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(
                b"GET /api-ws/v1/inference HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert sessions.opened == {}
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert NO_WEBSOCKETS.encode() in answer
    assert capfd.readouterr().err == ""


def test_every_spelling_of_a_variable_is_set() -> None:
    """LiteLLM, LangChain and version 2 of DashScope's SDK read names of their own."""
    cassettes = served(
        exchange("/compatible-mode/v1/chat/completions"),
        exchange("/api/v1/services/aigc/text-generation/generation"),
        exchange("/api/paas/v4/chat/completions"),
    )
    variables = replay_variables(cassettes, "http://h")
    compatible, native = "http://h/compatible-mode/v1", "http://h/api/v1"
    for name, address in (
        ("OPENAI_BASE_URL", compatible),
        ("OPENAI_API_BASE", compatible),
        ("DASHSCOPE_COMPATIBLE_BASE_URL", compatible),
        ("DASHSCOPE_API_BASE", compatible),
        ("DASHSCOPE_BASE_URL", native),
        ("DASHSCOPE_HTTP_BASE_URL", native),
        ("ZAI_API_BASE", "http://h/api/paas/v4"),
    ):
        assert variables[name] == address, name


def test_declared_services_have_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the project in the working folder, for requests to their hosts."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.harness.providers.moonshot]\n"
        'form = "openai"\nbase_url = "https://api.moonshot.cn/v1"\nkey_variable = "MOONSHOT_KEY"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOONSHOT_KEY", raising=False)
    recorded = exchange()
    assert "MOONSHOT_BASE_URL" not in replay_variables(served(recorded), "http://h")
    own = replace(
        recorded,
        request=replace(recorded.request, uri="https://api.moonshot.cn/v1/chat/completions"),
    )
    variables = replay_variables(served(own), "http://h")
    assert variables["MOONSHOT_BASE_URL"] == "http://h/v1"
    assert variables["MOONSHOT_KEY"]


@pytest.mark.slow
def test_a_report_of_what_was_served_is_written(tmp_path: Path) -> None:
    """Only the exchanges that answered are in it, and a miss is a problem; `--json` is JSON."""
    cassette = next((Path(__file__).parents[2] / "cassettes/multi-turn").glob("zhipu*.yaml"))
    recorded = store.read(cassette).exchanges
    ask = (
        "import os, urllib.request as u, sys\n"
        "url = os.environ['ZHIPUAI_BASE_URL'] + '/chat/completions'\n"
        "u.urlopen(u.Request(url, sys.argv[1].encode())).read()\n"
        "try: u.urlopen(url)\nexcept Exception: pass\n"
    )
    served = ("serve", str(cassette), "--allow-unused", "--json")
    reports = ("--report", str(tmp_path / "r.json"), "--report", str(tmp_path / "r.xml"))
    child = ("--", sys.executable, "-c", ask, recorded[0].request.body.decode())
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "harness.cli", *served, *reports, *child],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["sessions"][0]["answered"] == 1
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert "no recorded answer to GET" in json.dumps(report["problems"])
    assert len(report["transcripts"]) == 1
    assert (tmp_path / "r.xml").exists()
