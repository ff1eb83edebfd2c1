"""The public functions `run`, `record`, `replay`, `check` and `compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness.types import Origin

ROOT = Path(__file__).parent.parent.parent
SCENARIOS = ROOT / "scenarios"
CASSETTES = ROOT / "cassettes"
STREAMING = SCENARIOS / "streaming.yaml"
SCENARIO = """
name: capital
targets: [zhipuai/glm-5.3-flash, dashscope/qwen-flash]
steps:
  - user: 中国的首都是哪座城市？
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one scenario, and no key in the environment."""
    (tmp_path / "capital.yaml").write_text(SCENARIO, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZHIPUAI_API_KEY", raising=False)
    return tmp_path


@pytest.mark.slow
def test_record_writes_what_replay_returns(folder: Path) -> None:
    """A cassette for each target, and the transcript of each; nothing is printed."""
    recorded = harness.record("capital.yaml", source="sandbox")
    assert [one.source for one in recorded] == [
        "cassettes/capital/zhipuai-glm-5.3-flash.yaml",
        "cassettes/capital/dashscope-qwen-flash.yaml",
    ]
    assert all(Path(one.source).is_file() for one in recorded)
    assert recorded == harness.replay(Path("capital.yaml"))
    assert recorded[0].provenance.recorded_from is Origin.SANDBOX


def test_run_keeps_no_file(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The turns have what was asked, answered, and what travelled."""
    scenario = harness.load_scenario("capital.yaml")
    (transcript,) = harness.run(scenario, source="sandbox", targets=["zhipuai"])
    assert isinstance(transcript.turns[0].outcome, harness.Reply)
    assert transcript.turns[0].exchanges[0].response.status == 200
    assert transcript.source == ""
    assert [path.name for path in folder.iterdir()] == ["capital.yaml"]
    assert capfd.readouterr() == ("", "")


def test_repeats_are_recorded_replayed_and_noise(folder: Path) -> None:
    """Each is a transcript of its own; what varies between them is no difference of two sides."""
    recorded = harness.record("capital.yaml", source="sandbox", targets=["glm-5.3-flash"], repeat=2)
    assert [Path(one.source).stem for one in recorded] == [
        "zhipuai-glm-5.3-flash",
        "zhipuai-glm-5.3-flash~2",
    ]
    assert harness.replay("capital.yaml", targets=["glm-5.3-flash"]) == recorded


def test_a_live_recording_needs_a_key(folder: Path) -> None:
    """No request is made without one, and none to the sandbox instead."""
    with pytest.raises(harness.MissingKey, match="ZHIPUAI_API_KEY"):
        harness.record("capital.yaml", source="live", targets=["zhipuai"])
    assert not Path("cassettes").exists()


def test_replay_of_a_folder(folder: Path) -> None:
    """Every scenario in it, in the order of names; the first one without a cassette is named."""
    for name in ("slogan", "capital-cities"):
        text = (SCENARIOS / "single-turn-messages.yaml").read_text(encoding="utf-8")
        changed = text.replace("name: single-turn-messages", f"name: {name}")
        (folder / f"{name}.yaml").write_text(changed, encoding="utf-8")
    (folder / "capital.yaml").unlink()
    with pytest.raises(harness.NoCassette, match="capital-cities"):
        harness.replay(folder, cassettes="elsewhere")


def test_check_takes_transcripts_files_and_folders() -> None:
    """One after the other; the rules for SDKs find what only a transcript of a run has."""
    (transcript, *_) = harness.replay(STREAMING, cassettes=CASSETTES)
    assert harness.check(transcript) == ()
    assert harness.check(transcript.source, CASSETTES / "streaming") == ()
    turn = transcript.turns[0]
    assert isinstance(turn.outcome, harness.Reply)
    wrong = replace(turn, outcome=replace(turn.outcome, content="something else"))
    findings = harness.check(transcript, replace(transcript, turns=(wrong,)))
    assert findings
    assert {finding.source for finding in findings} == {transcript.source}
    assert {finding.target for finding in findings} == {transcript.target}


def test_check_follows_the_project(folder: Path) -> None:
    """`[tool.harness.rules]` of the current folder; a rule that does not exist is an error."""
    (folder / "pyproject.toml").write_text("[tool.harness.rules]\nselect = ['nonsense']\n")
    with pytest.raises(harness.BadSettings, match="nonsense"):
        harness.check(CASSETTES)


def test_check_of_nothing_is_an_error(folder: Path) -> None:
    """A typing error in a path must not pass."""
    with pytest.raises(harness.HarnessError, match="casettes"):
        harness.check("casettes")
    (folder / "bad.yaml").write_text("- 1\n", encoding="utf-8")
    with pytest.raises(harness.BadCassette, match=r"bad\.yaml"):
        harness.check("bad.yaml")


def test_compare_takes_transcripts_and_files() -> None:
    """Either gives the same formats."""
    left, right, *_ = harness.replay(STREAMING, cassettes=CASSETTES)
    comparison = harness.compare(left, right)
    assert (comparison.left, comparison.right) == (left.target, right.target)
    assert comparison.of(harness.Layer.SHAPE)
    assert harness.compare(left.source, Path(right.source)) == comparison
    assert harness.compare(left, left.source).differences == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "cloud"}, "source='cloud' is not valid; expected one of: 'live', 'sandbox'"),
        (
            {"source": "sandbox", "interrupted": "no"},
            "interrupted='no' is not valid; expected one of: 'refuse', 'resume', 'afresh'",
        ),
        ({"source": "sandbox", "repeat": 0}, "repeat=0 is not valid; expected a number from 1"),
        (
            {"source": "sandbox", "targets": "glm-5.3-flash"},
            "targets='glm-5.3-flash': expected a list of strings",
        ),
        ({"source": "sandbox", "targets": ["gpt"]}, "no scenario here has a target 'gpt'"),
    ],
)
def test_wrong_arguments(folder: Path, options: dict[str, object], message: str) -> None:
    """One sentence each, before anything is written."""
    with pytest.raises(harness.HarnessError) as raised:
        harness.record("capital.yaml", **options)  # type: ignore[arg-type]  # that is the test
    assert str(raised.value).startswith(message)
    assert [path.name for path in folder.iterdir()] == ["capital.yaml"]


def test_an_unknown_provider_is_named(folder: Path) -> None:
    """With its line, as the commands do."""
    text = SCENARIO.replace("zhipuai/glm-5.3-flash", "zhipua/glm-5.3-flash")
    (folder / "capital.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(harness.BadScenario, match=r"capital\.yaml:3: .*zhipua"):
        harness.load_scenario("capital.yaml")
