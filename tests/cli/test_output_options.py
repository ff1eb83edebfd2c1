"""The options that every command has, and the help in both languages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from rich import _wrap
from rich.cells import cell_len
from typer import rich_utils

from harness.cli import command_line, help_texts
from harness.cli.app import time_left
from harness.locale import Language, in_language

if TYPE_CHECKING:
    from conftest import Harness

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tests_only(tmp_path: Path) -> Path:
    """A project that has only tests and cassettes."""
    shutil.copytree(ROOT / "cassettes" / "slogan", tmp_path / "tests" / "cassettes" / "slogan")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("language", Language)
def test_every_help_fits_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: Language
) -> None:
    """Nothing is wider or cut off, and each command has the common options."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(_wrap, "words", _wrap.words)
    if language is Language.ZH:
        help_texts.break_lines_in_chinese()
    with in_language(language):
        root: Any = help_texts.localize(typer.main.get_command(command_line()))
        groups = [root, *(root.commands[name] for name in ("contract", "git"))]
        for command in [root, *(each for group in groups for each in group.commands.values())]:
            with typer.Context(command, info_name=command.name) as context:
                shown = command.get_help(context) + capsys.readouterr().out
            assert [line for line in shown.splitlines() if cell_len(line) > 80] == []
            assert "…" not in shown
            assert "--lang" in shown or command.name in {"contract", "git"}
            assert ("显示此帮助并退出。" in shown) is (language is Language.ZH)


def test_a_wrong_use_is_told_in_the_language_of_the_user(
    harness: Harness, tests_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of options and of files."""
    monkeypatch.setattr(_wrap, "words", _wrap.words)
    monkeypatch.setattr(rich_utils, "ERRORS_PANEL_TITLE", rich_utils.ERRORS_PANEL_TITLE)
    monkeypatch.setattr(rich_utils, "RICH_HELP", rich_utils.RICH_HELP)
    for arguments, chinese, english in (
        (("show",), "缺少参数 'SIDE'。", "Missing argument 'SIDE'."),
        (("nothing",), "没有命令 'nothing'。", "No such command 'nothing'."),
        (("check", "a", "--jobs", "0"), "'--jobs' / '-j' 的值无效", "Invalid value for '--jobs'"),
        (("check", "a"), "a：没有这个文件或文件夹", "a: there is no such file or folder"),
    ):
        told = harness(*arguments, "--lang", "zh", folder=tests_only)
        assert (told.code, chinese in told.err) == (2, True), told.err
        assert english in harness(*arguments, folder=tests_only).err


def test_the_result_is_in_the_language_of_the_user(
    harness: Harness, tests_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By LANG or --lang, before or after the command; errors of rules too."""
    path = tests_only / "tests/cassettes/slogan/zhipuai-glm-5.3-flash.yaml"
    path.write_text(path.read_text().replace('"total_tokens":', '"total_tokens":9'))
    assert "failed: 1 transcript, 1 turn" in harness("check", path, folder=tests_only).out
    for arguments in (["--lang", "zh", "check", str(path)], ["check", str(path), "--lang=zh"]):
        told = harness(*arguments, folder=tests_only).out
        assert "失败：1 份对话记录，1 轮，1 次交互，1 错误" in told
        assert "错误 usage_adds_up (第 1 轮，" in told
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "失败：1 份" in harness("check", path, folder=tests_only).out
    assert "failed: 1" in harness("check", path, "--lang", "en", folder=tests_only).out


def test_quiet_prints_the_result_and_colours_come_when_asked_for(
    harness: Harness, tests_only: Path
) -> None:
    """-q leaves one line of a good check; --color always colours what is no terminal."""
    assert harness("check", "tests", "-q", folder=tests_only).out.startswith("\nok: 2 transcripts")
    assert "\x1b[1;32mok" in harness("check", "tests", "--color=always", folder=tests_only).out
    assert "\x1b" not in harness("--color", "never", "check", "tests", folder=tests_only).out


def test_a_project_with_tests_only(harness: Harness, tests_only: Path) -> None:
    """Its cassettes are listed and reported; prune says by its exit code that a file is unused."""
    listed = harness("list", folder=tests_only)
    assert (listed.code, "slogan/zhipuai-glm-5.3-flash.yaml" in listed.out) == (0, True)
    assert harness("report", "--report", "page.html", folder=tests_only).out == "page.html\n"
    folder = tests_only / "tests" / "cassettes"
    assert harness("prune", "--exit-code", folder, folder=tests_only).code == 0
    (folder / "slogan" / "artefacts").mkdir()
    (folder / "slogan" / "artefacts" / f"{'0' * 64}.png").write_bytes(b"")
    unused = harness("prune", "--exit-code", folder, folder=tests_only)
    assert (unused.code, "unused: 1 file" in unused.out) == (1, True)


def test_a_shell_completes_commands(
    monkeypatch: pytest.MonkeyPatch, harness: Harness, tmp_path: Path
) -> None:
    """By typer's completion, which --install-completion sets up."""
    monkeypatch.setenv("_HARNESS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "harness re")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert harness(folder=tmp_path).out.split() == ["record", "replay", "report"]


@pytest.mark.parametrize(
    ("step", "seconds", "left"),
    [
        ("[11/30] x.yaml", 10, " (about 20 s left)"),
        ("[10/1400 done] x", 5, " (about 11 min 35 s left)"),
        ("[1/30] x.yaml", 10, ""),
        ("[11/30] x.yaml", 1, ""),
        ("no step", 10, ""),
    ],
)
def test_progress_estimates_the_time_that_is_left(step: str, seconds: float, left: str) -> None:
    """From two seconds on, if a step has its number."""
    assert time_left(step, seconds) == left


@pytest.mark.parametrize("name", ["sandbox", "list"])
def test_the_frame_of_help_is_in_chinese_too(
    harness: Harness, tests_only: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The line with the usage, defaults, and the example."""
    for text in help_texts._FRAMES:
        monkeypatch.setattr(rich_utils, text, getattr(rich_utils, text))
    told = harness(name, "--help", "--lang=zh", folder=tests_only).out
    assert f"用法：harness {name} [选项]" in told
    assert "[默认：" in told
    assert "示例：harness" in told
    assert not re.search("Usage|Options|default|Example", told)
