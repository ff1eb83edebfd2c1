"""The official SDKs: recorded in the sandbox, replayed offline, and no miss is swallowed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dashscope
import pytest
import zhipuai
from dashscope_sdk import close_shared_sync_session

from harness.cassette.artefacts import to_files
from harness.cassette.reader import loads
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.cassette.writer import dumps
from harness.errors import CassetteMiss
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.secrets.redactor import Redactor
from harness.types import Cassette

ASKED = [{"role": "user", "content": "你好"}]


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    """Close the session that DashScope's SDK shares."""
    yield
    close_shared_sync_session()


def zhipu(base: str, *, stream: bool) -> list[Any]:
    """Send one chat with Zhipu's SDK, with its retries."""
    address = f"{base}/api/paas/v4"
    with zhipuai.ZhipuAI(api_key=ZHIPUAI_KEY, base_url=address, max_retries=3) as client:
        answer = client.chat.completions.create(model="glm-4", messages=ASKED, stream=stream)
        return [part.model_dump() for part in answer] if stream else [answer.model_dump()]


def dash(base: str, *, stream: bool) -> list[Any]:
    """Send one chat with DashScope's SDK; return the answer without headers."""
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
def test_an_sdk_reads_the_same_from_a_replay(sandbox: str, chat: Any, stream: bool) -> None:
    """An SDK reads the same from a cassette that holds no key and that vcrpy can read."""
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
    """A CassetteMiss passes through an SDK without a retry."""
    began = time.perf_counter()
    with use_tape(Player(Cassette(()))), pytest.raises(CassetteMiss, match="the cassette is empty"):
        chat("http://elsewhere.invalid", stream=stream)
    assert time.perf_counter() - began < 60
