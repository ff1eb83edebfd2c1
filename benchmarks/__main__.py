"""Measure everything beside peers and print medians, their spread and ratios, or JSON."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    asking,
    cassettes,
    compare_large,
    figures,
    measuring,
    scale,
    scenarios,
    serving,
    startup,
    suites,
)
from benchmarks.clients import CLIENTS, Client
from benchmarks.docs import write_docs
from benchmarks.figures import OURS, STANDING, Row
from benchmarks.tools import TOOLS, Tool

BASELINE = Path(__file__).with_name("baseline.json")


def main() -> None:
    """`python -m benchmarks [--quick] [--json] [--check | --save] [--docs]`."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller cassettes, fewer rounds")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--only", default="", metavar="TEXT", help="only parts with this name")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if a ratio is worse than in the baseline"
    )
    parser.add_argument("--save", action="store_true", help="store the ratios as the baseline")
    parser.add_argument("--docs", action="store_true", help="write the figures into the docs")
    options = parser.parse_args()
    for sentence in _absent():
        _progress(sentence)
    tools = [tool for tool in TOOLS if tool.name != "cassetter" or find_spec("cassetter")]
    with tempfile.TemporaryDirectory() as folder:
        rows = _measured(tools, Path(folder).absolute(), options.quick, options.only)
    names = list(dict.fromkeys(name for row in rows for name in row.samples))
    if options.json:
        json.dump(figures.document(rows), sys.stdout, indent=2)
    else:
        _print(rows, names)
    if options.docs:
        write_docs(rows)
    if options.save:
        kept: dict[str, object] = (
            json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
        )
        kept.update(figures.baseline(rows))
        BASELINE.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    if options.check:
        sys.exit(_check(rows, json.loads(BASELINE.read_text(encoding="utf-8"))))


def _check(rows: list[Row], known: figures.Baseline) -> int:
    """Print the verdict; return the exit code: 0, 1 if a ratio is worse, 2 without a verdict."""
    worse, compared = list(figures.worse(rows, known)), len(figures.comparable(rows, known))
    missing = f"{len(rows) - compared} of {len(rows)} are too noisy or not in the baseline"
    verdict = f"{compared} ratios compared, {len(worse)} worse than in the baseline; {missing}"
    print(*worse, verdict if compared else f"no verdict: {missing}", sep="\n")  # noqa: T201
    return (1 if worse else 0) if compared else 2


def _measured(tools: list[Tool], folder: Path, quick: bool, only: str) -> list[Row]:
    rounds = 5 if quick else 7
    parts: dict[str, Callable[[], list[Row]]] = {
        "startup": lambda: startup.rows(folder, 12 if quick else 36),
        "suites": lambda: _suites(tools, folder, quick),
        "calls": lambda: _of_clients(tools, folder, quick, rounds),
        "serving": lambda: serving.rows(4_608 if quick else 20_000, folder),
        "loading": lambda: _loads(tools, folder, rounds),
        "scenarios": lambda: [*_scenarios(folder), _comparing(rounds)],
        "scale": lambda: [scale.row(100 if quick else 1_000, folder, 3)],
    }
    rows: list[Row] = []
    began = time.monotonic()
    for name, part in parts.items():
        if only not in name:
            continue
        if time.monotonic() - began > MAX_SECONDS:
            _progress(f"{name}: left out, the time is up; measure it with --only {name}")
            continue
        _progress(name)
        try:
            rows += part()
        except (OSError, RuntimeError) as error:  # of what is measured; the other parts count
            _progress(f"{name}: failed: {error}")
    return rows


TURNS = 10
"""The turns of calls that make a round."""
MAX_SECONDS = 11 * 60.0
"""Seconds after which no further part begins."""


def _of_clients(tools: list[Tool], folder: Path, quick: bool, rounds: int) -> list[Row]:
    rows: list[Row] = []
    counts = (10, 100) if quick else (10, 100, 1_000, 10_000)
    for client in CLIENTS:
        rows += [_calls(tools, client, count, folder, rounds) for count in counts]
        rows += [_opening(tools, client, folder, rounds)]
        rows += [_peak(tools, client, folder, 100 if quick else 1_000)]
    return rows


def _loads(tools: list[Tool], folder: Path, rounds: int) -> list[Row]:
    sizes = (14_000, 2_000_000)
    return [
        load(tools, size, folder, rounds) for size in sizes for load in (_loading, _loading_again)
    ]


def _suites(tools: list[Tool], folder: Path, quick: bool) -> list[Row]:
    number, rounds = (60, 3) if quick else (300, 3)
    return [
        row
        for client in CLIENTS
        for row in (
            *_suite(tools, client, number, 1, folder, rounds),
            _once(tools, client, folder, 2),
            *_suite(tools, client, number, 4, folder, rounds),
        )
    ]


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
    """Measure a suite: in all, and what a tool adds to the floor per test."""
    _progress(f"{client.name}: a pytest suite of {number} cassettes with {calls_each} exchanges")
    names = [*(tool.name for tool in tools), *suites.FIRST]
    costs = suites.costs(names, client, number, calls_each, folder, rounds)
    suite, why = f"{number} cassettes of {calls_each}, {client.name}", suites.why(costs)
    whole = {name: costs[name].all for name in names}
    each = {name: costs[name].each for name in names if name != suites.FLOOR}
    return [
        Row(f"pytest, {suite}", "s", whole, suites.FLOOR, why),
        Row(f"over the floor, per test, {suite}", "s", each, OURS, why),
    ]


def _once(tools: list[Tool], client: Client, folder: Path, rounds: int) -> Row:
    _progress(f"{client.name}: pytest suites of one test")
    names = [*(tool.name for tool in tools), *suites.FIRST]
    added = suites.once(names, client, folder, rounds)
    del added[suites.FLOOR]
    why = "it imports its rules, and the patches of the network and of time"
    return Row(f"over the floor, once, {client.name}", "s", added, OURS, why)


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


def _print(rows: list[Row], names: list[str]) -> None:
    table = Table("", *names, STANDING)
    for row in rows:
        cells = (figures.cell(row, name) for name in names)
        table.add_row(row.label, *cells, figures.standing(row))
    Console(width=240).print(table)


if __name__ == "__main__":
    main()
