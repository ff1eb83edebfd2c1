"""The command that writes a report, and the option that does."""

from __future__ import annotations

import json
import shutil
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


@pytest.mark.parametrize("command", ["report", "replay"])
def test_cassettes_of_tests_beside_scenarios_are_counted(
    harness: Harness, folder: Path, command: str
) -> None:
    """On the terminal and on the page; not where a scenario is named."""
    arguments = (command, "--report", "a.html")
    assert "of no scenario" not in harness(*arguments, folder=folder).err
    shutil.move(folder / "cassettes" / "slogan", folder / "tests" / "cassettes" / "test_slogan")
    other = folder / "other"  # a project of its own
    shutil.copytree(folder / "cassettes" / "refusals", other / "cassettes" / "own")
    (other / "scenarios").mkdir()
    shutil.move(folder / "scenarios" / "slogan.yaml", other / "scenarios" / "own.yaml")
    done = harness(*arguments, folder=folder)
    told = "2 cassettes of no scenario, such as those of tests, are not replayed here: "
    assert (done.code, done.err.startswith(told)) == (0, True)
    page = (folder / "a.html").read_text(encoding="utf-8")
    assert "cassettes of no scenario" in page
    assert harness(command, "refusals", folder=folder).err == ""
    assert harness(command, "--quiet", folder=folder).err == ""


def test_a_report_of_an_unknown_form_is_refused(harness: Harness, folder: Path) -> None:
    """Before anything is done; it would be a folder of that name."""
    for name in ("r.pdf", "-"):
        done = harness("replay", "--report", name, folder=folder)
        assert (done.code, done.out) == (2, "")
        assert f"--report {name}: expected a folder, or a file ending in .html, " in done.err
        assert not (folder / name).exists()


def test_a_report_can_be_a_file_or_a_folder(harness: Harness, folder: Path) -> None:
    """A folder has every form, and all of them say the same."""
    assert harness("report", "slogan", "--report", "x.html", folder=folder).code == 0
    assert (folder / "x.html").is_file()
    done = harness("report", "slogan", "-t", "zhipuai", "--report", "out", folder=folder)
    assert (done.code, done.out) == (0, "out/index.html\n")
    _check_all(folder / "out", 1)


@pytest.mark.parametrize(
    "command",
    [
        "replay slogan",
        "check cassettes/slogan",
        "compare slogan",
        "compare slogan/zhipuai slogan/dashscope",
        "compare slogan --fields",
        "record slogan --sandbox",
        "drift cassettes/slogan cassettes/slogan",
    ],
)
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
    assert set(kinds[transcripts + 1 :]) <= {"drift", "model", "form", "field"}
    suites = ElementTree.fromstring(told["junit.xml"])  # noqa: S314 - our own
    assert suites.get("tests") == str(transcripts)
    assert told["summary.md"].count("✅ passed") == transcripts
    assert told["index.html"].count("<article") == transcripts


def test_two_forms_of_asking_are_compared_on_a_page(harness: Harness, folder: Path) -> None:
    """Of two scenarios: side by side under both names, and each recording has its own."""
    sides = ("single-turn-messages", "single-turn-prompt")
    done = harness("compare", *sides, "--report", "out", folder=folder)
    assert (done.code, done.err) == (0, "")
    _check_all(folder / "out", 2)
    told = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    (found,) = told["matrices"]
    assert found["scenario"] == "single-turn-messages ↔ single-turn-prompt"
    names = [f"dashscope/qwen-flash ({side})" for side in sides]
    assert found["targets"] == names
    summary = (folder / "out" / "summary.md").read_text(encoding="utf-8")
    assert "`dashscope · messages` and `dashscope · prompt`: 2 of 6" in summary
    assert all(f"`{name}`" in summary for name in names)


def test_a_page_of_a_comparison_says_what_broke(harness: Harness, folder: Path) -> None:
    """Rules are asked too; that formats or answers differ is all that the exit code is about."""
    path = folder / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
    shutil.copytree(folder / "cassettes", folder / "old")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"total_tokens":', '"total_tokens":9'), encoding="utf-8")
    done = harness("compare", "old", "cassettes", "--report", "out", folder=folder)
    assert (done.code, done.err) == (0, "")
    told = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    (finding,) = told["findings"]
    assert finding["rule"] == "usage_adds_up"
    assert finding["scenario"] == "slogan"
    assert finding["target"] == f"zhipuai/glm-5.3-flash ({path.relative_to(folder)})"
    assert len(told["matrices"]) == 6


def test_a_page_of_a_recording_has_what_was_not_recorded(harness: Harness, folder: Path) -> None:
    """A replay of what was, and the reason of the rest, once."""
    path = folder / "scenarios" / "slogan.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "zhipuai/glm-5.3-flash", "zhipuai/no-such-model"
    )
    path.write_text(text, encoding="utf-8")
    done = harness("record", "slogan", "--sandbox", "--report", "out", folder=folder)
    assert (done.code, done.out) == (2, "recorded 1 of 2 from the sandbox to cassettes\n")
    told = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    assert [problem["target"] for problem in told["problems"]] == ["zhipuai/no-such-model"]
    assert [one["target"] for one in told["transcripts"]] == ["dashscope/qwen-flash"]


def test_a_report_of_what_broke_says_so(harness: Harness, folder: Path) -> None:
    """The page is written all the same, and the exit code is that of a replay."""
    path = folder / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"total_tokens":', '"total_tokens":9'), encoding="utf-8")
    done = harness("report", "slogan", folder=folder)
    assert done.code == 1
    assert "usage_adds_up" in (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "; the first: usage_adds_up (" in done.err


def test_a_check_of_empty_cassettes_fails(harness: Harness, folder: Path) -> None:
    """It would be green without having checked anything."""
    (folder / "empty.yaml").write_text("interactions: []\nversion: 1\n")
    done = harness("check", "empty.yaml", folder=folder)
    assert done.code == 2
    assert "nothing was checked: the cassettes have no exchange\n" in done.out
    whole = ("check", "empty.yaml", "cassettes/slogan/zhipuai-glm-5.3-flash.yaml")
    assert harness(*whole, folder=folder).code == 0


def test_a_report_about_nothing_says_why_it_failed(harness: Harness, folder: Path) -> None:
    """In one sentence beside the path: how much, and the first problem with the next command."""
    shutil.rmtree(folder / "cassettes")
    done = harness("report", "slogan", folder=folder)
    assert (done.code, done.out) == (2, "report/index.html\n")
    assert done.err.startswith("failed: 0 transcripts, 0 turns, 0 exchanges, 2 problems, ")
    assert "; the first: slogan, zhipuai/glm-5.3-flash: slogan with" in done.err
    assert "was never recorded" in done.err
    assert "record it with: harness record slogan" in done.err
    assert "从未录制" in harness("report", "slogan", "--lang", "zh", folder=folder).err
