"""README: every command is run as a user would, every link leads somewhere, in every language."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import clean_environment

from harness.providers import PROVIDERS
from harness.providers.rules import RULES
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve
from harness.scenario.files import check_rules, loads

ROOT = Path(__file__).parent.parent
READMES = sorted(ROOT.glob("README*.md"))
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
    "build",
    "dist",
    "tests",
)
READY = ROOT / ".venv" / ".ready"


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks(ENGLISH, "sh") for line in block.splitlines() if line]
SCENARIO, IGNORE = blocks(ENGLISH, "yaml")


def _is_ready() -> bool:
    """Whether `make` would use the virtual environment as it is, and set up nothing."""
    made_from = (ROOT / "pyproject.toml", ROOT / "constraints.txt")
    return READY.exists() and all(READY.stat().st_mtime >= f.stat().st_mtime for f in made_from)


def _not_run(command: str) -> str:
    """Why a command is not run from within the tests; empty if it is."""
    if command == "make test":
        return "this is what runs these tests"
    if command == "pip install .":
        return "tests/test_packaging.py builds the wheel; the environment is not changed by tests"
    if command == "make demo" and not _is_ready():
        return "make has not set up .venv here, and tests do not"
    if command == "make demo" and shutil.which("make") is None:
        return "there is no make here"
    return ""


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    output: str


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, with the scenario that README has a reader write."""
    folder = shutil.copytree(ROOT, tmp_path_factory.mktemp("readme") / "copy", ignore=LEFT_OUT)
    if _is_ready():
        (folder / ".venv").symlink_to(ROOT / ".venv")
    (name,) = re.findall(r"`(scenarios/\w+\.yaml)`:\n\n```yaml", ENGLISH)
    (folder / name).write_text(SCENARIO, encoding="utf-8")
    saved = re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)^```$", ENGLISH, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in saved] == ["my_client.py", "test_mine.py", "test_parser.py"]
    for name, code in saved:
        (folder / name).write_text(code, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(scratch: Path) -> Iterator[Mapping[str, Ran]]:
    """Every command, run in the order of the page; the slow demos beside the others."""
    keys = {name: f"{'0123456789abcdef' * 2}.{p.key_variable}" for name, p in PROVIDERS.items()}
    with serve(Options(port=0, keys=keys), PROVIDER_SERVERS) as base:
        env = {**clean_environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        for name, provider in PROVIDERS.items():
            env[provider.key_variable] = keys[name]
            env[provider.address_variable] = base + PROVIDER_SERVERS[name].prefix
        todo = [command for command in COMMANDS if not _not_run(command)]
        slow = {c: _start(c, scratch, env) for c in todo if c.endswith(" demo")}
        done = {c: _end(_start(c, scratch, env)) for c in todo if c not in slow}
        yield done | {command: _end(process) for command, process in slow.items()}


def _start(command: str, folder: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S602 - the commands of our own README, as a shell takes them
        command,
        shell=True,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> Ran:
    output, _ = process.communicate(timeout=120)
    return Ran(process.returncode, output)


@pytest.mark.slow
@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_commands_do_what_the_page_says(command: str, request: pytest.FixtureRequest) -> None:
    """Each ends well, in the order of the page, in a copy of this repository."""
    reason = _not_run(command)
    if reason:
        pytest.skip(f"{command}: {reason}")
    done = request.getfixturevalue("ran")[command]
    assert done.code == 0, done.output
    assert "Traceback" not in done.output


@pytest.mark.slow
def test_the_recording_is_live(ran: Mapping[str, Ran], scratch: Path) -> None:
    """The one that the page makes with the reader's keys; the others are not."""
    assert ran["harness record slogan --target zhipuai"].output == (
        "recorded 1 of 1 from the live service to cassettes\n"
    )
    rows = [line.split() for line in ran["harness list"].output.splitlines()]
    live = [row[:2] for row in rows if row and row[-1] == "live"]
    assert live == [["slogan", "zhipuai/glm-5.3-flash"]]
    assert (scratch / "junit.xml").is_file()
    assert (scratch / "cassettes" / "capital" / "zhipuai-glm-5.3-flash.yaml").is_file()


def test_a_rule_is_ignored_as_the_page_says() -> None:
    """The lines fit into a scenario, and name a rule that there is."""
    scenario = loads(SCENARIO + IGNORE)
    check_rules(scenario, [rule.name for rule in RULES])
    assert list(scenario.ignored) == ["tool_calls_finish_as_such"]


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_every_language_has_the_same_code(page: Path) -> None:
    """The words are translated, the commands are not."""
    text = page.read_text(encoding="utf-8")
    for language in ("sh", "yaml", "python", "toml"):
        assert blocks(text, language) == blocks(ENGLISH, language)
    table = re.findall(r"^\| (`harness .*?) \|", ENGLISH, re.MULTILINE)
    names = [re.findall(r"`(.*?)`", cell) for cell in table]
    told = re.findall(r"^\| (`harness .*?) \|", text, re.MULTILINE)
    assert [re.findall(r"`(.*?)`", cell) for cell in told] == names


def test_every_command_is_on_the_page() -> None:
    """In the table; and nothing that there is not."""
    from harness.cli import COMMANDS as OURS
    from harness.cli import GROUPS

    cells = re.findall(r"^\| (`harness .*?) \|", ENGLISH, re.MULTILINE)
    words = [word for cell in cells for word in re.findall(r"`(?:harness )?([\w-]+)", cell)]
    assert {*words} == {name for name, *_ in (*OURS, *GROUPS)}


@pytest.mark.parametrize(
    "page",
    [*READMES, ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/*.md")],
    ids=lambda page: page.name,
)
def test_links_lead_somewhere(page: Path) -> None:
    """Those to files of this repository."""
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_how_many_rules_there_are() -> None:
    """More than a hundred, says the page."""
    assert 100 < len(RULES) < 120
