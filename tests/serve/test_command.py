"""The command `serve`: exit codes, what it prints, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from conftest import Done

from harness.cli import split_child_command

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = pytest.mark.slow

ASK = """
import json, os, sys, urllib.error, urllib.request
from harness.cassette.store import read
recorded = read(__import__("pathlib").Path(sys.argv[1])).exchanges
for one in recorded[: int(sys.argv[2])]:
    url = os.environ["ZHIPUAI_BASE_URL"] + one.request.uri.partition("/v4")[2]
    urllib.request.urlopen(urllib.request.Request(url, one.request.body)).read()
sys.exit(int(sys.argv[3]))
"""


@pytest.fixture
def recorded() -> Path:
    """A shipped cassette."""
    folder = Path(__file__).parents[2] / "cassettes" / "multi-turn"
    return next(path for path in sorted(folder.glob("*.yaml")) if "zhipu" in path.name)


Serve = Callable[..., Done]


@pytest.fixture
def serve(harness: Harness, tmp_path: Path) -> Serve:
    """Run `harness serve` in this process."""
    return partial(harness, "serve", folder=tmp_path)


def child(recorded: Path, requests: int, exit_code: int = 0) -> tuple[str, ...]:
    """Return a command that sends the first *requests* recorded requests."""
    return ("--", sys.executable, "-c", ASK, str(recorded), str(requests), str(exit_code))


def test_everything_answered_is_success(serve: Serve, recorded: Path) -> None:
    """Exit code 0, a line of counts on standard error."""
    done = serve(str(recorded), *child(recorded, 99))
    assert (done.code, done.out) == (0, "")
    assert re.search(r"^answered \d+, missed 0, unused 0$", done.err, re.MULTILINE)


def test_unused_requests_fail_unless_allowed(serve: Serve, recorded: Path) -> None:
    """A recorded request that the command did not send is listed, with exit code 1."""
    done = serve(str(recorded), *child(recorded, 1))
    assert done.code == 1
    assert f"unused: {recorded.stem}: POST " in done.err
    assert serve(str(recorded), "--allow-unused", *child(recorded, 1)).code == 0


def test_the_exit_code_of_the_command_is_handed_on(serve: Serve, recorded: Path) -> None:
    """Also with unused requests; a command that a signal ended gives 128 plus its number."""
    assert serve(str(recorded), *child(recorded, 1, exit_code=7)).code == 7
    killed = ("--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    assert serve(str(recorded), *killed).code == 137


def test_a_miss_fails(serve: Serve, recorded: Path) -> None:
    """The miss is printed with the nearest request."""
    code = "import os, urllib.request as u; u.urlopen(os.environ['ZHIPUAI_BASE_URL'] + '/models')"
    done = serve(str(recorded), "--", sys.executable, "-c", f"try: {code}\nexcept Exception: 0")
    assert done.code == 1
    assert "miss: no recorded answer to GET http://127.0.0.1:" in done.err


def test_many_misses_are_counted(
    serve: Serve, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones have a text, in memory and in what is printed; all of them are counted."""
    monkeypatch.setattr("harness.serve.cassettes.MOST_MISSES", 2)
    code = "import os, urllib.request as u; u.urlopen(os.environ['ZHIPUAI_BASE_URL'] + '/models')"
    program = f"for _ in range(5):\n try: {code}\n except Exception: 0"
    done = serve(str(recorded), "--", sys.executable, "-c", program)
    assert (done.code, done.err.count("miss: no recorded answer to GET ")) == (1, 2)
    assert "miss: and 3 more\n" in done.err
    assert re.search(r"^answered 0, missed 5, ", done.err, re.MULTILINE)


def test_a_command_that_sends_no_request_fails(serve: Serve, recorded: Path) -> None:
    """It may have asked the live service; replaying and recording say so."""
    nothing = ("--", sys.executable, "-c", "")
    message = "no request arrived: the command sent none, or to other addresses than these\n"
    for arguments in ((str(recorded),), ("--record", "new.yaml")):
        done = serve(*arguments, *nothing)
        assert done.code == 1
        assert message in done.err
    assert serve(str(recorded), "--allow-unused", *nothing).code == 0


def test_a_command_that_is_not_there(serve: Serve, recorded: Path) -> None:
    """One sentence, exit code 2."""
    done = serve(str(recorded), "--", "no-such-program")
    assert done.code == 2
    assert done.err.endswith(
        "harness: no-such-program cannot be started: No such file or directory; "
        "check the command after --\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_runs_until_a_signal_and_reports_as_json(recorded: Path, number: signal.Signals) -> None:
    """Without a command, standard output has a line with the variables, then the report."""
    arguments = [sys.executable, "-m", "harness.cli", "serve", "--json", "--port", "0"]
    with subprocess.Popen(  # noqa: S603
        [*arguments, str(recorded)], stdout=subprocess.PIPE, text=True, preexec_fn=_heed_signals
    ) as process:
        try:
            assert process.stdout is not None
            announced = json.loads(process.stdout.readline())
            address = announced["address"]
            assert announced["variables"]["ZHIPUAI_BASE_URL"] == f"{address}/api/paas/v4"
            assert httpx.get(f"{address}/__harness/").json()["sessions"] == []
            process.send_signal(number)
            rest = process.stdout.read()
            assert process.wait(60) == 0
        finally:  # otherwise a failure would wait for it
            process.kill()
    report = json.loads(rest)
    assert report["cassettes"] == {recorded.stem: report["cassettes"][recorded.stem]}
    assert report["exit_code"] is None


def _heed_signals() -> None:
    """Undo what a job inherits that runs in the background or under `nohup`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--record", "x.yaml", "cassettes"], "--record FILE replays nothing"),
        (["--upstream", "openai=http://x/v1"], "--upstream is for recording"),
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["--record", ""], ". is a folder; name the cassette as a file in it"),
    ],
)
def test_usage_errors(serve: Serve, arguments: list[str], message: str) -> None:
    """One sentence, exit code 2."""
    done = serve(*arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_only_some_commands_take_another() -> None:
    """For all others, `--` ends the options, as usual."""
    assert split_child_command(["serve", "a", "--", "b", "--c"]) == (["serve", "a"], ["b", "--c"])
    assert split_child_command(["check", "--", "b"]) == (["check", "--", "b"], [])
    assert split_child_command([]) == ([], [])


def test_a_port_in_use_is_said(serve: Serve, recorded: Path) -> None:
    """The address and the cause."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = serve(str(recorded), "--port", port, "--", sys.executable, "-c", "")
    assert done.code == 2
    assert f"the server cannot listen on 127.0.0.1:{port}: " in done.err
