"""Replays without API keys: each SDK gets a placeholder while a block replays."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dashscope
import pytest
from conftest import OUR_PLUGIN

from harness import use_cassette
from harness.api.placeholders import keep_placeholders, placeholder_keys, variables
from harness.api.use_cassette import RecordMode
from harness.config.environment import load_environment
from harness.providers import NO_KEY
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
(ZHIPUAI,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

DASHSCOPE = """
import dashscope
import pytest

@pytest.mark.cassette
def test_capital():
    messages = [{"role": "user", "content": "中国的首都是哪座城市？"}]
    answer = dashscope.Generation.call(model="qwen-flash", messages=messages)
    assert "北京" in str(answer.output)
"""

OPENAI = """
import openai
import pytest

@pytest.fixture
def client():
    with openai.OpenAI() as made:
        yield made

@pytest.mark.cassette
def test_capital(client):
    messages = [{"role": "user", "content": "中国的首都是哪座城市？"}]
    answer = client.chat.completions.create(model="glm-5.3-flash", messages=messages)
    assert "北京" in answer.choices[0].message.content
"""


def without_keys() -> dict[str, str]:
    """Return the environment without the keys of all SDKs."""
    return {name: value for name, value in os.environ.items() if name not in variables()}


def isolated() -> list[str]:
    """Return the start of a command line that runs a program without a network."""
    command = ["unshare", "-rn"]
    if not shutil.which("unshare"):
        return []
    return command if subprocess.run([*command, "true"], check=False).returncode == 0 else []  # noqa: S603 - ours


def run(folder: Path, variables: Mapping[str, str], *options: str, before: list[str]) -> str:
    """Run the tests of a folder in a process of their own; return its output."""
    pytest_itself = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *options]
    done = subprocess.run(  # noqa: S603 - this Python
        [*before, *pytest_itself],
        cwd=folder,
        env={**without_keys(), **OUR_PLUGIN, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_marked_test_is_replayed_without_a_key(sandbox: str, tmp_path: Path) -> None:
    """A recorded test is replayed without a key and a network, but cannot be recorded so."""
    for name, test in {"zhipuai": ZHIPUAI, "dashscope": DASHSCOPE, "openai": OPENAI}.items():
        (tmp_path / f"test_{name}.py").write_text(test, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    addresses = {
        "ZHIPUAI_BASE_URL": f"{sandbox}/api/paas/v4",
        "DASHSCOPE_HTTP_BASE_URL": f"{sandbox}/api/v1",
        "OPENAI_BASE_URL": f"{sandbox}/api/paas/v4",
    }
    keys = {
        "ZHIPUAI_API_KEY": ZHIPUAI_KEY,
        "DASHSCOPE_API_KEY": DASHSCOPE_KEY,
        "OPENAI_API_KEY": ZHIPUAI_KEY,
    }
    assert "passed" not in run(tmp_path, addresses, "--record=missing", before=[])
    shutil.rmtree(tmp_path / "cassettes", ignore_errors=True)
    assert "3 passed" in run(tmp_path, addresses | keys, "--record=missing", before=[])
    output = run(tmp_path, addresses, before=isolated())
    assert "3 replayed, 0 recorded" in output
    assert "3 passed" in output


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all keys; one variable is set but empty."""
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setattr(dashscope, "api_key", None)


def dashscope_key() -> object:
    """Return the key that dashscope read when it was imported."""
    return dashscope.api_key


@pytest.mark.usefixtures("no_keys")
def test_the_environment_is_restored(tmp_path: Path) -> None:
    """The environment is restored after nested blocks; a key that was set inside stays."""
    before = dict(os.environ)
    replayed = use_cassette(Path(__file__).parents[2] / CASSETTE, allow_unused=True)
    with replayed, placeholder_keys():
        assert {os.environ[name] for name in variables()} == {NO_KEY}
        assert dashscope.api_key == NO_KEY
        assert not set(variables()) & set(load_environment(tmp_path).variables)
    assert (dict(os.environ), dashscope_key()) == (before, None)
    with placeholder_keys():
        os.environ["OPENAI_API_KEY"] = "sk-mine"
    assert dict(os.environ) == {**before, "OPENAI_API_KEY": "sk-mine"}


@pytest.mark.usefixtures("no_keys")
def test_placeholders_can_be_kept_between_blocks(tmp_path: Path) -> None:
    """Kept placeholders stay until they need not, except while requests may be sent."""
    before = dict(os.environ)
    keep_placeholders(True)
    try:
        with placeholder_keys():
            pass
        assert os.environ["ZHIPUAI_API_KEY"] == dashscope_key() == NO_KEY
        with use_cassette(tmp_path / "a.yaml", record="all"):
            assert (dict(os.environ), dashscope_key()) == (before, None)
        with placeholder_keys():
            assert os.environ["ZHIPUAI_API_KEY"] == NO_KEY
    finally:
        keep_placeholders(False)
    assert (dict(os.environ), dashscope_key()) == (before, None)


CASSETTE = "cassettes/slogan/zhipuai-glm-5.3-flash.yaml"


@pytest.mark.parametrize("record", ["missing", "all"])
@pytest.mark.usefixtures("no_keys")
def test_no_placeholder_is_set_while_requests_may_be_sent(
    record: RecordMode, tmp_path: Path
) -> None:
    """In a block that may record there is no placeholder, even inside of one that replays."""
    before = dict(os.environ)
    with placeholder_keys():
        with use_cassette(tmp_path / "a.yaml", record=record):
            assert (dict(os.environ), dashscope_key()) == (before, None)
        assert os.environ["ZHIPUAI_API_KEY"] == dashscope.api_key == NO_KEY


def test_a_key_that_is_set_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in an SDK's variable or in dashscope's setting is not changed."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-mine")
    monkeypatch.setattr(dashscope, "api_key", "sk-other")
    with placeholder_keys():
        assert (os.environ["DASHSCOPE_API_KEY"], dashscope.api_key) == ("sk-mine", "sk-other")
