"""`--jobs N`: the commands say the same, in the same order, whatever the number of processes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "--target", "dashscope"],
        ["compare", "cassettes", "--fields", "--json"],
        ["compare", "cassettes", "--json"],
        ["contract", "learn", "cassettes", "--contract", "{out}"],
        ["parse", "cassettes", "--sdk", "dashscope"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_result_is_the_same(harness: Harness, tmp_path: Path, arguments: list[str]) -> None:
    """Of the shipped cassettes; times are those of a replay."""
    said = []
    for jobs in "12":
        out = tmp_path / "contract.yaml"
        chosen = [word.format(out=out) for word in arguments]
        done = harness(*chosen, "--jobs", jobs, folder=ROOT)
        written = out.read_text("utf-8") if out.exists() else ""
        out.unlink(missing_ok=True)
        said.append((done.code, re.sub(r"[\d.]+ m?s\b", "", done.out), done.err, written))
    assert said[0] == said[1]
    assert said[0][0] == 0
    assert said[0][2] == ""
