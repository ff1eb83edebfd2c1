"""The command that lets the official SDKs read recorded answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import AsJson, console, progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.parse import Parser
    from harness.parse.run import Parsed
    from harness.parse.summary import Defect, Row

COUNTED = ("same", "different", "crashed", "not applicable")


def parse(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="vcrpy cassettes, or folders of them.")
    ],
    names: Annotated[
        list[str] | None,
        typer.Option("--parser", "-p", metavar="NAME", help="Only this SDK. May be given again."),
    ] = None,
    fail: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if an SDK reads anything else.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let the official SDKs read recorded answers, and compare with the harness's own reading.

    Each recorded request is made once more through each SDK that can make it, and answered from
    this machine with the bytes that were recorded: zhipuai, zai-sdk, dashscope, dashscope.Client,
    openai. What an SDK loses, invents, changes or hides is told with the smallest example.
    """
    from harness.parse.summary import defects, rows

    parsers = _chosen(names or [])
    with progress() as told:
        found = _parsed(paths, [parser for parser in parsers if parser.installed], told)
    missing = [parser.distribution for parser in parsers if not parser.installed]
    table, known = rows(found), defects(found)
    if as_json:
        _print_json(table, known, missing)
    else:
        _print(table, known, missing)
    raise typer.Exit(1 if fail and known else 0)


def _chosen(names: list[str]) -> list[Parser]:
    from harness.errors import HarnessError
    from harness.parse import PARSERS

    unknown = [name for name in names if name not in PARSERS]
    if unknown:
        raise HarnessError(f"there is no parser {unknown[0]!r}; there are {', '.join(PARSERS)}")
    return [parser for name, parser in PARSERS.items() if not names or name in names]


def _parsed(
    paths: list[Path], parsers: list[Parser], progress: Callable[[str], None]
) -> list[Parsed]:
    from harness.analysis.exchange import AnalyzedExchange
    from harness.cassette import store
    from harness.parse.run import parsed
    from harness.providers.endpoints import recognise

    found: list[Parsed] = []
    for path in store.find(paths):
        progress(f"Parse {path}")
        recorded = enumerate(store.read(path).exchanges, start=1)
        readings = [AnalyzedExchange(exchange, recognise(exchange), n) for n, exchange in recorded]
        found += parsed(str(path), readings, parsers)
    return found


def _print_json(table: list[Row], known: list[Defect], missing: list[str]) -> None:
    from harness.report import json_report

    found = {
        "table": [_row(row) for row in table],
        "findings": [_finding(defect) for defect in known],
        "not_installed": sorted(set(missing)),
    }
    typer.echo(json_report.dumps(found), nl=False)


def _row(row: Row) -> dict[str, Any]:
    told = {"endpoint": row.endpoint, "mode": row.mode, "parser": row.parser}
    counts = {verdict.value: count for verdict, count in row.verdicts.items()}
    return {**told, "exchanges": row.exchanges, **{name: counts.get(name, 0) for name in COUNTED}}


def _finding(defect: Defect) -> dict[str, Any]:
    from harness.parse import PARSERS
    from harness.parse.disagreements import shortened

    told = defect.disagreement
    return {
        "parser": defect.parser,
        "version": PARSERS[defect.parser].version,
        "endpoint": defect.endpoint,
        "kind": told.kind.value,
        "level": told.level.value,
        "path": told.path,
        "ours": shortened(told.ours),
        "theirs": shortened(told.theirs),
        "exchanges": defect.exchanges,
        "smallest": {
            "file": defect.source,
            "exchange": defect.number,
            "bytes": defect.size,
            "at": told.at,
        },
    }


def _print(table: list[Row], known: list[Defect], missing: list[str]) -> None:
    from rich import box
    from rich.table import Table

    from harness.wire import text

    screen = console()
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("endpoint", "mode", "parser", "exchanges", *COUNTED):
        drawn.add_column(name, overflow="fold")
    for row in table:
        drawn.add_row(*(str(value) for value in _row(row).values()))
    screen.print(drawn)
    for finding in map(_finding, known):
        screen.print()
        for line in _lines(finding):
            screen.print(text.plain(line), soft_wrap=True)
    for name in sorted(set(missing)):
        screen.print(f"\n{name} is not installed: nothing was read with it")
    total = sum(row.exchanges for row in table if row.parser)
    readings, kinds = text.count(total, "reading"), text.count(len(known), "disagreement")
    screen.print(f"\n{readings}, {kinds}")


def _lines(finding: dict[str, Any]) -> list[str]:
    from harness.wire import text

    where = finding["smallest"]
    at = f", {where['at']}" if where["at"] else ""
    times = text.count(finding["exchanges"], "exchange")
    what = " ".join(word for word in (finding["kind"], finding["path"]) if word)
    source = "the harness reads" if finding["level"] == "reply" else "the wire has"
    return [
        f"{finding['parser']} {finding['version']}, {finding['endpoint']}: {what} ({times})",
        f"  {source}: {finding['ours']}",
        f"  the SDK says: {finding['theirs']}",
        f"  smallest: {where['file']}, exchange {where['exchange']}, {where['bytes']} bytes{at}",
    ]
