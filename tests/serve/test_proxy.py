"""The recording proxy: what a program asks through it is recorded as the tape would record it."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import httpx
import pytest
from clients.run import comparable

import harness
from harness.cassette.journal import journal_path
from harness.cassette.store import read
from harness.errors import CannotWrite, HarnessError
from harness.intercept.context import intercept
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox.scripted_server import Script, serve_scripts
from harness.sandbox.server import run_in_thread
from harness.serve import upstream
from harness.serve.proxy import (
    GroupCommit,
    PackedCapture,
    ProxyCassette,
    Stored,
    Upstream,
    application,
    upstreams,
)
from harness.types import Exchange, NetworkError, Request

pytestmark = pytest.mark.slow

KEY = PROVIDER_SERVERS["dashscope"].key
PATH = "/services/aigc/text-generation/generation"
QUESTION = {"model": "qwen-plus", "input": {"messages": [{"role": "user", "content": "你好"}]}}

NODE = f"""
const question = {json.dumps(QUESTION)};
const ask = async (stream) => {{
  const headers = {{"content-type": "application/json",
                   authorization: "Bearer " + process.env.DASHSCOPE_API_KEY}};
  if (stream) headers["X-DashScope-SSE"] = "enable";
  const parameters = {{result_format: "message", incremental_output: stream}};
  const url = process.env.DASHSCOPE_HTTP_BASE_URL + "{PATH}";
  const body = JSON.stringify({{...question, parameters}});
  const answer = await fetch(url, {{method: "POST", headers, body}});
  console.log(answer.status, JSON.stringify(await answer.text()));
}};
await ask(false);
await ask(true);
"""

PYTHON = f"""
import json, os, sys, urllib.request
for seed in sys.argv[1:]:
    body = {{**{QUESTION!r}, "parameters": {{"seed": int(seed)}}}}
    request = urllib.request.Request(
        os.environ["DASHSCOPE_HTTP_BASE_URL"] + "{PATH}", json.dumps(body).encode(),
        {{"content-type": "application/json",
          "authorization": "Bearer " + os.environ["DASHSCOPE_API_KEY"]}})
    with urllib.request.urlopen(request) as answer:
        answer.read()
    print(answer.status, flush=True)
"""


READ_PIECES = """
import sys, urllib.request
answer = urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"{}"))
while data := answer.read1(4096):
    print(data.decode().strip(), flush=True)
"""


@contextmanager
def proxying(address: str, stored: Stored) -> Iterator[str]:
    """Run the proxy in front of an address, as the service `openai`; give the base URL."""
    [service] = [s for s in upstreams([f"openai={address}"], {}) if s.client.name == "openai"]
    with run_in_thread(application([service], stored), 0) as server:
        yield service.proxied(server)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `harness` in a process."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "harness.cli", *arguments],
        env={**os.environ, "DASHSCOPE_API_KEY": KEY, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_a_node_program_is_recorded_and_replayed(sandbox: str, tmp_path: Path) -> None:
    """`record -- node` and `serve -- node`: the same output, and the tape's own cassette."""
    script, recording = tmp_path / "ask.mjs", tmp_path / "node.yaml"
    script.write_text(NODE, encoding="utf-8")
    upstream = f"dashscope={sandbox}/api/v1"
    live = run("record", "--to", str(recording), "--upstream", upstream, "--", "node", str(script))
    assert live.returncode == 0, live.stderr
    assert f"recorded 2 exchanges to {recording}" in live.stderr
    assert KEY not in recording.read_text(encoding="utf-8")

    replayed = run("serve", str(recording), "--", "node", str(script), DASHSCOPE_API_KEY="")
    assert (replayed.returncode, replayed.stdout) == (0, live.stdout)
    assert "answered 2, missed 0, unused 0" in replayed.stderr

    own = tmp_path / "own.yaml"
    with harness.use_cassette(own, record="all"):
        for one in read(recording).exchanges:
            headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
            if b"true" in one.request.body:
                headers["X-DashScope-SSE"] = "enable"
            httpx.post(one.request.uri, content=one.request.body, headers=headers)
    assert comparable(read(recording)) == comparable(read(own))


def test_a_stream_passes_as_it_comes(tmp_path: Path) -> None:
    """The first piece reaches the client while the service is still sending."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    is_read = threading.Event()

    def steps() -> Iterator[bytes]:
        yield head
        yield b"data: 1\n\n"
        assert is_read.wait(60)
        yield b"data: 2\n\n"

    def respond(head_: bytes, body: bytes) -> Script:
        return cast(Script, steps())

    with (
        serve_scripts(respond) as address,
        ProxyCassette(tmp_path / "stream.yaml", "all") as block,
        proxying(f"{address}/v1", block.stored) as base,
    ):
        command = [sys.executable, "-c", READ_PIECES, f"{base}/chat/completions"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            assert process.stdout is not None
            first = process.stdout.readline()
            is_read.set()
            assert (first, process.stdout.read()) == ("data: 1\n", "data: 2\n")
    [recorded] = read(tmp_path / "stream.yaml").exchanges
    assert recorded.chunks == (9, 9)


LEAVE = """
import socket, sys
from urllib.parse import urlsplit
with socket.create_connection(urlsplit(sys.argv[1]).netloc.split(":")) as client:
    client.sendall(b"GET /openai/v1/models HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    while b"data: 1" not in client.recv(4096):
        pass
"""


def test_a_service_is_not_read_on_when_the_client_has_left(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The connection to it is closed, and what had come is recorded; nothing is printed."""
    has_left, is_over, sent = threading.Event(), threading.Event(), [0]

    def steps() -> Iterator[bytes]:
        try:
            yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
            yield b"data: 1\n\n"
            assert has_left.wait(60)
            while sent[0] < 1000:
                yield bytes(2**16)
                sent[0] += 1
        finally:
            is_over.set()

    with (
        serve_scripts(lambda head, body: cast(Script, steps())) as address,
        ProxyCassette(tmp_path / "left.yaml", "all") as block,
        proxying(f"{address}/v1", block.stored) as base,
    ):
        subprocess.run([sys.executable, "-c", LEAVE, base], check=True)  # noqa: S603
        has_left.set()
        assert is_over.wait(60)
        assert sent[0] < 1000
    [recorded] = read(tmp_path / "left.yaml").exchanges
    assert recorded.response.body.startswith(b"data: 1\n\n")
    assert capfd.readouterr().err == ""


def test_the_proxy_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For services that `no_proxy` does not name; it is asked for the whole address."""
    heads: list[bytes] = []

    def respond(head: bytes, body: bytes) -> Script:
        heads.append(head)
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]

    with serve_scripts(respond) as address:
        monkeypatch.setenv("http_proxy", address)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with (
            ProxyCassette(tmp_path / "passed.yaml", "all") as block,
            proxying("http://service.invalid/v1", block.stored) as base,
        ):
            command = [sys.executable, "-c", READ_PIECES, f"{base}/models"]
            assert subprocess.check_output(command) == b"ok\n"  # noqa: S603
    assert [head.partition(b" HTTP")[0] for head in heads] == [
        b"POST http://service.invalid/v1/models"
    ]
    [recorded] = read(tmp_path / "passed.yaml").exchanges
    assert recorded.request.uri == "http://service.invalid/v1/models"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_an_encrypted_service_is_recorded(tmp_path: Path) -> None:
    """Long bodies pass in both directions; a certificate of an unknown authority is refused."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    command = [*made, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    script = (
        "import os, urllib.request, urllib.error\n"
        "url = os.environ['OPENAI_BASE_URL'] + '/files'\n"
        "try: print(len(urllib.request.urlopen(url, bytes(2_000_000)).read()))\n"
        "except urllib.error.HTTPError as error: print(error.code, error.read().decode())\n"
    )
    with encrypted_echo(key, certificate) as port:
        path, upstream = tmp_path / "tls.yaml", f"openai=https://localhost:{port}/v1"
        record = ("record", "--to", str(path), "--upstream", upstream, "--afresh")
        child = ("--", sys.executable, "-c", script)
        done = run(*record, *child, SSL_CERT_FILE=str(certificate))
        assert done.stdout == "2000000\n", done.stderr
        assert read(path).exchanges[0].request.uri == f"https://localhost:{port}/v1/files"
        refused = run(*record, *child)
    assert refused.stdout.startswith("502 ")
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stdout
    [failed] = read(path).exchanges
    assert failed.broken_off is not None
    assert failed.broken_off.kind is NetworkError.TLS


@contextmanager
def encrypted_echo(key: Path, certificate: Path) -> Iterator[int]:
    """Run a server over TLS that answers with the body of the request; give its port."""

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_secrets_that_the_project_names_are_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of environment variables by name, also of names and values like any other."""
    settings = '[tool.harness]\nsecrets = ["CUSTOMER", "NOT_SET"]\n'
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUSTOMER", "Jane Doe")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHi, Jane Doe"
    with (
        serve_scripts(lambda head, body: [answer]) as address,
        ProxyCassette(Path("named.yaml"), "all") as block,
        proxying(f"{address}/v1", block.stored) as base,
    ):
        command = [sys.executable, "-c", READ_PIECES, f"{base}/users/Jane%20Doe"]
        assert subprocess.check_output(command) == b"Hi, Jane Doe\n"  # noqa: S603
    assert "Jane Doe" not in Path("named.yaml").read_text(encoding="utf-8")
    assert block.count == 1


LEAVE_AND_READ = """
import http.client, socket, sys, urllib.request
from urllib.parse import urlsplit
host, port = urlsplit(sys.argv[1]).netloc.split(":")
with socket.create_connection((host, int(port))) as half:
    half.sendall(b"POST /openai/v1/a HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9\\r\\n\\r\\n{}")
try:
    urllib.request.urlopen(sys.argv[1] + "/models").read()
except http.client.IncompleteRead as error:
    print(error.partial)
"""


def test_what_breaks_off_on_either_side_breaks_off(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A request that never becomes whole is not sent; a cut answer is cut; nothing is printed."""

    def respond(head: bytes, body: bytes) -> Script:
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf"]

    with (
        serve_scripts(respond) as address,
        ProxyCassette(tmp_path / "cut.yaml", "all") as block,
        proxying(f"{address}/v1", block.stored) as base,
    ):
        command = [sys.executable, "-c", LEAVE_AND_READ, base]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "b'half'\n"
    [recorded] = read(tmp_path / "cut.yaml").exchanges
    assert (recorded.response.body, recorded.broken_off is not None) == (b"half", True)
    assert capfd.readouterr().err == ""


def test_a_service_that_cannot_be_reached_is_an_error_in_its_form(tmp_path: Path) -> None:
    """HTTP 502 in OpenAI's form, with the address; no cassette is written."""
    script = (
        "import os, urllib.request, urllib.error\n"
        "try: urllib.request.urlopen(os.environ['OPENAI_BASE_URL'] + '/models')\n"
        "except urllib.error.HTTPError as error: print(error.code, error.read().decode())\n"
    )
    path = tmp_path / "none.yaml"
    done = run(
        *("record", "--to", str(path), "--upstream", "openai=http://127.0.0.1:9/v1"),
        *("--", sys.executable, "-c", script),
    )
    assert done.returncode == 0
    assert done.stdout.startswith("502 ")
    assert "http://127.0.0.1:9 could not be asked: ConnectError" in done.stdout
    [failed] = read(path).exchanges  # a replay repeats the failure
    assert failed.broken_off is not None


@contextmanager
def closing_kept_connections(seen: list[bytes]) -> Iterator[str]:
    """Run a service that closes each connection, unannounced, when a second request is read.

    *seen* gets the method of each request.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(self.command.encode())
            self.rfile.read(int(self.headers.get("content-length", "0")))
            if getattr(self, "is_used", False):
                self.close_connection = True
                return
            self.is_used = True
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{service.server_port}"
        finally:
            service.shutdown()
            thread.join()


ASK = """
import sys, urllib.error, urllib.request
address, method, *_ = sys.argv[1:]
for number in range(3):
    request = urllib.request.Request(address, b"{}" if method == "POST" else None, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.headers["x-should-retry"])
"""


@pytest.mark.parametrize(
    ("method", "answers", "requests"),
    [("GET", "200 ok\n200 ok\n200 ok\n", 5), ("POST", "200 ok\n502 None\n200 ok\n", 3)],
)
def test_a_kept_connection_that_the_service_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, answers: str, requests: int
) -> None:
    """A safe request is sent again; whether another is, which may cost money, the client decides.

    Its 502 has no header that would keep an SDK from a retry, as none would without the proxy.
    """
    monkeypatch.setattr(upstream, "KEPT", 600.0)
    seen: list[bytes] = []
    with (
        closing_kept_connections(seen) as address,
        ProxyCassette(tmp_path / "closed.yaml", "all") as block,
        proxying(f"{address}/v1", block.stored) as base,
    ):
        command = [sys.executable, "-c", ASK, f"{base}/tasks/1", method]
        assert subprocess.check_output(command, text=True) == answers  # noqa: S603
    assert seen == [method.encode()] * requests
    recorded = read(tmp_path / "closed.yaml").exchanges
    assert [exchange.broken_off is None for exchange in recorded] == [
        line.startswith("200") for line in answers.splitlines()
    ]


MANY = """
import asyncio, json, os, urllib.request
def ask(number):
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"], str(number).encode())
    return urllib.request.urlopen(request).read()
async def ask_all():
    return await asyncio.gather(*(asyncio.to_thread(ask, number) for number in range(24)))
print(sum(map(len, asyncio.run(ask_all()))))
"""


def test_answers_of_many_clients_are_all_recorded_and_not_held(tmp_path: Path) -> None:
    """Pictures become artefacts; what is written is in the order of the requests."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(2000)
    # The server closes each connection, and says so: another request might meet the end of it.
    ok = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    answer = ok + b"Content-Type: image/png\r\nContent-Length: 2008\r\n\r\n" + picture

    def respond(head: bytes, body: bytes) -> Script:
        return [answer if int(body) % 2 else ok + b"Content-Length: 2\r\n\r\nok"]

    path = tmp_path / "many.yaml"
    with (
        serve_scripts(respond) as address,
        ProxyCassette(path, "all") as block,
        proxying(f"{address}/v1", block.stored) as base,
    ):
        command = [sys.executable, "-c", MANY]
        env = {**os.environ, "OPENAI_BASE_URL": base}
        done = subprocess.run(command, env=env, capture_output=True, check=False)  # noqa: S603
        assert block.exchanges == ()
    assert (done.returncode, done.stderr) == (0, b"")
    assert (int(done.stdout), block.count) == (12 * 2008 + 12 * 2, 24)
    exchanges = read(path).exchanges
    assert sorted(int(e.request.body) for e in exchanges) == [*range(24)]
    assert all((e.response.body == picture) is (int(e.request.body) % 2 == 1) for e in exchanges)
    starts = [e.timing.start for e in exchanges if e.timing]
    assert starts == sorted(starts)


def test_a_long_answer_is_held_compressed_until_it_is_stored() -> None:
    """Its exchange has every byte and the sizes of its chunks, but not before it is stored."""
    capture = PackedCapture(Request("GET", "https://a.test/"), None)
    chunks = [b"data: %d " % number + b"x" * 9_000 for number in range(200)]
    capture.start(200, "OK", ())
    for chunk in chunks:
        capture.add_chunk(chunk)
    assert len(pickle.dumps(capture)) < sum(map(len, chunks)) / 4
    capture.end()
    assert capture.exchange is None
    capture.complete()
    stored: Exchange | None = capture.exchange
    assert stored is not None
    assert stored.response.body == b"".join(chunks)
    assert stored.chunks == tuple(map(len, chunks))


def test_an_answer_that_was_stored_is_held_no_longer(tmp_path: Path) -> None:
    """While others of its group are stored: each would take twice its size."""
    path = tmp_path / "one.yaml"
    with ProxyCassette(path, "all") as block:
        capture = intercept(Request("GET", "https://api.openai.com/v1/models"))
        assert isinstance(capture, PackedCapture)
        capture.start(200, "OK", ())
        capture.add_chunk(b"{}")
        capture.end()
        asyncio.run(block.stored())
        assert (capture.exchange, capture.kept, block.count) == (None, (), 1)
    assert read(path).exchanges[0].response.body == b"{}"


def test_what_gathers_is_flushed_once() -> None:
    """Tasks that come while others are flushed have one flush for all of them; errors are kept."""
    began, go = threading.Event(), threading.Event()
    done: list[str] = []

    @contextmanager
    def together() -> Iterator[None]:
        yield
        done.append("flush")
        if "three" in done:
            raise CannotWrite("the disk is full")

    def wait() -> None:
        began.set()
        assert go.wait(60)

    commit = GroupCommit(together)
    commit.submit(wait)
    assert began.wait(60)
    for name in ("one", "two", "three"):
        commit.submit(partial(done.append, name))
    with pytest.raises(TimeoutError):  # a client that does not wait cancels nothing
        asyncio.run(asyncio.wait_for(commit.stored(), 0.01))
    go.set()
    with pytest.raises(CannotWrite):
        commit.end()
    assert done == ["flush", "one", "two", "three", "flush"]


def test_only_named_services_are_reached() -> None:
    """A path that names no service is refused; a client cannot choose a host."""

    async def nothing_stored() -> None:
        raise AssertionError

    with proxying("http://127.0.0.1:9/v1", nothing_stored) as base:
        root = base.removesuffix("/openai/v1")
        for path in ("/other/v1/models", "/http://127.0.0.1:9/v1/models", "//127.0.0.1:9/v1"):
            answer = httpx.get(root + path)
            assert answer.status_code == 404
            assert "it has /openai" in answer.json()["error"]["message"]


def test_killed_proxy_loses_no_answer(sandbox: str, tmp_path: Path) -> None:
    """After kill -9 the journal has what was answered; --resume asks only for the rest."""
    path = tmp_path / "killed.yaml"
    upstream = ("--upstream", f"dashscope={sandbox}/api/v1")
    wait = f"{PYTHON}\nimport time; time.sleep(60)"
    arguments = ("record", "--to", str(path), *upstream, "--", sys.executable, "-u", "-c", wait)
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "harness.cli", *arguments, "1", "2"],
        env={**os.environ, "DASHSCOPE_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["200\n", "200\n"]
        os.killpg(process.pid, signal.SIGKILL)
    assert not path.exists()
    assert journal_path(path).exists()

    child = ("--", sys.executable, "-c", PYTHON, "1", "2", "3")
    refused = run("record", "--to", str(path), *upstream, *child)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    resumed = run("record", "--to", str(path), "--resume", *upstream, *child)
    assert (resumed.returncode, resumed.stdout) == (0, "200\n200\n200\n"), resumed.stderr
    seeds = [json.loads(e.request.body)["parameters"]["seed"] for e in read(path).exchanges]
    assert seeds == [1, 2, 3]
    assert not journal_path(path).exists()


@pytest.mark.parametrize(
    ("named", "environment", "message"),
    [
        (["nobody=http://x"], {}, "expected NAME=URL with one of"),
        (["gemini=http://x"], {}, r"pyproject.toml first: \[tool.harness.providers.gemini\] with"),
        (["openai=x"], {}, "x is not the URL of a service"),
        ([], {"OPENAI_BASE_URL": "localhost:8000"}, "localhost:8000 is not the URL of a service"),
    ],
)
def test_bad_upstreams(named: list[str], environment: Mapping[str, str], message: str) -> None:
    """A text that names no service, or an address that is no URL, is refused."""
    with pytest.raises(HarnessError, match=message):
        upstreams(named, environment)


def test_the_upstream_of_the_environment_is_kept() -> None:
    """A base URL that the user set already is where the proxy asks, and named ones go before it."""
    environment = {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1"}

    def address(named: list[str]) -> Upstream:
        return next(s for s in upstreams(named, environment) if s.client.name == "openai")

    assert address([]).origin == "http://127.0.0.1:8000"
    assert address(["openai=https://other.example/v2"]).origin == "https://other.example"
    assert address([]).proxied("http://here") == "http://here/openai/v1"
