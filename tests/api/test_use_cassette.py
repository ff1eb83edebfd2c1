"""`harness.use_cassette`: a cassette for the user's own code."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from intercept.server import Server

import harness
from harness.api.use_cassette import RecordMode
from harness.cassette import store
from harness.errors import (
    BadCassette,
    CassetteMiss,
    HarnessError,
    NoCassette,
    SecretNotRedacted,
    UnusedExchanges,
)
from harness.secrets import redactor
from harness.types import Origin

if TYPE_CHECKING:
    from conftest import Python


def get(server: Server, path: str = "/json") -> str:
    """Return the response to a request."""
    return httpx.get(server.base + path).text


def recorded(server: Server, path: Path, *paths: str) -> Path:
    """Record some requests; return the path of the cassette."""
    with harness.use_cassette(path, record="all"):
        for name in paths:
            get(server, name)
    return path


def test_recorded_and_replayed(server: Server, tmp_path: Path) -> None:
    """A recorded block is replayed by default, and the context shows what passed."""
    path = tmp_path / "deep" / "one.yaml"
    with harness.use_cassette(path, record="missing") as context:
        live = get(server)
    assert (len(context.recorded), context.replayed, context.written) == (1, (), True)
    provenance = store.read(path).provenance
    assert provenance.recorded_from is Origin.LIVE
    assert provenance.recorded_at
    with harness.use_cassette(path) as context:
        assert get(server) == live
        assert len(context.exchanges) == 1
    assert (context.recorded, len(context.replayed), context.used_network) == ((), 1, False)
    assert len(server.requests) == 1


def test_missing_adds_and_all_records_again(server: Server, tmp_path: Path) -> None:
    """`missing` adds exchanges after the recorded ones, and `all` replaces them."""
    path = recorded(server, tmp_path / "a.yaml", "/json")
    with harness.use_cassette(path, record="missing") as context:
        get(server, "/nothing")
        get(server, "/json")
    assert [e.response.status for e in context.exchanges] == [204, 200]
    assert [e.response.status for e in store.read(path).exchanges] == [200, 204]
    recorded(server, path, "/nothing")
    assert [e.response.status for e in store.read(path).exchanges] == [204]


def test_missing_replaces_what_is_no_longer_asked(server: Server, tmp_path: Path) -> None:
    """After a changed prompt, `missing` replaces the old exchange, and the next replay passes."""
    path = tmp_path / "a.yaml"
    for prompt in ("first", "second"):
        with harness.use_cassette(path, record="missing"):
            get(server, "/json")
            httpx.post(f"{server.base}/echo", content=prompt)
    assert [e.request.body for e in store.read(path).exchanges] == [b"", b"second"]
    with harness.use_cassette(path):
        get(server, "/json")
        httpx.post(f"{server.base}/echo", content="second")
    assert len(server.requests) == 3


def test_missing_keeps_what_may_be_unused(server: Server, tmp_path: Path) -> None:
    """With `allow_unused`, `missing` only adds."""
    path = tmp_path / "a.yaml"
    for prompt in ("first", "second"):
        with harness.use_cassette(path, record="missing", allow_unused=True):
            httpx.post(f"{server.base}/echo", content=prompt)
    assert [e.request.body for e in store.read(path).exchanges] == [b"first", b"second"]


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ConnectError])
def test_a_test_that_expects_a_network_failure_is_green_offline(
    server: Server, tmp_path: Path, error: type[Exception]
) -> None:
    """The failure is on the cassette, no rule judges it, and the replay raises the same error."""
    path = tmp_path / "a.yaml"
    base = server.base if error is httpx.ReadTimeout else "http://127.0.0.1:9"

    def ask() -> None:
        patience = httpx.Timeout(60, read=0.2)
        with pytest.raises(error):
            httpx.post(f"{base}/waiting", content="{}", timeout=patience, trust_env=False)

    with harness.use_cassette(path, record="all"):
        ask()
    server.go.set()
    with harness.use_cassette(path) as context:
        ask()
    assert context.findings == ()
    (kept,) = store.read(path).exchanges
    assert kept.broken_off is not None


@pytest.mark.parametrize("record", ["missing", "all"])
def test_a_block_that_raises_writes_nothing(
    server: Server, tmp_path: Path, record: RecordMode
) -> None:
    """A block that raises leaves the cassette unchanged."""
    path = recorded(server, tmp_path / "a.yaml", "/json")
    before = path.read_bytes()
    context = harness.use_cassette(path, record=record)

    def block() -> None:
        with context:
            get(server, "/nothing")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        block()
    assert path.read_bytes() == before
    assert (context.used_network, context.written) == (True, False)


def test_a_response_that_is_not_read_is_recorded_as_far_as_it_came(
    server: Server, tmp_path: Path
) -> None:
    """A response of which only the head is read is recorded and replayed."""
    path = tmp_path / "a.yaml"
    with httpx.Client() as client:
        asked = client.build_request("GET", f"{server.base}/stream")
        with harness.use_cassette(path, record="all") as context:
            unread = client.send(asked, stream=True)
        assert len(unread.read()) > 0
        assert (unread.status_code, context.written) == (200, True)
        with harness.use_cassette(path):
            assert client.send(asked).status_code == 200


@pytest.mark.parametrize("record", ["missing", "all"])
def test_nothing_new_writes_nothing(server: Server, tmp_path: Path, record: RecordMode) -> None:
    """A block without new exchanges leaves the cassette unchanged, date included."""
    path = recorded(server, tmp_path / "a.yaml", "/json")
    before = path.stat().st_mtime_ns
    with harness.use_cassette(path, record=record, allow_unused=True):
        pass
    assert path.stat().st_mtime_ns == before


def test_a_missing_cassette_is_an_error(tmp_path: Path) -> None:
    """A missing cassette is an error before the block runs, and says how to record it."""
    message = r"there is no cassette .*a\.yaml; record it: with record=\"missing\""
    with pytest.raises(NoCassette, match=message), harness.use_cassette(tmp_path / "a.yaml"):
        raise AssertionError("not reached")


@pytest.mark.parametrize("record", ["none", "missing"])
def test_a_broken_cassette_is_not_overwritten(tmp_path: Path, record: RecordMode) -> None:
    """A broken cassette is an error in every mode, and is not overwritten."""
    path = tmp_path / "a.yaml"
    path.write_text("interactions: [")
    with pytest.raises(BadCassette), harness.use_cassette(path, record=record):
        raise AssertionError("not reached")


@pytest.mark.parametrize("record", ["none", "missing"])
def test_unused_requests_fail_the_block(server: Server, tmp_path: Path, record: RecordMode) -> None:
    """Unused recorded requests fail the block, unless they are allowed or it failed already."""
    path = recorded(server, tmp_path / "a.yaml", "/json", "/nothing")
    message = f"a.yaml: 1 unused recorded request; .*\n  GET {server.base}/nothing$"
    with pytest.raises(UnusedExchanges, match=message), harness.use_cassette(path, record=record):
        get(server)
    with harness.use_cassette(path, record=record, allow_unused=True) as context:
        get(server)
    assert len(context.unused) == 1
    with pytest.raises(ValueError, match="mine"), harness.use_cassette(path, record=record):
        raise ValueError("mine")


def test_an_unrecorded_request_is_a_miss(server: Server, tmp_path: Path) -> None:
    """A request that is not on the cassette is a CassetteMiss and is not sent."""
    path = recorded(server, tmp_path / "a.yaml", "/json")
    with pytest.raises(CassetteMiss), harness.use_cassette(path):
        get(server, "/nothing")
    assert len(server.requests) == 1


def in_a_thread(server: Server) -> None:
    """Make a request in a thread whose error is swallowed."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(get, server, "/nothing")


def among_others(server: Server) -> None:
    """Make a request in a task whose error is returned as a value."""

    async def ask() -> None:
        async with httpx.AsyncClient() as client:
            await client.get(server.base + "/nothing")

    async def gathered() -> None:
        await asyncio.gather(ask(), return_exceptions=True)

    asyncio.run(gathered())


@pytest.mark.parametrize("ask", [in_a_thread, among_others])
def test_a_swallowed_miss_is_raised_at_the_end(
    server: Server, tmp_path: Path, ask: Callable[[Server], None]
) -> None:
    """A miss that a thread or a task swallowed is raised at the end of the block."""
    path = recorded(server, tmp_path / "a.yaml", "/json")
    context = harness.use_cassette(path, allow_unused=True)
    with pytest.raises(CassetteMiss, match="swallowed by a thread") as caught, context:
        ask(server)
    assert "/nothing" in str(caught.value)
    assert len(server.requests) == 1


def test_messages_hold_no_secrets(server: Server, tmp_path: Path) -> None:
    """Messages about a cassette with secrets do not show them."""
    path = recorded(server, tmp_path / "a.yaml", "/json?key=hush-word")
    assert "hush-word" in path.read_text()
    for wrong, ask in ((UnusedExchanges, ""), (CassetteMiss, "/nothing")):
        with (
            pytest.raises(wrong) as caught,
            harness.use_cassette(path, secrets=["hush-word"]),
        ):
            _ = ask and get(server, ask)
        assert "/json" in str(caught.value) or "key=REDACTED" in str(caught.value)
        assert "hush-word" not in str(caught.value)


def test_secrets_and_volatile_values(server: Server, tmp_path: Path) -> None:
    """Given secrets are not written, and volatile values are ignored."""
    path, word = tmp_path / "a.yaml", "my-own-secret"

    def ask(seed: int) -> object:
        return httpx.post(f"{server.base}/echo", json={"key": word, "seed": seed}).json()["key"]

    options = {"secrets": [word], "volatile": ["/seed"]}
    with harness.use_cassette(path, record="all", **options):  # type: ignore[arg-type]
        assert ask(1) == word
    assert word not in path.read_text()
    with harness.use_cassette(path, secrets=[word]):
        assert ask(2) == "REDACTED"


def test_settings_of_the_project_are_added(server: Server, tmp_path: Path) -> None:
    """Settings of pyproject.toml are added, and not written into the cassette."""
    path, words = tmp_path / "deep" / "a.yaml", "[tool.harness]\nvolatile = ['/seed']\n"

    def ask(seed: int, time: int) -> None:
        httpx.post(f"{server.base}/echo", json={"seed": seed, "time": time})

    with harness.use_cassette(path, record="all", volatile=["/time"]):
        ask(1, 1)
    with pytest.raises(CassetteMiss, match="/seed"), harness.use_cassette(path):
        ask(2, 2)
    (tmp_path / "pyproject.toml").write_text(words)
    for volatile in ([], ["/time"]):
        with harness.use_cassette(path, volatile=volatile):
            ask(2, 2)
    with harness.use_cassette(path, record="missing", volatile=["/x"], allow_unused=True):
        ask(2, 2)
    assert store.read(path).provenance.volatile == ("/x",)
    (tmp_path / "pyproject.toml").write_text(f"{words}allow_hosts = ['localhost']\n")
    with harness.use_cassette(path, allow_unused=True) as context:
        ask(3, 3)
    assert context.replayed == ()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ZHIPUAI_API_KEY", "0123456789abcdef0123456789abcdef.TestTestTestTest"),
        ("AZURE_OPENAI_API_KEY", "0123456789abcdef0123456789abcdef"),
        ("DB_PASSWORD", "hunter2hunter2"),
    ],
)
def test_keys_of_the_environment_are_not_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    """Keys of the environment are not written."""
    monkeypatch.setenv(name, key)
    with harness.use_cassette(tmp_path / "a.yaml", record="all"):
        httpx.post(f"{server.base}/echo", content=key)
    assert key not in (tmp_path / "a.yaml").read_text()


def test_a_body_that_cannot_be_scanned_is_not_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that cannot be scanned for secrets fails the block, and nothing is written."""
    path = tmp_path / "a.yaml"
    monkeypatch.setattr(redactor, "DECODERS", {"x-odd": "odd"})
    with pytest.raises(SecretNotRedacted), harness.use_cassette(path, record="all"):
        get(server, "/odd-coding")
    assert not path.exists()


def test_recordings_of_the_sandbox_say_so(sandbox: str, tmp_path: Path) -> None:
    """A recording of the sandbox says so, and the rules check it."""
    path = tmp_path / "a.yaml"
    with harness.use_cassette(path, record="all") as context:
        httpx.post(f"{sandbox}/api/paas/v4/chat/completions", json={})
    assert store.read(path).provenance.recorded_from is Origin.SANDBOX
    assert context.findings == ()
    path.write_text(path.read_text().replace("code: 401", "code: 200"))
    with harness.use_cassette(path) as context:
        httpx.post(f"{sandbox}/api/paas/v4/chat/completions", json={})
    assert {finding.source for finding in context.findings} == {str(path)}


def test_as_a_decorator(server: Server, tmp_path: Path) -> None:
    """Each call of a decorated function is a block, also of an asynchronous one."""
    path = recorded(server, tmp_path / "a.yaml", "/json")

    @harness.use_cassette(path)
    def one() -> str:
        return get(server)

    @harness.use_cassette(path)
    async def other() -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{server.base}/json")).text

    async def both() -> list[str]:
        return list(await asyncio.gather(other(), other()))

    assert one() == one()
    assert asyncio.run(both()) == [one(), one()]
    assert len(server.requests) == 1


def test_as_a_decorator_of_a_generator(server: Server, tmp_path: Path) -> None:
    """The block of a decorated generator lasts until its end."""
    path = recorded(server, tmp_path / "a.yaml", "/json")

    @harness.use_cassette(path)
    def fixture() -> Iterator[str]:
        yield "before"
        yield get(server)

    before = fixture()
    assert next(before) == "before"
    assert next(before) == '{"answer":"你好"}'
    assert list(before) == []
    assert len(server.requests) == 1


def test_classes_and_asynchronous_generators_cannot_be_decorated(tmp_path: Path) -> None:
    """A class or an asynchronous generator cannot be decorated."""

    async def pieces() -> AsyncIterator[int]:
        yield 1

    class Some:
        pass

    for what in (pieces, Some):
        with pytest.raises(
            HarnessError, match=f"^{what.__name__}: only functions and generators can"
        ):
            harness.use_cassette(tmp_path / "a.yaml")(what)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            {"record": "sometimes"},
            "record='sometimes' is not valid; expected one of: none, missing, all",
        ),
        ({"volatile": "/seed"}, "volatile: expected a list of strings"),
        ({"secrets": "my-own-secret"}, "secrets: expected a list of strings"),
        ({"secrets": [7]}, "secrets: expected a list of strings"),
        ({"allow_hosts": [7]}, "allow_hosts: expected a list of strings"),
        (
            {"volatile": ["/a", "seed"]},
            "volatile: 'seed' is not a JSON pointer; expected for example '/seed'",
        ),
        ({"normalize_request": 7}, "normalize_request: expected a function"),
        ({"before_record": "x"}, "before_record: expected a function"),
    ],
)
def test_wrong_arguments_are_errors(tmp_path: Path, wrong: dict[str, Any], expected: str) -> None:
    """A wrong argument is an error of one line, without secrets."""
    with pytest.raises(HarnessError) as caught:
        harness.use_cassette(tmp_path / "a.yaml", **wrong)
    assert str(caught.value) == expected


def test_a_cassette_of_a_scenario_can_be_used(tmp_path: Path) -> None:
    """The cassette of a scenario can be used like any other."""
    shipped = Path(__file__).parents[2] / "cassettes"
    (path, *_) = sorted(shipped.rglob("*.yaml"))
    shutil.copy(path, tmp_path / "a.yaml")
    with pytest.raises(UnusedExchanges), harness.use_cassette(tmp_path / "a.yaml"):
        pass


def test_importing_the_package_loads_no_module(python: Python) -> None:
    """`import harness` loads no other module, and unknown names raise AttributeError."""
    code = "import sys, harness; print([m for m in sys.modules if m.startswith('harness')])"
    assert python("-c", code).stdout == "['harness']\n"
    done = python("-c", "import harness; harness.use_tapes")
    assert "module 'harness' has no attribute 'use_tapes'" in done.stderr


def test_a_block_inside_another_has_its_own_cassette(server: Server, tmp_path: Path) -> None:
    """A nested block uses its own cassette, and then the outer one is used again."""
    outer, inner = tmp_path / "outer.yaml", tmp_path / "inner.yaml"
    modes: tuple[RecordMode, ...] = ("all", "none")
    for record in modes:
        with harness.use_cassette(outer, record=record) as one:
            get(server)
            with harness.use_cassette(inner, record=record) as other:
                get(server, "/nothing")
            get(server)
        assert (len(one.exchanges), len(other.exchanges)) == (2, 1)
