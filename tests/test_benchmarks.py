"""The figures of benchmarks: medians, spread, no verdict on a noisy machine, and the baseline."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import commands, corpora, corpus, large, readers, scale, sdks, serving, shapes
from benchmarks.commands import LOADER, Job, Usage, used
from benchmarks.docs import PAGES, groups, with_tables
from benchmarks.figures import OURS, Row, baseline, cell, comparable, document, standing, worse
from benchmarks.measuring import medians
from benchmarks.steps import Stepped, take_turns
from harness.cassette.store import read

QUIET = Row("a call", "s", {"floor": [1.0, 2.0, 1.0], OURS: [1.2, 2.4, 1.3]}, "floor")
NOISY = Row("a call", "s", {"floor": [1.0, 1.0, 1.0], OURS: [1.0, 2.0, 4.0]}, "floor")


def test_ratios_are_those_of_each_run() -> None:
    """A machine that is slow for a while slows both."""
    assert QUIET.ratio(OURS) == 1.2
    assert cell(QUIET, OURS) == "1.30 s  1.20 x ±2%"
    assert cell(QUIET, "floor") == "1.00 s"
    assert cell(QUIET, "vcrpy") == "-"


def test_a_noisy_machine_gives_no_verdict() -> None:
    """Half of the runs differ by more than a fifth."""
    assert cell(NOISY, OURS) == "2.00 s  too noisy (±38%)"
    assert list(worse([NOISY], {"a call": {"ratio": 1.0, "spread": 0.0}})) == []


def test_differences_of_0_or_less_give_no_verdict() -> None:
    """What a tool adds to the floor is a difference of two runs, which noise can turn."""
    row = Row("over the floor", "s", {OURS: [-0.001, -0.002], "cassetter": [0.0, 0.003]}, OURS)
    assert cell(row, OURS) == "-1.50 ms  too noisy (a run of 0 or less)"
    assert cell(row, "cassetter") == "1.50 ms  too noisy (a run of 0 or less)"
    assert baseline([row]) == {}
    assert comparable([row, QUIET], {"over the floor": {}, "a call": {}}) == ["a call"]
    (shown,) = document([row])
    assert shown["tools"]["cassetter"]["spread"] is None  # type: ignore[index]  # JSON


def test_a_ratio_that_is_worse_than_the_baseline() -> None:
    """By more than its spread; of what was not measured before nothing is said."""
    known = baseline([QUIET])
    assert known == {"a call": {"ratio": 1.2, "spread": 0.042}}
    assert list(worse([QUIET], known)) == []
    slower = Row("a call", "s", {"floor": [1.0] * 3, OURS: [1.3, 1.3, 1.3]}, "floor")
    assert list(worse([slower], known)) == ["a call: 1.30 x, not 1.20 x as in the baseline"]
    assert list(worse([slower], {})) == []


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        ([QUIET], 0, "1 ratios compared, 0 worse than in the baseline; 0 too noisy, 0 not in"),
        (
            [replace(QUIET, samples={"floor": [1.0], OURS: [1.5]}), replace(QUIET, label="new")],
            1,
            "a call: 1.50 x, not 1.20 x as in the baseline\n1 ratios compared, 1 worse than in the "
            "baseline; 0 too noisy, 1 not in the baseline",
        ),
        ([NOISY, replace(QUIET, label="new")], 2, "no verdict: 1 too noisy, 1 not in the baseline"),
        ([Row("memory", "B", {"before": [1.0], "after": [2.0]}, "before")], 2, "no verdict: 0 too"),
    ],
    ids=["no change", "worse", "no verdict", "without a ratio"],
)
def test_the_verdict_of_a_check(
    capsys: pytest.CaptureFixture[str], rows: list[Row], code: int, said: str
) -> None:
    """Its exit code, and how many ratios it is of."""
    assert program._check(rows, baseline([QUIET])) == code
    assert capsys.readouterr().out.startswith(said)


def test_a_row_whose_base_is_this_tool() -> None:
    """Its ratio is that to the best other."""
    row = Row("load", "s", {OURS: [1.0, 1.0], "vcrpy": [4.0, 4.0], "cassetter": [2.0, 2.0]}, OURS)
    assert baseline([row]) == {"load": {"ratio": 0.5, "spread": 0.0}}


def test_standing_beside_peers() -> None:
    """The row names the peers that take less, and what this tape does for it."""
    samples = {"floor": [1.0, 1.0], OURS: [2.0, 2.0], "vcrpy": [9.0, 9.0], "cassetter": [1.6, 1.6]}
    row = Row("a test", "s", samples, "floor", "it checks answers")
    assert standing(row) == "1.25 x cassetter: it checks answers"
    assert standing(replace(row, samples={**samples, "cassetter": [2.1, 2.1]})) == "ahead"
    assert standing(QUIET) == "-"


def test_medians_of_runs_that_follow_one_another() -> None:
    """One noisy run of three does not count; a rest of fewer does not either."""
    assert medians([[1.0, 9.0, 2.0, 5.0, 4.0, 0.0, 7.0]], 3) == [[2.0, 4.0]]


def test_processes_take_steps_in_turn() -> None:
    """A process waits between its steps, and ends when it gets no further turn."""
    program = (
        "import os, struct\n"
        "turns, reports = map(int, os.environ['HARNESS_BENCHMARK_PIPES'].split())\n"
        "while os.write(reports, struct.pack('d', 0.5)) and os.read(turns, 1): pass"
    )
    running = [Stepped(sys.executable, "-c", program, folder=Path.cwd()) for _ in range(2)]
    take_turns(running, 3)
    assert [one.steps for one in running] == [[0.5] * 4] * 2
    assert min(one.end() for one in running) > 0


def test_as_json() -> None:
    """With every run."""
    (row,) = document([QUIET])
    assert row["tools"] == {
        "floor": {"median": 1.0, "ratio": 1.0, "spread": 0.0, "runs": [1.0, 2.0, 1.0]},
        OURS: {
            "median": 1.3,
            "ratio": 1.2,
            "spread": QUIET.spread(OURS),
            "runs": [1.2, 2.4, 1.3],
        },
    }


def test_units() -> None:
    """A figure has as many decimals as one reads."""
    values = {"a": [0.0123], "b": [3.456], "c": [61.2]}
    row = Row("a", "s", values, "a")
    assert [cell(row, tool).split("  ")[0] for tool in values] == ["12.30 ms", "3.46 s", "61 s"]
    memory = Row("a", "B", {"a": [1_234_567], "b": [1_234_567_890]}, "a")
    assert [cell(memory, tool).split("  ")[0] for tool in "ab"] == ["1.2 MB", "1,235 MB"]


def test_a_single_run_has_no_spread() -> None:
    """Neither is said of it, nor is a change called worse that two runs may differ by."""
    row = Row("a", "s", {"floor": [1.0], OURS: [1.15]}, "floor")
    assert cell(row, OURS) == "1.15 s  1.15 x (1 run)"
    assert list(worse([row], {"a": {"ratio": 1.0, "spread": 0.0}})) == []
    slower = replace(row, samples={"floor": [1.0], OURS: [1.25]})
    assert len(list(worse([slower], {"a": {"ratio": 1.0, "spread": 0.0}}))) == 1


@pytest.mark.parametrize(
    ("runs", "exceptions", "shown"),
    [
        (3, 0, "ahead"),
        (3, 1, "no verdict beside aimock"),
        (9, 1, "ahead"),
        (9, 2, "no verdict beside aimock"),
        (20, 5, "ahead"),
        (20, 6, "no verdict beside aimock"),
    ],
)
def test_a_verdict_needs_runs_that_agree(runs: int, exceptions: int, shown: str) -> None:
    """So many of them that chance is unlikely."""
    aimock = [0.9] * exceptions + [1.1] * (runs - exceptions)
    assert standing(Row("serve", "s", {OURS: [1.0] * runs, "aimock": aimock}, OURS)) == shown


# ------------------------------------------------------------------------------------ commands


@pytest.mark.slow
def test_what_a_command_took(tmp_path: Path) -> None:
    """With the process that it started; memory that both share counts once."""
    program = (
        "import os, time\n"
        "shared = b'x' * 60_000_000\n"
        "if not os.fork():\n"
        "    own = b'y' * 60_000_000\n"
        "    began = time.process_time()\n"
        "    while time.process_time() - began < 0.3: pass\n"
        "    time.sleep(4)\n"  # longer than any pause between two looks at the memory
        "    os._exit(0)\n"
        "os.wait()"
    )
    usage = used(sys.executable, "-c", program, folder=tmp_path)
    assert usage.processor >= 0.3
    assert usage.wall >= 0.3
    assert 120e6 < usage.memory < 175e6 or sys.platform != "linux"


def test_the_harness_of_this_folder_is_measured(tmp_path: Path) -> None:
    """In any folder, and not the one that happens to be installed."""
    there, other = tmp_path / "path.txt", tmp_path / "installed" / "harness"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("", encoding="utf-8")
    code = f"import harness; open({str(there)!r}, 'w').write(harness.__file__)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(other.parent))
        used(sys.executable, "-c", code, folder=tmp_path)
    root = Path(commands.__file__).parents[1]
    assert Path(there.read_text(encoding="utf-8")) == root / "harness" / "__init__.py"


def test_a_command_that_fails() -> None:
    """What it printed is in the error; an exit code may be allowed."""
    failing = (sys.executable, "-c", "import sys; sys.exit('no such file')")
    with pytest.raises(RuntimeError, match=r"exit code 1: no such file"):
        used(*failing)
    assert used(*failing, codes=(0, 1)).wall > 0


def test_rows_of_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long commands run once, beside one run of the loader; a failed one has a row."""
    (tmp_path / "a.yaml").write_text("a: 1", encoding="utf-8")
    monkeypatch.setattr(commands, "loading", lambda path: Usage(1.0, 1.0, 5.0))
    moments = iter(range(0, 1_000, 10))
    monkeypatch.setattr("benchmarks.commands.time.perf_counter", lambda: next(moments))

    def failing(number: int) -> Usage:
        raise RuntimeError("not so")

    jobs = [
        Job("long", tmp_path, {OURS: lambda number: Usage(4.0, 6.0, 8.0)}, per=2),
        Job("broken", tmp_path, {OURS: failing}),
    ]
    said: list[str] = []
    found = commands.rows(jobs, 3, 15.0, said.append)
    assert {row.label: row.samples for row in found} == {
        "long, by the clock": {LOADER: [0.5, 0.5], OURS: [2.0, 2.0]},
        "long, of the processors": {LOADER: [0.5, 0.5], OURS: [3.0, 3.0]},
        "broken: failed": {LOADER: [1.0, 1.0]},
        "long, memory": {commands.FILES: [4.0, 4.0], OURS: [8.0, 8.0]},
    }
    assert "broken: failed: not so" in said


# --------------------------------------------------------------------------------------- parts


def _quiet(_: str) -> None:
    pass


@pytest.mark.slow
def test_the_corpus(tmp_path: Path) -> None:
    """Each command ends without an error, and reads what the loader reads."""
    found = corpora.rows(2, tmp_path, 1, _quiet)
    labels = [row.label for row in found if row.label.endswith("of the processors")]
    assert [label.partition(":")[0] for label in labels] == [
        *("check", "scan", "contract learn", "parse", "compare --fields", "report, a page"),
        *("list", "replay", "compare two folders"),
    ]
    assert corpora.KNOWN in found[0].samples
    assert sum(corpora.SDKS in row.samples for row in found) == 2 * 3
    assert (tmp_path / "page.html").stat().st_size > 100_000


def test_the_sdks_alone_make_each_request(tmp_path: Path) -> None:
    """A chat goes through all SDKs that can, an embedding through both of DashScope's."""
    (path, *_) = corpus.written(tmp_path, 1).rglob("*.yaml")
    uris = [exchange.request.uri for exchange in read(path).exchanges]
    embeddings = sum(uri.endswith("text-embedding") for uri in uris)
    assert 0 < embeddings < len(uris)
    assert sdks.ask_all([path], by_every_sdk=False) == len(uris)
    chats = 3 if find_spec("zai") else 2
    expected = chats * (len(uris) - embeddings) + 2 * embeddings
    assert sdks.ask_all([path], by_every_sdk=True) == expected


@pytest.mark.slow
def test_one_large_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command ends without an error."""
    monkeypatch.setattr(large, "SIZES", {"one_stream": ("a stream", 5)})
    found = large.rows(0.2, tmp_path, 1, _quiet)
    assert [row.label.partition(",")[0] for row in found[:5]] == [
        f"{name}: a stream" for name in ("check", "scan", "show", "list", "replay by httpx")
    ]
    assert all(OURS in row.samples for row in found)


def test_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads other values is left out, and so is one that refuses the text."""

    def refusing(text: bytes) -> object:
        raise ValueError("no")

    peers = {
        "right": ("json", readers._loaded),
        "wrong": ("json", lambda text: {}),
        "refusing": ("json", refusing),
        "absent": ("no_such_module", refusing),
    }
    monkeypatch.setattr(readers, "PEERS", peers)
    said: list[str] = []
    path = shapes.written("separate", 2, tmp_path / "a.yaml")
    row = readers._row("a", path.read_bytes(), 1, said.append)
    assert [*row.samples] == [LOADER, OURS, readers.FOREIGN, "right"]
    assert "a: wrong is left out: it reads other values" in said
    assert "a: refusing is left out: ValueError: no" in said
    assert readers.absent() == ["absent is not installed: pip install absent"]


@pytest.mark.slow
def test_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Dask, the other ways; more cassettes than one process gets are left to two."""
    monkeypatch.setattr(scale, "find_spec", lambda name: None)
    monkeypatch.setattr(scale, "ONE_PROCESS", 4)
    few, _, many, *_ = scale.rows([4, 6], tmp_path, 1, _quiet)
    assert few.label == "check, per cassette of 4, by the clock"
    assert [*few.samples] == [LOADER, OURS, scale.TWO, scale.KNOWN]
    assert [*many.samples] == [LOADER, scale.TWO, scale.KNOWN]


def test_what_many_machines_give() -> None:
    """The client needs its time for each cassette, however many workers there are."""
    wall, processor = commands.TIMES.values()
    found = [
        Row(f"10, {wall}", "s", {LOADER: [1.0], scale.CLIENT: [0.003]}, LOADER),
        Row(f"10, {processor}", "s", {LOADER: [1.0], OURS: [0.005], scale.CLIENT: [0.001]}, LOADER),
    ]
    (row,) = scale.computed(found)
    assert [values[0] for values in row.samples.values()] == pytest.approx([500, 300, 100])
    assert row.label.endswith("limited by the client")
    assert list(scale.computed(found[:1])) == []


@pytest.mark.slow
def test_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All answer few clients, and pass streams."""
    monkeypatch.setattr(serving, "CLIENTS", 4)
    monkeypatch.setattr(serving, "_STREAM_TURNS", 2)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = serving.rows(32, tmp_path)
    by_label = {row.label: row for row in found}
    assert by_label["serve: 4 clients, 32 requests, median"].runs == 2
    assert by_label["memory of proxy by requests"].samples.keys() == {"after 60", "after 100"}
    assert by_label["proxy: 2 streams of 10 MB, first byte"].runs == 1


def test_the_time_of_another_process() -> None:
    """It is that of all of its threads, in less than a tick."""
    assert serving.used(0) == 0 or sys.platform == "linux"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "family", lambda pid: [pid])
        assert serving.used(2**22 + 1) == 0


# ------------------------------------------------------------------------------------- program


def test_parts_that_fail_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are measured, and the estimate of each is printed before."""

    def broken(*_: object) -> list[Row]:
        raise RuntimeError("no port")

    parts = {
        "one": program.Part(broken, (3, 1)),
        "two": program.Part(lambda *_: [QUIET], (2, 0.5)),
        "three": program.Part(lambda *_: [NOISY], (9, 9)),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "PARTS", parts)
        measured = list(program._measured([], False, ["one", "two"]))
        assert measured == [("one", None), ("two", [QUIET])]
    said = capsys.readouterr().err
    assert said.splitlines()[0] == "all parts: about 5 min ..."
    assert "one: failed: no port" in said
    assert "two: about 2 min" in said


def test_the_whole_run_takes_at_most_three_quarters_of_an_hour() -> None:
    """By its estimates."""
    assert sum(part.minutes[0] for part in program.PARTS.values()) <= 45


def test_tables_of_rows_with_the_same_columns() -> None:
    """Each of them has no column that is empty."""
    other = Row("memory", "B", {"before": [1.0], "after": [2.0]}, "before")
    assert groups([QUIET, NOISY, other]) == [[QUIET, NOISY], [other]]


def test_tables_of_a_part_replace_its_own_alone() -> None:
    """Those of other parts stay as they are."""
    page = "<!-- a -->\nold\n<!-- end of a -->\ntext\n<!-- b -->\nold\n<!-- end of b -->\n"
    written = with_tables(page, "b", [QUIET])
    assert written.startswith("<!-- a -->\nold\n<!-- end of a -->\ntext\n<!-- b -->\n\n| | floor |")
    assert written.endswith("| a call | 1.00 s | 1.30 s  1.20 x ±2% | - |\n\n<!-- end of b -->\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_has_a_place_for_each_part(page: Path) -> None:
    """Else its figures would be lost."""
    text = page.read_text(encoding="utf-8")
    for part in program.PARTS:
        assert with_tables(text, part, [QUIET]) != text
