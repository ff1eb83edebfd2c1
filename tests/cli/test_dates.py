"""Recordings chosen by their day, and those of several days side by side."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Harness

JUNE, JULY = "2026-06-01", "2026-07-01"


def dated(folder: Path, day: str) -> None:
    """Every cassette of a folder was recorded on a day."""
    for path in folder.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        at = rf"\g<1>{day}T12:00:00+00:00"
        path.write_text(re.sub(r"(recorded_at: *'?)[0-9T:+-]+", at, text), encoding="utf-8")


@pytest.fixture
def days(folder: Path) -> Path:
    """Cassettes of July, those of refusals of June; beside them, all of June."""
    dated(folder / "cassettes", JUNE)
    shutil.copytree(folder / "cassettes", folder / "june")
    for name in ("slogan", "single-turn-messages", "single-turn-prompt"):
        dated(folder / "cassettes" / name, JULY)
    path = folder / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("total_tokens", "all_tokens"))
    return folder


def test_two_days_of_the_same_targets(harness: Harness, days: Path) -> None:
    """Each scenario and target with itself, and each side says of which day it is."""
    done = harness("compare", "june", "cassettes", "--json", folder=days)
    assert (done.code, done.err) == (0, "")
    told = {(one["scenario"], one["left"], one["right"]) for one in json.loads(done.out)}
    assert {
        ("slogan", f"zhipuai/glm-5.3-flash ({JUNE})", f"zhipuai/glm-5.3-flash ({JULY})"),
        ("slogan", f"dashscope/qwen-flash ({JUNE})", f"dashscope/qwen-flash ({JULY})"),
    } <= told
    assert len(told) == 6
    shown = harness("compare", "june", "cassettes", folder=days).out
    assert f"slogan: zhipuai/glm-5.3-flash ({JUNE}) and zhipuai/glm-5.3-flash ({JULY})" in shown
    assert "/usage/all_tokens" in shown


def test_more_than_two_days(harness: Harness, days: Path) -> None:
    """In one matrix for each scenario, with a column for each day."""
    shutil.copytree(days / "june", days / "may")
    dated(days / "may", "2026-05-01")
    done = harness("compare", "may", "june", "cassettes", folder=days)
    assert (done.code, done.err) == (0, "")
    shown = done.out[done.out.index("slogan: 6 targets") :]
    for day in ("2026-05-01", JUNE, JULY):
        assert f"] zhipuai/glm-5.3-flash ({day})" in shown


def test_a_comparison_of_some_days(harness: Harness, days: Path) -> None:
    """What is of other days is left out; a side of which nothing is left is told."""
    done = harness("compare", "june", "cassettes", "--until", "2026-06-30", "--json", folder=days)
    assert {one["scenario"] for one in json.loads(done.out)} == {"refusals"}
    done = harness("compare", "slogan", "refusals", "--since", JULY, folder=days)
    assert (done.code, done.out) == (2, "")
    assert done.err == (f"harness: refusals: nothing was recorded since {JULY}; there is: {JUNE}\n")
    fields = ("compare", "--fields", "--json", "--since", JULY)
    assert "refusals" not in harness(*fields, folder=days).out
    assert harness("compare", "--fields", "--since", "2027-01-01", folder=days).code == 2


def test_a_list_and_a_report_of_some_days(harness: Harness, days: Path) -> None:
    """And what was never recorded is of no day."""
    (days / "cassettes" / "single-turn-prompt").rename(days / "elsewhere")
    done = harness("list", "--since", JULY, "--json", folder=days)
    assert {row["scenario"] for row in json.loads(done.out)} == {"slogan", "single-turn-messages"}
    done = harness("report", "--until", JUNE, "--report", "r", folder=days)
    assert (done.code, done.err) == (0, "")
    told = json.loads((days / "r" / "report.json").read_text(encoding="utf-8"))
    assert {one["scenario"] for one in told["transcripts"]} == {"refusals"}
    done = harness("report", "--since", "2027-01-01", folder=days)
    assert (done.code, done.out) == (2, "")
    assert f"there is: {JUNE}, {JULY}" in done.err
    assert harness("list", "--since", "soon", folder=days).code == 2


def test_a_check_of_some_days(harness: Harness, days: Path) -> None:
    """What cannot be read is told, of whatever day it may be."""
    bad = ("check", "cassettes", "--since", JULY)
    assert harness(*bad, folder=days).code == 1
    done = harness("check", "cassettes", "--until", JUNE, "--json", folder=days)
    assert done.code == 0
    told = json.loads(done.out)
    assert {one["scenario"] for one in told["transcripts"]} == {"refusals"}
    (days / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml").write_text("interactions: [")
    assert harness("check", "cassettes", "--until", JUNE, folder=days).code == 2
