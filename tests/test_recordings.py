"""Recordings on file: one read alone, a side of a comparison, and what is compared with what."""

from __future__ import annotations

from pathlib import Path

import pytest
from questions import silent, two_scenarios, write

from harness.cassette.store import Store
from harness.config.environment import Environment
from harness.errors import BadCassette, HarnessError, NoCassette
from harness.providers import recordings
from harness.report.build import check_report
from harness.runner import batch, job_recordings
from harness.sandbox import Options
from harness.scenario.files import load_all

pytestmark = pytest.mark.slow

KNOWN = Environment({})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two scenarios."""
    return two_scenarios(tmp_path / "scenarios")


@pytest.fixture
def recorded(folder: Path, tmp_path: Path) -> Store:
    """Both scenarios, recorded."""
    store = Store(tmp_path / "cassettes")
    with batch.sandboxed(Options(port=0), KNOWN) as source:
        assert not batch.record_all(batch.jobs(load_all([folder]), []), source, store, silent)
    return store


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("one", ["zhipuai/glm-5.3-flash", "dashscope/qwen-flash"]),
        ("one/zhipuai", ["zhipuai/glm-5.3-flash"]),
        ("one/qwen-flash", ["dashscope/qwen-flash"]),
        ("one/zhipuai/glm-5.3-flash", ["zhipuai/glm-5.3-flash"]),
        ("{store}/two/dashscope-qwen-plus.yaml", ["dashscope/qwen-plus"]),
    ],
)
def test_a_side_of_a_comparison(
    name: str, targets: list[str], folder: Path, recorded: Store
) -> None:
    """A scenario, one of its targets, or a cassette's path."""
    reads = job_recordings.read_side(name.format(store=recorded.folder), folder, recorded)
    assert [read.transcript.target for read in reads] == targets


def test_sides_that_are_none(folder: Path, recorded: Store) -> None:
    """Each says what is missing."""
    with pytest.raises(HarnessError, match="no scenario 'three'"):
        job_recordings.read_side("three", folder, recorded)
    with pytest.raises(HarnessError, match="no scenario here has a target 'gpt-4'"):
        job_recordings.read_side("one/gpt-4", folder, recorded)
    recorded.path("two", load_all([folder])[1].targets[0]).unlink()
    with pytest.raises(NoCassette, match="two with dashscope/qwen-plus was never recorded"):
        job_recordings.read_side("two", folder, recorded)


def test_what_is_compared_with_what(folder: Path, recorded: Store) -> None:
    """One with one, or target with the same target."""
    one, two = (job_recordings.read_side(name, folder, recorded) for name in ("one", "two"))
    assert [len(recordings.pair_sides(one, one))] == [2]
    assert [
        (a.transcript.scenario, b.transcript.scenario)
        for a, b in recordings.pair_sides(one[:1], two)
    ] == [("one", "two")]
    assert [b.transcript.target for _, b in recordings.pair_sides(one[1:], one)] == [
        "dashscope/qwen-flash"
    ]
    with pytest.raises(HarnessError) as raised:
        recordings.pair_sides(one, two)
    assert str(raised.value) == (
        "no target is on both sides: zhipuai/glm-5.3-flash, dashscope/qwen-flash and dashscope/qwen-plus; "  # noqa: E501
        "name one on each side, as scenario/target"
    )


def test_any_cassette_is_checked(recorded: Store, tmp_path: Path) -> None:
    """Folders are searched; a file that is no cassette is a problem, not the end."""
    report = check_report([recorded.folder], silent)
    assert [read.transcript.scenario for read in report.reads] == ["one", "one", "two"]
    assert report.ok
    bad = recorded.folder / "bad.yaml"
    bad.write_text("no: cassette\n")
    report = check_report([recorded.folder], silent)
    assert len(report.reads) == 3
    (problem,) = report.problems
    assert problem.text.startswith(f"{bad}: ")
    with pytest.raises(BadCassette):
        recordings.read_cassette(bad)


def test_folders_are_compared_scenario_by_scenario(folder: Path, recorded: Store) -> None:
    """A target that is in several scenarios is compared with itself in each."""
    write(folder, "three", "zhipuai/glm-5.3-flash, dashscope/qwen-flash")
    with batch.sandboxed(Options(port=0), KNOWN) as source:
        todo = batch.jobs(batch.load_scenarios(["three"], folder), [])
        assert not batch.record_all(todo, source, recorded, silent)
    every = job_recordings.read_side(str(recorded.folder), folder, recorded)
    assert len(every) == 5
    both = recordings.pair_sides(every, every[::-1])
    assert [a.transcript.source for a, _ in both] == [b.transcript.source for _, b in both]


def test_repeats_of_another_script_are_none(folder: Path, recorded: Store) -> None:
    """What they were asked is not the same."""
    (one, _) = job_recordings.read_side("one", folder, recorded)
    first = Path(one.transcript.source)
    again = first.with_name(first.name.replace(".yaml", "~2.yaml"))
    text = first.read_text(encoding="utf-8")
    again.write_text(text, encoding="utf-8")
    assert len(recordings.repeats_of(one)) == 1
    digest = one.transcript.provenance.script[0]
    again.write_text(text.replace(digest, "0" * len(digest)), encoding="utf-8")
    assert recordings.repeats_of(one) == ()


def test_a_side_is_found_without_its_turns(folder: Path, recorded: Store) -> None:
    """They are read group by group, and what is broken between head and end is then left out."""
    two = recorded.path("two", load_all([folder])[1].targets[0])
    two.write_text(two.read_text("utf-8").replace("  response:", "  response", 1), "utf-8")
    heads = job_recordings.find_side(str(recorded.folder), folder, recorded)
    assert [head.turns for head in heads] == [(), (), ()]
    left_out: list[BadCassette] = []
    pairs = recordings.pair_sides(heads, heads)
    read = [len(recordings.read_group(pair, left_out.append)) for pair in pairs]
    assert read == [2, 2, 0]
    assert [str(two) in str(error) for error in left_out] == [True, True]
    whole = job_recordings.read_side(str(recorded.folder), folder, recorded, left_out.append)
    assert [len(one.turns) for one in whole] == [1, 1]
