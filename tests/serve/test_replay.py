"""The replay server: recorded exchanges over real sockets, to clients that know nothing of it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dashscope
import httpx
import openai
import pytest
import zhipuai

from harness.cassette.store import find, read
from harness.errors import HarnessError
from harness.sandbox.server import run_in_thread
from harness.serve.cassettes import ServedCassettes, load
from harness.serve.replay import Sessions, application
from harness.serve.server import replay_variables
from harness.types import Cassette, Exchange, Provenance, Request, Response, Timing

ROOT = Path(__file__).parents[2]
SHIPPED = find([ROOT / "cassettes"])


@contextmanager
def serving(cassettes: ServedCassettes, pace: float = 0.0) -> Iterator[tuple[str, Sessions]]:
    """Serve cassettes; give the address and the sessions."""
    sessions = Sessions(cassettes, pace)
    with run_in_thread(application(sessions), 0) as address:
        yield address, sessions


def served(*exchanges: Exchange, volatile: tuple[str, ...] = ()) -> ServedCassettes:
    """Return cassettes with one cassette called `one`."""
    return ServedCassettes({"one": Cassette(exchanges, Provenance(volatile=volatile))})


def exchange(
    path: str = "/v1/chat/completions",
    question: bytes = b"",
    answer: bytes = b"{}",
    method: str = "POST",
    status: int = 200,
    chunks: tuple[int, ...] = (),
    timing: Timing | None = None,
) -> Exchange:
    """Return an exchange with a fictitious service."""
    request = Request(method, f"https://api.example.com{path}", (), question)
    headers = (("content-type", "application/json"), ("x-request-id", "r1"))
    return Exchange(request, Response(status, "", headers, answer), timing, chunks)


def send(address: str, recorded: Exchange, prefix: str = "") -> tuple[int, dict[str, str], bytes]:
    """Send a recorded request as a plain HTTP client; return status, headers and body."""
    parts, request = urlsplit(recorded.request.uri), recorded.request
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    path = prefix + parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(request.method, path, request.body or None, dict(request.headers))
        response = connection.getresponse()
        return response.status, {n.lower(): v for n, v in response.getheaders()}, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_exchange_is_answered_with_its_bytes(path: Path) -> None:
    """Status, body and headers are those of the recording, in the recorded order."""
    exchanges = read(path).exchanges
    with serving(load([path])) as (address, sessions):
        for recorded in exchanges:
            status, headers, body = send(address, recorded)
            assert (status, body) == (recorded.response.status, recorded.response.body)
            kept = recorded.response.header("x-request-id")
            assert headers.get("x-request-id") == kept
        assert sessions.get("", "").unused() == {}
        assert sessions.get("", "").misses == []


def test_chunks_are_sent_as_recorded() -> None:
    """Each recorded chunk is one chunk on the wire."""
    recorded = exchange(answer=b"abcdefghij", chunks=(3, 4, 3))
    with serving(served(recorded)) as (address, _):
        host, port = urlsplit(address).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            )
            client.sendall(head.encode())
            received = b"".join(iter(lambda: client.recv(4096), b""))
    assert received.endswith(b"\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n3\r\nhij\r\n0\r\n\r\n")


def test_pace_keeps_the_pauses_between_chunks() -> None:
    """At pace 1, a chunk that arrived after 0.4 s is sent no earlier."""
    timing = Timing(0.0, 0.0, 0.4, (0.0, 0.4))
    recorded = exchange(answer=b"abcd", chunks=(2, 2), timing=timing)
    began = time.monotonic()
    with (
        serving(served(recorded), pace=1.0) as (address, _),
        httpx.stream("POST", address + "/v1/chat/completions") as response,
    ):
        arrived = [(time.monotonic(), chunk) for chunk in response.iter_raw()]
    assert b"".join(chunk for _, chunk in arrived) == b"abcd"
    assert arrived[-1][0] - began >= 0.4


def test_a_task_may_be_polled_more_often_than_recorded() -> None:
    """The last answer to a GET request stays."""
    path = "/api/v1/tasks/t1"
    polls = [exchange(path, answer=answer, method="GET") for answer in (b'"RUNNING"', b'"DONE"')]
    with serving(served(*polls)) as (address, _):
        answers = [send(address, polls[0])[2] for _ in range(4)]
    assert answers == [b'"RUNNING"', b'"DONE"', b'"DONE"', b'"DONE"']


@pytest.mark.parametrize("way", ["path", "header"])
def test_sessions_replay_side_by_side(way: str) -> None:
    """Each session has all exchanges for itself; a second request in one session is a miss."""
    recorded = exchange(answer=b'{"a": 1}')
    with serving(served(recorded)) as (address, sessions):
        for name in ("one", "two", "one"):
            url = f"{address}/~{name}" if way == "path" else address
            headers = {"x-harness-session": name} if way == "header" else {}
            answer = httpx.post(url + "/v1/chat/completions", headers=headers)
            assert answer.status_code == (404 if sessions.get(name, "").misses else 200)
        assert [len(sessions.get(name, "").misses) for name in ("one", "two")] == [1, 0]


@pytest.mark.parametrize("way", ["path", "header"])
def test_a_cassette_is_chosen_by_its_name(way: str) -> None:
    """Two cassettes answer the same request; the name of one in the path or a header decides."""
    cassettes = {
        name: Cassette((exchange(answer=json.dumps(name).encode()),))
        for name in ("chat/first", "chat/second")
    }
    with serving(ServedCassettes(cassettes)) as (address, _):
        url = f"{address}/~s1/chat/second" if way == "path" else address
        headers = {"x-harness-cassette": "chat/second"} if way == "header" else {}
        assert httpx.post(url + "/v1/chat/completions", headers=headers).json() == "chat/second"
        unknown = httpx.post(address + "/v1/chat/completions", headers={"x-harness-cassette": "no"})
        assert unknown.status_code == 404
        assert "served are chat/first, chat/second" in unknown.json()["error"]["message"]


def test_a_miss_says_where_the_requests_part() -> None:
    """The error names the nearest recorded request and the differing value."""
    recorded = exchange(question=b'{"model": "m", "seed": 1}')
    with serving(served(recorded)) as (address, sessions):
        asked = httpx.post(address + "/v1/chat/completions", json={"model": "m", "seed": 2})
    assert asked.status_code == 404
    message = asked.json()["error"]["message"]
    assert "/seed: expected (cassette) 1, actual (your request) 2" in message
    assert sessions.get("", "").misses == [message]


def test_volatile_values_are_ignored() -> None:
    """The pointers that a cassette calls volatile are not compared."""
    recorded = exchange(question=b'{"seed": 1}', answer=b'"yes"')
    with serving(served(recorded, volatile=("/seed",))) as (address, _):
        assert httpx.post(address + "/v1/chat/completions", json={"seed": 2}).json() == "yes"


@pytest.mark.slow
def test_sdks_raise_their_own_error_for_a_miss_and_do_not_repeat_it() -> None:
    """Each SDK finds the code and the message where its service puts them."""
    with serving(load([SHIPPED[0]])) as (address, sessions):
        messages: Any = [{"role": "user", "content": "never recorded"}]
        zhipu = zhipuai.ZhipuAI(api_key="a.b", base_url=f"{address}/api/paas/v4", max_retries=3)
        with pytest.raises(zhipuai.APIStatusError, match="no recorded answer") as zhipu_error:
            zhipu.chat.completions.create(model="glm-4.5", messages=messages)
        assert zhipu_error.value.status_code == 404

        client = openai.OpenAI(api_key="k", base_url=f"{address}/v1", max_retries=3)
        with pytest.raises(openai.NotFoundError, match="no recorded answer") as openai_error:
            client.chat.completions.create(model="m", messages=messages)
        assert openai_error.value.code == "cassette_miss"

        answer: Any = dashscope.Generation.call(
            model="qwen-plus", messages=messages, api_key="k", base_address=f"{address}/api/v1"
        )
        assert (answer.status_code, answer.code) == (404, "cassette_miss")
        assert "no recorded answer" in answer.message

        with pytest.raises(openai.NotFoundError, match="no recorded answer") as openai_error:
            client.responses.create(model="m", input="never recorded")
        assert openai_error.value.code == "cassette_miss"

        import anthropic  # which takes a second

        claude = anthropic.Anthropic(api_key="k", base_url=address, max_retries=3)
        with pytest.raises(anthropic.NotFoundError, match="no recorded answer") as claude_error:
            claude.messages.create(model="m", max_tokens=9, messages=messages)
        body: Any = claude_error.value.body
        assert (body["type"], body["error"]["type"]) == ("error", "cassette_miss")
        assert len(sessions.get("", "").misses) == 5


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
def test_anthropics_sdk_is_answered_whole_and_streamed() -> None:
    """Its SDK reads what a cassette has, and gathers the events of a stream."""
    made = ROOT / "tests" / "parse" / "made" / "anthropic.yaml"
    with serving(load([made])) as (address, sessions):
        import anthropic

        client = anthropic.Anthropic(api_key="k", base_url=address, max_retries=0)
        for recorded in read(made).exchanges[::2]:
            body = json.loads(recorded.request.body)
            if body.pop("stream", False):
                with client.messages.stream(**body) as stream:
                    got = stream.get_final_message()
            else:
                got = client.messages.create(**body)
            assert [block.type for block in got.content] == ["thinking", "text", "tool_use"]
        assert sessions.get("", "").misses == []


def test_the_status_tells_what_was_answered() -> None:
    """`/__harness/` has the counts of each session and findings; DELETE begins all again."""
    answered, left = exchange(answer=b"1"), exchange("/v1/embeddings", answer=b"2")
    with serving(served(answered, left)) as (address, _):
        send(address, answered)
        send(address, answered)
        status = httpx.get(address + "/__harness/").json()
        assert status["cassettes"] == {"one": 2}
        [session] = status["sessions"]
        assert (session["answered"], session["missed"], len(session["misses"])) == (1, 1, 1)
        assert session["unused"] == ["one: POST https://api.example.com/v1/embeddings"]
        [finding] = status["findings"]
        assert finding.pop("message").startswith("expected an operation the harness knows, actual")
        assert finding == {"cassette": "one", "rule": "known_endpoint", "severity": "info"}
        assert httpx.delete(address + "/__harness/").json()["sessions"] == []
        assert send(address, answered)[2] == b"1"


def test_sixty_four_clients_at_once() -> None:
    """Each gets its own answer."""
    many = [exchange(question=b'{"n": %d}' % n, answer=b"%d" % n, chunks=(1,)) for n in range(64)]
    with serving(served(*many)) as (address, sessions), ThreadPoolExecutor(64) as pool:
        bodies = [*pool.map(lambda recorded: send(address, recorded)[2], many)]
    assert bodies == [b"%d" % n for n in range(64)]
    assert sessions.get("", "").answered == 64


def test_variables_lead_each_client_to_its_base_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base URL is the recorded path without the operation; a missing key gets a placeholder."""
    monkeypatch.setenv("OPENAI_API_KEY", "own")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    cassettes = served(exchange("/compatible-mode/v1/chat/completions"), exchange("/v1/messages"))
    variables = replay_variables(cassettes, "http://here")
    assert variables["OPENAI_BASE_URL"] == "http://here/compatible-mode/v1"
    assert variables["ANTHROPIC_BASE_URL"] == "http://here"
    assert "OPENAI_API_KEY" not in variables
    assert variables["ANTHROPIC_API_KEY"]


def test_two_cassettes_of_one_name_are_refused(tmp_path: Path) -> None:
    """The name in a path has to mean one cassette."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_bytes(SHIPPED[0].read_bytes())
    with pytest.raises(HarnessError, match="another cassette is called x too"):
        load([tmp_path / "a", tmp_path / "b"])
