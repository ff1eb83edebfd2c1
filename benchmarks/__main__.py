"""Measure everything beside peers and print medians, their spread and ratios, or JSON."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    asking,
    cassettes,
    compare_large,
    corpora,
    corpus,
    figures,
    large,
    measuring,
    readers,
    scale,
    scenarios,
    serving,
    startup,
    suites,
)
from benchmarks.clients import CLIENTS, Client
from benchmarks.docs import groups, write_docs
from benchmarks.figures import OURS, STANDING, Row
from benchmarks.tools import TOOLS, Tool
from harness.errors import HarnessError

BASELINE = Path(__file__).with_name("baseline.json")


def main() -> None:
    """`python -m benchmarks [--quick] [--only PART ...] [--json] [--check | --save] [--docs]`."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller files, fewer rounds")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=[*PARTS], metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if a ratio is worse than in the baseline"
    )
    parser.add_argument("--save", action="store_true", help="store the ratios as the baseline")
    parser.add_argument("--docs", action="store_true", help="write the figures into the docs")
    options = parser.parse_args()
    for sentence in [*_absent(), *readers.absent()]:
        _progress(sentence)
    tools = [tool for tool in TOOLS if tool.name != "cassetter" or find_spec("cassetter")]
    rows, failed = list[Row](), 0
    for name, part in _measured(tools, options.quick, options.only):
        if part is None:
            failed = 1
            continue
        rows += part
        if options.docs:  # each part at once: the whole takes long, and may be interrupted
            write_docs({name: part})
        if options.save:
            _save(part)
    if options.json:
        json.dump(figures.document(rows), sys.stdout, indent=2)
    else:
        _print(rows)
    if options.check:
        sys.exit(_check(rows, json.loads(BASELINE.read_text(encoding="utf-8"))) or failed)
    sys.exit(failed)


def _save(rows: list[Row]) -> None:
    """Store the ratios of these rows in the baseline, beside those of others."""
    kept: dict[str, object] = (
        json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    )
    kept.update(figures.baseline(rows))
    BASELINE.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _check(rows: list[Row], known: figures.Baseline) -> int:
    """Print the verdict; return the exit code: 0, 1 if a ratio is worse, 2 without a verdict."""
    worse, compared = list(figures.worse(rows, known)), len(figures.comparable(rows, known))
    ours = [row.label for row in rows if OURS in row.samples]
    unknown = sum(label not in known for label in ours)
    others = f"{len(ours) - compared - unknown} too noisy, {unknown} not in the baseline"
    verdict = f"{compared} ratios compared, {len(worse)} worse than in the baseline; {others}"
    print(*worse, verdict if compared else f"no verdict: {others}", sep="\n")  # noqa: T201
    return (1 if worse else 0) if compared else 2


@dataclass(frozen=True)
class Part:
    """A part of the figures.

    Attributes:
        rows: Measures it, with the tools, in a folder of its own; True: quickly.
        minutes: The minutes that it takes on two quiet cores; the second is that of `--quick`.
    """

    rows: Callable[[list[Tool], Path, bool], list[Row]]
    minutes: tuple[float, float]


def _measured(
    tools: list[Tool], quick: bool, only: Sequence[str]
) -> Iterator[tuple[str, list[Row] | None]]:
    """Yield the name of each part and its rows; None if it failed."""
    rows: list[Row] | None
    chosen = {name: PARTS[name] for name in PARTS if name in only}
    _progress(f"all parts: about {sum(_minutes(part, quick) for part in chosen.values()):.0f} min")
    for name, part in chosen.items():
        _progress(f"{name}: about {_minutes(part, quick):g} min")
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows = part.rows(tools, Path(folder).absolute(), quick)
            except (OSError, RuntimeError, HarnessError) as error:  # the other parts count
                _progress(f"{name}: failed: {error}")
                rows = None
        _progress(f"{name}: took {(time.monotonic() - began) / 60:.1f} min")
        yield name, rows


def _minutes(part: Part, quick: bool) -> float:
    return part.minutes[1 if quick else 0]


def _rounds(quick: bool) -> int:
    return 5 if quick else 7


TURNS = 10
"""The turns of calls that make a round."""


def _of_clients(tools: list[Tool], folder: Path, quick: bool) -> list[Row]:
    rows, rounds = list[Row](), _rounds(quick)
    counts = (10, 100) if quick else (10, 100, 1_000, 10_000)
    for client in CLIENTS:
        rows += [_calls(tools, client, count, folder, rounds) for count in counts]
        rows += [_opening(tools, client, folder, rounds)]
        rows += [_peak(tools, client, folder, 100 if quick else 1_000)]
    return rows


def _loads(tools: list[Tool], folder: Path, quick: bool) -> list[Row]:
    sizes, rounds = (14_000, 2_000_000), _rounds(quick)
    return [
        load(tools, size, folder, rounds) for size in sizes for load in (_loading, _loading_again)
    ]


def _suites(tools: list[Tool], folder: Path, quick: bool) -> list[Row]:
    number, rounds = (60, 3) if quick else (300, 3)
    rows = [
        row
        for client in CLIENTS
        for row in (
            *_suite(tools, client, number, 1, folder, rounds),
            *_once(tools, client, folder, 2),
            *_suite(tools, client, number, 4, folder, rounds),
        )
    ]
    return sorted(rows, key=lambda row: row.label.startswith("first run"))  # a table of their own


def _calls(tools: list[Tool], client: Client, count: int, folder: Path, rounds: int) -> Row:
    _progress(f"{client.name}: calls, {count} exchanges")
    able = [tool for tool in tools if count <= tool.max_exchanges]
    path = cassettes.of_exchanges(client, count, folder)
    values = measuring.medians(asking.calls(able, client, path, count, rounds * TURNS), TURNS)
    label = f"a call, {client.name}, {count} exchanges"
    return Row(label, "s", _by_name(able, values), "floor")


def _opening(tools: list[Tool], client: Client, folder: Path, rounds: int) -> Row:
    _progress(f"{client.name}: opening and closing")
    path = cassettes.of_exchanges(client, 10, folder)
    actions = [measuring.opened_and_closed(tool, client, path) for tool in tools]
    values = measuring.medians(measuring.actions(actions, rounds * 5), 5)
    label = f"open and close, {client.name}, 10 exchanges"
    why = "it patches the network and time, too, which pytest does once for all tests"
    return Row(label, "s", _by_name(tools, values), "floor", why)


def _peak(tools: list[Tool], client: Client, folder: Path, count: int) -> Row:
    _progress(f"{client.name}: memory")
    path = cassettes.of_exchanges(client, count, folder)
    values = [[measuring.peak(tool.name, client.name, path, min(count, 10))] for tool in tools]
    label = f"peak memory, {client.name}, {count} exchanges"
    return Row(label, "B", _by_name(tools, values), "floor")


def _loading(tools: list[Tool], size: int, folder: Path, rounds: int) -> Row:
    _progress(f"loading {size} bytes")
    path = cassettes.of_size(CLIENTS[0], size, folder)
    loading = [(tool, tool.load) for tool in tools if tool.load]
    actions = [partial(load, path) for _, load in loading]
    values = measuring.medians(measuring.actions(actions, rounds * 3), 3)
    label = f"load {path.stat().st_size / 1000:,.0f} kB"
    return Row(label, "s", _by_name([tool for tool, _ in loading], values), OURS)


def _loading_again(tools: list[Tool], size: int, folder: Path, rounds: int) -> Row:
    """Load a file that was loaded before in this process; only this tape remembers it."""
    _progress(f"loading {size} bytes again")
    path = cassettes.of_size(CLIENTS[0], size, folder)
    loading = [(tool, tool.load_again or tool.load) for tool in tools if tool.load]
    actions = [partial(load, path) for _, load in loading]
    values = measuring.medians(measuring.actions(actions, rounds * 3), 3)
    label = f"load {path.stat().st_size / 1000:,.0f} kB again"
    return Row(label, "s", _by_name([tool for tool, _ in loading], values), OURS)


def _scenarios(folder: Path) -> list[Row]:
    """Measure what no other tool does; the floor of parallel recording is the waiting alone."""
    _progress("scenarios: recording many at once, replaying many polls")
    many, at_once, latency = scenarios.MANY, scenarios.AT_ONCE, scenarios.LATENCY
    waiting = many * latency / at_once
    recorded = {"floor": [waiting], OURS: [scenarios.recorded_at_once(folder)]}
    polled = {OURS: [scenarios.polled_in_no_time(folder)]}
    return [
        Row(f"record {many} scenarios of {latency} s, {at_once} at once", "s", recorded, "floor"),
        Row(f"replay {scenarios.POLLS} polls, 15 s apart", "s", polled, OURS),
    ]


def _comparing(rounds: int) -> Row:
    _progress("comparing large answers")
    (values,) = measuring.actions([compare_large.comparison()], rounds)
    return Row("compare 1 MB, 10,000 values", "s", {OURS: values}, OURS)


def _suite(
    tools: list[Tool], client: Client, number: int, calls_each: int, folder: Path, rounds: int
) -> list[Row]:
    """Measure a suite: in all, and what a tool adds to the floor per test; then in a first run."""
    _progress(f"{client.name}: a pytest suite of {number} cassettes with {calls_each} exchanges")
    names = [tool.name for tool in tools]
    costs = suites.costs([*names, *suites.FIRST], client, number, calls_each, folder, rounds)
    suite, rows = f"{number} cassettes of {calls_each}, {client.name}", list[Row]()
    checks = suites.checks(costs, calls_each)
    known, first = suites.runs(costs)
    for run, of_run, why in (
        ("", known, f"{suites.GUARDS}; {checks} in a first run"),
        ("first run, ", first, f"{checks}; {suites.GUARDS}"),
    ):
        whole = {name: cost.all for name, cost in of_run.items()}
        each = {name: cost.each for name, cost in of_run.items() if name != suites.FLOOR}
        rows += [
            Row(f"{run}pytest, {suite}", "s", whole, suites.FLOOR, why),
            Row(f"{run}over the floor, per test, {suite}", "s", each, OURS, why),
        ]
    return rows


def _once(tools: list[Tool], client: Client, folder: Path, rounds: int) -> list[Row]:
    _progress(f"{client.name}: pytest suites of one test")
    names = [*(tool.name for tool in tools), *suites.FIRST]
    added = suites.once(names, client, folder, rounds)
    del added[suites.FLOOR]
    why = "it imports its rules, and the patches of the network and of time"
    label = f"over the floor, once, {client.name}"
    known, first = suites.runs(added)
    return [Row(label, "s", known, OURS, why), Row(f"first run, {label}", "s", first, OURS, why)]


def _absent() -> list[str]:
    """Return a sentence for each peer that is not installed."""
    absent = []
    if not find_spec("cassetter"):
        absent.append("cassetter is not installed: pip install cassetter")
    if shutil.which("llmock") is None:
        absent.append("aimock is not on PATH: npm install -g @copilotkit/aimock")
    return absent


def _by_name(tools: list[Tool], runs: measuring.Runs) -> dict[str, list[float]]:
    return {tool.name: run for tool, run in zip(tools, runs, strict=True)}


def _progress(text: str) -> None:
    print(text, "...", file=sys.stderr, flush=True)  # noqa: T201 - progress


def _print(rows: Sequence[Row]) -> None:
    """Print a table for each run of rows with the same columns."""
    console = Console(width=240)
    for group in groups(rows):
        names = list(dict.fromkeys(name for row in group for name in row.samples))
        table = Table("", *names, STANDING)
        for row in group:
            table.add_row(
                row.label, *(figures.cell(row, name) for name in names), figures.standing(row)
            )
        console.print(table)


def _scale(folder: Path, quick: bool) -> list[Row]:
    counts = scale.COUNTS[:1] if quick else scale.COUNTS
    return scale.rows(counts, folder, 3, _progress)


PARTS = {
    "startup": Part(lambda _, folder, quick: startup.rows(folder, 12 if quick else 36), (1, 0.5)),
    "suites": Part(_suites, (4, 1)),
    "calls": Part(_of_clients, (4, 1)),
    "loading": Part(_loads, (0.5, 0.5)),
    "scenarios": Part(
        lambda _, folder, quick: [*_scenarios(folder), _comparing(_rounds(quick))], (0.5, 0.5)
    ),
    "readers": Part(
        lambda _, folder, quick: readers.rows(
            0.1 if quick else 1, folder, _rounds(quick), _progress
        ),
        (0.5, 0.5),
    ),
    "serving": Part(
        lambda _, folder, quick: serving.rows(4_608 if quick else 20_000, folder), (3, 1)
    ),
    "corpus": Part(
        lambda _, folder, quick: corpora.rows(
            20 if quick else corpus.FILES, folder, 2 if quick else 3, _progress
        ),
        (9, 1),
    ),
    "large": Part(
        lambda _, folder, quick: large.rows(
            0.02 if quick else 1, folder, 2 if quick else 3, _progress
        ),
        (7, 1),
    ),
    "scale": Part(lambda _, folder, quick: _scale(folder, quick), (15, 0.5)),
}
"""The parts, by the name for `--only`, in the order in which they are measured."""


if __name__ == "__main__":
    main()
