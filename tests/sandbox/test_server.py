"""The server: address, end, options, and robustness against any request."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from types import SimpleNamespace

import httpx
import pytest
from conftest import interruptible

from harness.errors import HarnessError
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import DEFAULT_PORT, Options, serve, state
from harness.sandbox.state import SandboxState

from .client import Dash, Zhipu, sandbox, user


def test_the_front_page_says_that_it_is_a_sandbox(http: httpx.Client) -> None:
    """It says so to users who open it in a browser."""
    assert "NOT the real service" in http.get("/").text


@pytest.mark.parametrize(
    "path", ["/", "/files/none.png", "/api/v1/tasks/x", "/api/paas/v4/x", "/x"]
)
def test_every_response_has_the_mark(http: httpx.Client, path: str) -> None:
    """The header x-sandbox tells it from the real service."""
    assert http.get(path).headers["x-sandbox"] == "harness"


def test_it_listens_on_loopback_only() -> None:
    """The address is always 127.0.0.1."""
    with serve(Options(port=0), PROVIDER_SERVERS) as base:
        assert base.startswith("http://127.0.0.1:")


def test_it_stops_after_the_block() -> None:
    """After the `with` block connections are refused."""
    with serve(Options(port=0), PROVIDER_SERVERS) as base:
        httpx.get(base, trust_env=False)
    with pytest.raises(httpx.ConnectError):
        httpx.get(base, trust_env=False)


def test_run_forever_ends_quietly_when_interrupted() -> None:
    """It announces its address and responds; an interrupt ends it without an error."""
    script = (
        "from harness.providers.servers import PROVIDER_SERVERS\n"
        "from harness.sandbox import Options\n"
        "from harness.sandbox.server import run_forever\n"
        "run_forever(Options(port=0), PROVIDER_SERVERS, lambda address: print(address, flush=True))"
    )
    command = [sys.executable, "-c", script]
    with interruptible():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 our own script
    with process, ExitStack() as afterwards:
        afterwards.callback(process.kill)
        assert process.stdout is not None
        base = process.stdout.readline().decode().strip()
        assert httpx.get(base, trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, b"")


def test_another_port_is_used_if_the_default_one_is_taken() -> None:
    """Any free port is used unless one was requested."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", DEFAULT_PORT))
            taken.listen()
        except OSError:
            pass  # another process has it, which is as good
        with serve(Options(), PROVIDER_SERVERS) as base:
            assert not base.endswith(f":{DEFAULT_PORT}")
            assert httpx.get(base, trust_env=False).status_code == 200


def test_a_requested_port_that_is_taken_is_an_error() -> None:
    """No other port is used in its place."""
    with serve(Options(port=0), PROVIDER_SERVERS) as base:
        port = int(base.rpartition(":")[2])
        with (
            pytest.raises(HarnessError, match="cannot listen"),
            serve(Options(port=port), PROVIDER_SERVERS),
        ):
            pass


def test_latency_comes_before_the_first_byte() -> None:
    """A response takes at least as long as the option says."""
    with sandbox(Options(port=0, latency=0.15)) as http:
        began = time.monotonic()
        Dash(http).generate("你好")
        took = time.monotonic() - began
    assert took >= 0.15


def test_keys_can_be_replaced() -> None:
    """Only the key in the options is accepted."""
    with sandbox(Options(port=0, keys={"dashscope": "sk-mine"})) as http:
        assert Dash(http, key="sk-mine").generate("你好").status_code == 200
        assert Dash(http, key=DASHSCOPE_KEY).generate("你好").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"text"',
        b"NaN",
        b'{"model":"glm-4","messages":' + b"[" * 100_000,
        b'{"model":"qwen-flash","input":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
        b'{"model":["glm-4"],"input":[],"messages":{}}',
        b'{"model":"glm-4","messages":[{"role":{},"content":[[]]}]}',
        b'{"model":"glm-4","messages":[{"role":["user"],"content":"x"}]}',
        b'{"model":"qwen-flash","input":{"messages":[1,2]},"parameters":[]}',
        b'{"model":"qwen-flash","input":{"messages":[1,2]},"parameters":{}}',
        b'{"model":"qwen-flash","input":{"prompt":"x"},"parameters":{"result_format":{}}}',
        b'{"model":"cogview-3","prompt":{}, "size":7}',
    ],
)
@pytest.mark.parametrize("path", ["chat", "generation", "images", "synthesis", "async"])
def test_any_invalid_body_is_refused(zhipu: Zhipu, dash: Dash, path: str, body: bytes) -> None:
    """The refusal is in the provider's form; nothing crashes."""
    paths: dict[str, tuple[Zhipu | Dash, str]] = {
        "chat": (zhipu, "/chat/completions"),
        "async": (zhipu, "/async/chat/completions"),
        "images": (zhipu, "/images/generations"),
        "generation": (dash, "/services/aigc/text-generation/generation"),
        "synthesis": (dash, "/services/aigc/text2image/image-synthesis"),
    }
    client, route = paths[path]
    headers = client.headers | {"X-DashScope-Async": "enable"}
    answer = client.http.post(client.prefix + route, content=body, headers=headers)
    error = answer.json().get("error", answer.json())
    assert answer.status_code == 400
    assert isinstance(error["code"], str)
    assert error["message"]


def test_a_body_over_10_mb_is_refused(dash: Dash) -> None:
    """The limit includes white space."""
    path = f"{dash.prefix}/services/aigc/text-generation/generation"
    content = b'{"model":"qwen-flash","input":{"prompt":"Hello!"}}' + b" " * 11_000_000
    answer = dash.http.post(path, content=content, headers=dash.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


def test_unusual_but_valid_requests_are_answered(zhipu: Zhipu) -> None:
    """Lone surrogates, huge numbers and deep schemas are accepted."""
    deep: object = {"type": "string"}
    for _ in range(60):
        deep = {"type": "array", "items": deep}
    function = {"name": "f", "description": "天气", "parameters": {}}
    function["parameters"] = {
        "properties": {"a": deep, "b": {"type": "number", "minimum": 10**400}, "c": 3},
        "required": ["a", "b", "c", "d", 5],
    }
    tools = [{"type": "function", "function": function}, 7, {"function": []}]
    example = '{"a":' * 700 + "1" + "}" * 700
    for text in ("天气 \ud800", f"请用 JSON 回答：{example} \ud800"):
        body = {"model": "glm-4", "messages": [user(text)], "tools": tools}
        path, content = f"{zhipu.prefix}/chat/completions", json.dumps(body)
        answer = zhipu.http.post(path, content=content, headers=zhipu.headers)
        assert answer.status_code == 200


@pytest.mark.parametrize("name", PROVIDER_SERVERS)
def test_unknown_paths_and_methods_are_refused_in_json(http: httpx.Client, name: str) -> None:
    """The status is 4xx."""
    prefix = PROVIDER_SERVERS[name].prefix
    for answer in (http.get(f"{prefix}/nowhere"), http.post(f"{prefix}/nowhere", json={})):
        assert 400 <= answer.status_code < 500
        assert isinstance(answer.json(), dict)


def test_each_event_is_sent_in_its_own_chunk() -> None:
    """Events arrive one after the other, with gaps."""
    body = {"model": "glm-4", "messages": [user("你好")], "stream": True}
    with sandbox(Options(port=0, chunk_gap=0.02)) as http:
        path, headers = "/api/paas/v4/chat/completions", Zhipu(http).headers
        began = time.monotonic()
        with http.stream("POST", path, json=body, headers=headers) as response:
            arrived = [(time.monotonic(), part) for part in response.iter_raw()]
    assert len(arrived) > 5
    assert all(part.endswith(b"\n\n") and part.count(b"data:") == 1 for _, part in arrived)
    assert arrived[-1][0] - began > 0.01 * (len(arrived) - 2)


def test_the_gaps_of_a_stream_vary_and_are_reproducible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They last 0.5 to 1.5 times the option, depending on the next event."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def received() -> list[bytes]:
        sandbox_state = SandboxState(Options(chunk_gap=0.02))
        return [event async for event in sandbox_state.stream([b"%d" % n for n in range(9)])]

    # Only in this module: other sandboxes may sleep in threads of this process.
    monkeypatch.setattr(state, "asyncio", SimpleNamespace(sleep=sleep))
    assert asyncio.run(received()) == [b"%d" % n for n in range(9)]
    assert len(set(pauses)) == len(pauses) == 8
    assert all(0.01 <= seconds < 0.03 for seconds in pauses)
    first, pauses[:] = list(pauses), []
    asyncio.run(received())
    assert pauses == first


def test_each_nth_request_is_throttled() -> None:
    """The option throttle_every responds 429 with Retry-After to each N-th request."""
    with sandbox(Options(port=0, throttle_every=2)) as http:
        answers = [Dash(http).generate("你好") for _ in range(4)]
        answers += [Zhipu(http).chat([user("你好")]) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 429, 200, 429, 200, 429]
    assert {a.headers.get("retry-after") for a in answers if a.status_code == 429} == {"1"}
