"""Every kind of call in every form of API, from the scenario's file to the report."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from support_matrix import CELLS, DOCS, Kind, page

import harness
from harness.analysis.transcript import analyze
from harness.parse import PARSERS
from harness.parse.run import Verdict, parse_all
from harness.providers import endpoints
from harness.report import json_report, text
from harness.sandbox.images import ImageRequest, draw
from harness.sandbox.media import speak
from harness.types import Reply, Severity

PROJECT = """\
[tool.harness.providers.anthropic]
[tool.harness.providers.openai-responses]
[tool.harness.providers.openai]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a picture, a sound, and services that it declares."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "a.png").write_bytes(draw(ImageRequest("小猫", 64, 64)))
    (tmp_path / "hello.wav").write_bytes(speak("你好"))
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "form"), [pytest.param(*cell, id=f"{cell[0].id}-{cell[1]}") for cell in CELLS]
)
def test_kind(kind: Kind, form: str, project: Path) -> None:
    """Recorded through the SDK, replayed, checked, parsed, compared with itself and shown."""
    path = project / "one.yaml"
    path.write_text(kind.scenario(form, "one"), encoding="utf-8")
    (transcript,) = harness.record(path, source="sandbox", cassettes=project / "cassettes")
    assert all(isinstance(turn.outcome, Reply) for turn in transcript.turns)
    assert [f for f in harness.check(transcript) if f.severity is not Severity.INFO] == []
    assert harness.compare(transcript, transcript).all_differences == ()
    analyzed = analyze(transcript, endpoints.recognise)
    installed = [parser for parser in PARSERS.values() if parser.installed]
    parsed = [*parse_all("", analyzed.readings, installed)]
    assert not [result for result in parsed if result.verdict is Verdict.CRASHED]
    answers = {turn.answer.number for turn in analyzed.turns if turn.answer}
    verdicts = {result.verdict for result in parsed if result.number in answers}
    read = verdicts & {Verdict.SAME, Verdict.DIFFERENT}
    assert bool(read) == (form not in kind.unparsed)
    screen = io.StringIO()
    text.conversation(Console(file=screen, width=200), analyzed)
    assert kind.shown in screen.getvalue()
    assert json_report.conversation(analyzed)


@pytest.mark.parametrize("language", DOCS)
def test_the_page_lists_what_this_module_runs(language: str) -> None:
    """After a change: python -m tests.support_matrix."""
    assert DOCS[language].read_text(encoding="utf-8") == page(language)
