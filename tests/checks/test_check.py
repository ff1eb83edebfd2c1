"""Checks of many cassettes: in several processes, and from the results of earlier checks."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import check
from harness.checks.cache import ResultCache
from harness.checks.check import CheckedFile, CheckOptions, Kept, check_cassettes
from harness.comparison.matrix import outline
from harness.providers.rules import examine
from harness.report.build import check_report
from harness.report.json_report import document
from harness.report.model import Report

if TYPE_CHECKING:
    from conftest import Harness

CASSETTES = Path(__file__).parent.parent.parent / "cassettes"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: three cassettes, one of them with a finding, and one that is none."""
    shutil.copytree(CASSETTES / "multi-turn", tmp_path / "cassettes" / "multi-turn")
    for artefacts in sorted(CASSETTES.glob("*/artefacts"))[:1]:
        shutil.copytree(artefacts.parent, tmp_path / "cassettes" / artefacts.parent.name)
    (tmp_path / "cassettes" / "zero.yaml").write_text("no cassette")
    path = next((tmp_path / "cassettes" / "multi-turn").glob("zhipuai*.yaml"))
    path.write_text(path.read_text("utf-8").replace('"finish_reason":"stop"', '"finish_reason":7'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _report(**options: Any) -> Report:
    return check_report([Path("cassettes")], lambda _: None, CheckOptions(**options))


def _shown(report: Report) -> dict[str, Any]:
    """Return all of a report but its time."""
    return {**document(replace(report, duration=0.0)), "made": None}


@pytest.mark.slow
def test_the_report_is_the_same_with_several_processes(folder: Path) -> None:
    """And without the transcripts, if the places of fields are kept."""
    for number in range(3):
        shutil.copytree(CASSETTES / "slogan", folder / "cassettes" / f"slogan{number}")
    one = _report()
    assert one.findings
    assert one.problems
    assert _shown(_report(workers=2)) == _shown(one)
    brief = _report(workers=2, keeps=Kept.FIELDS)
    assert brief.reads == ()
    assert _shown(brief) == _shown(one)


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are checked, in order."""
    seen: list[str] = []

    def noted(transcript: Any, rules: Any) -> Any:
        seen.append(transcript.source)
        return examine(transcript, rules)

    monkeypatch.setattr(check, "examine", noted)
    return seen


@pytest.mark.slow
def test_what_did_not_change_is_not_checked_again(
    folder: Path, examined: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anything that a result depends on makes it unknown; what could not be read is read again."""
    cache = ResultCache(folder / "cache", CheckedFile)

    def checked() -> list[str]:
        """Check all, and return the files that were not known."""
        examined.clear()
        found = _report(keeps=Kept.FIELDS, cache=cache)
        files, was_new = [one.source for one in found.outlines], [*examined]
        assert len(found.problems) == len([*folder.glob("cassettes/*.yaml")])
        assert _shown(found) == _shown(_report())
        return sorted({*files} & {*was_new})

    every = checked()
    assert len(every) > 2
    assert checked() == []
    changed = Path(every[0])
    changed.write_text(changed.read_text("utf-8").replace("2026", "2025"))
    assert checked() == [every[0]]
    artefact = next(folder.glob("cassettes/*/artefacts/*"))
    content = artefact.read_bytes()
    artefact.write_bytes(b"altered")
    assert any("was altered" in problem.text for problem in _report(cache=cache).problems)
    altered = _report(keeps=Kept.FIELDS, cache=cache)
    assert any("was altered" in problem.text for problem in altered.problems)
    artefact.write_bytes(content)
    assert checked() == []
    (folder / "pyproject.toml").write_text('[tool.harness.rules]\nignore = {usage_adds_up = "x"}\n')
    assert checked() == every
    monkeypatch.setenv("ZHIPUAI_API_KEY", f"{'0123456789abcdef' * 2}.AbCd0123EfGh4567")
    assert checked() == every
    assert checked() == []


def test_each_form_of_report_uses_what_another_kept(folder: Path, examined: list[str]) -> None:
    """A page keeps fields for JSON, and applies no rule; what is shown is the same."""
    cache, plain = ResultCache(folder / "cache", CheckedFile), _report()
    times = []
    for keeps in (Kept.COUNTS, Kept.FIGURES, Kept.TRANSCRIPTS, Kept.FIELDS, *Kept):
        examined.clear()
        found = _report(keeps=keeps, cache=cache)
        times.append(len(examined))
        assert _shown(found)["findings"] == _shown(plain)["findings"]
        if keeps > Kept.FIGURES:
            assert _shown(found) == _shown(plain)
        if keeps is Kept.TRANSCRIPTS:
            assert [*found.reads] == [*plain.reads]
    every = len(plain.outlines)
    assert times == [every, *[0] * (len(times) - 1)]


def test_a_text_keeps_no_figures_of_turns(folder: Path) -> None:
    """Many cassettes would fill the memory; equal parts of their results are one object."""
    cache, plain = ResultCache(folder / "cache", CheckedFile), _report()
    for _ in range(2):
        found = _report(keeps=Kept.COUNTS, cache=cache)
        assert [replace(cell, total=None) for cell in plain.overview] == [*found.overview]
        assert (found.turns, found.exchanges) == (plain.turns, plain.exchanges)
        assert not any(one.figures for one in found.outlines)
        scripts = [one.provenance.script for one in found.outlines if one.scenario == "multi-turn"]
        assert len({*scripts}) == len({id(script) for script in scripts})


@pytest.mark.parametrize("form", ["--json", "--report a.xml", "--report a.jsonl", "--report a.md"])
def test_the_command_applies_no_rule_again_for_any_form(
    harness: Harness, folder: Path, examined: list[str], form: str
) -> None:
    """The forms that show no text of an answer need nothing but the earlier results."""
    arguments = ("check", "cassettes", *form.split())
    first = harness(*arguments, folder=folder)
    new = len(examined)
    again = harness(*arguments, folder=folder)
    assert (again.code, len(examined)) == (first.code, new)
    assert new > 2


def test_an_interrupted_check_goes_on_where_it_ended(folder: Path, examined: list[str]) -> None:
    """What was checked by then is known."""
    options = CheckOptions(keeps=Kept.FIGURES, cache=ResultCache(folder / "cache", CheckedFile))
    results = check_cassettes([Path("cassettes")], lambda _: None, options)
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    (first,) = examined
    list(check_cassettes([Path("cassettes")], lambda _: None, options))
    assert examined.count(first) == 1


def test_a_file_that_changes_while_it_is_checked_is_not_known(
    folder: Path, examined: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result may be of the one or of the other."""
    options = CheckOptions(keeps=Kept.FIGURES, cache=ResultCache(folder / "cache", CheckedFile))
    path = next(folder.glob("cassettes/multi-turn/*.yaml")).relative_to(folder)
    with monkeypatch.context() as patch:
        patch.setattr(check, "outline", lambda read: os.utime(path) or outline(read))  # type: ignore[func-returns-value]
        list(check_cassettes([path], lambda _: None, options))
    list(check_cassettes([path], lambda _: None, options))
    assert examined == [str(path)] * 2


@pytest.mark.parametrize("content", [b"no database" * 500, None])
def test_a_cache_that_fails_is_none(folder: Path, content: bytes | None) -> None:
    """A damaged database, or a folder that cannot be made."""
    place = folder / "cache"
    if content is None:
        place.write_text("a file")
    else:
        place.mkdir()
        (place / "check.sqlite").write_bytes(content)
    found = _report(keeps=Kept.FIELDS, cache=ResultCache(place, CheckedFile))
    assert _shown(found) == _shown(_report())
