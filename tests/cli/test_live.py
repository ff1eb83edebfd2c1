"""Live recordings: whose key goes where, and that none is ever told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import one_process, results

from harness import runner
from harness.cassette.reader import loads
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve
from harness.types import Origin

if TYPE_CHECKING:
    from conftest import Done, Harness, Python

pytestmark = pytest.mark.slow

ZHIPU_KEY = "5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0.GEHEIMgeheim1234"
DASH_KEY = "sk-5ec2e7c0ffee4dadbeef4dad4dadbeef"
PARTS = (ZHIPU_KEY, *ZHIPU_KEY.split("."), DASH_KEY, DASH_KEY.removeprefix("sk-"))


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """What takes the place of the live services: it knows the user's keys and no other."""
    keys = {"zhipuai": ZHIPU_KEY, "dashscope": DASH_KEY}
    with serve(Options(port=0, keys=keys), PROVIDER_SERVERS) as base:
        yield base


def addresses(base: str) -> dict[str, str]:
    """The SDKs' own variables, pointed there."""
    return {
        "ZHIPUAI_BASE_URL": f"{base}/api/paas/v4",
        "DASHSCOPE_HTTP_BASE_URL": f"{base}/api/v1",
    }


def told_no_key(done: Done, folder: Path) -> None:
    """No part of a key is in what was printed or in any file, but in the user's own."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != ".env"]
    texts = [done.out, done.err, *(path.read_text(encoding="utf-8") for path in files)]
    assert not [part for part in PARTS if any(part in text for text in texts)]


def test_a_live_recording(
    harness: Harness, folder: Path, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key from the environment and one from `.env`; the cassettes say live."""
    monkeypatch.setattr(runner, "origin_of", lambda _, origin: origin)  # a sandbox stands in
    (folder / ".env").write_text(
        f"DASHSCOPE_API_KEY={DASH_KEY}\nZHIPUAI_API_KEY=wrong.wrongwrong\n"
    )

    def run(*arguments: str) -> Done:
        harness("list", folder=folder)  # clears the variables
        monkeypatch.setenv("ZHIPUAI_API_KEY", ZHIPU_KEY)
        for name, address in addresses(service).items():
            monkeypatch.setenv(name, address)
        return harness(*arguments, folder=folder)

    done = run("record", "slogan", "refusals", "--cassettes", "live")
    assert (done.code, done.err) == (0, "")
    assert done.out == "recorded 4 of 4 from the live service to live\n"
    written = list(folder.glob("live/*/*.yaml"))
    assert len(written) == 4
    for path in written:
        provenance = loads(path.read_text(encoding="utf-8")).provenance
        assert provenance.recorded_from is Origin.LIVE
        assert provenance.address.startswith(service)
    told_no_key(done, folder)
    for command in (["replay", "slogan", "refusals"], ["list"], ["show", "slogan"], ["doctor"]):
        done = run(*command, *([] if command == ["doctor"] else ["--cassettes", "live"]))
        assert done.code == 0
        told_no_key(done, folder)
    told = run("replay", "slogan", "--cassettes", "live").out
    assert "Recorded from the live providers." in told


def test_an_address_from_the_file(harness: Harness, folder: Path, service: str) -> None:
    """Addresses too may stand in `.env`, where no SDK would look for them."""
    named = {**addresses(service), "ZHIPUAI_API_KEY": ZHIPU_KEY, "DASHSCOPE_API_KEY": DASH_KEY}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in named.items()))
    done = harness("record", "slogan", "--cassettes", "live", folder=folder)
    assert (done.code, done.err) == (0, "")
    told_no_key(done, folder)


def test_the_sandbox_gets_nothing_of_the_users(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither keys nor addresses, though both are set."""
    (folder / ".env").write_text(f"ZHIPUAI_API_KEY={ZHIPU_KEY}\nDASHSCOPE_API_KEY={DASH_KEY}\n")
    with serve(Options(port=0, throttle_every=1), PROVIDER_SERVERS) as elsewhere:
        for name, address in addresses(elsewhere).items():
            monkeypatch.setenv(name, address)
        done = harness("record", "slogan", "--sandbox", "--cassettes", "new", folder=folder)
    assert (done.code, done.err) == (0, "")
    for path in folder.glob("new/*/*.yaml"):
        provenance = loads(path.read_text(encoding="utf-8")).provenance
        assert provenance.recorded_from is Origin.SANDBOX
        assert not provenance.address.startswith(elsewhere)
    told_no_key(done, folder)


def test_a_proxy_is_not_for_the_sandbox(python: Python, folder: Path) -> None:
    """Nor for a replay: one goes to this machine, the other nowhere."""
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}
    env = {**proxy, "http_proxy": proxy["HTTP_PROXY"], "no_proxy": "", "NO_PROXY": ""}
    program = one_process([("record", "slogan", "--sandbox"), ("replay", "slogan")])
    ended = results(python(*program, folder=folder, env=env))
    assert [(done.code, done.err) for done in ended] == [(0, ""), (0, "")]


@pytest.mark.parametrize(
    ("target", "variable", "name"),
    [
        ("zhipuai", "ZHIPUAI_API_KEY", "zhipuai/glm-5.3-flash"),
        ("dashscope", "DASHSCOPE_API_KEY", "dashscope/qwen-flash"),
    ],
)
def test_no_key_no_recording(
    harness: Harness, folder: Path, target: str, variable: str, name: str
) -> None:
    """The variable is named; the sandbox never stands in."""
    done = harness("record", "slogan", "-t", target, "--cassettes", "live", folder=folder)
    assert done.code == 2
    assert done.out == "recorded 0 of 1 from the live service to live\n"
    assert done.err == (
        f"harness: recording live from {target} needs a key: set {variable} (in the environment "
        "or in .env), or record from the sandbox with --sandbox\n"
    )
    assert not (folder / "live").exists()


def test_a_missing_key_is_told_once(harness: Harness, folder: Path) -> None:
    """Not once for every scenario."""
    done = harness("record", folder=folder)
    assert (done.code, len(done.err.splitlines())) == (2, 2)
    assert done.out == "recorded 0 of 6 from the live service to cassettes\n"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("zhipuai", "refused (HTTP 401, code 401): 令牌已过期或验证不正确"),
        ("dashscope", "refused (HTTP 401, code InvalidApiKey): Invalid API-key provided."),
    ],
)
def test_a_refused_key(python: Python, folder: Path, service: str, target: str, told: str) -> None:
    """One message, nothing written, no traceback; in a process as a user starts it."""
    keys = {"ZHIPUAI_API_KEY": f"{'0' * 32}.wrongwrongwrong1", "DASHSCOPE_API_KEY": "sk-wrongwrong"}
    before = snapshot(folder)
    done = python(
        *("-m", "harness.cli", "record", "slogan", "-t", target),
        folder=folder,
        env={**addresses(service), **keys},
    )
    model = {"zhipuai": "zhipuai/glm-5.3-flash", "dashscope": "dashscope/qwen-flash"}[target]
    assert done.returncode == 2
    assert done.stderr == f"harness: slogan with {model}, step 5: {told}; nothing was written\n"
    assert done.stdout == "recorded 0 of 1 from the live service to cassettes\n"
    assert snapshot(folder) == before


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Every file, byte for byte."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
