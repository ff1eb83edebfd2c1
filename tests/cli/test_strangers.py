"""A folder with a file that is no cassette: each command reads the rest, and names the file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Harness

CASE = Path(__file__).parents[2].parent / "shared/cases/18-folder-with-a-stranger"
STRANGERS = {
    "other.yaml": "a: 1\n",
    "compose.yaml": "services: {}\n",
    "cut.yaml": "interactions:\n- request:\n    method: POS",
    "empty.yaml": "",
    "address.yaml": (CASE / "n2.yaml").read_text().replace("https://", "https://["),
    "conflict.yaml": "interactions:\n<<<<<<< HEAD\n[]\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the case, with more strangers in it."""
    shutil.copytree(CASE, tmp_path / "c")
    for name, text in STRANGERS.items():
        (tmp_path / "c" / name).write_text(text)
    (tmp_path / "c" / "folder.yaml").mkdir()
    (tmp_path / "c" / "loop.yaml").symlink_to("loop.yaml")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["check", "c"],
        ["parse", "c"],
        pytest.param(["parse", "c", "--json"], marks=pytest.mark.slow),
        ["show", "c"],
        pytest.param(["show", "c", "c"], marks=pytest.mark.slow),
        ["compare", "c"],
        pytest.param(["compare", "c", "c"], marks=pytest.mark.slow),
        pytest.param(["compare", "c", "--fields"], marks=pytest.mark.slow),
        pytest.param(["compare", "c", "--report", "r"], marks=pytest.mark.slow),
        ["drift", "c", "c"],
        pytest.param(
            ["faults", "c", "--sdk", "openai", "--cases", "1", "--fault", "too_many_requests"],
            marks=pytest.mark.slow,
        ),
        ["contract", "learn", "c", "--contract", "k.yaml"],
        ["export", "c", "--form", "jsonl"],
    ],
    ids=" ".join,
)
def test_the_rest_is_read(harness: Harness, folder: Path, command: list[str]) -> None:
    """Each stranger is named once, with what it is; the code says that something is missing."""
    ran = harness(*command, folder=folder)
    output = ran.out + ran.err
    assert ran.code == 2, output
    for name in STRANGERS:
        assert f"{name}:" in output
    assert any(word in output for word in ("n2", "qwen", "same", "no difference", "score"))


def test_a_contract_is_checked_and_extended_by_the_rest(harness: Harness, folder: Path) -> None:
    """What was left out is named each time."""
    assert (
        harness("contract", "learn", "c/n2.yaml", "--contract", "k.yaml", folder=folder).code == 0
    )
    for name in ("check", "accept"):
        ran = harness("contract", name, "c", "--contract", "k.yaml", folder=folder)
        output = ran.out + ran.err
        assert ran.code == 2
        assert "other.yaml: not a vcrpy cassette" in output


def test_the_rest_is_served(harness: Harness, folder: Path) -> None:
    """The command's own failure comes first; a folder of strangers alone serves nothing."""
    for code, expected in ((0, 2), (7, 7)):
        ends = [sys.executable, "-c", f"exit({code})"]
        ran = harness("serve", "c", "--allow-unused", "--", *ends, folder=folder)
        assert ran.code == expected, ran.err
        for name in STRANGERS:
            assert ran.err.count(f"left out: c/{name}:") == 1
        assert "answered 0, missed 0, unused 0" in ran.err
    (folder / "d").mkdir()
    (folder / "d/empty.yaml").touch()
    ran = harness("serve", "d", "--", *ends, folder=folder)
    assert (ran.code, ran.err) == (2, "harness: no cassette in d can be read\n")


def test_a_file_that_is_named_has_to_be_readable(harness: Harness, folder: Path) -> None:
    """Nothing is done without it."""
    ran = harness("parse", "c/other.yaml", "c/n2.yaml", folder=folder)
    assert ran.code == 2
    assert (
        ran.err == "harness: c/other.yaml: not a vcrpy cassette: the key interactions is missing\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "show", "scan"])
def test_a_file_and_a_folder_without_permission(folder: Path, command: str) -> None:
    """Both are named, and the rest is read. Root has to do without its right to read them."""
    (folder / "c/locked").mkdir()
    shutil.copy(folder / "c/n2.yaml", folder / "c/closed.yaml")
    (folder / "c/closed.yaml").chmod(0)
    (folder / "c/locked").chmod(0)
    setpriv = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("no setpriv to do without rights")
    done = subprocess.run(  # noqa: S603 - the harness
        [*(() if os.geteuid() else setpriv), sys.executable, "-m", "harness.cli", command, "c"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
    )
    (folder / "c/locked").chmod(0o700)
    output = done.stdout + done.stderr
    if "error while loading" in output or "setpriv:" in output:
        pytest.skip("a process without rights cannot be started here")
    assert done.returncode == 2
    for name in ("closed.yaml", "locked"):
        assert f"c/{name}: cannot be read: Permission denied" in output
    assert any(word in output for word in ("n2", "Two", "none of"))
