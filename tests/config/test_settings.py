"""What a project says for all of its cassettes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.config.settings import RuleSelection, Settings, examined_once, load_settings
from harness.errors import BadSettings
from harness.providers.rules import project_rules
from harness.types import Severity


def project(folder: Path, text: str) -> Path:
    """A project with this pyproject.toml; a folder deep inside it."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    inside = folder / "tests" / "deep"
    inside.mkdir(parents=True)
    return inside


def test_the_nearest_pyproject_upward_counts(tmp_path: Path) -> None:
    """A test deep inside a project has the project's settings."""
    inside = project(tmp_path, '[tool.harness]\nvolatile = ["/seed"]\n')
    assert load_settings(inside) == Settings(volatile=("/seed",))


@pytest.mark.parametrize("text", ["", "[tool.ruff]\n", "tool = 1\n"])
def test_a_project_that_says_nothing_has_the_defaults(tmp_path: Path, text: str) -> None:
    """Other tools' tables are none of our business."""
    assert load_settings(project(tmp_path, text)) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.harness]\nvolatil = []\n",
            "[tool.harness] has no key 'volatil'; there are: volatile, allow_hosts, rules",
        ),
        (
            "[tool.harness]\nvolatile = 'x'\n",
            "[tool.harness] volatile: a list of texts is expected",
        ),
        (
            "[tool.harness]\nvolatile = [1]\n",
            "[tool.harness] volatile: a list of texts is expected",
        ),
        (
            "[tool.harness]\nallow_hosts = ['http://x']\n",
            "[tool.harness] allow_hosts: 'http://x' is not a valid host; expected for example ",
        ),
        (
            "[tool.harness]\nprices = 1\n",
            "[tool.harness] prices: the path of a file is expected",
        ),
        (
            "[tool.harness]\nsecrets = ['sk-1']\n",
            "[tool.harness] secrets: names of environment variables are expected, not their values",
        ),
        ("[tool]\nharness = 1\n", "[tool.harness] should be a table"),
        ("[tool.harness\n", "cannot be read: "),
    ],
)
def test_what_is_not_known_is_one_error_that_names_the_file(
    tmp_path: Path, text: str, said: str
) -> None:
    """A misspelt key is not passed over."""
    with pytest.raises(BadSettings) as raised:
        load_settings(project(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path / 'pyproject.toml'}: {said}")


def test_prices_are_named_from_where_pyproject_is(tmp_path: Path) -> None:
    """Whatever folder of the project one works in."""
    inside = project(tmp_path, '[tool.harness]\nprices = "kept/prices.toml"\n')
    assert load_settings(inside).prices == tmp_path / "kept" / "prices.toml"


RULES = """
[tool.harness.rules]
select = ["usage_adds_up", "done_marker"]
ignore = {usage_adds_up = "an old proxy of ours"}
severity = {done_marker = "info"}
"""


def test_a_project_says_which_rules_apply(tmp_path: Path) -> None:
    """By name; with a reason where one is ignored; and how much they weigh."""
    assert load_settings(project(tmp_path, RULES)).rules == RuleSelection(
        ("usage_adds_up", "done_marker"),
        {"usage_adds_up": "an old proxy of ours"},
        {"done_marker": Severity.INFO},
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ignore = {usage_adds_up = " "}', "rules.ignore: usage_adds_up: a reason is expected"),
        ('ignore = ["usage_adds_up"]', "rules.ignore: a table is expected"),
        ('severity = {done_marker = "loud"}', "rules.severity: done_marker: expected one of error"),
        ("selected = []", "rules: has no key 'selected'; there are: select, ignore, severity"),
        ("select = 1", "rules.select: a list of texts is expected"),
    ],
)
def test_a_rule_that_is_not_there_is_one_error(tmp_path: Path, text: str, said: str) -> None:
    """It names the file, the key and what is meant perhaps."""
    with pytest.raises(BadSettings) as raised:
        load_settings(project(tmp_path, f"[tool.harness.rules]\n{text}\n"))
    assert f"[tool.harness] {said}" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('ignore = {usage_ads_up = "?"}', "'usage_ads_up'; did you mean usage_adds_up"),
        ('select = ["x"]', "'x'; `harness rules` lists them"),
    ],
)
def test_an_unknown_rule_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    """The error names the file, the key and similar rules."""
    folder = project(tmp_path, f"[tool.harness.rules]\n{text}\n")
    with pytest.raises(BadSettings) as raised:
        project_rules(folder)
    start = f"{tmp_path / 'pyproject.toml'}: [tool.harness] rules: there is no rule "
    assert str(raised.value).startswith(start + message)


def test_a_step_examines_each_path_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a cassette asks for the settings of its folder and of the working folder."""
    examined, access = list[str](), os.access

    def noted(path: str, mode: int) -> bool:
        examined.append(path)
        return access(path, mode)

    monkeypatch.setattr(os, "access", noted)
    inside = project(tmp_path, '[tool.harness]\nvolatile = ["/seed"]\n')
    with examined_once(), examined_once():
        assert load_settings(inside) == load_settings(inside.parent)
    assert len(examined) == len(set(examined)) == 3


def test_a_change_is_noticed_after_the_step(tmp_path: Path) -> None:
    """A test may write the settings that the next step reads."""
    inside = project(tmp_path, "")
    with examined_once():
        assert load_settings(inside) == Settings()
        (inside / "pyproject.toml").write_text('[tool.harness]\nvolatile = ["/seed"]\n')
    assert load_settings(inside) == Settings(volatile=("/seed",))
    with examined_once():
        assert load_settings(inside) == Settings(volatile=("/seed",))
