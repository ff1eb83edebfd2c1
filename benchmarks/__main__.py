"""Measure all, and tell it as a table of times and ratios, or as JSON."""

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

from benchmarks import cassettes, comparing, measuring, scenarios, suites
from benchmarks.speakers import PROVIDER_SERVERS, ProviderServer
from benchmarks.ways import WAYS, Way


@dataclass(frozen=True)
class Row:
    """One thing measured, in each way that was borne: seconds or bytes, and to what they relate."""

    what: str
    unit: str
    found: dict[str, float]
    base: str


def main() -> None:
    """`python -m benchmarks [--quick] [--json]`."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller cassettes, fewer rounds")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    ways = [way for way in WAYS if way.name != "cassetter" or find_spec("cassetter")]
    with tempfile.TemporaryDirectory() as folder:
        rows = _measured(ways, Path(folder), options.quick)
    if options.json:
        json.dump([asdict(row) for row in rows], sys.stdout, indent=2)
    else:
        _print(rows, [way.name for way in ways])


def _measured(ways: list[Way], folder: Path, quick: bool) -> list[Row]:
    rows: list[Row] = []
    rounds = 3 if quick else 7
    counts = (10, 100) if quick else (10, 100, 1_000, 10_000)
    for speaker in PROVIDER_SERVERS:
        rows += [_calls(ways, speaker, count, folder, rounds) for count in counts]
        rows += [_opening(ways, speaker, folder, rounds)]
        rows += [_peak(ways, speaker, folder, 100 if quick else 1_000)]
    for size in (14_000, 2_000_000):
        rows.append(_loading(ways, size, folder, rounds))
        rows.append(_loading_again(ways, size, folder, rounds))
    rows += _scenarios(folder)
    rows += [_comparing(rounds)]
    number = 30 if quick else 300
    lengths = (1, 10) if quick else (1, 10, 40)
    return rows + [
        _suite(ways, speaker, number, asked, folder)
        for speaker in PROVIDER_SERVERS
        for asked in lengths
    ]


def _calls(ways: list[Way], speaker: ProviderServer, count: int, folder: Path, rounds: int) -> Row:
    _tell(f"{speaker.name}: calls, {count} exchanges")
    borne = [way for way in ways if count <= way.bearable]
    path = cassettes.of_exchanges(speaker, count, folder)
    # Of large cassettes few openings, or of slow ways: most of the time would go there.
    found = measuring.calls(borne, speaker, path, count, rounds if count <= 100 else 5)
    what = f"a call, {speaker.name}, {count} exchanges"
    return Row(what, "s", _by_name(borne, found), "floor")


def _opening(ways: list[Way], speaker: ProviderServer, folder: Path, rounds: int) -> Row:
    _tell(f"{speaker.name}: opening and closing")
    path = cassettes.of_exchanges(speaker, 10, folder)
    found = measuring.actions(
        [measuring.opened_and_closed(way, speaker, path) for way in ways], rounds
    )
    what = f"open and close, {speaker.name}, 10 exchanges"
    return Row(what, "s", _by_name(ways, found), "floor")


def _peak(ways: list[Way], speaker: ProviderServer, folder: Path, count: int) -> Row:
    _tell(f"{speaker.name}: memory")
    path = cassettes.of_exchanges(speaker, count, folder)
    found = [measuring.peak(way.name, speaker.name, path, min(count, 10)) for way in ways]
    what = f"peak memory, {speaker.name}, {count} exchanges"
    return Row(what, "B", _by_name(ways, found), "floor")


def _loading(ways: list[Way], size: int, folder: Path, rounds: int) -> Row:
    _tell(f"loading {size} bytes")
    path = cassettes.of_size(PROVIDER_SERVERS[0], size, folder)
    loading = [(way, way.load) for way in ways if way.load]
    found = measuring.actions([partial(load, path) for _, load in loading], rounds)
    what = f"load {path.stat().st_size / 1000:,.0f} kB"
    return Row(what, "s", _by_name([way for way, _ in loading], found), "this tape")


def _loading_again(ways: list[Way], size: int, folder: Path, rounds: int) -> Row:
    """What was loaded before in this process and has not changed; others do not remember."""
    _tell(f"loading {size} bytes again")
    path = cassettes.of_size(PROVIDER_SERVERS[0], size, folder)
    loading = [(way, way.load_again or way.load) for way in ways if way.load]
    found = measuring.actions([partial(load, path) for _, load in loading], rounds)
    what = f"load {path.stat().st_size / 1000:,.0f} kB again"
    return Row(what, "s", _by_name([way for way, _ in loading], found), "this tape")


def _scenarios(folder: Path) -> list[Row]:
    """What no neighbour does; the floor of recording at once is waiting and nothing else."""
    _tell("scenarios: recording many at once, replaying many polls")
    many, at_once, latency = scenarios.MANY, scenarios.AT_ONCE, scenarios.LATENCY
    waiting = many * latency / at_once
    recorded = {"floor": waiting, "this tape": scenarios.recorded_at_once(folder)}
    polled = {"this tape": scenarios.polled_in_no_time(folder)}
    return [
        Row(f"record {many} scenarios of {latency} s, {at_once} at once", "s", recorded, "floor"),
        Row(f"replay {scenarios.POLLS} polls, 15 s apart", "s", polled, "this tape"),
    ]


def _comparing(rounds: int) -> Row:
    _tell("comparing large answers")
    (found,) = measuring.actions([comparing.compared()], rounds)
    return Row("compare 1 MB, 10,000 values", "s", {"this tape": found}, "this tape")


_SHORT = 10
"""Exchanges: suites of longer cassettes run once only, for vcrpy takes minutes."""


def _suite(ways: list[Way], speaker: ProviderServer, count: int, asked: int, folder: Path) -> Row:
    _tell(f"{speaker.name}: a pytest suite of {count} cassettes with {asked} exchanges")
    written = [suites.written(way.name, speaker, count, asked, folder) for way in ways]
    runs = [partial(suites.run, way.name, suite) for way, suite in zip(ways, written, strict=True)]
    found = measuring.actions(runs, 3) if asked <= _SHORT else list(map(measuring.once, runs))
    what = f"pytest, {count} cassettes of {asked}, {speaker.name}"
    return Row(what, "s", _by_name(ways, found), "this tape")


def _by_name(ways: list[Way], found: list[float]) -> dict[str, float]:
    return {way.name: value for way, value in zip(ways, found, strict=True)}


def _tell(text: str) -> None:
    print(text, "...", file=sys.stderr, flush=True)  # noqa: T201 - progress


def _print(rows: list[Row], names: list[str]) -> None:
    table = Table("", *names)
    for row in rows:
        cells = [_cell(row, row.found.get(name)) for name in names]
        table.add_row(row.what, *cells)
    Console(width=120).print(table)


def _cell(row: Row, value: float | None) -> str:
    if value is None:
        return "-"
    shown = f"{value * 1000:.3f} ms" if row.unit == "s" else f"{value / 1e6:.0f} MB"
    return f"{shown}  {value / row.found[row.base]:.2f} x"


if __name__ == "__main__":
    main()
