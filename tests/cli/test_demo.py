"""harness demo, as a new user runs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.cassette.reader import loads
from harness.scenario.files import shipped_folder
from harness.types import Origin

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = pytest.mark.slow

REPORT = ("index.html", "junit.xml", "report.json", "report.jsonl", "summary.md")


def short(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """A demo of these scenarios only, in which nobody waits for a task."""
    from harness.intercept.recorder import Recorder
    from harness.runner import batch

    every = batch.jobs(batch.load_scenarios([], shipped_folder()), [])
    todo: Any = [job for job in every if job.scenario.name in names]
    monkeypatch.setattr(batch, "jobs", lambda scenarios, targets: todo)
    monkeypatch.setattr(Recorder, "sleep", lambda self, seconds: None)


def test_the_demo(harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records everything, replays it, and says where the page is; no file but in its folder."""
    short(monkeypatch, "slogan", "kitten-image")
    done = harness("demo", "--out", "out", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "It is not the real service" in done.out
    assert "recorded  4 cassettes in" in done.out
    assert "report    out/report/index.html" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    pictures = [path for path in files if path.startswith("out/cassettes/kitten-image/artefacts/")]
    assert len(pictures) == 2
    assert [path for path in files if path not in pictures] == [
        "out/broken-on-purpose/slogan/zhipuai-glm-5.3-flash.yaml",
        "out/cassettes/kitten-image/dashscope-wan2.2-t2i-flash.yaml",
        "out/cassettes/kitten-image/zhipuai-cogview-4.yaml",
        "out/cassettes/slogan/dashscope-qwen-flash.yaml",
        "out/cassettes/slogan/zhipuai-glm-5.3-flash.yaml",
        *(f"out/report-of-a-break/{name}" for name in REPORT),
        *(f"out/report/{name}" for name in REPORT),
    ]


def test_the_demo_shows_how_a_break_looks(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy says that it was broken on purpose; rule, byte, verdict and page are told."""
    short(monkeypatch, "slogan")
    done = harness("demo", "--out", "out", folder=tmp_path)
    assert done.code == 0
    told = done.out.partition("How does a break look? ")[2].splitlines()
    assert told[0] == "A copy of one recording, broken on purpose:"
    name = "slogan/zhipuai-glm-5.3-flash.yaml"
    about = "Write the total token count as a string."
    assert told[1] == f"broken    out/broken-on-purpose/{name}: {about}"
    assert re.fullmatch(
        r"found by  answer_fits_schema \(turn 1, exchange 1, byte \d+, /usage/total_tokens\): "
        r'expected integer, actual string "153"',
        told[2],
    )
    assert told[3] == "drift     breaking, from the recording to the copy"
    assert told[4] == "its page  out/report-of-a-break/index.html"
    copy = loads((tmp_path / "out" / "broken-on-purpose" / name).read_bytes(), "")
    original = loads((tmp_path / "out" / "cassettes" / name).read_bytes(), "")
    assert copy.provenance.note.startswith("made by harness demo, not recorded; broken on purpose")
    assert (original.provenance.note, copy.provenance.recorded_from) == ("", Origin.SANDBOX)
    body = original.exchanges[0].response.body
    assert copy.exchanges[0].response.body == body.replace(b":153", b':"153"')
    page = (tmp_path / "out" / "report-of-a-break" / "index.html").read_text(encoding="utf-8")
    assert "<title>Broken on purpose: how a break looks</title>" in page
    assert "故意破坏" in page
    assert copy.provenance.note in page
    assert '<mark class="offending">' in page
    assert '<section data-view id="drift"' in page
    main = (tmp_path / "out" / "report" / "index.html").read_text(encoding="utf-8")
    assert main.lower().count("broken on purpose") == 1
    assert (
        '<a href="../report-of-a-break/index.html"><span data-zh="故意破坏：失败报告的样子">Broken'
        in main
    )
    assert "No failures" in main
    assert harness("check", "out/broken-on-purpose", folder=tmp_path).code == 1
    assert harness("drift", "out/cassettes", "out/broken-on-purpose", folder=tmp_path).code == 1


@pytest.mark.parametrize("blind", ["rules", "drift"])
def test_the_demo_fails_where_a_break_is_not_noticed(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blind: str
) -> None:
    """By the rules, or by the look for drift: a demo that passes proves that both see."""
    from harness.drift import judge
    from harness.drift.types import Drift
    from harness.report import Report, build

    short(monkeypatch, "slogan")
    if blind == "rules":
        monkeypatch.setattr(build, "check_report", lambda paths, steps: Report("Check"))
    else:
        same = Drift("slogan", "zhipuai/glm-5.3-flash", "", "")
        monkeypatch.setattr(judge.Criteria, "compare", lambda *sides: same)
    done = harness("demo", "--out", "out", folder=tmp_path)
    assert (done.code, "the harness did NOT notice, and should have" in done.out) == (1, True)
    assert ("found by" in done.out) is (blind == "drift")


def test_the_demo_fails_where_nothing_can_be_broken(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures count no tokens; nothing is said to be proved then."""
    short(monkeypatch, "kitten-image")
    done = harness("demo", "--out", "out", folder=tmp_path)
    assert (done.code, "no recording can be broken" in done.out) == (1, True)
