"""The plugin yields its import name to a project that has a `harness` of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import environments
import pytest
from conftest import clean_environment
from environments import Environment

pytestmark = pytest.mark.slow

WARNING = "the pytest plugin of llm-conversation-harness is off: "
IMPORTS_THEIRS = "import harness\ndef test_it(): assert not hasattr(harness, 'use_cassette')\n"
WITH_MODULE = ("-m", "pytest")
AS_SCRIPT = ("-c", "import sys, pytest; sys.path.remove(''); sys.exit(pytest.main(sys.argv[1:]))")
"""How pytest is started: the first puts the current folder on the path, the second does not."""

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment where this tool is an installed package."""
    return environments.create(tmp_path_factory.mktemp("core"), wheel)


@pytest.fixture
def run(core: Environment, tmp_path: Path) -> Run:
    """Run pytest in a project."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "test_it.py").write_text(IMPORTS_THEIRS, encoding="utf-8")

    def run_pytest(*arguments: str) -> CompletedProcess[str]:
        return core.run(*arguments, folder=tmp_path, env=clean_environment())

    return run_pytest


def create(path: Path) -> None:
    """Create an empty file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize("start", [WITH_MODULE, AS_SCRIPT], ids=["module", "script"])
@pytest.mark.parametrize("file", ["harness/__init__.py", "harness.py"])
def test_a_folder_harness(file: str, start: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    """Its tests import it; one warning names it."""
    create(tmp_path / file)
    done = run(*start, "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(WARNING) == 1
    assert f"{WARNING}{tmp_path / file.partition('/')[0]} has its import name" in done.stdout
    assert "1 passed, 1 warning" in done.stdout


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("src/harness/__init__.py", '[tool.pytest.ini_options]\npythonpath = ["src"]\n'),
        ("tests/harness/__init__.py", '[tool.pytest.ini_options]\npythonpath = ["tests"]\n'),
    ],
)
def test_a_folder_harness_that_is_put_on_the_path(
    file: str, settings: str, run: Run, tmp_path: Path
) -> None:
    """By settings that pytest reads later than it loads plugins."""
    create(tmp_path / file)
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    done = run(*AS_SCRIPT, "-q")
    assert (done.returncode, done.stdout.count(WARNING)) == (0, 1)


def test_from_a_folder_below(core: Environment, run: Run, tmp_path: Path) -> None:
    """The project's root is found by its settings."""
    create(tmp_path / "harness" / "__init__.py")
    create(tmp_path / "below" / "conftest.py")
    (tmp_path / "conftest.py").touch()
    (tmp_path / "test_it.py").rename(tmp_path / "below" / "test_it.py")
    done = core.run(*AS_SCRIPT, "-q", folder=tmp_path / "below", env=clean_environment())
    assert (done.returncode, done.stdout.count(WARNING)) == (0, 1)


@pytest.mark.parametrize("start", [WITH_MODULE, AS_SCRIPT], ids=["module", "script"])
def test_where_warnings_are_errors(start: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    """The tests run; the line is on standard error."""
    create(tmp_path / "harness" / "__init__.py")
    done = run(*start, "-q", "-W", "error")
    assert done.returncode == 0
    assert done.stderr.startswith(f"warning: {WARNING}")


def test_the_warning_can_be_turned_off(run: Run, tmp_path: Path) -> None:
    """As it says itself."""
    create(tmp_path / "harness" / "__init__.py")
    done = run(*WITH_MODULE, "-q", "-p", "no:llm-harness")
    assert (done.returncode, done.stderr) == (0, "")
    assert WARNING not in done.stdout


def test_their_package_is_not_imported(run: Run, tmp_path: Path) -> None:
    """Finding out takes no import, which might do anything."""
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('run')", encoding="utf-8")
    (tmp_path / "test_it.py").write_text("def test_it(): pass", encoding="utf-8")
    done = run(*WITH_MODULE, "-q")
    assert (done.returncode, done.stdout.count(WARNING)) == (0, 1)


@pytest.mark.parametrize(
    "file", ["harness/notes.txt", "tests/harness/__init__.py", "docs/harness/__init__.py"]
)
def test_no_clash(file: str, run: Run, tmp_path: Path) -> None:
    """A folder that is no package, or a part of another package, does not have the name."""
    create(tmp_path / file)
    create(tmp_path / "tests" / "__init__.py")
    (tmp_path / "test_it.py").write_text("def test_it(cassette): pass", encoding="utf-8")
    done = run(*WITH_MODULE, "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert WARNING not in done.stdout


def test_another_checkout_of_this_tool(run: Run, tmp_path: Path) -> None:
    """It is no clash: the plugin in it is the plugin."""
    create(tmp_path / "harness" / "__init__.py")
    create(tmp_path / "harness" / "pytest_plugin" / "__init__.py")
    done = run(*AS_SCRIPT, "-q")
    assert WARNING not in done.stdout + done.stderr
