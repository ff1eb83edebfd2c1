"""A pytest suite of many small cassettes: the same tests and files with each tool's plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import cassettes, measuring
from benchmarks.clients import ANSWER, CLIENTS, Client

FIRST = "first run"
"""This tape in a run that knows no cassette yet; the difference is what the rules cost."""

PLUGINS: Mapping[str, tuple[str, str]] = {
    "floor": ("", ""),
    "this tape": ("harness.pytest_plugin", "@pytest.mark.cassette"),
    FIRST: ("harness.pytest_plugin", "@pytest.mark.cassette"),
    "vcrpy": (
        "pytest_recording.plugin",
        "@pytest.mark.vcr(match_on=['method', 'scheme', 'host', 'port', 'path', 'query', 'body'])",
    ),
    "cassetter": (
        "cassetter.pytest_plugin",
        "@pytest.mark.vcr(match_on=['method', 'uri', 'body'])",
    ),
}
"""Per tool: its pytest plugin (for vcrpy that of pytest-recording) and the mark of its tests."""

_HEAD = """\
import pytest
from benchmarks.clients import CLIENTS

client = CLIENTS[{index}]


@pytest.fixture(scope="session")
def ask():
    return {ask}
"""
_TEST = """

{mark}
def test_{number}(ask):
    for number in range({calls_each}):
        assert ask(number)
"""
_WORDS = ANSWER[-3:]
"""The end of each answer; a number of the same length replaces it."""
_CLIENT = {"floor": "client.over_memory(lambda method, uri, body: client.answer)"}


def written(tool: str, client: Client, count: int, calls_each: int, folder: Path) -> Path:
    """Write a suite for *tool*: `count` tests of `calls_each` calls, each with its cassette."""
    suite = folder / f"{tool.replace(' ', '-')}-{client.name.split()[0]}-{calls_each}"
    cassette_folder = suite / "cassettes" / "test_suite"
    cassette_folder.mkdir(parents=True)
    (suite / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # the root folder
    text = cassettes.of_exchanges(client, calls_each - 1, folder).read_text(encoding="utf-8")
    if tool == "vcrpy":  # pytest-recording cannot read what newer versions of vcrpy call metadata
        text = text[text.index("\ninteractions:") + 1 :]
    for number in range(count):  # all different, as in a real suite
        text_of_test = text.replace(_WORDS, f"{number:0{len(_WORDS.encode())}d}")
        (cassette_folder / f"test_{number}.yaml").write_text(text_of_test, encoding="utf-8")
    ask = _CLIENT.get(tool, "client.over_http()")
    head = _HEAD.format(index=CLIENTS.index(client), ask=ask)
    tests = (
        _TEST.format(mark=PLUGINS[tool][1], number=number, calls_each=calls_each)
        for number in range(count)
    )
    (suite / "test_suite.py").write_text(head + "".join(tests), encoding="utf-8")
    return suite


def started(tool: str, suite: Path) -> subprocess.Popen[bytes]:
    """Start a suite in a process of its own, with no plugin but its tool's.

    It exits with 3 if a test fails, so that a suite that does nothing is not measured.
    """
    plugin = PLUGINS[tool][0]
    chosen = ["-p", plugin] if plugin else []
    if tool == FIRST:
        chosen.append("--cache-clear")
    return measuring.started(
        *(sys.executable, "-c", _EXIT, "-q", *chosen, str(suite)),
        folder=suite,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTHONPATH=os.getcwd(),
    )


_EXIT = "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]) and 3)"
