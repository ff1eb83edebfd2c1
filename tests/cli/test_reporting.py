"""The command that writes a report, and the option that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from conftest import Harness

FILES = ["index.html", "junit.xml", "report.json", "report.jsonl", "summary.md"]


def test_a_report_is_a_page_about_what_is_on_file(harness: Harness, folder: Path) -> None:
    """By itself, the page and nothing else, where its name is printed."""
    done = harness("report", "slogan", folder=folder)
    assert (done.code, done.out, done.err) == (0, "report/index.html\n", "")
    assert [path.name for path in (folder / "report").iterdir()] == ["index.html"]
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<article") == 2


def test_a_report_can_be_a_file_or_a_folder(harness: Harness, folder: Path) -> None:
    """A folder has every form, and all of them say the same."""
    assert harness("report", "slogan", "--out", "x.html", folder=folder).code == 0
    assert (folder / "x.html").is_file()
    done = harness("report", "slogan", "-t", "zhipuai", "--out", "out", folder=folder)
    assert (done.code, done.out) == (0, "out/index.html\n")
    _check_all(folder / "out", 1)


@pytest.mark.parametrize("command", ["replay slogan", "check cassettes/slogan"])
def test_other_commands_write_the_folder_too(harness: Harness, folder: Path, command: str) -> None:
    """--report DIR, beside whatever else they print."""
    done = harness(*command.split(), "--report", "out", folder=folder)
    assert (done.code, done.err) == (0, "")
    _check_all(folder / "out", 2)


def _check_all(folder: Path, transcripts: int) -> None:
    assert sorted(path.name for path in folder.iterdir()) == FILES
    told = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    assert json.loads(told["report.json"])["counts"]["transcripts"] == transcripts
    lines = [json.loads(line) for line in told["report.jsonl"].splitlines()]
    kinds = [line["type"] for line in lines]
    assert kinds[: transcripts + 1] == ["report"] + ["transcript"] * transcripts
    assert set(kinds[transcripts + 1 :]) <= {"model", "form", "field"}
    suites = ElementTree.fromstring(told["junit.xml"])  # noqa: S314 - our own
    assert suites.get("tests") == str(transcripts)
    assert told["summary.md"].count("✅ passed") == transcripts
    assert told["index.html"].count("<article") == transcripts


def test_a_report_of_what_broke_says_so(harness: Harness, folder: Path) -> None:
    """The page is written all the same, and the exit code is that of a replay."""
    path = folder / "cassettes" / "slogan" / "zhipuai-glm-4.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"total_tokens":', '"total_tokens":9'), encoding="utf-8")
    done = harness("report", "slogan", folder=folder)
    assert done.code == 1
    assert "usage_adds_up" in (folder / "report" / "index.html").read_text(encoding="utf-8")
