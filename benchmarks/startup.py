"""The start of the command line, of `import harness`, and of pytest with the plugin."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks import measuring
from benchmarks.figures import OURS, Row

_PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def rows(folder: Path, rounds: int) -> list[Row]:
    """Return what each takes beside Python, or pytest, that does nothing."""
    (folder / "test_nothing.py").write_text("def test_nothing(): pass\n", encoding="utf-8")
    python = partial(measuring.started, sys.executable, "-c", "pass")
    plain = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    pytest = partial(measuring.started, *_PYTEST, folder=folder, **plain)
    plugin = partial(
        measuring.started, *_PYTEST, "-p", "harness.pytest_plugin", folder=folder, **plain
    )
    started = (
        ("harness --help", python, (sys.executable, "-m", "harness.cli", "--help")),
        ("import harness", python, (sys.executable, "-c", "import harness")),
    )
    found = [
        _row(f"{label}, beside python -c pass", base, partial(measuring.started, *command), rounds)
        for label, base, command in started
    ]
    return [*found, _row("pytest of 1 test, with the plugin", pytest, plugin, rounds)]


def _row(label: str, base: measuring.Start, ours: measuring.Start, rounds: int) -> Row:
    floor, mine = measuring.medians(measuring.processes([base, ours], rounds), 4)
    return Row(label, "s", {"floor": floor, OURS: mine}, "floor")
