"""Importing `harness.strategies` is lazy and needs hypothesis."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness


def output_of(code: str) -> str:
    """Return the output of code in a new Python process, errors included."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # noqa: S603
    return done.stdout + done.stderr


@pytest.mark.slow
def test_hypothesis_is_imported_on_first_use() -> None:
    """`import harness` alone does not import hypothesis."""
    code = "import sys, harness; print('hypothesis' in sys.modules, end=' '); harness.strategies;"
    assert output_of(code + "print('hypothesis' in sys.modules)") == "False True\n"


@pytest.mark.parametrize("use", ["harness.strategies", "from harness import strategies"])
def test_without_hypothesis_there_is_one_clear_message(use: str) -> None:
    """The message says what to install."""
    code = f"import sys; sys.modules['hypothesis'] = None\nimport harness\n{use}"
    assert output_of(code).splitlines()[-1] == (
        "harness.errors.MissingExtra: hypothesis is not installed; install it with: "
        "pip install 'llm-conversation-harness[strategies]'"
    )


def test_unknown_attributes_are_errors() -> None:
    """Only `strategies` is imported lazily by that name."""
    with pytest.raises(AttributeError, match="no attribute 'strategy'"):
        harness.strategy  # type: ignore[attr-defined]  # noqa: B018
