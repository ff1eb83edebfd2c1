"""`--no-network`: pytest and `harness replay` in a network namespace of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from intercept.server import Server, serving

if TYPE_CHECKING:
    from conftest import Python

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
TRY = "from harness.intercept import namespace; namespace.isolate()"


def _is_possible() -> bool:
    done = subprocess.run([sys.executable, "-c", TRY], capture_output=True, check=False)  # noqa: S603
    return done.returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _is_possible(), reason="network namespaces are not to be had here"),
]


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a small server that answers by path, outside of the namespace."""
    with serving() as running:
        yield running


TESTS = """
import ctypes, os, socket, subprocess, sys
import httpx, pytest

CHILD = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"

@pytest.mark.parametrize("n", range(2))
@pytest.mark.cassette(findings="show")
def test_one(n):
    assert httpx.get(BASE + "/json").json()
    if REPLAYS:
        done = subprocess.run([sys.executable, "-c", CHILD, BASE.rpartition(":")[2]])
        assert done.returncode == 1

def test_loopback():
    with socket.create_server(("127.0.0.1", 0)) as own:
        socket.create_connection(own.getsockname()).close()
"""


@pytest.mark.parametrize(
    "processes",
    [
        (),
        pytest.param(
            ("-n", "2"),
            marks=pytest.mark.skipif(find_spec("xdist") is None, reason="no pytest-xdist"),
        ),
    ],
)
@pytest.mark.usefixtures("only_our_plugin")
def test_tests_and_their_children_have_no_network(
    pytester: pytest.Pytester, server: Server, processes: tuple[str, ...]
) -> None:
    """Tests, workers and their children reach no other machine and no service of this one."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:pytest_httpx\n")
    head = f"BASE = {server.base!r}\n"
    pytester.makepyfile(test_mine=f"{head}REPLAYS = False\n{TESTS}")
    pytester.runpytest_subprocess("--record").assert_outcomes(passed=3)
    asked = len(server.requests)
    pytester.makepyfile(test_mine=f"{head}REPLAYS = True\n{TESTS}")
    result = pytester.runpytest_subprocess("--no-network", *processes)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["harness: 2 replayed*; no test could go to the network"])
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("options", "settings", "mark", "expected"),
    [
        (["--record"], "", "", "*--no-network replays only; run it without --record*"),
        ([], "allow_hosts = ['db.example.com']", "", "*'db.example.com' cannot be reached with*"),
        ([], "", "allow_hosts=['db.example.com:80']", "*test_one*'db.example.com:80' cannot be*"),
        ([], "", "folder='s3://tapes'", "*test_one*: s3://tapes cannot be reached with --no-net*"),
    ],
)
@pytest.mark.usefixtures("only_our_plugin")
def test_what_it_excludes_is_refused_at_the_start(
    pytester: pytest.Pytester, options: list[str], settings: str, mark: str, expected: str
) -> None:
    """Recording, and allowed hosts and stores beyond loopback, are usage errors."""
    pytester.makepyprojecttoml(f"[tool.harness]\n{settings}\n")
    pytester.makepyfile(f"import pytest\n@pytest.mark.cassette({mark})\ndef test_one(): pass")
    result = pytester.runpytest_subprocess("--no-network", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([expected])


def test_it_needs_one_thread(python: Python) -> None:
    """With a second thread it is refused in one sentence, and nothing changes."""
    code = f"""
import os, threading, time
threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
before = os.readlink("/proc/self/ns/net")
try:
    {TRY}
except Exception as error:
    print(type(error).__name__, error)
print(before == os.readlink("/proc/self/ns/net"))
"""
    assert python("-c", code).stdout.splitlines() == [
        "HarnessError --no-network needs a process with one thread; "
        "a plugin or library has started others",
        "True",
    ]


def test_scenarios_are_replayed_without_network(python: Python) -> None:
    """`harness replay --no-network` replays the shipped scenarios."""
    code = "import sys; from harness.cli import main; main()"
    done = python("-c", code, "replay", "streaming", "--no-network", folder=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
