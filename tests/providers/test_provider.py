"""What all providers share."""

from __future__ import annotations

import gc
import io
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from PIL import Image

from harness.errors import HarnessError
from harness.providers import PROVIDERS, find_provider, http
from harness.providers.clients import CLIENTS
from harness.providers.http import download
from harness.providers.sdk import access, failure_of
from harness.providers.servers import PROVIDER_SERVERS, sandbox_variables
from harness.types import (
    AccessFailure,
    Call,
    CallKind,
    ContentPart,
    Failure,
    Json,
    Medium,
    Message,
    Mode,
    Reply,
)

from .scripted import Answer, serve_answers, stream_answer
from .sessions import HELLO, sandbox_session

pytestmark = pytest.mark.slow

ASKED = {
    ("zhipuai", CallKind.CHAT): "glm-4",
    ("zhipuai", CallKind.IMAGE): "cogview-3",
    ("dashscope", CallKind.CHAT): "qwen-flash",
    ("dashscope-compatible", CallKind.CHAT): "qwen-flash",
    ("dashscope-compatible", CallKind.EMBEDDING): "text-embedding-v4",
    ("dashscope", CallKind.PROMPT): "qwen-flash",
    ("dashscope", CallKind.IMAGE): "wanx-v1",
    ("dashscope-compatible", CallKind.RERANK): "qwen3-rerank",
    ("zhipuai", CallKind.VIDEO): "cogvideox-3",
    ("zhipuai", CallKind.EMBEDDING): "embedding-3",
    ("zhipuai", CallKind.RERANK): "rerank",
    ("zhipuai", CallKind.SPEECH): "glm-tts",
    ("zhipuai", CallKind.TRANSCRIPTION): "glm-asr-2512",
    ("dashscope", CallKind.VIDEO): "wan2.7-t2v",
    ("dashscope", CallKind.EMBEDDING): "text-embedding-v4",
    ("dashscope", CallKind.RERANK): "qwen3-rerank",
    ("dashscope", CallKind.SPEECH): "qwen3-tts-flash",
    ("dashscope", CallKind.TRANSCRIPTION): "qwen3-asr-flash",
}
INPUTS: dict[CallKind, tuple[ContentPart, ...]] = {
    CallKind.RERANK: (ContentPart(Medium.TEXT, "小猫"), ContentPart(Medium.TEXT, "小狗")),
    CallKind.TRANSCRIPTION: (ContentPart(Medium.AUDIO, "https://host/a.wav"),),
}
PARAMETERS: dict[CallKind, dict[str, Json]] = {CallKind.SPEECH: {"voice": "Cherry"}}
OTHER_MODELS = {
    ("dashscope", CallKind.IMAGE, Mode.SYNC): "qwen-image-2.0",
    ("dashscope", CallKind.TRANSCRIPTION, Mode.ASYNC): "paraformer-v2",
}
"""The models of calls that the model of `ASKED` does not answer in this mode."""
EVERY = [
    pytest.param(name, kind, mode, id=f"{name}-{kind}-{mode}")
    for name, provider in PROVIDERS.items()
    for kind, mode in sorted(provider.can)
]


@pytest.mark.parametrize(("name", "kind", "mode"), EVERY)
def test_every_call_of_can_is_answered(sandbox: str, name: str, kind: CallKind, mode: Mode) -> None:
    """Each kind of call is answered in each mode of `can`, with a view for each part."""
    messages = HELLO if kind is CallKind.CHAT else ()
    model = OTHER_MODELS.get((name, kind, mode), ASKED[name, kind])
    inputs = INPUTS.get(kind, ())
    if (name, kind) == ("zhipuai", CallKind.TRANSCRIPTION):
        inputs = (ContentPart(Medium.AUDIO, "a.wav", Path(__file__)),)  # any file
    no_prompt = bool(messages) or kind is CallKind.TRANSCRIPTION
    call = Call(
        kind,
        mode,
        model,
        messages,
        "" if no_prompt else "小猫",
        PARAMETERS.get(kind, {}),
        inputs=inputs,
    )
    with sandbox_session(name, sandbox) as session:
        reply = session.send(call)
    assert isinstance(reply, Reply)
    assert reply.content or reply.files or reply.vectors or reply.ranking
    is_file = any(file.data for file in reply.files)  # the answer itself
    assert is_file or len(reply.views) >= max(1, len(reply.states), len(reply.pieces))
    assert not any(
        isinstance(v, AccessFailure) for view in reply.views for v in view.accessed.values()
    )
    assert bool(reply.pieces) == (mode is Mode.STREAM)
    assert bool(reply.states) == bool(reply.task_id) == (mode is Mode.ASYNC)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVIDERS)
def test_connections_do_not_outlive_a_session(name: str, sandbox: str) -> None:
    """A session's connections are closed at its end, even if the session is still referenced."""
    port = httpx.URL(sandbox).port
    before = set(_open_to(port))  # other tests' connections to the same sandbox
    with sandbox_session(name, sandbox) as session:
        session.send(Call(CallKind.CHAT, Mode.SYNC, ASKED[name, CallKind.CHAT], HELLO))
        assert len(set(_open_to(port)) - before) == 1
    assert set(_open_to(port)) <= before
    assert session is not None


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_stream_with_an_error_is_closed(name: str) -> None:
    """After an error inside a stream its connection is closed."""
    errors = {
        "zhipuai": stream_answer(
            'data: {"error": {"code": "1234", "message": "m"}}', "data: [DONE]"
        ),
        "dashscope-compatible": stream_answer('data: {"error": {"code": "c", "message": "m"}}'),
        "dashscope": stream_answer('event:error\ndata:{"code": "c", "message": "m"}', "data:{}"),
    }
    call = Call(CallKind.CHAT, Mode.STREAM, ASKED[name, CallKind.CHAT], HELLO)
    with (
        serve_answers(errors[name]) as server,
        PROVIDERS[name].open("a.b", server.address, lambda _: None) as session,
    ):
        outcome = session.send(call)
        assert isinstance(outcome, Failure)
        assert list(_open_to(httpx.URL(server.address).port)) == []


def _open_to(port: int | None) -> Iterator[socket.socket]:
    for thing in gc.get_objects():
        if isinstance(thing, socket.socket) and thing.fileno() != -1:
            with suppress(OSError, IndexError):  # not connected, or no network's
                if thing.getpeername()[1] == port:
                    yield thing


@pytest.mark.parametrize(
    "module",
    ["harness.providers", "harness.runner", "harness.config.environment", "harness.intercept"],
)
def test_importing_the_providers_imports_no_sdk(python: Any, module: str) -> None:
    """SDKs, whose import takes a second, are imported only when a session is opened."""
    code = f"import sys, {module}; print(*{{'zhipuai', 'dashscope', 'vcr'}} & set(sys.modules))"
    assert python("-c", code).stdout == "\n"


def test_each_session_imports_its_own_sdk_only(python: Any) -> None:
    """A session with one provider does not import the SDK of another."""
    code = (
        "import sys\nfrom harness.providers import PROVIDERS\n"
        "from harness.types import Call, CallKind, Message, Mode\n"
        "call = Call(CallKind.CHAT, Mode.SYNC, 'glm-4', (Message('user', 'hi'),))\n"
        "with PROVIDERS['zhipuai'].open('a.b', 'http://127.0.0.1:9', print) as line:\n"
        "    line.send(call)\n"
        "print(*{'zhipuai', 'dashscope'} & set(sys.modules))"
    )
    assert python("-c", code).stdout == "zhipuai\n"


# ------------------------------------------------------------------------------ access paths


class _Odd:
    """An SDK object whose property raises."""

    @property
    def moody(self) -> str:
        raise KeyError("mood")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("choices[0].name", "a"),
        ("choices[1].name", AccessFailure("IndexError: list index out of range")),
        ("choices.name", AccessFailure("AttributeError: 'list' object has no attribute 'name'")),
        (
            "other",
            AccessFailure(
                "AttributeError: 'types.SimpleNamespace' object has no attribute 'other'"
            ),
        ),
        ("none[0]", AccessFailure("TypeError: 'NoneType' object is not subscriptable")),
        ("odd.moody", AccessFailure("KeyError: 'mood'")),
        ("none", None),
    ],
)
def test_paths_are_walked_on_the_object_itself(path: str, value: Any) -> None:
    """An access path gives the value on the object itself, or the error that it raises."""
    thing = SimpleNamespace(choices=[SimpleNamespace(name="a")], none=None, odd=_Odd())
    assert access(thing, [path]) == {path: value}


# --------------------------------------------------------------------------- small readings


def test_the_cause_of_an_error_is_in_its_message() -> None:
    """The message of an error is followed by its cause, unless it contains it."""
    error = RuntimeError("Connection error.")
    assert failure_of(error) == Failure(0, "RuntimeError", "Connection error.")
    error.__cause__ = OSError("no route")
    assert failure_of(error) == Failure(0, "RuntimeError", "Connection error. (no route)")
    error = RuntimeError("broken: no route")
    error.__cause__ = OSError("no route")
    assert failure_of(error) == Failure(0, "RuntimeError", "broken: no route")


# --------------------------------------------------------------------------------- downloads


def test_an_image_is_downloaded(sandbox: str) -> None:
    """The file behind an answered link is downloaded."""
    with sandbox_session("zhipuai", sandbox) as session:
        reply = session.send(Call(CallKind.IMAGE, Mode.SYNC, "cogview-3", prompt="小猫"))
    assert isinstance(reply, Reply)
    data = download(reply.images[0].url)
    assert data is not None
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, "gone", ()),
        Answer(500, "", ()),
        Answer(302, "", (("location", "/elsewhere"),)),
        Answer(200, "cut", (), hangs_up=True),
        Answer(hangs_up=True),
    ],
    ids=repr,
)
def test_what_cannot_be_downloaded_is_none(answer: Answer) -> None:
    """Refusals, redirects and broken connections give None, after one request each."""
    with serve_answers(answer) as server:
        assert download(server.address) is None
    assert len(server.requests) == 1


def test_a_large_file_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The download of a file larger than the limit is given up."""
    monkeypatch.setattr(http, "LARGEST", 3)
    with serve_answers(Answer(200, "abc", ()), Answer(200, "abcd", ())) as server:
        assert download(server.address) == b"abc"
        assert download(server.address) is None


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://x/a", "//x/a", "", "http://["])
def test_only_http_links_are_downloaded(link: str) -> None:
    """Links come from answers and are not trusted: only http and https are fetched."""
    assert download(link) is None


def test_a_message_has_no_empty_members() -> None:
    """A message is sent without members that it does not need."""
    from harness.providers.openai.session import message

    assert message(Message("user", "你好")) == {"role": "user", "content": "你好"}


def test_a_provider_without_a_sandbox_module_has_no_server() -> None:
    """The sandbox does not serve it, and serves the others."""
    elsewhere = replace(PROVIDERS["zhipuai"], package="harness.wire")
    assert elsewhere.server is None
    assert set(PROVIDER_SERVERS) <= set(PROVIDERS)


def test_an_unknown_provider_is_refused() -> None:
    """A provider is found by its name; an unknown name is refused with the known ones."""
    assert find_provider("zhipuai").name == "zhipuai"
    with pytest.raises(
        HarnessError, match="unknown provider 'nobody'; known are zhipuai, dashscope"
    ):
        find_provider("nobody")


def test_every_client_finds_the_sandbox() -> None:
    """zai-sdk has variables of its own, and the key of Zhipu's server; so does LiteLLM."""
    variables = sandbox_variables("http://h")
    assert variables["ZAI_BASE_URL"] == variables["ZHIPUAI_API_BASE"] == "http://h/api/paas/v4"
    assert variables["ZAI_API_KEY"] == variables["ZHIPUAI_API_KEY"]
    assert {client.key_variable for client in CLIENTS} <= variables.keys()
