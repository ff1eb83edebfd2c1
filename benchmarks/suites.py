"""A pytest suite of many small cassettes: the same tests and files, with each tool's plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import cassettes
from benchmarks.speakers import ANSWER, PROVIDER_SERVERS, ProviderServer

PLUGINS: Mapping[str, tuple[str, str]] = {
    "floor": ("", ""),
    "this tape": ("harness.pytest_plugin", "@pytest.mark.cassette"),
    "vcrpy": (
        "pytest_recording.plugin",
        "@pytest.mark.vcr(match_on=['method', 'scheme', 'host', 'port', 'path', 'query', 'body'])",
    ),
    "cassetter": (
        "cassetter.pytest_plugin",
        "@pytest.mark.vcr(match_on=['method', 'uri', 'body'])",
    ),
}
"""The plugin of each way, for vcrpy that of pytest-recording, and the mark its tests have."""

_HEAD = """\
import pytest
from benchmarks.speakers import SPEAKERS

speaker = SPEAKERS[{index}]


@pytest.fixture(scope="session")
def ask():
    return {client}
"""
_TEST = """

{mark}
def test_{number}(ask):
    for number in range({asked}):
        assert ask(number)
"""
_WORDS = ANSWER[-3:]
"""What a number of the same length takes the place of, in each cassette's answers."""
_CLIENT = {"floor": "speaker.over_memory(lambda method, uri, body: speaker.answer)"}


def written(way: str, speaker: ProviderServer, count: int, asked: int, folder: Path) -> Path:
    """A folder with a suite for one way: `count` tests with `asked` questions, a cassette each."""
    suite = folder / f"{way.replace(' ', '-')}-{speaker.name.split()[0]}-{asked}"
    kept = suite / "cassettes" / "test_suite"
    kept.mkdir(parents=True)
    text = cassettes.of_exchanges(speaker, asked - 1, folder).read_text(encoding="utf-8")
    if way == "vcrpy":  # pytest-recording cannot read what newer versions of vcrpy call metadata
        text = text[text.index("\ninteractions:") + 1 :]
    for number in range(count):  # no two alike: a suite has no cassette twice
        own = text.replace(_WORDS, f"{number:0{len(_WORDS.encode())}d}")
        (kept / f"test_{number}.yaml").write_text(own, encoding="utf-8")
    client = _CLIENT.get(way, "speaker.over_its_own()")
    head = _HEAD.format(index=PROVIDER_SERVERS.index(speaker), client=client)
    tests = (
        _TEST.format(mark=PLUGINS[way][1], number=number, asked=asked) for number in range(count)
    )
    (suite / "test_suite.py").write_text(head + "".join(tests), encoding="utf-8")
    return suite


def run(way: str, suite: Path) -> None:
    """Run a suite in a process of its own, with no plugin but the one of its way.

    Raises RuntimeError if a test fails: what is fast because it does nothing is not measured.
    """
    plugin = PLUGINS[way][0]
    chosen = ["-p", plugin] if plugin else []
    done = subprocess.run(  # noqa: S603 - pytest
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, str(suite)],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.getcwd()},
        cwd=suite,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
