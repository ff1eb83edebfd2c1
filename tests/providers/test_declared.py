"""Services in OpenAI's format that a project declares: settings, sessions, recognition."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from harness.analysis.transcript import analyze, transcript_of
from harness.config.services import Service, parse, shipped
from harness.errors import BadSettings
from harness.providers import PROVIDERS
from harness.providers.endpoints import endpoint, recognise
from harness.providers.rules import RULES, check
from harness.providers.servers import PROVIDER_SERVERS, sandbox_servers, sandbox_variables
from harness.sandbox import Options, serve
from harness.types import (
    Call,
    CallKind,
    Cassette,
    Credentials,
    Exchange,
    Failure,
    Message,
    Mode,
    Provenance,
    Reply,
    Request,
    Response,
)

if TYPE_CHECKING:
    from conftest import Python

from .scripted import serve_answers, stream_answer

ROOT = Path(__file__).parent.parent.parent
MOONSHOT = """\
[tool.harness.providers.moonshot]
form = "openai"
base_url = "https://api.moonshot.cn/v1"
key_variable = "MOONSHOT_API_KEY"
"""
HELLO = (Message("user", "你好"),)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that declares a service; the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(MOONSHOT, encoding="utf-8")
    return tmp_path


# ------------------------------------------------------------------------------- declarations


def test_a_declared_service_is_a_provider(project: Path) -> None:
    """With its key, its address, and the project as where it comes from; here only."""
    provider = PROVIDERS["moonshot"]
    assert provider.key_variable == "MOONSHOT_API_KEY"
    assert provider.address_variable == "MOONSHOT_BASE_URL"
    assert provider.address == "https://api.moonshot.cn/v1"
    assert provider.hosts == ("api.moonshot.cn",)
    assert provider.origin == "pyproject.toml"
    assert {e.name for e in provider.endpoints} == {
        "moonshot.chat",
        "moonshot.embeddings",
        "moonshot.images",
        "moonshot.fill",
        "moonshot.models",
        "moonshot.rerank",
        "moonshot.speech",
        "moonshot.transcriptions",
    }
    (project / "pyproject.toml").unlink()
    assert "moonshot" not in PROVIDERS


def test_the_readme_declares_a_service() -> None:
    """The lines on the page are a declaration."""
    text = (
        (ROOT / "docs" / "guides" / "services.md")
        .read_text(encoding="utf-8")
        .split("```toml\n")[1]
        .split("```")[0]
    )
    (table,) = tomllib.loads(text)["tool"]["harness"]["providers"].items()
    assert parse(*table) == Service(
        "moonshot",
        "openai",
        "https://api.moonshot.cn/v1",
        "MOONSHOT_API_KEY",
        ("api.moonshot.cn",),
    )


def test_a_well_known_service_needs_no_more_than_its_name() -> None:
    """Any other needs its form, address and key; what is given replaces what is known."""
    assert parse("deepseek", {}) == shipped()["deepseek"]
    assert parse("deepseek", {}).finish_reasons == ("insufficient_system_resource", "aborted")
    moved = parse("ollama", {"base_url": "http://127.0.0.1:9/v1", "finish_reasons": ["bored"]})
    assert (moved.hosts, moved.finish_reasons) == (("127.0.0.1:9",), ("bored",))
    message = "the key 'form' is missing; required are form, base_url, key_variable"
    with pytest.raises(ValueError, match=f"example: {message}"):
        parse("example", {})
    with pytest.raises(ValueError, match="finish_reasons: a list of texts is expected"):
        parse("deepseek", {"finish_reasons": "stop"})


def test_a_rule_that_a_service_does_not_keep_is_a_rule() -> None:
    """Each one that the well-known services are exempt from exists."""
    known = {rule.name for rule in RULES}
    assert {name for service in shipped().values() for name in service.exempt} <= known
    assert parse("moonshot", {"exempt": ["usage_adds_up"]}).exempt == ("usage_adds_up",)


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://API.Example.com/v1/", "api.example.com"),
        ("http://localhost:11434/v1", "localhost:11434"),
        ("http://127.0.0.1/v1", "127.0.0.1:80"),
        ("https://[::1]/v1", "[::1]:443"),
        ("https://example.com:8443", "example.com:8443"),
    ],
)
def test_the_host_is_that_of_the_base_url(base_url: str, host: str) -> None:
    """On this machine with its port, since many services may be there."""
    table = {"form": "openai", "base_url": base_url, "key_variable": "KEY"}
    assert parse("x", table).hosts == (host,)


URL = "a URL is expected, such as https://api.example.com/v1, without a user, a query or a fragment"
FORMS = "anthropic, openai, responses"
KEYS = "form, base_url, key_variable, hosts, finish_reasons, exempt"
VARIABLE = (
    "the name of an environment variable is expected, such as EXAMPLE_API_KEY, not the key itself"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"openai"',
            '"opnai"',
            "moonshot: form: unknown form 'opnai'; known are: anthropic, openai, responses",
        ),
        (
            '"openai"',
            '"sdk"',
            "moonshot: form: unknown form 'sdk'; known are: anthropic, openai, responses",
        ),
        ('"openai"', "5", "moonshot: form: a text is expected"),
        ('"https://api.moonshot.cn/v1"', '""', "moonshot: base_url: a text is expected"),
        ("https://api", "api", f"moonshot: base_url: {URL}"),
        ("https://api", "ftp://api", f"moonshot: base_url: {URL}"),
        ("https://api", "https://me:secret@api", f"moonshot: base_url: {URL}"),
        ("/v1", "/v1?key=secret", f"moonshot: base_url: {URL}"),
        ("api.moonshot.cn", "api.moonshot.cn:port", f"moonshot: base_url: {URL}"),
        ("https://api.moonshot.cn", "https://", f"moonshot: base_url: {URL}"),
        ('"MOONSHOT_API_KEY"', '"sk-0123456789"', f"moonshot: key_variable: {VARIABLE}"),
        (
            "form",
            "hosts = []\nform",
            'moonshot: hosts: a list of hosts is expected, such as ["api.example.com"]',
        ),
        (
            "form",
            'hosts = "a"\nform',
            'moonshot: hosts: a list of hosts is expected, such as ["api.example.com"]',
        ),
        (
            "form",
            'hosts = ["https://a"]\nform',
            "moonshot: hosts: 'https://a' is not a valid host; expected for example 'localhost', "
            "'db.example.com', '*.example.com' or 'localhost:8080'",
        ),
        (
            "form",
            'url = "x"\nform',
            f"moonshot: has no key 'url'; there are: {KEYS}",
        ),
        (
            ".moonshot]",
            ".zhipuai]",
            "zhipuai: there is a provider 'zhipuai' of harness already; choose another name",
        ),
        (
            ".moonshot]",
            ".dashscope-compatible]",
            "dashscope-compatible: there is a provider 'dashscope-compatible' of harness already; "
            "choose another name",
        ),
        (
            ".moonshot]",
            '."Moon/shot"]',
            "'Moon/shot' is not a valid name; expected for example moonshot",
        ),
    ],
)
def test_a_wrong_declaration_is_one_sentence(
    project: Path, old: str, new: str, message: str
) -> None:
    """It names the file, the declaration and what is expected, and quotes no key."""
    file = project / "pyproject.toml"
    file.write_text(MOONSHOT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadSettings) as caught:
        dict(PROVIDERS)
    assert str(caught.value) == f"{file}: [tool.harness] providers.{message}"


@pytest.mark.slow
def test_a_command_ends_with_that_sentence(python: Python, tmp_path: Path) -> None:
    """And with 2, without a traceback."""
    file = tmp_path / "pyproject.toml"
    file.write_text(MOONSHOT.replace("openai", "opnai"), encoding="utf-8")
    done = python("-m", "harness.cli", "doctor", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"harness: {file}: [tool.harness] providers.moonshot: form: unknown form 'opnai'; "
        "known are: anthropic, openai, responses\n"
    )


@pytest.mark.parametrize("text", ["providers = 5", "[tool.harness.providers]\nmoonshot = 5"])
def test_declarations_are_tables(project: Path, text: str) -> None:
    """Anything else is refused."""
    head = "" if text.startswith("[") else "[tool.harness]\n"
    (project / "pyproject.toml").write_text(head + text, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"providers(\.moonshot)?: a table is expected"):
        dict(PROVIDERS)


# ------------------------------------------------------------------------------- recognition


def exchange(url: str, method: str = "POST") -> Exchange:
    """An exchange with a URL."""
    return Exchange(Request(method, url), Response(200))


@pytest.mark.parametrize(
    ("url", "provider", "name"),
    [
        ("https://api.moonshot.cn/v1/chat/completions", "", "moonshot.chat"),
        ("https://api.moonshot.cn:443/v1/embeddings", "", "moonshot.embeddings"),
        ("http://127.0.0.1:8765/v1/chat/completions", "moonshot", "moonshot.chat"),
        ("http://127.0.0.1:8765/v1/chat/completions", "", None),
        ("https://api.other.cn/v1/chat/completions", "", None),
        ("https://api.moonshot.cn/compatible-mode/v1/chat/completions", "", "moonshot.chat"),
        ("https://api.moonshot.cn/api/paas/v4/chat/completions", "", "moonshot.chat"),
        (
            "https://api.moonshot.cn/api/paas/v4/chat/completions",
            "zhipuai",
            "zhipuai.chat",
        ),
        ("https://gateway/compatible-mode/v1/chat/completions", "", "compatible.chat"),
        ("https://gateway/compatible-mode/v1/chat/completions", "moonshot", "moonshot.chat"),
        ("https://api.moonshot.cn/api/v1/tasks/1", "", None),
        ("https://[bad/v1/chat/completions", "", None),
        ("https://api.moonshot.cn:port/v1/chat/completions", "", None),
    ],
)
def test_an_exchange_is_its_providers_else_its_hosts(
    project: Path, url: str, provider: str, name: str | None
) -> None:
    """The provider in the metadata comes first, then the host, then the path."""
    found = recognise(exchange(url), provider)
    assert (found.name if found else None) == name


def test_a_cassette_is_recognised_by_its_target(project: Path) -> None:
    """Also if it was recorded from a server on this machine."""
    chat = exchange("http://127.0.0.1:8765/v1/chat/completions")
    for target, name in (("moonshot/kimi-k2", "moonshot.chat"), ("", None)):
        cassette = Cassette((chat,), Provenance(target=target))
        (reading,) = analyze(transcript_of(cassette, recognise), recognise).readings
        assert (reading.endpoint.name if reading.endpoint else None) == name


def test_each_service_is_served_at_its_own_path(project: Path) -> None:
    """What is recorded from the sandbox has the service's paths, and is recognised."""
    names = ("deepseek", "openrouter", "anthropic")  # "", DashScope's path, without "/v1"
    tables = "".join(f"[tool.harness.providers.{name}]\n" for name in names)
    (project / "pyproject.toml").write_text(tables, encoding="utf-8")
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "你好"}]}
    with serve(Options(port=0), sandbox_servers()) as base:
        variables = sandbox_variables(base)
        for name, tail in zip(names, ("/chat/completions",) * 2 + ("/v1/messages",), strict=True):
            url = variables[f"{name.upper()}_BASE_URL"] + tail
            key = variables[f"{name.upper()}_API_KEY"]
            headers = {"authorization": f"Bearer {key}", "x-api-key": key}
            answer = httpx.post(url, json=body, headers=headers)
            assert answer.status_code == 200, name
            assert url.removeprefix(base) == urlsplit(shipped()[name].base_url).path + tail
            response = Response(200, headers=tuple(answer.headers.items()))
            found = recognise(Exchange(Request("POST", url), response))
            service = "anthropic" if name == "anthropic" else "openai"
            assert found is not None, name
            assert found.dialect == service


def test_its_endpoints_have_names(project: Path) -> None:
    """As those of other providers."""
    assert endpoint("moonshot.chat").dialect == "moonshot"


def test_a_wrong_answer_of_a_declared_service_is_found(project: Path) -> None:
    """The rules for OpenAI's format apply: `id` is missing, and token counts disagree."""
    body = (
        b'{"created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
        b'"message":{"role":"assistant","content":"a"}}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":3}}'
    )
    request = Request("POST", "https://api.moonshot.cn/v1/chat/completions", (), b"{}")
    headers = (("content-type", "application/json"),)
    cassette = Cassette((Exchange(request, Response(200, "OK", headers, body)),))
    rules = {finding.rule for finding in check(transcript_of(cassette, recognise))}
    assert {"usage_adds_up", "answer_fits_schema"} <= rules


# ---------------------------------------------------------------------------------- sessions


@pytest.fixture
def served(project: Path) -> Iterator[str]:
    """The base URL of a sandbox that serves the declared service."""
    options = Options(port=0, chunk_gap=0)
    with serve(options, PROVIDER_SERVERS) as base:
        yield base + PROVIDER_SERVERS["moonshot"].prefix


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}


@pytest.mark.slow
def test_a_session_speaks_openai(served: str) -> None:
    """Chats, streams, tools, embeddings; refusals are values."""
    key = PROVIDER_SERVERS["moonshot"].key
    with PROVIDERS["moonshot"].open(key, served, lambda _: None) as session:

        def send(**changes: object) -> Reply | Failure:
            call = {"kind": CallKind.CHAT, "mode": Mode.SYNC, "model": "kimi", "messages": HELLO}
            return session.send(Call(**{**call, **changes}))  # type: ignore[arg-type]

        whole = send()
        assert isinstance(whole, Reply)
        assert whole.content
        assert whole.usage
        usage = {"stream_options": {"include_usage": True}}
        stream = send(mode=Mode.STREAM, parameters=usage)
        assert isinstance(stream, Reply)
        assert stream.content == whole.content
        assert stream.usage == whole.usage
        assert len(stream.pieces) > 3
        asked = (Message("user", "北京天气怎么样"),)
        for mode in (Mode.SYNC, Mode.STREAM):
            called = send(mode=mode, messages=asked, parameters={"tools": [WEATHER]})
            assert isinstance(called, Reply)
            assert [call.name for call in called.tool_calls] == ["get_current_weather"]
            assert called.tool_calls[0].arguments == '{"location": "北京"}'
        vector = send(
            kind=CallKind.EMBEDDING, messages=(), prompt="a", parameters={"dimensions": 4}
        )
        assert isinstance(vector, Reply)
        assert len(vector.views[0].value["data"][0]["embedding"]) == 4
        refused = send(credentials=Credentials.WRONG)
        assert isinstance(refused, Failure)
        assert (refused.status, refused.code) == (401, "invalid_api_key")
        assert refused.request_id


@pytest.mark.slow
def test_errors_of_a_stream_and_of_the_connection_are_values(project: Path) -> None:
    """An error event, a stream without events, and no connection."""
    call = Call(CallKind.CHAT, Mode.STREAM, "m", HELLO)
    chunk = (
        'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
        '"choices":[{"index":0,"delta":{"content":"a"}}]}'
    )
    error = 'data: {"error": {"code": 1302, "message": "busy"}}'
    with (
        serve_answers(stream_answer(chunk, error), stream_answer("data: [DONE]")) as server,
        PROVIDERS["moonshot"].open("k", server.address, lambda _: None) as session,
    ):
        broken, empty = session.send(call), session.send(call)
    assert isinstance(broken, Failure)
    assert (broken.status, broken.code, broken.message) == (200, "1302", "busy")
    assert len(broken.views) == 1
    assert isinstance(empty, Failure)
    assert empty.code == "EmptyStream"
    with PROVIDERS["moonshot"].open("k", server.address, lambda _: None) as session:
        outcome = session.send(call)
    assert isinstance(outcome, Failure)
    assert outcome.code == "APIConnectionError"


@pytest.mark.slow
def test_embeddings_are_asked_for_as_numbers(project: Path) -> None:
    """The SDK's own choice is base64, which nobody can review; the caller's choice holds."""
    call = Call(CallKind.EMBEDDING, Mode.SYNC, "m", prompt="a")
    with (
        serve_answers(stream_answer("data: [DONE]")) as server,
        PROVIDERS["moonshot"].open("k", server.address, lambda _: None) as session,
    ):
        session.send(call)
        session.send(replace(call, parameters={"encoding_format": "base64"}))
    sent = [json.loads(request.body)["encoding_format"] for request in server.requests]
    assert sent == ["float", "base64"]
