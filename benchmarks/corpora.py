"""Whole corpora: each command over 1,400 files, beside the time of PyYAML's loader in C.

The loader reads the same files on one core; the harness has two processes. Memory is that of all
processes together, beside the size of the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import commands, corpus, recorded
from benchmarks.commands import Job, Progress, Start, harness
from benchmarks.figures import OURS, Row

KNOWN = "known"
"""The column of a second run, where results are kept."""
SDKS = "the SDKs alone"
"""The column of the floor of `parse` and `replay`: the same requests, without the harness."""
PARSED = 10
"""`parse` gets one file of so many: it makes each request again, through each SDK."""
_TWO = ("--jobs", "2")


def rows(files: int, folder: Path, rounds: int, progress: Progress) -> list[Row]:
    """Return what each command takes with *files* cassettes."""
    progress(f"writing {files:,} cassettes, twice")
    whole = corpus.written(folder / "corpus", files)
    some = corpus.written(folder / "some", max(files // PARSED, 1))
    answered = recorded.written(folder / "answered", files)
    jobs = [*_of_files(whole, some, folder), *_of_scenarios(answered, folder)]
    return commands.rows(jobs, rounds, PATIENCE, progress)


PATIENCE = 45.0
"""Seconds after which a command is not measured again."""


def _of_files(whole: Path, some: Path, folder: Path) -> list[Job]:
    def one(name: str, *arguments: str, is_kept: bool = False) -> Job:
        command = harness(*arguments, folder=folder, cache=f"cache-{name}")
        return _job(name, whole, {OURS: command, **({KNOWN: command} if is_kept else {})})

    contract = _learned(str(whole), folder)
    page = ("--report", str(folder / "page.html"))
    parse = harness("parse", str(some), *_TWO, folder=folder, cache="cache-parse")
    return [
        one("check", "check", str(whole), *_TWO, is_kept=True),
        one("scan", "scan", str(whole), *_TWO, is_kept=True),
        _job("contract learn", whole, {OURS: contract}),
        _job("parse", some, {OURS: parse, KNOWN: parse, SDKS: _sdks(some, "--every")}),
        one("compare --fields", "compare", str(whole), "--fields", *_TWO),
        one("report, a page", "report", "--cassettes", str(whole), *page, *_TWO),
        one("list", "list", "--cassettes", str(whole)),
    ]


def _of_scenarios(answered: recorded.Recorded, folder: Path) -> list[Job]:
    folders = ("--scenarios", str(answered.scenarios), "--cassettes", str(answered.first))
    sides = (str(answered.first), str(answered.second))
    replay = harness("replay", *folders, *_TWO, folder=folder, cache="cache-replay")
    replays = {OURS: replay, KNOWN: replay, SDKS: _sdks(answered.first)}
    compare = harness("compare", *sides, *_TWO, folder=folder, cache="cache-compare")
    return [
        _job("replay", answered.first, replays),
        _job("compare two folders", answered.first.parent, {OURS: compare}),
    ]


def _job(name: str, path: Path, ways: dict[str, Start]) -> Job:
    count = sum(1 for _ in path.rglob("*.yaml"))
    megabytes = commands.size(path) / 1e6
    return Job(f"{name}: {count:,} files of {megabytes:.0f} MB", path, ways)


def _sdks(folder: Path, *arguments: str) -> Start:
    """Return what makes the requests of a folder's cassettes with the SDKs alone."""
    command = (sys.executable, "-m", "benchmarks.sdks", str(folder), *arguments)
    return lambda _: commands.used(*command)


def _learned(path: str, folder: Path) -> Start:
    """Return `contract learn`, which replaces no file: each round writes one of its own."""

    def start(number: int) -> commands.Usage:
        contract = str(folder / f"contract-{number}.yaml")
        command = ("contract", "learn", path, "--contract", contract, *_TWO)
        return harness(*command, folder=folder, cache="cache-learn")(number)

    return start
