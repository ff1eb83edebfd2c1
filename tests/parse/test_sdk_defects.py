"""docs/SDK_DEFECTS.md tells what is known, and its commands show it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from harness.parse import PARSERS

if TYPE_CHECKING:
    from conftest import Harness

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "SDK_DEFECTS.md").read_text(encoding="utf-8")
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
KNOWN = yaml.safe_load((ROOT / "tests" / "known_disagreements.yaml").read_text(encoding="utf-8"))
COMMANDS = re.findall(r"^harness (parse .*)$", PAGE, re.MULTILINE)


def test_every_known_disagreement_is_documented() -> None:
    """The page has the place of each known disagreement in the SDK's source."""
    assert {known["where"] for known in KNOWN if f"`{known['where']}`" not in PAGE} == set()


def test_the_versions_are_those_of_the_constraints() -> None:
    """The page is about the pinned versions, whose lines it cites."""
    pinned = dict(line.split("==") for line in CONSTRAINTS.split() if "==" in line)
    cited = {parser.distribution for parser in PARSERS.values() if parser.installed}
    assert {name for name in cited if f"`{name}` {pinned[name]}" not in PAGE} == set()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_show_something(harness: Harness, command: str) -> None:
    """Each command of the page finds a disagreement."""
    done = harness(*command.split(), "--exit-code", folder=ROOT)
    assert (done.code, done.err) == (1, "")
