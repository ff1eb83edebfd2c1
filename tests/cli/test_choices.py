"""Answers with several choices (`n`): each is shown and compared by its index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Harness

CASE = Path(__file__).parents[2].parent / "shared/cases/15-several-choices"


def test_each_choice_is_shown(harness: Harness) -> None:
    """In the order of their indices."""
    done = harness("show", "one.yaml", folder=CASE)
    assert done.code == 0
    assert done.out.index("choice 0") < done.out.index("One")
    assert done.out.index("choice 1") < done.out.index("Two")


def test_a_choice_that_differs_is_found(harness: Harness) -> None:
    """The first choice is the same in both."""
    done = harness("compare", "one.yaml", "other.yaml", "--exit-code", folder=CASE)
    assert done.code == 1
    assert "/choices/1/content" in done.out


def test_openai_reads_each_choice(harness: Harness) -> None:
    """It changes nothing of the content."""
    done = harness("parse", "one.yaml", "--sdk", "openai", folder=CASE)
    assert done.code == 0
    assert "content" not in done.out
