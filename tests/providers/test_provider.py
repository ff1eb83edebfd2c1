"""What all providers share."""

from __future__ import annotations

import gc
import io
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from PIL import Image

from harness.providers import PROVIDERS, http
from harness.providers.http import download
from harness.providers.sdk import access, failure_of, is_passing, retry_after
from harness.providers.servers import PROVIDER_SERVERS
from harness.types import AccessFailure, Call, CallKind, Failure, Message, Mode, Reply

from .scripted import Answer, serve_answers, stream_answer
from .sessions import HELLO, sandbox_session

ASKED = {
    ("zhipuai", CallKind.CHAT): "glm-4",
    ("zhipuai", CallKind.IMAGE): "cogview-3",
    ("dashscope", CallKind.CHAT): "qwen-flash",
    ("dashscope", CallKind.PROMPT): "qwen-flash",
    ("dashscope", CallKind.IMAGE): "wanx-v1",
}
EVERY = [
    pytest.param(name, kind, mode, id=f"{name}-{kind}-{mode}")
    for name, provider in PROVIDERS.items()
    for kind, mode in sorted(provider.can)
]


@pytest.mark.parametrize(("name", "kind", "mode"), EVERY)
def test_what_a_provider_says_it_can_it_does(
    sandbox: str, name: str, kind: CallKind, mode: Mode
) -> None:
    """Every kind of call in every mode of the table is answered, with a view for each part."""
    messages = HELLO if kind is CallKind.CHAT else ()
    call = Call(kind, mode, ASKED[name, kind], messages, "" if messages else "小猫")
    with sandbox_session(name, sandbox) as session:
        reply = session.send(call)
    assert isinstance(reply, Reply)
    assert reply.content or reply.images
    assert len(reply.views) >= max(1, len(reply.states), len(reply.pieces))
    assert not any(
        isinstance(v, AccessFailure) for view in reply.views for v in view.accessed.values()
    )
    assert bool(reply.pieces) == (mode is Mode.STREAM)
    assert bool(reply.states) == bool(reply.task_id) == (mode is Mode.ASYNC)


@pytest.mark.parametrize("name", PROVIDERS)
def test_connections_do_not_outlive_a_session(name: str, sandbox: str) -> None:
    """Closed at the end, although somebody still holds the session."""
    port = httpx.URL(sandbox).port
    with sandbox_session(name, sandbox) as session:
        session.send(Call(CallKind.CHAT, Mode.SYNC, ASKED[name, CallKind.CHAT], HELLO))
        assert len(list(_open_to(port))) == 1
    assert list(_open_to(port)) == []
    assert session is not None


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_stream_that_is_given_up_is_closed(name: str) -> None:
    """After an error in its middle nobody reads on; the connection is not left open."""
    errors = {
        "zhipuai": stream_answer(
            'data: {"error": {"code": "1234", "message": "m"}}', "data: [DONE]"
        ),
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
    """They cost a second; only who uses one pays for it."""
    code = f"import sys, {module}; print(*{{'zhipuai', 'dashscope', 'vcr'}} & set(sys.modules))"
    assert python("-c", code).stdout == "\n"


def test_each_session_imports_its_own_sdk_only(python: Any) -> None:
    """Who asks one provider does not pay for the other."""
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
    """An SDK object with a will of its own."""

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
    """As a user would; what that raises is the value."""
    thing = SimpleNamespace(choices=[SimpleNamespace(name="a")], none=None, odd=_Odd())
    assert access(thing, [path]) == {path: value}


# --------------------------------------------------------------------------- small readings


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("", None),
        (None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1.2.3", None),
        ("²", None),
        ("nan", None),
    ],
)
def test_seconds_to_wait(header: str | None, value: float | None) -> None:
    """A number of seconds, or nothing."""
    assert retry_after(header) == value


@pytest.mark.parametrize(
    ("status", "passing"), [(0, False), (400, False), (401, False), (429, True), (500, True)]
)
def test_which_refusals_pass(status: int, passing: bool) -> None:
    """Too many requests, or a server's fault."""
    assert is_passing(Failure(status, "c", "m")) is passing


def test_what_was_raised_says_why() -> None:
    """The cause too, unless the message has it already."""
    error = RuntimeError("Connection error.")
    assert failure_of(error) == Failure(0, "RuntimeError", "Connection error.")
    error.__cause__ = OSError("no route")
    assert failure_of(error) == Failure(0, "RuntimeError", "Connection error. (no route)")
    error = RuntimeError("broken: no route")
    error.__cause__ = OSError("no route")
    assert failure_of(error) == Failure(0, "RuntimeError", "broken: no route")


# --------------------------------------------------------------------------------- downloads


def test_a_picture_is_fetched(sandbox: str) -> None:
    """The bytes behind a link that was answered."""
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
def test_what_is_no_picture_is_none(answer: Answer) -> None:
    """Refusals, redirects and broken connections; one request each."""
    with serve_answers(answer) as server:
        assert download(server.address) is None
    assert len(server.requests) == 1


def test_a_picture_may_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, not kept in memory."""
    monkeypatch.setattr(http, "LARGEST", 3)
    with serve_answers(Answer(200, "abc", ()), Answer(200, "abcd", ())) as server:
        assert download(server.address) == b"abc"
        assert download(server.address) is None


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://x/a", "//x/a", "", "http://["])
def test_only_links_of_the_web_are_followed(link: str) -> None:
    """A link comes from an answer and is not trusted."""
    assert download(link) is None


def test_a_message_has_only_what_it_has() -> None:
    """No empty keys."""
    from harness.providers.openai.session import message

    assert message(Message("user", "你好")) == {"role": "user", "content": "你好"}


def test_a_provider_without_a_sandbox_module_has_no_server() -> None:
    """The sandbox does not serve it, and serves the others."""
    elsewhere = replace(PROVIDERS["zhipuai"], package="harness.providers.openai")
    assert elsewhere.server is None
    assert set(PROVIDER_SERVERS) <= set(PROVIDERS)
