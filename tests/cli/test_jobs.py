"""`--jobs N`: the commands say the same, in the same order, whatever the number of processes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "--target", "dashscope"],
        ["compare", "cassettes", "--fields", "--json"],
        ["compare", "cassettes", "--json"],
        ["compare", "cassettes", "cassettes"],
        ["compare", "cassettes", "cassettes", "--json"],
        ["compare", "slogan"],
        ["drift", "cassettes", "cassettes"],
        ["drift", "cassettes", "cassettes", "--json"],
        ["contract", "learn", "cassettes", "--contract", "{out}"],
        ["parse", "cassettes", "--sdk", "dashscope"],
    ],
    ids=" ".join,
)
def test_the_result_is_the_same(harness: Harness, tmp_path: Path, arguments: list[str]) -> None:
    """Of the shipped cassettes; times are those of a replay."""
    said = []
    for jobs in "12":
        out = tmp_path / "contract.yaml"
        chosen = [word.format(out=out) for word in arguments]
        done = harness(*chosen, "--jobs", jobs, folder=ROOT)
        written = out.read_text("utf-8") if out.exists() else ""
        out.unlink(missing_ok=True)
        said.append((done.code, re.sub(r"[\d.]+ m?s\b", "", done.out), done.err, written))
    assert said[0] == said[1]
    assert said[0][0] == 0
    assert said[0][2] == ""


KILLER = """
import os, signal
from pathlib import Path
from harness.cassette import store

parent, whole = os.getpid(), store.parsed

def parsed(content: bytes, path: Path) -> object:
    if os.getpid() != parent and path.parent.name == "weather-tool":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(content, path)

store.parsed = parsed
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked there")
@pytest.mark.parametrize(
    "arguments",
    [
        ["contract", "learn", "cassettes", "--contract", "{out}"],
        ["compare", "cassettes"],
        ["compare", "cassettes", "cassettes", "--json"],
        ["compare", "cassettes", "--fields"],
        ["drift", "cassettes", "cassettes", "--json"],
        ["check", "cassettes", "--no-cache"],
        ["replay"],
    ],
    ids=" ".join,
)
def test_a_killed_process_is_an_error(tmp_path: Path, arguments: list[str]) -> None:
    """And not a shorter result, nor a wait without end."""
    chosen = [word.format(out=tmp_path / "contract.yaml") for word in arguments]
    program = f"{KILLER}\nfrom harness.cli import main\nmain()"
    done = subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-c", program, *chosen, "--jobs", "2"],
        cwd=ROOT,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"a process was ended from outside" in done.stderr
    assert not (tmp_path / "contract.yaml").exists()
