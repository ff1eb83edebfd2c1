"""What a project says for all of its cassettes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BadSettings
from harness.settings import Settings, settings


def project(folder: Path, text: str) -> Path:
    """A project with this pyproject.toml; a folder deep inside it."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    inside = folder / "tests" / "deep"
    inside.mkdir(parents=True)
    return inside


def test_the_nearest_pyproject_upward_counts(tmp_path: Path) -> None:
    """A test deep inside a project has the project's settings."""
    inside = project(tmp_path, '[tool.harness]\nvolatile = ["/seed"]\n')
    assert settings(inside) == Settings(volatile=("/seed",))


@pytest.mark.parametrize("text", ["", "[tool.ruff]\n", "tool = 1\n"])
def test_a_project_that_says_nothing_has_the_defaults(tmp_path: Path, text: str) -> None:
    """Other tools' tables are none of our business."""
    assert settings(project(tmp_path, text)) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.harness]\nvolatil = []\n",
            "[tool.harness] has no key 'volatil'; there are: volatile",
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
            "[tool.harness] allow_hosts: 'http://x' is no host; allowed are the likes of ",
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
        settings(project(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path / 'pyproject.toml'}: {said}")
