"""API keys: an answer to a refused key is never replayed to another, nor vice versa."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import dashscope
import httpx
import pytest
import zhipuai
from dashscope_sdk import close_shared_sync_session
from zhipuai.core._jwt_token import generate_token

import harness
from harness.cassette import store
from harness.cassette.reader import loads
from harness.cassette.writer import dumps
from harness.errors import CassetteMiss
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.providers import NO_KEY
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.dashscope.session import WRONG_KEY as DASHSCOPE_WRONG
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.providers.zhipu.session import WRONG_KEY as ZHIPUAI_WRONG
from harness.secrets.fingerprint import NO_CREDENTIALS
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request, Response

pytestmark = pytest.mark.slow

ASKED = [{"role": "user", "content": "你好"}]
Ask = Callable[[str, str], int]
"""Asks the same at an address with a key; the HTTP status."""


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    """Close the session that DashScope's SDK shares."""
    yield
    close_shared_sync_session()


def zhipu(base: str, key: str) -> int:
    """Ask with Zhipu's SDK, which sends the key itself."""
    return _zhipu(base, key, disable_token_cache=True)


def zhipu_signed(base: str, key: str) -> int:
    """Ask with Zhipu's SDK, which sends a token signed with the key."""
    generate_token.cache_clear()
    return _zhipu(base, key, disable_token_cache=False)


def _zhipu(base: str, key: str, **options: Any) -> int:
    address = f"{base}/api/paas/v4"
    with zhipuai.ZhipuAI(api_key=key, base_url=address, max_retries=0, **options) as client:
        try:
            client.chat.completions.create(model="glm-4", messages=ASKED)
        except zhipuai.APIStatusError as error:
            return int(error.status_code)
        return 200


def dash(base: str, key: str) -> int:
    """Ask with DashScope's SDK."""
    call: Any = dashscope.Generation.call
    answer = call("qwen-flash", messages=ASKED, api_key=key, base_address=f"{base}/api/v1")
    return int(answer.status_code)


def plain(base: str, key: str) -> int:
    """Ask without an SDK."""
    body = {"model": "glm-4", "messages": ASKED}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    address = f"{base}/api/paas/v4/chat/completions"
    return httpx.post(address, json=body, headers=headers).status_code


DUMMY = "0123456789abcdef0123456789abcdef.DummyDummyDummyD"
EVERY = [
    pytest.param(zhipu, ZHIPUAI_KEY, ZHIPUAI_WRONG, id="zhipuai"),
    pytest.param(zhipu_signed, ZHIPUAI_KEY, ZHIPUAI_WRONG, id="zhipuai, signed"),
    pytest.param(dash, DASHSCOPE_KEY, DASHSCOPE_WRONG, id="dashscope"),
    pytest.param(plain, ZHIPUAI_KEY, ZHIPUAI_WRONG, id="httpx"),
    pytest.param(plain, ZHIPUAI_KEY, "", id="httpx without a key"),
]


def recorded(base: str, ask: Ask, *keys: str) -> Cassette:
    """Return a cassette of one question asked with each key, through its text."""
    tape = Recorder(Redactor((ZHIPUAI_KEY, DASHSCOPE_KEY)))
    with use_tape(tape):
        statuses = [ask(base, key) for key in keys]
    cassette = Cassette(tape.exchanges())
    assert [e.response.status for e in cassette.exchanges] == statuses
    assert loads(dumps(cassette)).exchanges[0].key == cassette.exchanges[0].key
    return loads(dumps(cassette))


@pytest.mark.parametrize(("ask", "right", "wrong"), EVERY)
def test_each_key_gets_its_own_answer(sandbox: str, ask: Ask, right: str, wrong: str) -> None:
    """Each key gets its own answer in any order; an unknown key gets that of the accepted one."""
    cassette = recorded(sandbox, ask, right, wrong, right)
    assert [e.response.status for e in cassette.exchanges] == [200, 401, 200]
    for order in set(permutations([(right, 200), (wrong, 401), (DUMMY, 200)])):
        tape = Player(cassette)
        with use_tape(tape):
            for key, status in order:
                assert ask("http://elsewhere.invalid", key) == status
        assert tape.unused() == ()


@pytest.mark.parametrize(("ask", "right", "wrong"), EVERY)
def test_a_refusal_is_not_replayed_to_another_key(
    sandbox: str, ask: Ask, right: str, wrong: str
) -> None:
    """The refusal of one key is a miss for another, and the message names no key."""
    cassette = recorded(sandbox, ask, wrong)
    for key in (right, DUMMY, NO_KEY):
        with (
            use_tape(Player(cassette)),
            pytest.raises(CassetteMiss, match="with another key") as caught,
        ):
            ask("http://elsewhere.invalid", key)
        assert "was refused (HTTP 401)" in str(caught.value)
        assert not any(part in str(caught.value) for part in (key, *key.split(".")) if part)
    with use_tape(Player(cassette)):
        assert ask("http://elsewhere.invalid", wrong) == 401


@pytest.mark.parametrize(("ask", "right", "wrong"), EVERY)
def test_a_refused_key_gets_no_answer_of_another_key(
    sandbox: str, ask: Ask, right: str, wrong: str
) -> None:
    """A refused key gets no answer of another key to the same request."""
    cassette = recorded(sandbox, ask, right, wrong)
    with use_tape(Player(cassette)):
        assert ask("http://elsewhere.invalid", wrong) == 401
        with pytest.raises(CassetteMiss, match="it was recorded once and is sent once more"):
            ask("http://elsewhere.invalid", wrong)
        assert ask("http://elsewhere.invalid", right) == 200


def test_the_miss_of_a_refused_key_says_so() -> None:
    """The miss of a refused key says that it was refused."""
    asked, other = Request("POST", "https://a/b", (("api-key", "wrong"),)), "https://a/c"
    key = "8810ad58"
    tape = Player(
        Cassette(
            (
                Exchange(Request("POST", other), Response(401), key=key),
                Exchange(asked, Response(200), key="0badcafe"),
            )
        )
    )
    with pytest.raises(CassetteMiss, match=r"and this key was refused \(HTTP 401\)"):
        tape.find(asked)


def test_cassettes_without_fingerprints_replay_in_order() -> None:
    """Cassettes without fingerprints are replayed in order, whatever key is used."""
    request = Request("POST", "https://a/b", (("api-key", "wrong"),))
    for statuses in ([401, 200], [401]):
        tape = Player(Cassette(tuple(Exchange(request, Response(s)) for s in statuses)))
        assert [tape.find(request).response.status for _ in statuses] == statuses


def test_an_expired_key_is_not_a_refused_one() -> None:
    """A key that was accepted before is not treated as refused."""
    request = Request("GET", "https://a/b", (("api-key", "mine"),))
    exchanges = tuple(Exchange(request, Response(status), key="0badcafe") for status in (200, 401))
    tape = Player(Cassette(exchanges))
    other = Request("GET", "https://a/b", (("api-key", "dummy"),))
    assert [tape.find(other).response.status for _ in exchanges] == [200, 401]


def test_an_accepted_key_is_recorded_beside_a_refused_one(sandbox: str, tmp_path: Path) -> None:
    """With `missing`, the answer to an accepted key is added beside that to a refused key."""
    path = tmp_path / "a.yaml"
    for key, statuses in ((ZHIPUAI_WRONG, [401]), (ZHIPUAI_KEY, [401, 200])):
        with harness.use_cassette(path, record="missing", allow_unused=True):
            assert plain(sandbox, key) == statuses[-1]
        assert [e.response.status for e in store.read(path).exchanges] == statuses
    with harness.use_cassette(path):
        assert (plain(sandbox, DUMMY), plain(sandbox, ZHIPUAI_WRONG)) == (200, 401)


def test_a_download_without_a_key_is_found_beside_a_refusal_without_one() -> None:
    """A download without a key is found on a cassette with a refusal of a request without key."""
    chat, picture = Request("POST", "https://a/chat"), Request("GET", "https://a/picture")
    tape = Player(
        Cassette(
            (
                Exchange(chat, Response(401), key=NO_CREDENTIALS),
                Exchange(picture, Response(200), key=NO_CREDENTIALS),
            )
        )
    )
    with pytest.raises(CassetteMiss, match="with another key"):
        tape.find(replace(chat, headers=(("api-key", "mine"),)))
    assert tape.find(picture).response.status == 200
    assert tape.find(chat).response.status == 401
