"""The entry point for pytest: the plugin `harness.pytest_plugin`, where `harness` is this tool.

A user's repository may have a package `harness` of its own, which takes the name. Then pytest runs
without the plugin, after one warning.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

_IMPORTED_FROM = ("", "src", "lib", "tests", "test")
"""The folders of a project that its tests import modules from."""

_ROOTS = ("pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini", ".git")


def _imported() -> Iterator[Path]:
    """Yield the file that `import harness` would import now, if there is one."""
    try:
        spec = find_spec("harness")
    except ValueError:  # something that is no module has the name
        return
    if spec is None:
        return
    folders = spec.submodule_search_locations or ()
    yield from (Path(folder, "__init__.py") for folder in folders)
    if not folders and spec.origin:
        yield Path(spec.origin)


def _of_the_project(folder: Path) -> Iterator[Path]:
    """Yield the files of a project that its tests would import as `harness`, from *folder* up."""
    for root in (folder, *folder.parents):
        for name in _IMPORTED_FROM:
            if name and (root / name / "__init__.py").exists():
                continue  # a package: what it has is imported by another name
            for file in ("harness/__init__.py", "harness.py"):
                if (root / name / file).is_file():
                    yield root / name / file
        if any((root / name).exists() for name in _ROOTS):
            return


def _clashing() -> Path | None:
    """Return a file that takes the name `harness` from this tool; None if there is none."""
    for file in (*_imported(), *_of_the_project(Path.cwd())):
        if not (file.parent / "pytest_plugin" / "__init__.py").is_file():
            return file.parent if file.name == "__init__.py" else file
    return None


_CLASHING = _clashing()

if _CLASHING is None:
    pytest_plugins = ["harness.pytest_plugin"]


def pytest_configure(config: pytest.Config) -> None:
    """Warn once if a file of the project takes the name `harness`."""
    if _CLASHING is None or hasattr(config, "workerinput"):
        return
    text = (
        f"the pytest plugin of llm-conversation-harness is off: {_CLASHING} has its import name "
        "`harness`; rename that, or turn this warning off with -p no:llm-harness"
    )
    try:
        config.issue_config_time_warning(pytest.PytestConfigWarning(text), stacklevel=2)
    except pytest.PytestConfigWarning:  # the project makes warnings errors; this is not its fault
        print(f"warning: {text}", file=sys.stderr)  # noqa: T201 - pytest has nothing else so early
