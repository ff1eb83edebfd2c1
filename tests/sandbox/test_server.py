"""The server: where it listens, how it ends, what it says of itself, and that it survives."""

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

from harness.errors import HarnessError
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import DEFAULT_PORT, Options, serve, state
from harness.sandbox.state import SandboxState

from .client import Dash, Zhipu, sandbox, user


def test_the_front_page_says_it_is_no_real_service(http: httpx.Client) -> None:
    """Whoever opens it in a browser is told."""
    assert "NOT the real service" in http.get("/").text


@pytest.mark.parametrize(
    "path", ["/", "/files/none.png", "/api/v1/tasks/x", "/api/paas/v4/x", "/x"]
)
def test_every_answer_carries_the_mark(http: httpx.Client, path: str) -> None:
    """Nobody can take a sandbox for the real service."""
    assert http.get(path).headers["x-sandbox"] == "harness"


def test_it_listens_on_loopback_only() -> None:
    """The address is 127.0.0.1 whatever the options."""
    with serve(Options(port=0), PROVIDER_SERVERS) as base:
        assert base.startswith("http://127.0.0.1:")


def test_it_is_gone_afterwards() -> None:
    """After the with block nobody answers."""
    with serve(Options(port=0), PROVIDER_SERVERS) as base:
        httpx.get(base, trust_env=False)
    with pytest.raises(httpx.ConnectError):
        httpx.get(base, trust_env=False)


def test_run_forever_ends_quietly_when_interrupted() -> None:
    """It tells its address, answers, and an interrupt is a normal end."""
    script = (
        "from harness.providers.servers import PROVIDER_SERVERS\n"
        "from harness.sandbox import Options, run_forever\n"
        "run_forever(Options(port=0), PROVIDER_SERVERS, lambda address: print(address, flush=True))"
    )
    command = [sys.executable, "-c", script]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 our own script
    with process, ExitStack() as afterwards:
        afterwards.callback(process.kill)
        assert process.stdout is not None
        base = process.stdout.readline().decode().strip()
        assert httpx.get(base, trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, b"")


def test_a_taken_usual_port_is_no_obstacle() -> None:
    """Without a wish for a port, any free one does."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", DEFAULT_PORT))
            taken.listen()
        except OSError:
            pass  # somebody else has it: so much the better
        with serve(Options(), PROVIDER_SERVERS) as base:
            assert not base.endswith(f":{DEFAULT_PORT}")
            assert httpx.get(base, trust_env=False).status_code == 200


def test_a_taken_port_that_was_asked_for_is_an_error() -> None:
    """Who names a port wants that one."""
    with serve(Options(port=0), PROVIDER_SERVERS) as base:
        port = int(base.rpartition(":")[2])
        with (
            pytest.raises(HarnessError, match="cannot listen"),
            serve(Options(port=port), PROVIDER_SERVERS),
        ):
            pass


def test_latency_comes_before_the_first_byte() -> None:
    """An answer takes at least as long as the options say."""
    with sandbox(Options(port=0, latency=0.15)) as http:
        began = time.monotonic()
        Dash(http).generate("你好")
        took = time.monotonic() - began
    assert took >= 0.15


def test_keys_can_be_replaced() -> None:
    """A key in the options is the only one accepted."""
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
def test_any_bytes_get_a_refusal(zhipu: Zhipu, dash: Dash, path: str, body: bytes) -> None:
    """Whatever arrives, the answer is a refusal in the provider's form, never a crash."""
    paths: dict[str, tuple[Zhipu | Dash, str]] = {
        "chat": (zhipu, "/chat/completions"),
        "async": (zhipu, "/async/chat/completions"),
        "images": (zhipu, "/images/generations"),
        "generation": (dash, "/services/aigc/text-generation/generation"),
        "synthesis": (dash, "/services/aigc/text2image/image-synthesis"),
    }
    speaker, where = paths[path]
    headers = speaker.headers | {"X-DashScope-Async": "enable"}
    answer = speaker.http.post(speaker.prefix + where, content=body, headers=headers)
    told = answer.json().get("error", answer.json())
    assert answer.status_code == 400
    assert isinstance(told["code"], str)
    assert told["message"]


def test_a_body_over_10_mb_is_refused(dash: Dash) -> None:
    """Size is bounded, even where all that is too much is white space."""
    path = f"{dash.prefix}/services/aigc/text-generation/generation"
    content = b'{"model":"qwen-flash","input":{"prompt":"Hello!"}}' + b" " * 11_000_000
    answer = dash.http.post(path, content=content, headers=dash.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


def test_odd_but_valid_requests_are_answered(zhipu: Zhipu) -> None:
    """Lone surrogates, huge numbers and deep schemas in a request do no harm."""
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
    """A wrong address is told apart from a crash."""
    prefix = PROVIDER_SERVERS[name].prefix
    for answer in (http.get(f"{prefix}/nowhere"), http.post(f"{prefix}/nowhere", json={})):
        assert 400 <= answer.status_code < 500
        assert isinstance(answer.json(), dict)


def test_each_event_travels_as_a_chunk_of_its_own() -> None:
    """A stream really streams: its events arrive one after the other."""
    body = {"model": "glm-4", "messages": [user("你好")], "stream": True}
    with sandbox(Options(port=0, chunk_gap=0.02)) as http:
        path, headers = "/api/paas/v4/chat/completions", Zhipu(http).headers
        with http.stream("POST", path, json=body, headers=headers) as response:
            arrived = [(time.monotonic(), part) for part in response.iter_raw()]
    assert len(arrived) > 5
    assert all(part.endswith(b"\n\n") and part.count(b"data:") == 1 for _, part in arrived)
    assert arrived[-1][0] - arrived[0][0] > 0.01 * (len(arrived) - 2)


def test_the_gaps_of_a_stream_are_uneven_and_always_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From half to one and a half of what the options say, by the event that comes next."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def heard() -> list[bytes]:
        made = SandboxState(Options(chunk_gap=0.02))
        return [event async for event in made.stream([b"%d" % n for n in range(9)])]

    # In this one module: other sandboxes may be waiting in threads of this process.
    monkeypatch.setattr(state, "asyncio", SimpleNamespace(sleep=sleep))
    assert asyncio.run(heard()) == [b"%d" % n for n in range(9)]
    assert len(set(slept)) == len(slept) == 8
    assert all(0.01 <= seconds < 0.03 for seconds in slept)
    first, slept[:] = list(slept), []
    asyncio.run(heard())
    assert slept == first


def test_each_nth_request_is_turned_away() -> None:
    """throttle_every makes a client's retries testable: 429 with Retry-After, then all is well."""
    with sandbox(Options(port=0, throttle_every=2)) as http:
        answers = [Dash(http).generate("你好") for _ in range(4)]
        answers += [Zhipu(http).chat([user("你好")]) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 429, 200, 429, 200, 429]
    assert {a.headers.get("retry-after") for a in answers if a.status_code == 429} == {"1"}
