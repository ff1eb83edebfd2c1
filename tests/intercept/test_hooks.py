"""The hooks: `normalize_request` and `before_record`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import harness
from harness.api.use_cassette import RecordMode
from harness.cassette import store
from harness.errors import BadHook, CassetteMiss
from harness.types import Exchange, Request, Response

from .server import Server

SECRET = "my-own-secret"  # noqa: S105 - nobody's
LOOKS_LIKE_A_KEY = "sk-9f8e7d6c5b4a39281706f5e4d3c2b1a0"


def without_trace(request: Request) -> Request:
    """Return a request without a query parameter that differs each time."""
    return replace(request, uri=str(httpx.URL(request.uri).copy_remove_param("trace")))


def test_requests_are_compared_in_normalized_form(server: Server, tmp_path: Path) -> None:
    """Requests are sent and recorded unchanged, and compared in their normalized form."""
    path = tmp_path / "a.yaml"
    with harness.use_cassette(path, record="all", normalize_request=without_trace):
        httpx.get(f"{server.base}/json?trace=1&a=1")
    assert server.requests[0][1] == "/json?trace=1&a=1"
    assert store.read(path).exchanges[0].request.uri.endswith("/json?trace=1&a=1")
    with harness.use_cassette(path, normalize_request=without_trace):
        assert httpx.get(f"{server.base}/json?a=1&trace=2").status_code == 200
    with (
        pytest.raises(
            CassetteMiss,
            match=r"(?s)query: expected \(cassette\) \"a=1\", actual \(your request\) \"a=2\"",
        ),
        harness.use_cassette(path, normalize_request=without_trace),
    ):
        httpx.get(f"{server.base}/json?trace=3&a=2")
    with pytest.raises(CassetteMiss), harness.use_cassette(path):
        httpx.get(f"{server.base}/json?trace=2&a=1")


def test_normalize_request_sees_kept_headers_without_keys(server: Server, tmp_path: Path) -> None:
    """`normalize_request` sees the kept headers and never a key."""
    path, seen = tmp_path / "a.yaml", []

    def by_type(request: Request) -> Request:
        seen.append(dict(request.headers))
        return replace(request, uri=request.uri + dict(request.headers)["content-type"])

    def ask(kind: str) -> int:
        headers = {"content-type": kind, "authorization": f"Bearer {SECRET}"}
        return httpx.post(f"{server.base}/echo", content=b"x", headers=headers).status_code

    with harness.use_cassette(path, record="all"):
        ask("text/a")
        ask("text/b")
    with harness.use_cassette(path, normalize_request=by_type):
        assert [ask("text/b"), ask("text/a")] == [200, 200]
    with pytest.raises(CassetteMiss), harness.use_cassette(path, normalize_request=by_type):
        ask("text/c")
    assert SECRET not in str(seen)


def test_a_dropped_exchange_still_reaches_the_caller(server: Server, tmp_path: Path) -> None:
    """An exchange that `before_record` drops reaches the caller, and each is passed to it once."""
    path, asked = tmp_path / "a.yaml", []

    def only_json(exchange: Exchange) -> Exchange | None:
        asked.append(exchange.request.uri)
        return exchange if exchange.response.header("content-type") == "application/json" else None

    with harness.use_cassette(path, record="all", before_record=only_json) as context:
        assert httpx.get(f"{server.base}/nothing").status_code == 204
        httpx.get(f"{server.base}/json")
        assert len(context.exchanges) == len(context.recorded) == 1
    assert len(asked) == 2
    assert [e.response.status for e in store.read(path).exchanges] == [200]
    with harness.use_cassette(tmp_path / "b.yaml", record="all", before_record=lambda _: None) as t:
        httpx.get(f"{server.base}/json")
    assert (t.used_network, t.written, (tmp_path / "b.yaml").exists()) == (True, False, False)


def test_before_record_can_replace_request_and_response(server: Server, tmp_path: Path) -> None:
    """`before_record` can replace request and response; chunks are dropped if the body differs."""
    path = tmp_path / "a.yaml"

    def shorter(exchange: Exchange) -> Exchange:
        request = replace(exchange.request, uri="http://elsewhere.invalid/short", method="PUT")
        response = replace(exchange.response, body=b"short")
        return Exchange(request, response, turn=7, key=SECRET)

    with harness.use_cassette(path, record="all", before_record=shorter):
        assert httpx.get(f"{server.base}/stream").content != b"short"
    (kept,) = store.read(path).exchanges
    assert (kept.request.method, kept.turn, kept.key, kept.chunks) == ("GET", None, "none", ())
    assert kept.timing is not None
    with harness.use_cassette(path):
        assert httpx.get("http://elsewhere.invalid/short").content == b"short"


def test_hooks_cannot_leak_secrets(server: Server, tmp_path: Path) -> None:
    """Secrets are removed from what a hook returns, and what looks like a key, too."""
    path = tmp_path / "a.yaml"

    def telling(words: str) -> Any:
        def tell(exchange: Exchange) -> Exchange:
            headers = ((words, words), ("authorization", words), ("content-type", words))
            body = json.dumps({"key": words}).encode()
            request = Request(words, f"http://a/{words}", headers, body)
            return Exchange(request, Response(200, words, headers, body), key=words)

        return tell

    options: dict[str, Any] = {"record": "all", "secrets": [SECRET]}
    with harness.use_cassette(path, before_record=telling(SECRET), **options):
        httpx.get(f"{server.base}/json")
    assert SECRET not in path.read_text()
    with harness.use_cassette(path, before_record=telling(LOOKS_LIKE_A_KEY), **options):
        httpx.get(f"{server.base}/json")
    assert LOOKS_LIKE_A_KEY not in path.read_text()


def test_before_record_can_remove_what_would_be_masked(server: Server, tmp_path: Path) -> None:
    """`before_record` can remove a secret that would be masked otherwise."""
    path = tmp_path / "a.yaml"

    def blank(exchange: Exchange) -> Exchange:
        hidden = replace(exchange.request, body=b"{}")
        return replace(exchange, request=hidden, response=replace(exchange.response, body=b"{}"))

    with harness.use_cassette(path, record="all", before_record=blank):
        httpx.post(f"{server.base}/echo", json={"key": LOOKS_LIKE_A_KEY})
    assert store.read(path).exchanges[0].request.body == b"{}"


@pytest.mark.parametrize(
    ("hook", "record"),
    [
        ("normalize_request", "none"),
        ("normalize_request", "missing"),
        ("before_record", "all"),
    ],
)
def test_a_hook_that_returns_another_type_is_an_error(
    server: Server, tmp_path: Path, hook: str, record: RecordMode
) -> None:
    """A hook that returns another type raises BadHook with its name, and nothing is written."""
    path = tmp_path / "a.yaml"
    with harness.use_cassette(path, record="all"):
        httpx.get(f"{server.base}/json")
    before = path.read_bytes()
    wrong: Any = {hook: lambda _: "text"}
    with (
        pytest.raises(BadHook, match=f"{hook} has to return .*, actual: str$"),
        harness.use_cassette(path, record=record, **wrong),
    ):
        httpx.get(f"{server.base}/json")
    assert path.read_bytes() == before


NO_REQUESTS: list[dict[str, Any]] = [
    {"uri": None},
    {"body": "text"},
    {"headers": {"a": "b"}},
    {"headers": (("a", 1),)},
]


@pytest.mark.parametrize("wrong", NO_REQUESTS, ids=str)
def test_normalize_request_must_return_a_valid_request(
    server: Server, tmp_path: Path, wrong: Any
) -> None:
    """`normalize_request` must return a request with fields of the right types."""
    message = (
        r"^normalize_request has to return "
        r"(a Request whose \w+ is \w+|headers as pairs of name and value), actual: \w+$"
    )
    hook: dict[str, Any] = {"normalize_request": lambda request: replace(request, **wrong)}
    with harness.use_cassette(tmp_path / "a.yaml", record="all"):
        httpx.get(f"{server.base}/json")
    with pytest.raises(BadHook, match=message), harness.use_cassette(tmp_path / "a.yaml", **hook):
        httpx.get(f"{server.base}/json")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"request": replace(Request("GET", "/"), **fields)} for fields in NO_REQUESTS),
        {"response": Response("x")},  # type: ignore[arg-type]
        {"response": Response(True)},
        {"response": Response(200, reason=None)},  # type: ignore[arg-type]
        {"response": None},
    ],
    ids=str,
)
def test_before_record_must_return_a_valid_exchange(
    server: Server, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    """`before_record` must return an exchange with fields of the right types."""
    path = tmp_path / "a.yaml"
    with (
        pytest.raises(BadHook, match=r"^before_record has to return .*, actual: "),
        harness.use_cassette(path, record="all", before_record=lambda e: replace(e, **wrong)),
    ):
        httpx.get(f"{server.base}/json")
    assert not path.exists()


def test_an_error_of_normalize_request_passes_through_retries(tmp_path: Path) -> None:
    """An error in `normalize_request` passes through an SDK's retries as the cause of BadHook."""
    calls = []

    def broken(request: Request) -> Request:
        calls.append(request)
        raise ValueError("mine")

    (tmp_path / "a.yaml").write_text("interactions: []\nversion: 1\n")
    client = openai.OpenAI(api_key="x", max_retries=5)
    with (
        pytest.raises(
            BadHook, match=r"^normalize_request raised ValueError: mine \(.*test_hooks.py:"
        ) as caught,
        harness.use_cassette(tmp_path / "a.yaml", normalize_request=broken),
    ):
        client.models.list()
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(calls) == 1


def test_a_hook_that_raises_writes_nothing(server: Server, tmp_path: Path) -> None:
    """An error in `before_record` ends the block, and nothing is written."""

    def broken(exchange: Exchange) -> Exchange:
        raise ValueError("mine")

    with (
        pytest.raises(ValueError, match="mine"),
        harness.use_cassette(tmp_path / "a.yaml", record="all", before_record=broken),
    ):
        httpx.get(f"{server.base}/json")
    assert not (tmp_path / "a.yaml").exists()
