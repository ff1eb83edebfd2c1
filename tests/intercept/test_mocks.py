"""Answers of mocks are not recorded, whatever the order of mock and block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

import harness

from .server import Server

MOCKED = "http://mocked.example/x"


@contextmanager
def by_respx(server: Server) -> Iterator[None]:
    """Mock with respx, which checks that its routes are called."""
    respx = pytest.importorskip("respx")
    with respx.mock(assert_all_called=True) as mock:
        mocked = mock.get(MOCKED).respond(json={"mocked": True})
        passed = mock.route(host="127.0.0.1").pass_through()
        yield
    assert (mocked.call_count, passed.call_count) == (1, 2)  # in its pool and its connection


@contextmanager
def by_pytest_httpx(server: Server) -> Iterator[None]:
    """Mock with pytest-httpx, as its fixture does."""
    plugin = pytest.importorskip("pytest_httpx")
    options = plugin._options._HTTPXMockOptions(should_mock=lambda r: r.url.host != "127.0.0.1")
    with pytest.MonkeyPatch.context() as patch:
        mock = plugin.HTTPXMock(options)
        for kind, name in (("", "handle_request"), ("Async", "handle_async_request")):
            owner = getattr(httpx, f"{kind}HTTPTransport")
            patch.setattr(owner, name, _routing(getattr(owner, name), mock, options, kind))
        mock.add_response(url=MOCKED, json={"mocked": True})
        yield
        mock._assert_options()


def _routing(original: Any, mock: Any, options: Any, kind: str) -> Any:
    """Return the patch of a transport's method that pytest-httpx makes."""

    def handle(transport: Any, request: Any) -> Any:
        return mock._handle_request(transport, request)

    async def handle_async(transport: Any, request: Any) -> Any:
        if options.should_mock(request):
            return await mock._handle_async_request(transport, request)
        return await original(transport, request)

    def routed(transport: Any, request: Any) -> Any:
        return (handle if options.should_mock(request) else original)(transport, request)

    return handle_async if kind else routed


@contextmanager
def by_responses(server: Server) -> Iterator[None]:
    """Mock with responses, which checks that its answers are used."""
    responses = pytest.importorskip("responses")
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        mock.add(responses.GET, MOCKED, json={"mocked": True})
        mock.add_passthru(server.base)
        yield


@contextmanager
def by_requests_mock(server: Server) -> Iterator[None]:
    """Mock with requests-mock, which lets other requests through."""
    requests_mock = pytest.importorskip("requests_mock")
    with requests_mock.Mocker(real_http=True) as mock:
        mock.get(MOCKED, json={"mocked": True})
        yield
        assert mock.call_count == 2


def by_httpx(url: str) -> bytes:
    """Ask with httpx."""
    return httpx.get(url, trust_env=False).content


def by_async_httpx(url: str) -> bytes:
    """Ask with an asynchronous client of httpx."""

    async def ask() -> bytes:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(url)).content

    return asyncio.run(ask())


def by_requests(url: str) -> bytes:
    """Ask with requests."""
    return requests.get(url, timeout=60).content


Mock = Callable[[Server], AbstractContextManager[None]]
CASES = [
    (by_respx, by_httpx),
    (by_respx, by_async_httpx),
    (by_pytest_httpx, by_httpx),
    (by_pytest_httpx, by_async_httpx),
    (by_responses, by_requests),
    (by_requests_mock, by_requests),
]


@pytest.mark.parametrize("is_outside", [True, False], ids=["mock outside", "mock inside"])
@pytest.mark.parametrize(("mock", "ask"), CASES)
def test_mocked_answers_are_not_recorded(
    server: Server, tmp_path: Path, mock: Mock, ask: Callable[[str], bytes], *, is_outside: bool
) -> None:
    """A mock answers in recording and replay; what it lets through is recorded and replayed."""
    path = tmp_path / "a.yaml"
    seen = []
    for record in ("all", "none"):
        context = harness.use_cassette(path, record=record)
        with ExitStack() as stack:
            if is_outside:
                stack.enter_context(mock(server))
            stack.enter_context(context)
            if not is_outside:
                stack.enter_context(mock(server))
            assert ask(MOCKED).replace(b" ", b"") == b'{"mocked":true}'
            seen.append(ask(f"{server.base}/json"))
    assert seen[0] == seen[1]
    assert len(server.requests) == 1
    assert [exchange.request.uri for exchange in context.exchanges] == [f"{server.base}/json"]


@pytest.mark.parametrize("is_pooled", [True, False])
def test_a_request_that_a_mock_lets_through_on_a_pooled_connection(
    server: Server, tmp_path: Path, *, is_pooled: bool
) -> None:
    """It is intercepted although no connection is opened for it."""
    respx = pytest.importorskip("respx")
    path = tmp_path / "a.yaml"
    with httpx.Client(trust_env=False) as client, respx.mock() as mock:
        mock.route(host="127.0.0.1").pass_through()
        if is_pooled:
            client.get(f"{server.base}/json")
        with harness.use_cassette(path, record="all") as context:
            client.get(f"{server.base}/json")
            client.get(f"{server.base}/json")
        assert len(context.recorded) == 2
        asked = len(server.requests)
        with harness.use_cassette(path) as context:
            client.get(f"{server.base}/json")
            client.get(f"{server.base}/json")
        assert len(context.replayed) == 2
        assert len(server.requests) == asked
