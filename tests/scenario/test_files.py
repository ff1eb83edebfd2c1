"""Reading scenarios from text, files and folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import BadScenario
from harness.scenario.files import load, load_all, loads


def written(folder: Path, name: str, file: str = "") -> Path:
    """A small scenario in a file."""
    path = folder / (file or f"{name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"name: {name}\ntargets: [a/b]\nsteps: [user: 你好]\n", encoding="utf-8")
    return path


def refusal(*paths: Path) -> str:
    """The message that loading these paths ends with."""
    with pytest.raises(BadScenario) as caught:
        load_all(paths)
    return str(caught.value)


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    """Chinese arrives as it was written, and a byte order mark does no harm."""
    path = written(tmp_path, "a")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load(path).steps[0].text == "你好"


def test_text_without_a_path_may_have_any_name() -> None:
    """Only a file's name must be the scenario's."""
    assert loads("name: any\ntargets: [a/b]\nsteps: [user: a]").path is None


def test_folders_are_searched_in_order_and_each_file_is_read_once(tmp_path: Path) -> None:
    """Naming a file and its folder reads it once; folders in folders are left alone."""
    last = written(tmp_path, "c")
    for name in ("b", "a"):
        written(tmp_path, name)
    written(tmp_path, "d", "deeper/d.yaml")
    (tmp_path / "notes.txt").write_text("no scenario")
    assert [s.name for s in load_all([last, tmp_path])] == ["c", "a", "b"]


def test_two_scenarios_with_one_name_are_refused(tmp_path: Path) -> None:
    """The message names both files."""
    first, second = written(tmp_path, "a"), written(tmp_path, "a", "other/a.yaml")
    assert refusal(first, second) == f"{second}:1: the name 'a' is already that of {first}"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """No file, an empty folder, a folder where a file should be."""
    missing = tmp_path / "none.yaml"
    assert refusal(missing) == f"{missing}: cannot be read: {os.strerror(2)}"
    assert refusal(tmp_path) == f"{tmp_path}: the folder holds no scenario (*.yaml)"
    with pytest.raises(BadScenario) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: not a file"


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """Nobody waits for a gigabyte."""
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(5_000_000_000)
    assert refusal(path) == f"{path}: larger than 1000000 bytes"


@pytest.mark.parametrize(
    ("written_as", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("'1'", "1"),
        ('"\\ud83d\\ude00"', "😀"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("-3", -3),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_plain_words_mean_what_json_can_say(written_as: str, value: object) -> None:
    """No dates, no sexagesimal numbers, and `no` is a word."""
    text = f"name: x\ntargets: [a/b]\nsteps: [user: a]\nparameters: {{p: {written_as}}}"
    read = loads(text).form.parameters["p"]
    assert (read, type(read)) == (value, type(value))


def test_a_typo_is_shown_before_the_key_that_it_misses(tmp_path: Path) -> None:
    """The key is missing because of the typo."""
    path = tmp_path / "a.yaml"
    path.write_text("name: a\ntargets: [zhipuai/glm-4]\nstps:\n- user: hi\n")
    assert refusal(path).startswith(f"{path}:3: unknown key 'stps'")
