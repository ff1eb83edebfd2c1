"""The way in: only who makes use of it needs hypothesis."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness


def ran(code: str) -> str:
    """What a fresh Python says, its errors included."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # noqa: S603
    return done.stdout + done.stderr


def test_it_is_imported_when_it_is_used() -> None:
    """`import harness` alone brings no hypothesis."""
    code = "import sys, harness; print('hypothesis' in sys.modules, end=' '); harness.strategies;"
    assert ran(code + "print('hypothesis' in sys.modules)") == "False True\n"


@pytest.mark.parametrize("use", ["harness.strategies", "from harness import strategies"])
def test_without_hypothesis_there_is_one_clear_message(use: str) -> None:
    """It says what to install; all else works."""
    code = f"import sys; sys.modules['hypothesis'] = None\nimport harness\n{use}"
    assert ran(code).splitlines()[-1] == (
        "ModuleNotFoundError: harness.strategies needs hypothesis: "
        "pip install 'llm-conversation-harness[strategies]'"
    )


def test_other_names_are_still_unknown() -> None:
    """The door opens to what is there."""
    with pytest.raises(AttributeError, match="no attribute 'strategy'"):
        harness.strategy  # noqa: B018
