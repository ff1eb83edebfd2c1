"""The commands of the pages about recordings of other programs: each runs, and ends well."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import interruptible
from test_readme import CHINESE, IN_THE_REPOSITORY, keyless, lines, services

if TYPE_CHECKING:
    from conftest import Harness, Python

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RECORDED = Path("cassettes", "slogan", "zhipuai-glm-5.3-flash.yaml")

PROGRAM = f"""#!{sys.executable}
import os, urllib.request, yaml
with open("sent.yaml", encoding="utf-8") as file:
    (one,) = yaml.safe_load(file)["interactions"]
url = os.environ["ZHIPUAI_BASE_URL"] + "/chat/completions"
key = os.environ["ZHIPUAI_API_KEY"]
sent = {{"content-type": "application/json", "authorization": "Bearer " + key}}
body = one["request"]["body"]
urllib.request.urlopen(urllib.request.Request(url, body.encode(), sent)).read()
"""
"""A stand-in for `npm` and `node`: a program that sends the request of a recording."""


def commands(page: str) -> list[list[str]]:
    """The commands of a page as lists of words, without `harness`."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = [shlex.split(line, comments=True) for line in lines(text)]
    assert {words[0] for words in found} == {"harness"}
    return [words[1:] for words in found]


ELSEWHERE = {"DRIFT", "SDK_DEFECTS", "performance", "tutorial"}
"""Pages whose commands other tests run; that of performance.md is `make bench`."""


def test_the_commands_of_every_page_are_run() -> None:
    """A page with commands has a place here, or in `test_readme`."""
    docs = ROOT / "docs"
    pages = [path for path in docs.rglob("*.md") if not path.name.endswith(CHINESE)]
    found = {
        path.relative_to(docs).with_suffix("").as_posix()
        for path in pages
        if lines(path.read_text(encoding="utf-8"))
    }
    assert found == {"ADOPT", "CONVERT", "SERVE", *ELSEWHERE, *IN_THE_REPOSITORY}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two scenarios, and recordings of other programs."""
    for name in ("slogan", "multi-turn"):
        (tmp_path / "scenarios").mkdir(exist_ok=True)
        shutil.copy(ROOT / "scenarios" / f"{name}.yaml", tmp_path / "scenarios")
        shutil.copytree(ROOT / "cassettes" / name, tmp_path / "cassettes" / name)
    (tmp_path / "tests" / "cassettes").mkdir(parents=True)
    shutil.copy(ROOT / RECORDED, tmp_path / "tests" / "cassettes" / "test_chat.yaml")
    return tmp_path


@pytest.mark.parametrize("page", ["ADOPT", "CONVERT"])
def test_commands_about_recordings_of_others(page: str, harness: Harness, project: Path) -> None:
    """In the order of the page, without a key."""
    made = harness("export", RECORDED, "--form", "har", "--to", "session.har", folder=project)
    assert made.code == 0
    for words in commands(page):
        done = harness(*words, folder=project)
        assert done.code == 0, (words, done)


def test_commands_about_other_languages(
    python: Python, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a program in place of Node's; the last command is for what is started elsewhere."""
    for name in ("npm", "node"):
        (tmp_path / name).write_text(PROGRAM, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "cassettes").mkdir()
    for copy in ("cassettes/slogan.yaml", "sent.yaml"):
        shutil.copy(ROOT / RECORDED, tmp_path / copy)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    *first, last = commands("SERVE")
    with services() as env:
        for words in first:
            done = python("-m", "harness.cli", *words, folder=tmp_path, env=env)
            assert done.returncode == 0, (words, done)
    assert (tmp_path / "cassettes" / "node.yaml").is_file()
    with interruptible():
        command = [sys.executable, "-u", "-m", "harness.cli", *last]
        started = subprocess.Popen(  # noqa: S603 - the command of the page
            command, cwd=tmp_path, env=keyless(), stdout=subprocess.PIPE, text=True
        )
    with started as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("# harness listens at ")
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 0
