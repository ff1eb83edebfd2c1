"""The OpenAI SDK, which uses httpx2, with the sandbox's compatible endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest

import harness
from harness.errors import CassetteMiss
from harness.intercept.httpx import patches
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request

if TYPE_CHECKING:
    from conftest import Python

pytestmark = pytest.mark.slow

ASKED: Any = [{"role": "user", "content": "你好"}]
Chat = Callable[[str, bool], list[Any]]


def sync(base: str, stream: bool) -> list[Any]:
    """Send one chat, with the SDK's retries."""
    address = f"{base}/api/paas/v4"
    with openai.OpenAI(api_key=ZHIPUAI_KEY, base_url=address, max_retries=3) as client:
        answer: Any = client.chat.completions.create(model="glm-4", messages=ASKED, stream=stream)
        return [part.model_dump() for part in answer] if stream else [answer.model_dump()]


def asynchronous(base: str, stream: bool) -> list[Any]:
    """Send one chat with the asynchronous client."""

    async def chat() -> list[Any]:
        address = f"{base}/api/paas/v4"
        async with openai.AsyncOpenAI(
            api_key=ZHIPUAI_KEY, base_url=address, max_retries=3
        ) as client:
            answer: Any = await client.chat.completions.create(
                model="glm-4", messages=ASKED, stream=stream
            )
            if stream:
                return [part.model_dump() async for part in answer]
            return [answer.model_dump()]

    return asyncio.run(chat())


@pytest.mark.parametrize("chat", [sync, asynchronous])
@pytest.mark.parametrize("stream", [False, True])
def test_openai_reads_the_same_from_a_replay(
    sandbox: str, chat: Chat, stream: bool, tmp_path: Path
) -> None:
    """The SDK reads the same from a replay, streams included, and the cassette holds no key."""
    path = tmp_path / "chat.yaml"
    with harness.use_cassette(path, record="missing", secrets=[ZHIPUAI_KEY]) as context:
        live = chat(sandbox, stream)
    assert len(context.recorded) == 1
    assert not stream or len(live) > 3
    assert ZHIPUAI_KEY not in path.read_text(encoding="utf-8")
    with harness.use_cassette(path) as context:
        assert chat("http://elsewhere.invalid", stream) == live
    assert context.findings == ()


class CountingPlayer(Player):
    """A player that remembers the requests."""

    def __init__(self) -> None:
        super().__init__(Cassette(()))
        self.asked: list[Request] = []

    def find(self, request: Request) -> Exchange:
        self.asked.append(request)
        return super().find(request)


@pytest.mark.parametrize("chat", [sync, asynchronous])
@pytest.mark.parametrize("stream", [False, True])
def test_a_miss_passes_through_the_retries_of_openai(chat: Chat, stream: bool) -> None:
    """A CassetteMiss is raised at the first attempt, without a retry."""
    tape = CountingPlayer()
    with use_tape(tape), pytest.raises(CassetteMiss, match="the cassette is empty"):
        chat("http://elsewhere.invalid", stream)
    assert len(tape.asked) == 1


def test_retries_are_replayed(sandbox: str) -> None:
    """The SDK's attempts are recorded one by one, and its waits cost nothing in a replay."""
    throttled: Any = [{"role": "user", "content": "触发限流"}]

    def chat(base: str) -> None:
        address = f"{base}/api/paas/v4"
        with openai.OpenAI(api_key=ZHIPUAI_KEY, base_url=address, max_retries=1) as client:
            client.chat.completions.create(model="glm-4", messages=throttled)

    tape = Recorder(Redactor((ZHIPUAI_KEY,)))
    with use_tape(tape), pytest.raises(openai.RateLimitError):
        chat(sandbox)
    assert [e.response.status for e in tape.exchanges()] == [429, 429]
    player = Player(Cassette(tape.exchanges()))
    with use_tape(player), pytest.raises(openai.RateLimitError):
        chat("http://elsewhere.invalid")
    assert player.unused() == ()


# ------------------------------------------------------------------------------ when it comes

LATER = """
import sys
from harness.secrets.redactor import Redactor
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.types import Cassette, Exchange, Request, Response

assert "httpx2" not in sys.modules, "the harness imported it"
with use_tape(Player(Cassette((Exchange(Request("GET", "http://a/"), Response(200)),)))):
    assert "httpx2" not in sys.modules, "the tape imported it"
    import httpx2
    {ask}
assert httpx2.HTTPTransport.handle_request.__module__.startswith("httpx2")
print(answered)
"""


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_a_library_may_be_imported_at_any_time(python: Python, library: str) -> None:
    """A library is patched if it is imported inside of a block, and restored afterwards."""
    code = LATER.format(ask='answered = httpx2.get("http://a/").status_code')
    done = python("-c", code.replace("httpx2", library))
    assert (done.stdout, done.stderr) == ("200\n", "")


def test_a_library_may_be_searched_before_it_is_imported(python: Python) -> None:
    """Code may ask inside of a block whether a library is installed, and import it later."""
    searched = 'import importlib.util; importlib.util.find_spec("httpx2"); import httpx2'
    code = LATER.replace("    import httpx2", f"    {searched}")
    code = code.format(ask='answered = httpx2.get("http://a/").status_code')
    done = python("-c", code)
    assert (done.stdout, done.stderr) == ("200\n", "")


def test_httpx2_under_the_name_of_httpx_is_patched_once(python: Python) -> None:
    """httpx2 under the name of httpx is patched once."""
    code = (
        "import httpx2\nhttpx2.alias_httpx()\nimport httpx\nassert httpx is httpx2\n"
        + LATER.replace("assert ", "0 and ").format(ask='answered = httpx.get("http://a/").text')
    )
    done = python("-c", code)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_httpx2_is_restored() -> None:
    """After the block, the functions of httpx2 are its own."""
    before = vars(httpx2.HTTPTransport)["handle_request"]
    with use_tape(Player(Cassette(()))):
        assert vars(httpx2.HTTPTransport)["handle_request"] is not before
    assert vars(httpx2.HTTPTransport)["handle_request"] is before


def test_httpx_and_httpx2_have_the_same_patches() -> None:
    """httpx and httpx2 are patched at the same names."""
    assert [name for _, name, _ in patches(httpx)] == [name for _, name, _ in patches(httpx2)]
