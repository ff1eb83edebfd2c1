"""Recordings in a terminal, and in `git diff`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from exchanges import post

from harness.cassette.artefacts import to_files
from harness.cassette.store import write_cassette
from harness.types import Cassette, Json, Provenance

if TYPE_CHECKING:
    from conftest import Harness

CASSETTE = "cassettes/slogan/zhipuai-glm-5.3-flash.yaml"


def test_a_recording_is_shown_as_it_travelled(harness: Harness, folder: Path) -> None:
    """Request and answer, headers and bodies, with what was taken out marked as such."""
    done = harness("show", "slogan/zhipuai", "--wire", folder=folder)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert "exchange 1, turn 1, zhipuai.chat" in lines
    assert "> authorization: Bearer REDACTED" in lines
    assert any(line.startswith("> POST http") for line in lines)
    assert "< HTTP 200 OK" in lines
    assert any('"finish_reason"' in line for line in lines)


def test_messages_of_gemini_are_shown(harness: Harness, tmp_path: Path) -> None:
    """With the system's, the picture's type, the call and its result, in this order."""
    call: Json = {"functionCall": {"name": "double", "args": {"x": 2}}}
    result: Json = {"functionResponse": {"name": "double", "response": {"y": 4}}}
    film: Json = {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}
    asked: Json = {
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Double 2 as here:"}, film]},
            {"role": "model", "parts": [{"text": "hidden", "thought": True}, call]},
            {"parts": [result]},
        ],
    }
    said: Json = {"role": "model", "parts": [{"text": "It is 4."}]}
    answer: Json = {"candidates": [{"content": said, "finishReason": "STOP"}]}
    uri = "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent"
    exchange = post(uri, asked, answer)
    write_cassette(tmp_path / "g.yaml", to_files(Cassette((exchange,), Provenance())))
    done = harness("show", "g.yaml", folder=tmp_path)
    assert done.code == 0
    words = ["Be brief.", "Double 2 as here:", "[video/mp4]", "double", '{"y": 4}', "It is 4."]
    places = [done.out.find(word) for word in words]
    assert places == sorted(places), done.out
    assert -1 not in places, done.out
    assert "hidden" not in done.out


def test_two_recordings_are_shown_as_where_they_differ(harness: Harness, folder: Path) -> None:
    """Line by line; what both say stands once."""
    done = harness("show", "slogan/zhipuai", "slogan/dashscope", folder=folder)
    assert done.code == 0
    assert "-slogan with zhipuai/glm-5.3-flash" in done.out.splitlines()
    assert "+slogan with dashscope/qwen-flash" in done.out.splitlines()
    same = harness("show", "slogan/zhipuai", "slogan/zhipuai", "--wire", folder=folder)
    assert (same.code, same.out) == (0, "no difference\n")


def test_a_cassette_converts_to_text_without_times(harness: Harness, folder: Path) -> None:
    """The same answers recorded at another time convert to the same text."""
    before = harness("git", "textconv", CASSETTE, folder=folder).out
    assert "智谱AI开放平台" in before
    text = (folder / CASSETTE).read_text(encoding="utf-8")
    assert "total: " in text
    lines = ("      total: 9.5" if "  total: " in line else line for line in text.splitlines())
    (folder / CASSETTE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert harness("git", "textconv", CASSETTE, folder=folder).out == before


def test_what_is_no_cassette_is_shown_as_it_is(harness: Harness, folder: Path) -> None:
    """A diff has to be shown in any case; a file that is not there is an error."""
    (folder / "x.yaml").write_bytes("不是磁带\n".encode())
    assert harness("git", "textconv", "x.yaml", folder=folder).out == "不是磁带\n"
    missing = harness("git", "textconv", "y.yaml", folder=folder)
    assert (missing.code, missing.out) == (2, "")


def test_a_cassette_that_is_not_there(harness: Harness, folder: Path) -> None:
    """Is a file that is missing, not a scenario of a strange name."""
    done = harness("show", "cassettes/nope.yaml", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err == "harness: cassettes/nope.yaml: there is no such file\n"


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as a git repository, in which this Python's `harness` is on the path."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for arguments in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x"),
    ):
        git(folder, *arguments)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(  # noqa: S603 - git, with the arguments of a test
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    return done.stdout


@pytest.mark.slow
def test_git_shows_cassettes_as_conversations(harness: Harness, repository: Path) -> None:
    """A changed answer is a changed line of the conversation; undone, git shows YAML again."""
    done = harness("git", "install", folder=repository)
    assert (done.code, done.err) == (0, "")
    assert (repository / ".gitattributes").read_text() == "cassettes/**/*.yaml diff=harness\n"
    changed = (repository / CASSETTE).read_text(encoding="utf-8").replace("智谱AI", "智谱")
    (repository / CASSETTE).write_text(changed, encoding="utf-8")
    shown = git(repository, "diff", "--", "cassettes")
    assert "+    智谱开放平台" in shown
    assert "interactions:" not in shown

    again = harness("git", "install", folder=repository)
    assert "already" in again.out
    assert harness("git", "install", "--undo", folder=repository).code == 0
    assert (repository / ".gitattributes").read_text() == ""
    assert "interactions:" in git(repository, "diff", "-U400", "--", "cassettes")


def test_git_keeps_what_else_it_was_told(harness: Harness, repository: Path) -> None:
    """Other lines of .gitattributes stay."""
    (repository / ".gitattributes").write_text("*.png binary\n")
    harness("git", "install", folder=repository)
    harness("git", "install", "--undo", folder=repository)
    assert (repository / ".gitattributes").read_text() == "*.png binary\n"


def test_where_there_is_no_repository(harness: Harness, folder: Path) -> None:
    """One message."""
    done = harness("git", "install", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("harness: git rev-parse: ")
