"""The command `parse`: let the official SDKs read recorded answers."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from harness.cassette import store
from harness.cassette.workers import Workers
from harness.checks.cache import KnownResults, ResultCache
from harness.cli import app
from harness.config import surroundings
from harness.config.files import cache_folder
from harness.errors import HarnessError
from harness.locale import localized, localized_error, mark
from harness.parse.run import TIMEOUT, ParsedExchange
from harness.wire import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.parse import Parser
    from harness.parse.run import Defect, ParseRow

COUNTED = ("same", "different", "crashed", "not applicable")


def parse(
    paths: list[Path],
    names: list[str] | None = None,
    fail: bool = False,
    jobs: int | None = None,
    dask: str | None = None,
    no_cache: bool = False,
    as_json: bool = False,
) -> None:
    """Let the official SDKs read recorded answers, and compare with what travelled.

    Each recorded request is made once more through each SDK that can make it, and answered from
    this machine with the recorded bytes: zhipuai, zai-sdk, dashscope, dashscope.Client, openai.
    What an SDK loses, invents, changes or hides is reported with the smallest example.

    What has not changed since the last time is not parsed again; see docs/performance.md.
    """
    from harness.parse import PARSERS
    from harness.parse.run import defects, rows

    parsers = app.by_name(names or [], PARSERS, "parser")
    installed = [parser for parser in parsers if parser.installed]
    missing = {p.distribution: p.missing for p in parsers if not p.installed}
    if not installed:
        raise HarnessError("; ".join(missing.values()))
    with app.skipping() as skip:
        with app.progress() as report_progress:
            cache = _cache(None if no_cache else cache_folder(), installed)
            workers = app.workers(jobs, dask)
            parsed = _parsed(paths, installed, cache, workers, report_progress, skip)
        table, found_defects = rows(parsed), defects(parsed)
        if as_json:
            _print_json(table, found_defects, missing)
        else:
            _print(table, found_defects, missing)
        raise typer.Exit(1 if fail and found_defects else 0)


class ParsedFile(NamedTuple):
    """The results of one cassette.

    Attributes:
        results: The results of its exchanges.
        notes: What is to be said about its recorder.
        seconds: The time that it took.
    """

    results: tuple[ParsedExchange, ...]
    notes: tuple[str, ...]
    seconds: float


def _cache(folder: Path | None, parsers: list[Parser]) -> ResultCache[ParsedFile]:
    """Return the cache of results by *parsers*, in the state in which their SDKs are."""
    state = surroundings.state_of(sorted({parser.distribution for parser in parsers}))
    names = [parser.name for parser in parsers]
    return ResultCache(None if state is None else folder, ParsedFile, (*names, *(state or ())))


def _parsed(
    paths: list[Path],
    parsers: list[Parser],
    cache: ResultCache[ParsedFile],
    workers: Workers,
    report_progress: Callable[[str], None],
    skip: Callable[[HarnessError], None],
) -> list[ParsedExchange]:
    parsed: list[ParsedExchange] = []
    with ExitStack() as stack:
        known: KnownResults[ParsedFile] = KnownResults(ParsedFile)

        def open_known(files: Sequence[Path]) -> Mapping[Path, ParsedFile]:
            nonlocal known
            known = stack.enter_context(cache.opened(files))
            return known.of

        read = partial(_parse, parsers)
        for path, one in store.read_all(paths, read, skip, workers, report_progress, open_known):
            # An SDK that waited too long may have failed since the machine was slow.
            if path not in known.of and one.seconds < TIMEOUT:
                known.write(path, one)
            for note in one.notes:
                app.echo(note, err=True)
            parsed += one.results
    return parsed


def _parse(parsers: list[Parser], path: Path) -> ParsedFile:
    """Return the results of one cassette, and what is to be said about its recorder."""
    from harness.analysis.exchange import AnalyzedExchange
    from harness.analysis.transcript import copies_of, provider_of
    from harness.config.environment import without_proxies
    from harness.intercept.patch import kept_patches
    from harness.parse.run import parse_all
    from harness.providers.endpoints import recognise
    from harness.providers.recordings import read_masked
    from harness.wire.codings import drop_stale_content_encoding

    start = time.monotonic()
    cassette, notes = read_masked(path), []
    for number, exchange in enumerate(cassette.exchanges, start=1):
        response = exchange.response
        if drop_stale_content_encoding(response) is not response:
            coding = text.plain(response.header("content-encoding") or "")
            fault = f"its recorder kept Content-Encoding: {coding} beside a decoded body"
            notes.append(f"{path}: exchange {number}: {fault}; it is read as plain")
    provider, copies = provider_of(cassette.provenance.target), copies_of(cassette.exchanges)
    readings = [
        AnalyzedExchange(exchange, recognise(exchange, provider), number)
        for number, exchange in enumerate(cassette.exchanges, start=1)
        if id(exchange) not in copies
    ]
    with kept_patches(), without_proxies():
        results = tuple(parse_all(str(path), readings, parsers))
    return ParsedFile(results, tuple(notes), time.monotonic() - start)


def _print_json(table: list[ParseRow], defects: list[Defect], missing: Mapping[str, str]) -> None:
    document = {
        "table": [_row(row) for row in table],
        "findings": [_finding(defect) for defect in defects],
        "not_installed": sorted(missing),
    }
    app.print_json(document)


def _row(row: ParseRow) -> dict[str, Any]:
    counts = {verdict.value: count for verdict, count in row.verdicts.items()}
    return {
        "endpoint": row.endpoint,
        "mode": row.mode,
        "parser": row.parser,
        "exchanges": row.exchanges,
        **{name: counts.get(name, 0) for name in COUNTED},
    }


def _finding(defect: Defect) -> dict[str, Any]:
    from harness.parse import PARSERS
    from harness.parse.run import shown_value

    example, disagreement = defect.example, defect.disagreement
    return {
        "parser": example.parser,
        "version": PARSERS[example.parser].version,
        "endpoint": example.endpoint,
        "kind": disagreement.kind.value,
        "level": disagreement.level.value,
        "path": disagreement.path,
        "expected": shown_value(disagreement.expected),
        "actual": shown_value(disagreement.actual),
        "exchanges": defect.exchanges,
        "smallest": {
            "file": example.source,
            "exchange": example.number,
            "bytes": defect.size,
            "at": disagreement.at,
        },
    }


def _print(table: list[ParseRow], defects: list[Defect], missing: Mapping[str, str]) -> None:

    columns = ("endpoint", mark("mode"), "SDK", "exchanges", *COUNTED)
    app.print_table([_row(row).values() for row in table], columns)
    screen = app.console()
    for finding in map(_finding, defects):
        screen.print()
        for line in _lines(finding):
            screen.print(text.plain(localized_error(line)), soft_wrap=True)
    for sentence in missing.values():
        nothing = localized_error(f"nothing was read with it: {sentence}")
        screen.print(f"\n{text.plain(nothing)}", soft_wrap=True)
    total = text.count(sum(row.exchanges for row in table if row.parser), "reading")
    defective = text.count(len(defects), "disagreement")
    screen.print(f"\n{localized_error(total)}{localized(', ')}{localized_error(defective)}")


def _lines(finding: dict[str, Any]) -> list[str]:

    smallest = finding["smallest"]
    at = f", {smallest['at']}" if smallest["at"] else ""
    exchanges = localized_error(text.count(finding["exchanges"], "exchange"))
    what = " ".join(word for word in (localized(finding["kind"]), finding["path"]) if word)
    source = "the harness reads" if finding["level"] == "reply" else "the wire has"
    return [
        f"{finding['parser']} {finding['version']}, {finding['endpoint']}: {what} ({exchanges})",
        f"  {source}: {finding['expected']}",
        f"  the SDK reads: {finding['actual']}",
        f"  smallest: {smallest['file']}, exchange {smallest['exchange']}, "
        f"{smallest['bytes']} bytes{at}",
    ]
