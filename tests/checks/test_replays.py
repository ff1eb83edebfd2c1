"""Replays of what has not changed are known."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import runner
from harness.config import surroundings
from harness.runner import batch

if TYPE_CHECKING:
    from conftest import Done, Harness

ROOT = Path(__file__).parents[2]
SCENARIO = """\
name: look
about: A picture.
targets: [zhipuai/glm-4v]
steps:
  - user: [{text: "这是什么？"}, {image: cat.png}]
"""
Replay = Callable[..., "tuple[Done, list[str]]"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: Harness) -> Path:
    """A project with two scenarios, whose results are kept beside it; one sends a file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    (folder / "scenarios").mkdir(parents=True)
    shutil.copy(ROOT / "scenarios" / "slogan.yaml", folder / "scenarios")
    (folder / "scenarios" / "look.yaml").write_text(SCENARIO, encoding="utf-8")
    shutil.copy(next(ROOT.glob("cassettes/*/artefacts/*.png")), folder / "scenarios" / "cat.png")
    assert harness("record", "--sandbox", folder=folder).code == 0
    return folder


@pytest.fixture
def replay(harness: Harness, project: Path, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """Replays all, and returns with the command's end the scenarios that were replayed."""
    seen: list[str] = []
    original = runner.replay

    def noted(scenario: Any, *arguments: Any) -> Any:
        seen.append(scenario.name)
        return original(scenario, *arguments)

    monkeypatch.setattr(batch, "replay", noted)

    def replay(*options: str) -> tuple[Done, list[str]]:
        seen.clear()
        done = harness("replay", "--jobs", "1", *options, folder=project)
        return done, sorted(set(seen))

    return replay


BOTH = ["look", "slogan"]


def without_time(done: Done) -> list[str]:
    """Return the printed words, without those of the last line, which tells the time."""
    return done.out.rpartition(",")[0].split()


def test_what_did_not_change_is_not_replayed_again(replay: Replay) -> None:
    """The report is the same; `--no-cache`, a pace and JSON, which shows texts, replay all."""
    first, new = replay()
    again, known = replay()
    assert (first.code, new, known) == (0, BOTH, [])
    assert without_time(again) == without_time(first)
    assert replay("--no-cache")[1] == BOTH
    assert replay("--pace", "0.001")[1] == BOTH
    assert replay("--json")[1] == BOTH
    assert replay("--report", "page.html")[1] == BOTH
    assert replay("--report", "report.xml")[1] == []


def change(path: Path, old: str, new: str) -> None:
    """Replace a text that is in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("part", "replayed"),
    [
        ("scenario", ["look"]),
        ("file of a scenario", ["look"]),
        ("cassette", ["look"]),
        ("settings", BOTH),
        ("table of models", BOTH),
        ("variable of an SDK", BOTH),
        ("SDK", BOTH),
        ("harness", BOTH),
        ("plug-in", BOTH),
        ("SDK with its sources elsewhere", BOTH),
    ],
)
def test_each_part_of_what_a_replay_depends_on_makes_it_unknown(
    replay: Replay, project: Path, monkeypatch: pytest.MonkeyPatch, part: str, replayed: list[str]
) -> None:
    """What depends on it is replayed again, the rest is known."""
    models = project / "models.toml"
    models.write_text("", encoding="utf-8")
    settings = project / "pyproject.toml"
    settings.write_text('[tool.harness]\nmodels = "models.toml"\n', encoding="utf-8")
    assert replay()[1] == BOTH
    if part == "scenario":
        change(project / "scenarios" / "look.yaml", "about: A picture", "about: An image")
    elif part == "file of a scenario":
        picture = project / "scenarios" / "cat.png"
        picture.write_bytes(picture.read_bytes() + b"more")
    elif part == "cassette":
        (cassette,) = project.glob("cassettes/look/*.yaml")
        change(cassette, "20", "21")
    elif part == "settings":
        change(settings, "[tool.harness]", '[tool.harness]\nvolatile = ["/seed"]')
    elif part == "table of models":
        models.write_text("# changed\n", encoding="utf-8")
    elif part == "variable of an SDK":
        monkeypatch.setenv("ZHIPUAI_SOMETHING", "1")
        monkeypatch.setenv("DASHSCOPE_SOMETHING", "1")
    elif part == "SDK":
        monkeypatch.setattr(surroundings, "state_of", lambda names: ["99.0.0"])
    elif part == "harness":
        monkeypatch.setattr(surroundings, "digest", lambda: b"another version")
    elif part == "plug-in":
        monkeypatch.setattr(surroundings, "may_keep", lambda: False)
    else:
        monkeypatch.setattr(surroundings, "state_of", lambda names: None)
    assert replay()[1] == replayed


def test_a_scenario_that_cannot_be_replayed_is_never_known(replay: Replay, project: Path) -> None:
    """It is the same problem each time, until its recording is there again."""
    (cassette,) = project.glob("cassettes/look/*.yaml")
    content = cassette.read_bytes()
    cassette.unlink()
    first, again = replay(), replay()
    assert [done.code for done, _ in (first, again)] == [2, 2]
    assert (first[1], again[1]) == (BOTH, ["look"])
    assert without_time(first[0]) == without_time(again[0])
    cassette.write_bytes(content)
    done, replayed = replay()
    assert (done.code, replayed) == (0, ["look"])
