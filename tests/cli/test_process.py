"""The command line as a process: signals, terminals, streams, and what is imported."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from conftest import interruptible

from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve

if TYPE_CHECKING:
    from conftest import Python

pytestmark = pytest.mark.slow

HEAVY = (  # but pydantic: typer itself imports it
    *("zhipuai", "dashscope", "vcr", "httpx", "requests", "urllib3", "starlette"),
    *("uvicorn", "deepdiff", "jinja2", "jsonschema", "PIL", "yaml", "numpy", "aiohttp"),
)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["record", "--help"]], ids=" ".join
)
def test_help_imports_nothing_heavy(python: Python, arguments: list[str]) -> None:
    """So that it answers at once, which a test cannot time."""
    code = (
        "import sys\nfrom harness.cli import main\n"
        f"sys.argv = ['harness', *{arguments}]\n"
        "try: main()\n"
        f"finally: print('heavy:', *{{*{HEAVY}}} & {{*sys.modules}})"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("heavy:\n")


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_cassette_is_read_without_what_runs_scenarios(python: Python, command: str) -> None:
    """The import of a run, and of contracts, takes longer than the check of a small cassette."""
    unused = ("asyncio", "harness.contracts", "harness.runner")
    code = (
        "import sys\nfrom harness.cli import main\n"
        f"sys.argv = ['harness', {command!r}, {str(_CASSETTE)!r}]\n"
        "try: main()\n"
        f"finally: print('heavy:', *{{*{unused}}} & {{*sys.modules}})"
    )
    assert python("-c", code).stdout.endswith("heavy:\n")


_CASSETTE = next((Path(__file__).parents[2] / "cassettes").rglob("*.yaml"))


def test_the_list_of_commands_imports_only_the_command_line(python: Python) -> None:
    """No command's module and no rich: each takes longer than the text."""
    code = (
        "import sys\nfrom harness.cli import main\nsys.argv = ['harness', '--help']\n"
        "try: main()\n"
        "finally: print(*sorted(n for n in sys.modules if n.startswith(('harness.', 'rich'))))"
    )
    loaded = python("-c", code).stdout.splitlines()[-1]
    own = ("app", "help_texts", "masked_output")
    cli = [f"harness.cli.{name}" for name in own]
    assert loaded.split() == ["harness.cli", *cli, "harness.errors", "harness.locale"]


def test_a_process_says_the_same(python: Python, folder: Path) -> None:
    """As a module and as the installed command; quiet where nobody waits."""
    done = python("-m", "harness.cli", "replay", "slogan", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "ok: 2 transcripts" in done.stdout


def test_a_terminal_shows_what_is_done(folder: Path) -> None:
    """Progress on stderr, where it is a terminal; it is wiped away."""
    shown, out = _on_a_terminal("replay", "slogan", folder=folder)
    assert b"[1/2] slogan with" in shown
    assert b"\x1b[2K" in shown
    assert b"\x1b" not in out


def test_a_terminal_shows_how_many_are_done(folder: Path) -> None:
    """Where several are played at once."""
    shown, out = _on_a_terminal("replay", "--jobs", "3", folder=folder)
    assert b"[6/6] " in shown
    assert b"\x1b" not in out


def _on_a_terminal(*arguments: str, folder: Path) -> tuple[bytes, bytes]:
    """What a command that goes well shows on a terminal, and what it prints elsewhere."""
    ours, theirs = pty.openpty()
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-m", "harness.cli", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
        check=False,
    )
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert done.returncode == 0
    return shown, done.stdout


@contextmanager
def started(
    *arguments: str, folder: Path, env: Mapping[str, str] = os.environ
) -> Iterator[subprocess.Popen[str]]:
    """The command line, running; it does not outlive the test."""
    with interruptible():
        running = subprocess.Popen(  # noqa: S603 - this Python
            [sys.executable, "-u", "-m", "harness.cli", *arguments],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    with running as process:
        try:
            yield process
        finally:
            process.kill()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side is closed
        return b""


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_ctrl_c_while_recording(folder: Path, jobs: str) -> None:
    """Code 130 and one line; what was recorded before is whole, and nothing lies beside it.

    But for journals of what was answered: keys that nobody owns are refused without latency.
    """
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with (
        serve(Options(port=0, latency=30), PROVIDER_SERVERS) as base,
        started("record", "--jobs", jobs, folder=folder, env=_live(base)) as process,
    ):
        _await_connections(base, min(int(jobs), 6))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err == "harness: interrupted; what was recorded before is untouched\n"
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    journals = {path for path in after if path.suffix == ".journal"}
    assert {path.parent.name for path in journals} <= {"refusals"}
    assert {path: after[path] for path in after if path not in journals} == before


@pytest.mark.parametrize(
    "imported", ["harness.cli", "typer", "harness.cli.check", "harness.checks"]
)
def test_ctrl_c_during_imports(python: Python, folder: Path, imported: str) -> None:
    """Code 130 and one line, however early: imports are most of the time of a short command."""
    code = (
        "import sys\nfrom harness.__main__ import main\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {imported!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, CtrlC())\n"
        "sys.argv = ['harness', 'check', 'cassettes']\n"
        "main()"
    )
    done = python("-c", code, folder=folder)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "harness: interrupted; what was recorded before is untouched\n"


def test_the_package_runs_as_the_command(python: Python) -> None:
    """By `python -m harness`, where no script is installed."""
    done = python("-m", "harness", "--version")
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "harness", "")


def _live(base: str) -> dict[str, str]:
    """The environment of somebody whose live services are at this address."""
    return {
        **os.environ,
        "ZHIPUAI_API_KEY": PROVIDER_SERVERS["zhipuai"].key,
        "ZHIPUAI_BASE_URL": f"{base}/api/paas/v4",
        "DASHSCOPE_API_KEY": PROVIDER_SERVERS["dashscope"].key,
        "DASHSCOPE_HTTP_BASE_URL": f"{base}/api/v1",
    }


@pytest.mark.parametrize("jobs", ["1", "6"])
def test_nobody_there(folder: Path, python: Python, jobs: str) -> None:
    """One line for each job, and no traceback of an SDK."""
    names = ("slogan", "single-turn-messages", "single-turn-prompt", "refusals")
    told = ("record", *names, "--jobs", jobs)
    done = python("-m", "harness.cli", *told, folder=folder, env=_live(NOBODY))
    assert done.returncode == 2
    assert done.stdout == "recorded 0 of 6 from the live service to cassettes\n"
    lines = done.stderr.splitlines()
    assert len(lines) == 6
    assert all(re.fullmatch("harness: .*; nothing was written", line) for line in lines)


NOBODY = "http://127.0.0.1:1"
"""Nothing listens at port 1."""


def _await_connections(base: str, count: int) -> None:
    """Until so many are connected to the server, which then keeps them waiting."""
    port = f":{int(base.rsplit(':', 1)[1]):04X}"
    for _ in range(2400):
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        there = sum(line.split()[2].endswith(port) and line.split()[3] == "01" for line in lines)
        if there >= count:
            time.sleep(0.2)  # the request itself follows the connection
            return
        time.sleep(0.05)
    raise AssertionError("nobody came")


@pytest.fixture
def _in_the_background() -> Iterator[None]:
    """These tests as `nohup make test &` starts them: SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_in_the_background")
def test_ctrl_c_ends_the_sandbox(tmp_path: Path) -> None:
    """It says how to reach it, and ends without a word."""
    with started("sandbox", "--port", "0", folder=tmp_path) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(6)]
        base = told[2].split("=", 1)[1].strip()
        answer = httpx.get(base + "/nowhere", trust_env=False)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert answer.headers["x-sandbox"] == "harness"
    assert "It is not the real service" in told[0]
    assert [line.split("=")[0] for line in told[2:]] == [
        "export ZHIPUAI_BASE_URL",
        "export ZHIPUAI_API_KEY",
        "export DASHSCOPE_HTTP_BASE_URL",
        "export DASHSCOPE_API_KEY",
    ]
    assert (process.returncode, err) == (0, "")


def test_a_reader_that_has_seen_enough(python: Python, folder: Path) -> None:
    """`harness rules | head -1` ends as other programs do by SIGPIPE, and prints nothing."""
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'harness.cli', *sys.argv[1:]]\n"
        "process = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "process.stdout.close()\n"
        "sys.exit(process.wait())"
    )
    for command in (["rules"], ["rules", "--help"], ["schema"], ["serve", "cassettes"]):
        done = python("-c", code, *command, folder=folder)
        assert (done.returncode, done.stdout, done.stderr) == (141, "", ""), command
