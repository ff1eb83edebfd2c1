"""The report of a run of tests, of which several processes read the cassettes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cassette.age import ALWAYS
from harness.checks.check import Kept
from harness.report import FILES, build
from harness.report.model import RunInfo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cassettes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Cassettes of two targets in each scenario, and one that is cut off."""
    monkeypatch.setattr("harness.report.model.run_info", lambda *_: RunInfo("1.0", "today"))
    for name in ("slogan", "multi-turn", "kitten-image"):
        shutil.copytree(ROOT / "cassettes" / name, tmp_path / name)
    cut = tmp_path / "slogan" / "cut.yaml"
    cut.write_text("interactions:\n- request:\n", encoding="utf-8")
    return sorted(tmp_path.rglob("*.yaml"))


@pytest.mark.parametrize("form", ["html", "json", "markdown"])
def test_processes_that_share_the_work_make_the_same_report(
    cassettes: list[Path], form: str
) -> None:
    """Whatever their number; a cassette that cannot be read is a problem of both."""
    one, two = (
        replace(build.tests_report(cassettes, ALWAYS, n, print, Kept.TRANSCRIPTS), duration=1.0)
        for n in (1, 2)
    )
    assert [problem.text.partition(": ")[0] for problem in one.problems] == [
        next(str(path) for path in cassettes if path.name == "cut.yaml")
    ]
    assert FILES[form](one) == FILES[form](two)


def test_figures_need_no_transcripts(cassettes: list[Path]) -> None:
    """A report as JSON is the same without them."""
    whole, figures = (
        replace(build.tests_report(cassettes, ALWAYS, 1, lambda _: None, keeps), duration=1.0)
        for keeps in (Kept.TRANSCRIPTS, Kept.FIELDS)
    )
    assert (len(whole.reads), len(figures.reads)) == (len(cassettes) - 1, 0)
    assert FILES["json"](whole) == FILES["json"](figures)


def test_progress_names_each_group(cassettes: list[Path]) -> None:
    """With the number of cassettes that are done, of those that can be read."""
    lines: list[str] = []
    build.tests_report(cassettes, ALWAYS, 1, lines.append, Kept.FIGURES)
    assert [line.partition(" ")[0] for line in lines] == ["[2/6]", "[4/6]", "[6/6]"]
