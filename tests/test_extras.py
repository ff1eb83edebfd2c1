"""The core by itself: what works without the extras, and how a command says what it misses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import environments
import pytest
from conftest import Done, clean_environment, one_process, results
from environments import ROOT, Environment

from harness.errors import HarnessError, MissingExtra

if TYPE_CHECKING:
    from conftest import Python

Commands = Callable[..., list[Done]]

EXTRA_PACKAGES = (
    *("PIL", "aiohttp", "anthropic", "dashscope", "h11", "httptools", "hypothesis", "jinja2"),
    *("jwt", "markupsafe", "openai", "starlette", "uvicorn", "zai", "zhipuai"),
)
"""The import names of what the extras install; rich has `markdown_it` in the core."""

REPLAY = """
import json, sys
from pathlib import Path

import harness
import {library}
{send}
from harness.cassette.store import read

for path in sorted(Path("cassettes").glob("[!r]*/*.yaml")):  # `refusals` need a wrong key
    recorded = [exchange.request for exchange in read(path).exchanges]
    with harness.use_cassette(path):
        for request in recorded:
            sent = dict(request.headers)
            sent.pop("Host", None), sent.pop("host", None)
            send(request.method, request.uri, sent, request.body)
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
"""A program that makes each request of the shipped cassettes, and prints what is imported."""

SENDING = {
    "httpx": "def send(method, url, headers, body):\n"
    "    httpx.request(method, url, headers=headers, content=body).read()\n",
    "requests": "def send(method, url, headers, body):\n"
    "    requests.request(method, url, headers=headers, data=body).content\n",
}

OPENING = {"httpx": "httpx.Client().close()", "requests": "requests.Session().close()"}


@pytest.fixture(scope="session")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with only the core."""
    return environments.create(tmp_path_factory.mktemp("core"), wheel)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the shipped cassettes and scenarios."""
    for name in ("cassettes", "scenarios"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def commands(core: Environment, folder: Path) -> Commands:
    """Run commands in one process of the core."""

    def run(*commands: tuple[str, ...]) -> list[Done]:
        program = ("-W", "error", *one_process(commands))
        return results(core.run(*program, folder=folder, env=clean_environment()))

    return run


@pytest.mark.slow
def test_the_core_has_no_extra(core: Environment, tmp_path: Path) -> None:
    """So that the other tests of this file are about the core."""
    code = f"from importlib.util import find_spec; print(*filter(find_spec, {EXTRA_PACKAGES}))"
    done = core.run("-c", code, folder=tmp_path, env=clean_environment())
    assert (done.stdout, done.stderr) == ("\n", "")


NEED_NO_EXTRA = (
    ("--version",),
    ("--help",),
    ("list",),
    ("show", "multi-turn/zhipuai"),
    ("show", "multi-turn/zhipuai", "--wire"),
    ("check", "cassettes"),
    ("check", "cassettes", "--json", "--report", "junit.xml"),
    ("scan", "cassettes"),
    ("compare", "slogan/zhipuai", "slogan/dashscope"),
    ("drift", "cassettes", "cassettes"),
    ("contract", "learn", "cassettes"),
    ("prune",),
    ("rules",),
    ("rules", "--explain", "image_decodes"),
    ("schema",),
    ("doctor",),
    ("git", "textconv", "cassettes/slogan/zhipuai-glm-5.3-flash.yaml"),
)
NEED_AN_EXTRA = (
    (("demo",), "all"),
    (("sandbox",), "sandbox"),
    (("record", "--sandbox"), "sandbox"),
    (("replay", "slogan", "-t", "zhipuai"), "zhipu"),
    (("replay", "slogan", "-t", "dashscope"), "dashscope"),
    (("parse", "cassettes"), "zhipu"),
    (("parse", "cassettes", "--sdk", "zai-sdk"), "zai"),
    (("parse", "cassettes", "--sdk", "openai"), "openai"),
    (("faults", "cassettes"), "dashscope"),
    (("faults", "cassettes", "--sdk", "zhipuai"), "zhipu"),
    (("report",), "report"),
    (("check", "cassettes", "--report", "page.html"), "report"),
    (("check", "cassettes", "--report", "folder"), "report"),
)


@pytest.mark.slow
def test_commands_that_need_no_extra(commands: Commands) -> None:
    """They work in the core, without a warning."""
    for arguments, done in zip(NEED_NO_EXTRA, commands(*NEED_NO_EXTRA), strict=True):
        assert (done.code, done.err) == (0, ""), arguments
        assert done.out, arguments
        assert "Traceback" not in done.out, arguments


@pytest.mark.slow
def test_commands_that_need_an_extra(commands: Commands) -> None:
    """One sentence with the command that installs it; exit code 2, no traceback."""
    given = [arguments for arguments, _ in NEED_AN_EXTRA]
    for (arguments, extra), done in zip(NEED_AN_EXTRA, commands(*given), strict=True):
        assert done.code == 2, (arguments, done)
        assert f"pip install 'llm-conversation-harness[{extra}]'" in done.out + done.err
        assert "Traceback" not in done.out + done.err


@pytest.mark.slow
def test_a_rule_that_needs_an_extra(commands: Commands) -> None:
    """It says that it did not check, and is no error; sizes of images need no library."""
    (done,) = commands(("check", "cassettes/kitten-image"))
    assert done.code == 0
    said = "image_decodes: not checked: PIL is not installed; install it with: pip install "
    assert done.out.count(said) == 2
    assert done.out.count("not checked") == 2


@pytest.mark.slow
def test_scenarios_as_tests_without_their_sdk(core: Environment, folder: Path) -> None:
    """Each fails with the sentence alone."""
    arguments = ("-m", "pytest", "-q", "scenarios/slogan.yaml")
    done = core.run(*arguments, folder=folder, env=clean_environment())
    assert done.returncode == 1
    assert "zhipuai is not installed; install it with: pip install " in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_strategies_without_hypothesis(core: Environment, tmp_path: Path) -> None:
    """The import says what is missing, as an ImportError that tests can skip for."""
    code = "import pytest, harness; pytest.importorskip('harness.strategies', exc_type=ImportError)"
    done = core.run("-c", code, folder=tmp_path, env=clean_environment())
    assert "hypothesis is not installed; install it with: pip install 'llm" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("library", SENDING)
def test_the_core_replays(
    library: str, wheel: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Over the HTTP libraries of the user's code, without any SDK."""
    alone = environments.create(tmp_path_factory.mktemp(library), wheel, [library])
    program = REPLAY.format(library=library, send=SENDING[library])
    done = alone.run("-c", program, folder=folder, env=clean_environment())
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("library", SENDING)
def test_a_replay_imports_no_extra(library: str, python: Python, folder: Path) -> None:
    """Where everything is installed, a replay imports what the user's code imports."""
    done = python("-c", REPLAY.format(library=library, send=SENDING[library]), folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    imported = set(json.loads(done.stdout))
    alone = f"import json, sys, {library}; {OPENING[library]}; print(json.dumps([*sys.modules]))"
    plain = python("-c", alone, folder=folder)
    of_the_user = {name.partition(".")[0] for name in json.loads(plain.stdout)}
    assert imported & {*EXTRA_PACKAGES, *SENDING, "urllib3", "anyio"} <= of_the_user
    assert (
        imported & {"jsonschema", "referencing", "vcr", "deepdiff", "pydantic", "pytest"} == set()
    )


def test_a_missing_extra_is_an_error_of_both_kinds() -> None:
    """Commands print it; code that skips for a missing module does so."""
    error = MissingExtra("it is missing", name="it")
    assert isinstance(error, HarnessError)
    assert isinstance(error, ModuleNotFoundError)
    assert (str(error), error.name) == ("it is missing", "it")
