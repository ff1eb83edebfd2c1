"""Measure everything and print a table of times and ratios, or JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import cassettes, compare_large, measuring, scenarios, suites
from benchmarks.clients import CLIENTS, Client
from benchmarks.tools import TOOLS, Tool


@dataclass(frozen=True)
class Row:
    """One measurement for each tool, in seconds or bytes; `base` is the tool of ratio 1."""

    label: str
    unit: str
    values: dict[str, float]
    base: str


def main() -> None:
    """`python -m benchmarks [--quick] [--json]`."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller cassettes, fewer rounds")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    tools = [tool for tool in TOOLS if tool.name != "cassetter" or find_spec("cassetter")]
    with tempfile.TemporaryDirectory() as folder:
        rows = _measured(tools, Path(folder), options.quick)
    if options.json:
        json.dump([asdict(row) for row in rows], sys.stdout, indent=2)
    else:
        _print(rows, [tool.name for tool in tools])


def _measured(tools: list[Tool], folder: Path, quick: bool) -> list[Row]:
    rows: list[Row] = []
    rounds = 3 if quick else 7
    counts = (10, 100) if quick else (10, 100, 1_000, 10_000)
    for client in CLIENTS:
        rows += [_calls(tools, client, count, folder, rounds) for count in counts]
        rows += [_opening(tools, client, folder, rounds)]
        rows += [_peak(tools, client, folder, 100 if quick else 1_000)]
    for size in (14_000, 2_000_000):
        rows.append(_loading(tools, size, folder, rounds))
        rows.append(_loading_again(tools, size, folder, rounds))
    rows += _scenarios(folder)
    rows += [_comparing(rounds)]
    number = 30 if quick else 300
    lengths = (1, 10) if quick else (1, 10, 40)
    return rows + [
        _suite(tools, client, number, calls_each, folder)
        for client in CLIENTS
        for calls_each in lengths
    ]


def _calls(tools: list[Tool], client: Client, count: int, folder: Path, rounds: int) -> Row:
    _progress(f"{client.name}: calls, {count} exchanges")
    able = [tool for tool in tools if count <= tool.max_exchanges]
    path = cassettes.of_exchanges(client, count, folder)
    # Few rounds for large cassettes: opening them would take most of the time.
    values = measuring.calls(able, client, path, count, rounds if count <= 100 else 5)
    label = f"a call, {client.name}, {count} exchanges"
    return Row(label, "s", _by_name(able, values), "floor")


def _opening(tools: list[Tool], client: Client, folder: Path, rounds: int) -> Row:
    _progress(f"{client.name}: opening and closing")
    path = cassettes.of_exchanges(client, 10, folder)
    values = measuring.actions(
        [measuring.opened_and_closed(tool, client, path) for tool in tools], rounds
    )
    label = f"open and close, {client.name}, 10 exchanges"
    return Row(label, "s", _by_name(tools, values), "floor")


def _peak(tools: list[Tool], client: Client, folder: Path, count: int) -> Row:
    _progress(f"{client.name}: memory")
    path = cassettes.of_exchanges(client, count, folder)
    values = [measuring.peak(tool.name, client.name, path, min(count, 10)) for tool in tools]
    label = f"peak memory, {client.name}, {count} exchanges"
    return Row(label, "B", _by_name(tools, values), "floor")


def _loading(tools: list[Tool], size: int, folder: Path, rounds: int) -> Row:
    _progress(f"loading {size} bytes")
    path = cassettes.of_size(CLIENTS[0], size, folder)
    loading = [(tool, tool.load) for tool in tools if tool.load]
    values = measuring.actions([partial(load, path) for _, load in loading], rounds)
    label = f"load {path.stat().st_size / 1000:,.0f} kB"
    return Row(label, "s", _by_name([tool for tool, _ in loading], values), "this tape")


def _loading_again(tools: list[Tool], size: int, folder: Path, rounds: int) -> Row:
    """Load a file that was loaded before in this process; only this tape remembers it."""
    _progress(f"loading {size} bytes again")
    path = cassettes.of_size(CLIENTS[0], size, folder)
    loading = [(tool, tool.load_again or tool.load) for tool in tools if tool.load]
    values = measuring.actions([partial(load, path) for _, load in loading], rounds)
    label = f"load {path.stat().st_size / 1000:,.0f} kB again"
    return Row(label, "s", _by_name([tool for tool, _ in loading], values), "this tape")


def _scenarios(folder: Path) -> list[Row]:
    """Measure what no other tool does; the floor of parallel recording is the waiting alone."""
    _progress("scenarios: recording many at once, replaying many polls")
    many, at_once, latency = scenarios.MANY, scenarios.AT_ONCE, scenarios.LATENCY
    waiting = many * latency / at_once
    recorded = {"floor": waiting, "this tape": scenarios.recorded_at_once(folder)}
    polled = {"this tape": scenarios.polled_in_no_time(folder)}
    return [
        Row(f"record {many} scenarios of {latency} s, {at_once} at once", "s", recorded, "floor"),
        Row(f"replay {scenarios.POLLS} polls, 15 s apart", "s", polled, "this tape"),
    ]


def _comparing(rounds: int) -> Row:
    _progress("comparing large answers")
    (values,) = measuring.actions([compare_large.comparison()], rounds)
    return Row("compare 1 MB, 10,000 values", "s", {"this tape": values}, "this tape")


_SHORT = 10
"""Exchanges; suites of longer cassettes run once, since vcrpy takes minutes."""


def _suite(tools: list[Tool], client: Client, count: int, calls_each: int, folder: Path) -> Row:
    _progress(f"{client.name}: a pytest suite of {count} cassettes with {calls_each} exchanges")
    written = [suites.written(tool.name, client, count, calls_each, folder) for tool in tools]
    runs = [
        partial(suites.run, tool.name, suite) for tool, suite in zip(tools, written, strict=True)
    ]
    values = measuring.actions(runs, 3) if calls_each <= _SHORT else list(map(measuring.once, runs))
    label = f"pytest, {count} cassettes of {calls_each}, {client.name}"
    return Row(label, "s", _by_name(tools, values), "this tape")


def _by_name(tools: list[Tool], values: list[float]) -> dict[str, float]:
    return {tool.name: value for tool, value in zip(tools, values, strict=True)}


def _progress(text: str) -> None:
    print(text, "...", file=sys.stderr, flush=True)  # noqa: T201 - progress


def _print(rows: list[Row], names: list[str]) -> None:
    table = Table("", *names)
    for row in rows:
        cells = [_cell(row, row.values.get(name)) for name in names]
        table.add_row(row.label, *cells)
    Console(width=120).print(table)


def _cell(row: Row, value: float | None) -> str:
    if value is None:
        return "-"
    shown = f"{value * 1000:.3f} ms" if row.unit == "s" else f"{value / 1e6:.0f} MB"
    return f"{shown}  {value / row.values[row.base]:.2f} x"


if __name__ == "__main__":
    main()
