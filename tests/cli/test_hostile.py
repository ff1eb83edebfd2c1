"""Files, streams and names that are hostile: one message, no traceback, no waiting."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from conftest import clean_environment

from harness.cassette.store import write_text
from harness.config.environment import load_environment
from harness.errors import BadSettings

if TYPE_CHECKING:
    from conftest import Harness

DEADLINE = 120
"""Seconds; a command starts in one or two on a busy machine, and waits for nothing."""
LONG = "a" * 5000
SLOGAN = "cassettes/slogan/zhipuai-glm-5.3-flash.yaml"


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(harness: Harness, folder: Path) -> Iterator[Run]:
    """Run a command in this process; return its exit code and all of its output."""

    def late(_: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still busy after {DEADLINE} seconds: {frame}")

    def call(*arguments: str) -> tuple[int, str]:
        done = harness(*arguments, folder=folder)
        return done.code, done.out + done.err

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(DEADLINE)
    yield call
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def process(
    folder: Path, *arguments: str, redirect: str = "", env: Mapping[str, str] = {}
) -> tuple[int, str]:
    """Run a command in a process of its own; return its exit code and all of its output."""
    command = [sys.executable, "-m", "harness.cli", *arguments]
    if redirect:
        command = ["sh", "-c", f'"$0" "$@" {redirect}', *command]
    done = subprocess.run(  # noqa: S603 - the harness
        command,
        cwd=folder,
        env={**clean_environment(), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def messages(output: str) -> int:
    """Return how many lines say what is wrong."""
    return sum(line.startswith("harness: ") for line in output.splitlines())


FILE_COMMANDS = (
    ("check", "{}"),
    ("parse", "{}"),
    ("faults", "{}"),
    ("show", "{}"),
    ("compare", "{}", "{}"),
    ("git", "textconv", "{}"),
    ("scan", "{}"),
    ("drift", "{}", "{}"),
    ("contract", "learn", "{}", "--contract", "new.yaml"),
    ("contract", "check", SLOGAN, "--contract", "{}"),
)


def _fifo(folder: Path) -> str:
    os.mkfifo(folder / "fifo.yaml")
    return "fifo.yaml"


def _conflict(folder: Path) -> str:
    (folder / "conflict.yaml").write_text("interactions:\n<<<<<<< HEAD\n[]\n")
    return "conflict.yaml"


INPUTS: Mapping[str, Callable[[Path], str]] = {
    "a pipe": _fifo,
    "a device": lambda _: "/dev/zero",
    "a name that is too long": lambda _: f"{LONG}.yaml",
    "no file": lambda _: "nothing.yaml",
    "a merge conflict": _conflict,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("command", FILE_COMMANDS, ids=" ".join)
def test_a_file_that_is_none(folder: Path, run: Run, command: tuple[str, ...], name: str) -> None:
    """Each command ends with 2, and says why in a sentence; `textconv` shows a broken file."""
    path = INPUTS[name](folder)
    code, output = run(*(part.format(path) for part in command))
    assert "Traceback" not in output
    if command[0] in ("git", "scan") and name == "a merge conflict":
        assert code == 0
        return
    assert code == 2, output
    assert path[:100] in output
    assert len(output) < 6000


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("list", "--scenarios", LONG),
        ("prune", "--cassettes", LONG),
        ("report", "--report", LONG),
        ("replay", LONG),
        ("check", SLOGAN, "--report", f"{LONG}.xml"),
        ("check", SLOGAN, "--report", LONG),
        ("drift", "/", "/no-such-folder"),
        ("record", "slogan", "--sandbox", "--cassettes", LONG),
    ],
    ids=lambda command: f"{command[0]} {command[1][:9]}",
)
def test_a_name_that_cannot_be_one(run: Run, command: tuple[str, ...]) -> None:
    """It is refused at once, also where a folder is long to search."""
    code, output = run(*command)
    assert "Traceback" not in output
    assert code in (1, 2), output
    assert "harness: " in output or "problem" in output


ENV: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (os.mkfifo, ".env: cannot be read: not a file"),
    "not UTF-8": (
        lambda path: path.write_bytes(b"A=\xff\xfe\n"),
        ".env: cannot be read: not UTF-8 (at byte 2)",
    ),
    "a device": (lambda path: path.symlink_to("/dev/zero"), ".env: cannot be read: not a file"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENV)
@pytest.mark.parametrize("command", [("doctor",), ("record", "slogan", "--target", "zhipuai")])
def test_an_env_file_that_cannot_be_read(
    folder: Path, run: Run, command: tuple[str, ...], name: str
) -> None:
    """One sentence; nothing is recorded without the secrets in it."""
    make, message = ENV[name]
    make(folder / ".env")
    code, output = run(*command)
    assert (code, messages(output)) == (2, 1), output
    assert message in output


def test_an_env_file_without_permission(tmp_path: Path) -> None:
    """Root may read every file, so that another user tries."""
    file = tmp_path / ".env"
    file.write_text("A=1")
    file.chmod(0)
    if os.geteuid():
        with pytest.raises(BadSettings, match=r"\.env: cannot be read: Permission denied"):
            load_environment(tmp_path)
        return
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    code = "import sys; from pathlib import Path\n"
    code += "from harness.config.environment import load_environment\n"
    code += "try: load_environment(Path(sys.argv[1]))\nexcept Exception as error: print(error)"
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv to become another user")
    done = subprocess.run(  # noqa: S603 - this Python
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code, tmp_path],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        cwd="/",
    )
    if "Permission denied" in done.stderr or "error while loading" in done.stderr:
        pytest.skip("another user may not read this Python")
    assert done.stdout == f"{file}: cannot be read: Permission denied\n", done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "command", [("check", SLOGAN, "--json"), ("list",), ("--version",), ("-h",)]
)
def test_a_full_disk_behind_standard_output(folder: Path, command: tuple[str, ...]) -> None:
    """It is said once, on standard error, with exit code 2."""
    code, output = process(folder, *command, redirect="2>&1 >/dev/full")
    assert code == 2
    assert output == "harness: standard output: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", [("check", SLOGAN), ("list",)])
def test_closed_streams(folder: Path, command: tuple[str, ...]) -> None:
    """A closed standard output is said once; with both closed, the code is all there is."""
    code, output = process(folder, *command, redirect="2>&1 >&-")
    assert (code, messages(output), len(output.splitlines())) == (2, 1, 1), output
    code, output = process(folder, *command, redirect="2>&- >&-")
    assert (code, output) == (2, "")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-16"])
def test_an_encoding_without_chinese(folder: Path, encoding: str) -> None:
    """What it cannot write is escaped."""
    code, output = process(folder, "show", SLOGAN, env={"PYTHONIOENCODING": encoding})
    assert code == 0
    assert "Traceback" not in output
    if encoding != "utf-16":
        assert "\\u667a" in output


@pytest.mark.slow
def test_a_reader_that_stops(folder: Path) -> None:
    """`| head -1` is no error."""
    code, output = process(folder, "show", SLOGAN, "--wire", redirect="| head -1")
    assert (code, len(output.splitlines())) == (0, 1)


# --------------------------------------------------------------------------------- files


def test_the_umask_is_respected(tmp_path: Path) -> None:
    """A new file gets what the umask allows, a replaced one keeps its permissions."""
    before = os.umask(0o077)
    try:
        write_text(tmp_path / "a.yaml", "a")
        assert stat.S_IMODE((tmp_path / "a.yaml").stat().st_mode) == 0o600
        (tmp_path / "a.yaml").chmod(0o640)
        write_text(tmp_path / "a.yaml", "b")
        assert stat.S_IMODE((tmp_path / "a.yaml").stat().st_mode) == 0o640
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    (tmp_path / "there").mkdir()
    (tmp_path / "a.yaml").symlink_to("there/b.yaml")
    write_text(tmp_path / "a.yaml", "a")
    write_text(tmp_path / "a.yaml", "b")
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / "there" / "b.yaml").read_text() == "b"
    assert os.listdir(tmp_path / "there") == ["b.yaml"]


@pytest.mark.slow
def test_resume_replaces_no_cassette_that_it_cannot_read(folder: Path, run: Run) -> None:
    """Its answers may have been paid for."""
    path = folder / SLOGAN
    path.write_text("interactions:\n<<<<<<< HEAD\n[]\n")
    code, output = run("record", "slogan", "--sandbox", "--resume")
    assert (code, messages(output)) == (2, 1), output
    assert "a merge conflict" in output
    assert "without --resume" in output
    assert path.read_text() == "interactions:\n<<<<<<< HEAD\n[]\n"
    path.unlink()
    code, output = run("record", "slogan", "--sandbox", "--resume")
    assert code == 0, output
    assert not list(path.parent.glob(".*"))  # nothing is left over


@pytest.mark.slow
def test_a_journal_that_is_a_pipe(folder: Path, run: Run) -> None:
    """It is not waited for."""
    os.mkfifo(folder / "cassettes/slogan/.zhipuai-glm-5.3-flash.yaml.journal")
    for command in (("list",), ("record", "slogan", "--sandbox", "--target", "zhipuai")):
        code, output = run(*command)
        assert "Traceback" not in output
    assert code in (1, 2)
    assert "is not a file" in output


@pytest.mark.slow
def test_prices_that_are_a_pipe(folder: Path, run: Run) -> None:
    """They are not waited for."""
    os.mkfifo(folder / "prices.toml")
    (folder / "pyproject.toml").write_text('[tool.harness]\nprices = "prices.toml"\n')
    code, output = run("compare", "slogan")
    assert (code, messages(output)) == (2, 1), output
    assert "prices.toml: cannot be read: not a file" in output
