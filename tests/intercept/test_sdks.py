"""The official SDKs meet a tape: recorded in the sandbox, replayed offline, no miss swallowed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dashscope
import pytest
import zhipuai
from dashscope.api_entities.http_request import close_shared_sync_session

from harness.cassette import dumps, loads, to_files
from harness.errors import CassetteMiss
from harness.intercept import Player, Recorder, check_vcrpy_reads, use_tape
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.secrets.redactor import Redactor
from harness.types import Cassette

ASKED = [{"role": "user", "content": "你好"}]


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    """DashScope's SDK shares one session; none is left behind."""
    yield
    close_shared_sync_session()


def zhipu(base: str, *, stream: bool) -> list[Any]:
    """One chat with Zhipu's SDK, its retries on."""
    address = f"{base}/api/paas/v4"
    with zhipuai.ZhipuAI(api_key=ZHIPUAI_KEY, base_url=address, max_retries=3) as client:
        answer = client.chat.completions.create(model="glm-4", messages=ASKED, stream=stream)
        return [part.model_dump() for part in answer] if stream else [answer.model_dump()]


def dash(base: str, *, stream: bool) -> list[Any]:
    """One chat with DashScope's SDK; its headers are left out, as not all of them are kept."""
    call: Any = dashscope.Generation.call
    answer = call(
        "qwen-flash",
        messages=ASKED,
        stream=stream,
        api_key=DASHSCOPE_KEY,
        base_address=f"{base}/api/v1",
    )
    parts = list(answer) if stream else [answer]
    return [{name: part[name] for name in part if name != "headers"} for part in parts]


@pytest.mark.parametrize("chat", [zhipu, dash])
@pytest.mark.parametrize("stream", [False, True])
def test_an_sdk_reads_from_the_tape_what_it_read_live(
    sandbox: str, chat: Any, stream: bool
) -> None:
    """By way of a file that holds no key, and that stock vcrpy reads."""
    tape = Recorder(Redactor((ZHIPUAI_KEY, DASHSCOPE_KEY)))
    with use_tape(tape):
        live = chat(sandbox, stream=stream)
    cassette = Cassette(tape.exchanges())
    text = dumps(cassette)
    check_vcrpy_reads(to_files(cassette), cassette)
    assert ZHIPUAI_KEY not in text
    assert DASHSCOPE_KEY not in text
    player = Player(loads(text))
    with use_tape(player):
        assert chat("http://elsewhere.invalid", stream=stream) == live
    assert player.unused() == ()


@pytest.mark.parametrize("chat", [zhipu, dash])
@pytest.mark.parametrize("stream", [False, True])
def test_an_sdk_does_not_swallow_a_miss(chat: Any, stream: bool) -> None:
    """Nor does it try again, and sleep, before it lets it through."""
    began = time.perf_counter()
    with use_tape(Player(Cassette(()))), pytest.raises(CassetteMiss, match="the cassette is empty"):
        chat("http://elsewhere.invalid", stream=stream)
    assert time.perf_counter() - began < 1
