"""README, tutorial, guides: commands run, links lead somewhere, in both languages."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from conftest import OUR_PLUGIN, clean_environment

from harness.providers import PROVIDERS
from harness.providers.rules import RULES
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve
from harness.scenario.files import check_rules, loads

if TYPE_CHECKING:
    from conftest import Harness

ROOT = Path(__file__).parent.parent
READMES = sorted(ROOT.glob("README*.md"))
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
IN_THE_REPOSITORY = (
    "install",
    *(f"guides/{name}" for name in ("scenarios", "report", "compare", "clients", "checks")),
    *(f"guides/{name}" for name in ("pytest", "generate", "ci")),
    "reference/json",
)
"""The pages whose commands are run in a copy of this repository."""

PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in IN_THE_REPOSITORY
}
GUIDES = "".join(PAGES.values())
CHINESE = ".zh-CN.md"
TRANSLATED = sorted(ROOT.glob(f"docs/**/*{CHINESE}"))
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


def lines(text: str) -> list[str]:
    """The commands of a page, in order."""
    return [line for block in blocks(text, "sh") for line in block.splitlines() if line]


def saved(text: str) -> dict[str, str]:
    """The files that a page has its reader save: name and content."""
    found = re.findall(
        r"`([\w/]+\.\w+)`[^\n]*\n\n```(?:python|yaml)\n(.*?)^```$", text, re.M | re.S
    )
    return dict(found)


SCENARIO, IGNORE = blocks(GUIDES, "yaml")[:2]
SETS_UP = ("pip install ", "python3 -m venv ", ". .venv/")


def _is_ready() -> bool:
    """Whether `make` would use the virtual environment as it is, and set up nothing."""
    made_from = (ROOT / "pyproject.toml", ROOT / "constraints.txt")
    return READY.exists() and all(READY.stat().st_mtime >= f.stat().st_mtime for f in made_from)


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    output: str


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A copy of the repository, with the scenarios that a page names."""
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=LEFT_OUT)
    for path in copy.glob("scenarios/*.yaml"):
        if path.stem not in GUIDES:
            path.unlink()
            shutil.rmtree(copy / "cassettes" / path.stem)
    return copy


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """A sandbox in place of the live services: the environment of a reader who has keys."""
    keys = {name: f"{'0123456789abcdef' * 2}.{p.key_variable}" for name, p in PROVIDERS.items()}
    with serve(Options(port=0, keys=keys), PROVIDER_SERVERS) as base:
        env = keyless()
        for name, provider in PROVIDERS.items():
            env[provider.key_variable] = keys[name]
            env[provider.address_variable] = base + PROVIDER_SERVERS[name].prefix
        yield env


def keyless() -> dict[str, str]:
    """The environment of a reader without keys, or of CI."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**clean_environment(), **OUR_PLUGIN, "PATH": path}


def _start(command: str, folder: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S602 - the commands of our own pages, as a shell takes them
        command,
        shell=True,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> Ran:
    output, _ = process.communicate(timeout=300)
    return Ran(process.returncode, output)


def _run(command: str, harness: Harness, folder: Path, env: Mapping[str, str]) -> Ran:
    """Run a command of a page: one of ours in this process, which is faster."""
    if not command.startswith("harness "):
        return _end(_start(command, folder, env))
    done = harness(*shlex.split(command)[1:], folder=folder)
    return Ran(done.code, done.out + done.err)


def _set(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
    for variable in {*env} - {"CI"}:
        monkeypatch.setenv(variable, env[variable])


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_THE_REPOSITORY)
def test_commands_do_what_the_page_says(
    name: str, harness: Harness, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends well, in the order of the page, in a copy of this repository."""
    commands = [line for line in lines(PAGES[name]) if not line.startswith(SETS_UP)]
    assert commands
    for file, text in saved(GUIDES).items():
        if file in saved(PAGES[name]) or Path(file).stem in " ".join(commands):
            (scratch / file).write_text(text, encoding="utf-8")
    with services() as env:
        env["PYTEST_PLUGINS"] += ",pytest_asyncio.plugin"  # pyproject.toml has an option of it
        env["CI"] = "true"  # Hypothesis measures no time there
        _set(monkeypatch, env)
        for command in commands:
            ran = _run(command, harness, scratch, env)
            assert ran.code == 0, (command, ran.output)
            assert "Traceback" not in ran.output, command
            if command == "harness record slogan --target zhipuai":
                assert ran.output == "recorded 1 of 1 from the live service to cassettes\n"
                recorded = scratch / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
                assert "recorded_from: sandbox" in recorded.read_text(encoding="utf-8")
            if "junit.xml" in command:
                assert (scratch / "junit.xml").is_file()


def test_each_file_of_a_page_is_found() -> None:
    """Those that a reader is to save."""
    assert list(saved(GUIDES)) == [
        "scenarios/capital.yaml",
        "my_client.py",
        "test_mine.py",
        "test_parser.py",
    ]


def test_a_rule_is_ignored_as_the_page_says() -> None:
    """The lines fit into a scenario, and name a rule that there is."""
    scenario = loads(SCENARIO + IGNORE)
    check_rules(scenario, [rule.name for rule in RULES])
    assert list(scenario.ignored) == ["tool_calls_finish_as_such"]


# ----------------------------------------------------------------- in the reader's own folder


def in_order(text: str, harness: Harness, folder: Path, env: Mapping[str, str]) -> None:
    """Do what a page says, from top to bottom, in *folder*: save its files, run its commands."""
    parts = re.split(r"(^```(?:sh|python)\n.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    for before, block in zip(parts[::2], parts[1::2], strict=False):
        language, _, code = block.removeprefix("```").removesuffix("```").partition("\n")
        names = re.findall(r"`(\w+\.py)`", before.rpartition("\n\n")[0].rpartition("\n\n")[2])
        if language == "python":
            (folder / names[-1]).write_text(code, encoding="utf-8")
            continue
        for command in code.splitlines():
            if not command.startswith((*SETS_UP, "make ")):
                done = _run(command, harness, folder, env)
                assert done.code == 0, (command, done.output)
                assert "Traceback" not in done.output


def ci(folder: Path) -> list[Ran]:
    """Run the steps of the workflow that `harness init` wrote: without keys and network."""
    text = (folder / ".github" / "workflows" / "replay.yml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps[0].startswith("pip install ")
    if _end(_start("unshare -rn true", folder, keyless())).code == 0:
        steps = [f"unshare -rn sh -c {shlex.quote(step)}" for step in steps]
    return [_end(_start(step, folder, keyless())) for step in steps[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("page", [ENGLISH, TUTORIAL], ids=["README", "tutorial"])
def test_a_page_alone_leads_to_a_green_ci(
    page: str, harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty folder; CI then has neither key nor service."""
    with services() as env:
        _set(monkeypatch, env)
        in_order(page, harness, tmp_path, env)
    for step in ci(tmp_path):
        assert step.code == 0, step.output
    assert "no test went to the network" in step.output
    own = tmp_path / "cassettes"
    assert [*own.glob("test_capital*/test_*.yaml")]
    assert (tmp_path / "report" / "summary.md").is_file()


def test_the_readme_needs_six_commands_at_most() -> None:
    """Without those of this repository's own developers."""
    assert len([line for line in lines(ENGLISH) if not line.startswith("make ")]) <= 6


def test_the_readme_is_one_screen() -> None:
    """About 600 words, its table included; the example has at most eight lines."""
    prose = re.sub(r"```.*?```|\]\([^)]*\)", "", ENGLISH, flags=re.DOTALL)
    assert 500 <= len(re.findall(r"[A-Za-z][\w'-]*", prose)) <= 680
    (example,) = blocks(ENGLISH, "python")
    assert len([line for line in example.splitlines() if line]) <= 8


def test_badges_are_true() -> None:
    """They say what pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Programming Language :: Python :: 3."
    minors = [int(c.removeprefix(prefix)) for c in project["classifiers"] if c.startswith(prefix)]
    badges = [f"Python 3.{min(minors)} to 3.{max(minors)}", f"Licence {project['license']}"]
    assert re.findall(r"^!\[(.*?)\]\(https://img.shields.io", ENGLISH, re.MULTILINE) == badges


def test_the_picture_is_small() -> None:
    """Less than 300 kB."""
    assert (ROOT / "docs" / "images" / "front.png").stat().st_size < 300_000


# ------------------------------------------------------------------------------------- words


@pytest.mark.parametrize("page", [*READMES[1:], *TRANSLATED], ids=lambda page: page.name)
def test_every_language_has_the_same_code(page: Path) -> None:
    """The words are translated, the commands are not; tables have as many rows."""
    text = page.read_text(encoding="utf-8")
    english = page.with_name(page.name.replace(CHINESE, ".md")).read_text(encoding="utf-8")
    for language in ("sh", "yaml", "python", "toml", "json"):
        assert blocks(text, language) == blocks(english, language)
    assert len(re.findall(r"^## ", text, re.M)) == len(re.findall(r"^## ", english, re.M))
    assert len(re.findall(r"^\|", text, re.M)) == len(re.findall(r"^\|", english, re.M))
    names = [
        re.findall(r"`(.*?)`", row) for row in re.findall(r"^\| (`harness .*?) \|", english, re.M)
    ]
    told = [re.findall(r"`(.*?)`", row) for row in re.findall(r"^\| (`harness .*?) \|", text, re.M)]
    assert told == names


def test_every_page_is_in_both_languages() -> None:
    """Each has its Chinese page, and each Chinese page leads to Chinese ones."""
    pages = {*ROOT.glob("docs/**/*.md")}
    english = {page for page in pages if not page.name.endswith(CHINESE)}
    assert {page.with_name(page.stem + CHINESE) for page in english} == pages - english
    for page in pages - english:
        targets = re.findall(r"\]\(([^)#:]+\.md)", page.read_text(encoding="utf-8"))
        linked = {(page.parent / target).resolve() for target in targets}
        assert linked & english <= {page.with_name(page.name.replace(CHINESE, ".md"))}, page


def test_every_command_is_on_the_page() -> None:
    """In the table of commands; and nothing that there is not."""
    from harness.cli import COMMANDS as OURS
    from harness.cli import GROUPS

    table = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`harness .*?) \|", table, re.MULTILINE)
    words = [word for cell in cells for word in re.findall(r"`(?:harness )?([\w-]+)", cell)]
    assert {*words} == {name for name, *_ in (*OURS, *GROUPS)}


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")],
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
