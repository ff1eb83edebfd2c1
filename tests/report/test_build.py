"""The report of a run of tests, of which several processes read the cassettes."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cassette.age import ALWAYS
from harness.checks.check import Kept
from harness.report import FILES, Report, build, html
from harness.report.build import draw_nothing
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
        replace(
            build.tests_report(cassettes, ALWAYS, n, print, Kept.TRANSCRIPTS, draw_nothing),
            duration=1.0,
        )
        for n in (1, 2)
    )
    assert [problem.text.partition(": ")[0] for problem in one.problems] == [
        next(str(path) for path in cassettes if path.name == "cut.yaml")
    ]
    assert FILES[form](one) == FILES[form](two)


def test_figures_need_no_transcripts(cassettes: list[Path]) -> None:
    """A report as JSON is the same without them."""
    whole, figures = (
        replace(
            build.tests_report(cassettes, ALWAYS, 1, lambda _: None, keeps, draw_nothing),
            duration=1.0,
        )
        for keeps in (Kept.TRANSCRIPTS, Kept.FIELDS)
    )
    assert (len(whole.reads), len(figures.reads)) == (len(cassettes) - 1, 0)
    assert FILES["json"](whole) == FILES["json"](figures)


def test_progress_names_each_group(cassettes: list[Path]) -> None:
    """With the number of cassettes that are done, of those that can be read."""
    lines: list[str] = []
    build.tests_report(cassettes, ALWAYS, 1, lines.append, Kept.FIGURES, draw_nothing)
    assert [line.partition(" ")[0] for line in lines] == ["[2/6]", "[4/6]", "[6/6]"]


def test_sections_that_are_drawn_early_make_the_same_page(
    cassettes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with findings, images or forks are drawn late. One cassette is cut off."""
    monkeypatch.setattr("harness.report.html.packing.LARGE", 1)
    source = next(one for one in cassettes if one.match("slogan/zhipuai-*.yaml"))
    changes = {
        "again": ("scenario: again", "scenario: again"),
        "broken": ('"finish_reason":"stop"', '"finish_reason":"halt"'),
        "fork": ("  harness:\n", f"  harness:\n    parent: slogan/{source.stem}@1\n"),
    }
    for name, change in changes.items():
        text = source.read_text("utf-8").replace("scenario: slogan", f"scenario: {name}")
        path = source.parent.parent / f"{name}.yaml"
        path.write_text(text.replace(*change), encoding="utf-8")
        cassettes.append(path)

    def report(drawer: build.Drawer, workers: int) -> Report:
        made = build.tests_report(
            cassettes, ALWAYS, workers, lambda _: None, Kept.TRANSCRIPTS, drawer
        )
        return replace(made, duration=1.0)

    late = report(draw_nothing, 1)
    assert late.drawn.numbers == {}
    assert {finding.scenario for finding in late.findings} == {"broken"}
    for workers in (1, 2):
        early = report(html.drawer, workers)
        assert {*early.drawn.numbers} == {"multi-turn", "again"}
        assert FILES["html"](early) == FILES["html"](late)


def test_fields_are_counted_by_model_where_cassettes_name_no_target(
    cassettes: list[Path],
) -> None:
    """Not for each file, of which there may be thousands."""
    for path in cassettes:
        text = path.read_text("utf-8")
        path.write_text(re.sub("(?m)^    (scenario|target): .*\n", "", text), encoding="utf-8")
    report = build.tests_report(cassettes, ALWAYS, 1, lambda _: None, Kept.FIELDS, draw_nothing)
    forms = report.field_matrix.forms
    assert "zhipuai/glm-5.3-flash" in {form.target for form in forms}
    assert not {form.target for form in forms} & {cell.target for cell in report.overview}
