"""Faults in one's own tests: a replayed fault is as the same fault over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import aiohttp
import anthropic
import anyio
import dashscope
import httpx
import openai
import pytest
import requests
import urllib3
import zai
import zhipuai
from patience import patiently

import harness
from harness import faults
from harness.cassette.store import read
from harness.faults.injected import InjectedFault, functions, parse
from harness.faults.registry import DELIVERY_FAULTS
from harness.faults.run import delivery_script
from harness.sandbox.scripted_server import Script, response_script, serve_scripts
from harness.types import Response

WAIT = 60.0
"""The timeout of every client in seconds, where nothing waits for it."""

# ------------------------------------------------------------------------------------ clients

MESSAGES: Any = [{"role": "user", "content": "你好"}]


def by_openai(base: str, stream: bool) -> object:
    """Ask with OpenAI's SDK."""
    with openai.OpenAI(base_url=f"{base}/api/paas/v4", api_key="sk-none", timeout=WAIT) as client:
        answer: Any = client.chat.completions.create(model="m", messages=MESSAGES, stream=stream)
        return [part.model_dump() for part in answer] if stream else answer.model_dump()


def by_openai_async(base: str, stream: bool) -> object:
    """Ask with OpenAI's asynchronous SDK."""

    async def ask() -> object:
        async with openai.AsyncOpenAI(
            base_url=f"{base}/api/paas/v4", api_key="sk-none", timeout=WAIT
        ) as client:
            answer: Any = await client.chat.completions.create(
                model="m", messages=MESSAGES, stream=stream
            )
            if stream:
                return [part.model_dump() async for part in answer]
            return answer.model_dump()

    return asyncio.run(ask())


def by_zhipuai(base: str, stream: bool) -> object:
    """Ask with Zhipu's SDK."""
    client = zhipuai.ZhipuAI(base_url=f"{base}/api/paas/v4", api_key="id.secret", timeout=WAIT)
    answer: Any = client.chat.completions.create(model="m", messages=MESSAGES, stream=stream)
    return [part.model_dump() for part in answer] if stream else answer.model_dump()


def by_zai(base: str, stream: bool) -> object:
    """Ask with the newer SDK of Zhipu."""
    client = zai.ZhipuAiClient(base_url=f"{base}/api/paas/v4", api_key="id.secret", timeout=WAIT)
    answer: Any = client.chat.completions.create(model="m", messages=MESSAGES, stream=stream)
    return [part.model_dump() for part in answer] if stream else answer.model_dump()


def by_anthropic(base: str, stream: bool) -> object:
    """Ask with Anthropic's SDK."""
    with anthropic.Anthropic(base_url=base, api_key="sk-none", timeout=WAIT) as client:
        answer: Any = client.messages.create(
            model="m", max_tokens=9, messages=MESSAGES, stream=stream
        )
        return [part.model_dump() for part in answer] if stream else answer.model_dump()


def by_anthropic_async(base: str, stream: bool) -> object:
    """Ask with Anthropic's asynchronous SDK."""

    async def ask() -> object:
        async with anthropic.AsyncAnthropic(
            base_url=base, api_key="sk-none", timeout=WAIT
        ) as client:
            answer: Any = await client.messages.create(
                model="m", max_tokens=9, messages=MESSAGES, stream=stream
            )
            if stream:
                return [part.model_dump() async for part in answer]
            return answer.model_dump()

    return asyncio.run(ask())


def by_dashscope(base: str, stream: bool) -> object:
    """Ask with DashScope's SDK."""
    answer: Any = dashscope.Generation.call(**_generation(base, stream))
    return [_without_headers(part) for part in answer] if stream else _without_headers(answer)


def by_dashscope_async(base: str, stream: bool) -> object:
    """Ask with DashScope's asynchronous SDK."""

    async def ask() -> object:
        answer: Any = await dashscope.AioGeneration.call(**_generation(base, stream))
        if stream:
            return [_without_headers(part) async for part in answer]
        return _without_headers(answer)

    return asyncio.run(ask())


def _generation(base: str, stream: bool) -> dict[str, Any]:
    return {
        "model": "m",
        "messages": MESSAGES,
        "api_key": "sk-none",
        "base_address": f"{base}/api/v1",
        "result_format": "message",
        "stream": stream,
        "request_timeout": WAIT,
    }


def _without_headers(answer: Any) -> dict[str, Any]:
    """Return an answer without headers, of which a server has some of its own."""
    return {name: value for name, value in dict(answer).items() if name != "headers"}


def by_httpx(base: str, stream: bool, read: float | None = None) -> object:
    """Ask with httpx, waiting *read* seconds for each piece."""
    with (
        httpx.Client(timeout=httpx.Timeout(WAIT, read=read or WAIT), trust_env=False) as client,
        client.stream("POST", f"{base}/api/paas/v4/chat/completions", json=_body(stream)) as answer,
    ):
        return answer.status_code, _value(b"".join(answer.iter_bytes()), stream)


def by_requests(base: str, stream: bool) -> object:
    """Ask with requests."""
    address = f"{base}/api/paas/v4/chat/completions"
    with requests.post(address, json=_body(stream), timeout=WAIT, stream=stream) as answer:
        return answer.status_code, _value(answer.content, stream)


def by_aiohttp(base: str, stream: bool) -> object:
    """Ask with aiohttp."""

    async def ask() -> object:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT)) as session,
            session.post(f"{base}/api/paas/v4/chat/completions", json=_body(stream)) as answer,
        ):
            return answer.status, _value(await answer.read(), stream)

    return asyncio.run(ask())


def by_urllib3(base: str, stream: bool) -> object:
    """Ask with urllib3, which repeats nothing here."""
    address = f"{base}/api/paas/v4/chat/completions"
    with urllib3.PoolManager(timeout=WAIT, retries=False) as pool:
        answer = pool.request("POST", address, json=_body(stream), preload_content=not stream)
        return answer.status, _value(answer.data, stream)


def by_http_client(base: str, stream: bool) -> object:
    """Ask with http.client."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=WAIT)
    with contextlib.closing(connection):
        connection.request(
            "POST",
            "/api/paas/v4/chat/completions",
            json.dumps(_body(stream)),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        return answer.status, _value(answer.read(), stream)


def by_urllib_request(base: str, stream: bool) -> object:
    """Ask with urllib.request."""
    address = f"{base}/api/paas/v4/chat/completions"
    asked = urllib.request.Request(  # noqa: S310 - of a server on this machine
        address, json.dumps(_body(stream)).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=WAIT) as answer:  # noqa: S310
        return answer.status, _value(answer.read(), stream)


def _body(stream: bool) -> dict[str, Any]:
    return {"model": "m", "messages": MESSAGES, "stream": stream}


def _value(body: bytes, stream: bool) -> object:
    return body if stream else json.loads(body)


Client = Callable[[str, bool], object]
"""A function of a server's address and whether to ask for a stream; it returns the answer."""

CLIENTS: tuple[Client, ...] = (
    by_openai,
    by_openai_async,
    by_zhipuai,
    by_zai,
    by_anthropic,
    by_anthropic_async,
    by_dashscope,
    by_dashscope_async,
    by_httpx,
    by_requests,
    by_aiohttp,
    by_urllib3,
    by_http_client,
    by_urllib_request,
)
WITHOUT_RETRIES = CLIENTS[-6:]
"""The clients that repeat no request, so that one fault is as good as one for all attempts."""

LIKE_OTHERS: tuple[Client, ...] = (by_openai_async, by_zai, by_anthropic_async, by_dashscope_async)
"""The clients that differ from another one in how they read a stream only."""

# ------------------------------------------------------------------------------------- answers

USAGE = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}


def openai_answer(stream: bool) -> Response:
    """Return an answer in OpenAI's form."""
    head = {"id": "1", "created": 1, "model": "m", "object": "chat.completion"}
    if not stream:
        message = {"role": "assistant", "content": "你好!"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return _json({**head, "choices": [choice], "usage": USAGE})
    events = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}
        for text in "你好啊!"
    ]
    return _events([*map(json.dumps, events), "[DONE]"], "data: {}\n\n")


def dashscope_answer(stream: bool) -> Response:
    """Return an answer in DashScope's form."""

    def part(text: str) -> dict[str, Any]:
        choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"input_tokens": 1, "output_tokens": 3, "total_tokens": 4}
        return {"output": {"choices": [choice]}, "usage": usage, "request_id": "r"}

    if not stream:
        return _json(part("你好!"))
    template = "id:1\nevent:result\n:HTTP_STATUS/200\ndata:{}\n\n"
    return _events([json.dumps(part(text)) for text in "你好啊!"], template)


def anthropic_answer(stream: bool) -> Response:
    """Return an answer in Anthropic's form."""
    message: dict[str, Any] = {
        **{"id": "1", "type": "message", "role": "assistant", "model": "m", "content": []},
        **{"stop_reason": None, "stop_sequence": None},
        "usage": {"input_tokens": 1, "output_tokens": 3},
    }
    if not stream:
        content = [{"type": "text", "text": "你好!"}]
        return _json({**message, "content": content, "stop_reason": "end_turn"})
    delta = {"type": "text_delta", "text": "你"}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Response(200, "OK", (("content-type", "text/event-stream"),), body.encode())


ANSWERS: Mapping[Client, Callable[[bool], Response]] = {
    by_dashscope: dashscope_answer,
    by_dashscope_async: dashscope_answer,
    by_anthropic: anthropic_answer,
    by_anthropic_async: anthropic_answer,
}
"""The answers that are not in OpenAI's form, by the client that reads them."""


def _json(value: object) -> Response:
    return Response(200, "OK", (("content-type", "application/json"),), json.dumps(value).encode())


def _events(data: list[str], template: str) -> Response:
    body = "".join(template.replace("{}", one) for one in data).encode()
    return Response(200, "OK", (("content-type", "text/event-stream"),), body)


# --------------------------------------------------------------------------------------- table

BOTH = {
    "too_many_requests": lambda: faults.too_many_requests(times=2),
    "too_many_requests-after": lambda: faults.too_many_requests(retry_after=0.01),
    "too_many_requests-always": lambda: faults.too_many_requests(times=None),
    "server_error": lambda: faults.server_error(503, times=1),
    "server_error-always": lambda: faults.server_error(times=None),
    "timeout": lambda: faults.timeout(),
    "timeout-always": lambda: faults.timeout(times=None),
    "reset": lambda: faults.reset(),
    "reset-always": lambda: faults.reset(times=None),
    "disconnected": lambda: faults.disconnected(),
    "disconnected-always": lambda: faults.disconnected(times=None),
    "refused": lambda: faults.refused(times=None),
    "cut_after-bytes": lambda: faults.cut_after(bytes=40),
    "cut_after-bytes-reset": lambda: faults.cut_after(bytes=40, ending="reset"),
    "cut_after-bytes-silent": lambda: faults.cut_after(bytes=40, ending="silent"),
    "empty_stream": lambda: faults.empty_stream(),
    "wrong_content_type": lambda: faults.wrong_content_type(),
    "wrong_content_type-page": lambda: faults.wrong_content_type(body="<html>busy</html>"),
    "slow": lambda: faults.slow(0.25),
}
DOCUMENTS = {"malformed_json": lambda: faults.malformed_json()}
STREAMS = {
    "cut_after-events": lambda: faults.cut_after(events=2),
    "cut_after-events-complete": lambda: faults.cut_after(events=2, ending="complete"),
    "cut_after-events-reset": lambda: faults.cut_after(events=2, ending="reset"),
    "malformed_event": lambda: faults.malformed_event(2),
}
CASES = [
    pytest.param(
        client, make, stream, id=f"{client.__name__}-{'stream' if stream else 'document'}-{name}"
    )
    for client in CLIENTS
    for stream, table in ((False, BOTH | DOCUMENTS), (True, BOTH | STREAMS))
    for name, make in table.items()
    if client not in WITHOUT_RETRIES or not name.endswith("-always")
    if stream or client not in LIKE_OTHERS
]


def outcome_of(client: Client, base: str, stream: bool) -> object:
    """Return what a client returns, or the class of what it raises."""
    try:
        return client(base, stream)
    except Exception as error:  # noqa: BLE001 - the class is compared
        return type(error)


@contextmanager
def answering(
    answer: Response, fault: InjectedFault | None = None
) -> Iterator[tuple[str, list[int]]]:
    """Answer each request over a real socket, the first ones with the fault; count them."""
    requests_seen: list[int] = []

    def respond(head: bytes, body: bytes) -> Script:
        requests_seen.append(len(body))
        if fault is None or (fault.times is not None and len(requests_seen) > fault.times):
            return response_script(answer)
        exchange = harness.Exchange(harness.Request("POST", _path(head), (), body), answer)
        return delivery_script(fault.deliver(exchange), head, timeout=1.0, silence=300.0)

    with serve_scripts(respond) as base:
        yield base, requests_seen


async def at_once(seconds: float) -> None:
    """Wait for nothing: the delays between the attempts of OpenAI's asynchronous SDK."""


def _path(head: bytes) -> str:
    return "http://x" + head.split()[1].decode()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Client, bool], Path]:
    """A function that returns a cassette with one answer to a client, which is recorded once."""

    @cache
    def record(client: Client, stream: bool) -> Path:
        path = tmp_path_factory.mktemp("recording") / "one.yaml"
        answer = ANSWERS.get(client, openai_answer)(stream)
        with answering(answer) as (base, _), harness.use_cassette(path, record="all"):
            client(base, stream)
        return path

    return record


@pytest.mark.slow
@pytest.mark.parametrize(("client", "make", "stream"), CASES)
def test_a_replayed_fault_is_as_over_a_socket(
    client: Client,
    make: Callable[[], InjectedFault],
    stream: bool,
    recording: Callable[[Client, bool], Path],
    request: pytest.FixtureRequest,
) -> None:
    """The number of attempts, the result, and the class of the error are the same."""
    fault, path = make(), recording(client, stream)
    answer = ANSWERS.get(client, openai_answer)(stream)
    is_refused = fault.name == "refused"  # by a port, not by an answer

    def check(patience: float) -> None:
        with (
            answering(answer, None if is_refused else fault) as (address, seen),
            pytest.MonkeyPatch.context() as patched,
        ):
            patched.setattr(time, "sleep", lambda seconds: None)
            patched.setattr(anyio, "sleep", at_once)
            patched.setattr(f"{__name__}.WAIT", patience)
            base = _unused_port() if is_refused else address
            live = outcome_of(client, base, stream)
            attempts = len(seen)
        with harness.use_cassette(path, faults=[fault]) as cassette:
            replayed = outcome_of(client, base, stream)
        assert replayed == live
        if not is_refused:  # a server does not see what it refuses
            assert cassette.attempts == attempts
        assert len(read(path).exchanges) == 1

    if fault.name == "timeout" or "silent" in request.node.callspec.id:
        patiently(check)
    else:
        check(WAIT)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("client", [by_httpx, by_requests, by_aiohttp, by_http_client])
def test_each_known_fault_is_as_over_a_socket(
    client: Client, stream: bool, recording: Callable[[Client, bool], Path]
) -> None:
    """All faults of `harness faults` that fit the answer, by their names, over each cassettes."""
    path, answer = recording(client, stream), openai_answer(stream)
    (recorded,) = read(path).exchanges

    def check(patience: float) -> None:
        lives, replays = {}, {}
        for name in (one.name for one in DELIVERY_FAULTS):
            fault = faults.fault(name)
            with contextlib.suppress(harness.BadFault):  # it does not fit
                fault.deliver(recorded)
                with pytest.MonkeyPatch.context() as patched:
                    patched.setattr(f"{__name__}.WAIT", patience)
                    with answering(answer, fault) as (base, _):
                        lives[name] = outcome_of(client, base, stream)
                with harness.use_cassette(path, faults=[fault]):
                    replays[name] = outcome_of(client, base, stream)
        assert replays == lives
        assert len(lives) > 15

    patiently(check, 1.0)


def _unused_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"http://127.0.0.1:{port}"


# -------------------------------------------------------------------------- blocks and servers


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the address of a server and a cassette with one streamed answer."""
    path = tmp_path / "one.yaml"
    with answering(openai_answer(True)) as (base, _):
        with harness.use_cassette(path, record="all"):
            by_httpx(base, True)
        yield base, path


def test_faults_come_in_their_order(recorded: tuple[str, Path]) -> None:
    """The answer stays for the attempt after them, and no rule judges what they changed."""
    base, path = recorded
    in_order = [faults.too_many_requests(times=2), faults.cut_after(events=3)]
    with harness.use_cassette(path, faults=in_order) as cassette:
        with pytest.raises(openai.APIConnectionError):
            by_openai(base, True)
        assert cassette.attempts == 3
        assert [one.response.status for one in cassette.injected] == [429, 429, 200]
        assert cassette.injected[2].response.body.count(b"data:") == 3
        assert len(by_openai(base, True)) == 4  # type: ignore[arg-type]  # a list
    assert (cassette.attempts, len(cassette.exchanges)) == (4, 1)
    assert not [one for one in cassette.findings if "429" in str(one)]


def test_an_answer_that_only_a_fault_changed_is_not_unused(recorded: tuple[str, Path]) -> None:
    """The program gave up, as the test wants it."""
    base, path = recorded
    with harness.use_cassette(path, faults=[faults.reset()]), pytest.raises(httpx.ReadError):
        by_httpx(base, True)


def test_a_fault_that_nothing_got_fails(recorded: tuple[str, Path]) -> None:
    """The test would say nothing about it."""
    base, path = recorded
    with (
        pytest.raises(harness.UnusedExchanges, match="no request got the fault reset"),
        harness.use_cassette(path, faults=[faults.reset(path="/elsewhere")]),
    ):
        by_httpx(base, True)


def test_after_and_path_choose_requests(recorded: tuple[str, Path]) -> None:
    """The first request of that path is answered as recorded."""
    base, path = recorded
    fault = faults.server_error(502, after=1, path="/chat", times=None)
    with harness.use_cassette(path, faults=[fault]) as cassette:
        by_httpx(base, True)
        with pytest.raises(harness.CassetteMiss):
            by_httpx(base, True)  # a fault needs a recorded request, too
        cassette._block.errors.clear()
    assert cassette.attempts == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (faults.cut_after(events=9), "expected 9 events, but the recorded answer has 5"),
        (faults.cut_after(bytes=10**6), "does not cut an answer of"),
        (faults.malformed_event(9), "expected 9 events"),
        (faults.fault("no_such"), "there is no fault 'no_such'; known are byte_by_byte"),
        (faults.fault("truncated_json"), "the answer has 0 places for it"),
    ],
    ids=str,
)
def test_a_fault_that_does_not_fit_is_an_error(
    recorded: tuple[str, Path], fault: InjectedFault, message: str
) -> None:
    """No SDK retries it or takes it for a network failure."""
    base, path = recorded
    with pytest.raises(harness.BadFault, match=message), harness.use_cassette(path, faults=[fault]):
        by_openai(base, True)


def test_any_fault_of_the_command_can_be_injected(recorded: tuple[str, Path]) -> None:
    """The client ignores an unknown event."""
    base, path = recorded
    fault = faults.fault("comments_between_events", place=1)
    with harness.use_cassette(path, faults=[fault]) as cassette:
        assert len(by_openai(base, True)) == 4  # type: ignore[arg-type]  # a list
    assert b": keep-alive" in cassette.injected[0].response.body


def test_a_refusal_has_the_form_of_its_service(recorded: tuple[str, Path]) -> None:
    """Zhipu's code for too many requests, where its clients look for it."""
    path = recorded[1]
    shipped = Path(__file__).parents[2] / "cassettes" / "multi-turn"
    for file, pointer, code in (
        ("zhipuai-glm-5.3-flash", ("error", "code"), "1302"),
        ("dashscope-qwen-flash", ("code",), "Throttling"),
    ):
        exchange = read(shipped / f"{file}.yaml").exchanges[0]
        value = json.loads(faults.too_many_requests().deliver(exchange).response.body)
        for name in pointer:
            value = value[name]
        assert value == code
    assert path.exists()


def test_recording_injects_faults_that_need_no_answer(tmp_path: Path) -> None:
    """A test with a refusal can be recorded as it is; a changed answer must be there before."""
    path = tmp_path / "one.yaml"
    with answering(openai_answer(False)) as (base, seen):
        refusal = [faults.too_many_requests()]
        with harness.use_cassette(path, record="missing", faults=refusal) as cassette:
            by_openai(base, False)
        assert (cassette.attempts, len(seen), len(read(path).exchanges)) == (2, 1, 1)
        cut = [faults.cut_after(bytes=4)]
        with (
            pytest.raises(harness.CassetteMiss, match="record it without the fault first"),
            harness.use_cassette(tmp_path / "new.yaml", record="missing", faults=cut),
        ):
            by_openai(base, False)
        assert len(seen) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: faults.reset(times=0), "reset: times=0 is not valid; from 1"),
        (lambda: faults.timeout(after=-1), "timeout: after=-1 is not valid; from 0"),
        (lambda: faults.cut_after(), "expected either events=N or bytes=N"),
        (lambda: faults.cut_after(events=1, ending="odd"), "ending='odd' is not valid"),
        (lambda: faults.slow(-1), "slow: seconds=-1 is not valid"),
        (
            lambda: harness.use_cassette("x", faults=cast("Any", ["reset"])),
            "expected faults of harness.faults",
        ),
        (lambda: parse("resets"), "'resets' is no fault; expected for example"),
        (lambda: parse("reset(times=open('x'))"), "is no fault"),
        (lambda: parse("reset(events=3)"), "is no fault"),
    ],
)
def test_a_wrong_argument_is_named(make: Callable[[], object], message: str) -> None:
    """When the fault is made, not when a request is."""
    with pytest.raises(harness.HarnessError) as caught:
        make()
    assert message in str(caught.value)


def test_faults_are_read_from_text() -> None:
    """As Python writes the call; a name alone has no arguments."""
    assert parse("reset") == faults.reset()
    assert parse("cut_after(events=3, times=None)") == faults.cut_after(events=3, times=None)
    assert all(function.__name__ == name for name, function in functions().items())
    assert functions().keys() | {"InjectedFault"} == {*faults.__all__}


def served(path: Path, *texts: str) -> Any:
    """Serve a cassette with faults over a real socket."""
    from harness.sandbox.server import run_in_thread
    from harness.serve.cassettes import load
    from harness.serve.replay import Sessions, application

    return run_in_thread(application(Sessions(load([path]), faults=[*map(parse, texts)])), 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reset", httpx.ReadError),
        ("refused", httpx.ReadError),
        ("disconnected", httpx.RemoteProtocolError),
        ("timeout", httpx.ReadTimeout),
        ("cut_after(events=2)", httpx.RemoteProtocolError),
        ("cut_after(events=2, ending='reset')", httpx.ReadError),
        ("cut_after(events=2, ending='silent')", httpx.ReadTimeout),
    ],
)
def test_the_server_injects_failures(
    recorded: tuple[str, Path], text: str, expected: type[Exception]
) -> None:
    """The connection really ends so; the next attempt gets the recorded bytes."""
    path = recorded[1]
    with served(path, text) as address:
        with pytest.raises(expected):
            by_httpx(address, True, 0.1 if expected is httpx.ReadTimeout else WAIT)
        assert by_httpx(address, True) == (200, openai_answer(True).body)


def test_the_server_injects_refusals(recorded: tuple[str, Path]) -> None:
    """OpenAI's SDK repeats them; the status counts them."""
    with served(recorded[1], "too_many_requests(times=2, retry_after=0.01)") as address:
        assert len(by_openai(address, True)) == 4  # type: ignore[arg-type]  # a list
        (session,) = httpx.get(f"{address}/__harness/").json()["sessions"]
    assert (session["answered"], session["faults"]) == (1, 2)
