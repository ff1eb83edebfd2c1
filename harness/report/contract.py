"""The report of a check of cassettes against a contract."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from harness.analysis.transcript import analyze
from harness.cassette.store import find
from harness.cassette.workers import Workers, in_order
from harness.checks.check import Checked, Kept, checked
from harness.contracts.files import load
from harness.contracts.judge import Judge
from harness.contracts.sections import sections
from harness.providers import endpoints
from harness.providers.recordings import try_read
from harness.providers.rules import Examined
from harness.report.build import checked_report
from harness.report.model import Report
from harness.rules import Judged
from harness.types import Problem, Progress


def contract_report(
    paths: Sequence[Path],
    contract: Path,
    progress: Progress,
    workers: Workers = 1,
    keeps: Kept = Kept.TRANSCRIPTS,
) -> Report:
    """Return the report of a check of every cassette in *paths* against a contract.

    A cassette that cannot be read is a problem of the report, and so is a contract that covers no
    answer of any cassette.

    Args:
        paths: Cassettes, or folders of them.
        contract: The contract's file.
        progress: Called with a line of text for each cassette.
        workers: The largest number of processes, or the address of a Dask scheduler.
        keeps: The parts of each cassette that the report contains.

    Raises:
        BadContract: the contract's file is not valid.
        HarnessError: there is no cassette at a path.
    """
    start = time.perf_counter()
    judge = Judge(load(contract))
    check = partial(_by_contract, judge, keeps)
    files = find(list(paths), is_read_here=isinstance(workers, int))

    def results() -> Iterator[Checked | Problem]:
        kinds: set[str] = set()
        found = zip(files, in_order(check, files, workers), strict=True)
        for number, (file, (result, own_kinds)) in enumerate(found, start=1):
            progress(f"[{number}/{len(files)}] {file}")
            yield result
            kinds |= own_kinds
        known = {section.kind for section in judge.contract.sections}
        if kinds and not kinds & known:
            has, have = (", ".join(sorted(names)) or "nothing" for names in (known, kinds))
            text = f"nothing was checked: the contract covers {has}; the recordings have {have}"
            yield Problem("", "", text)

    return checked_report("Contract", results(), start, workers)


def _by_contract(judge: Judge, keeps: Kept, path: Path) -> tuple[Checked | Problem, set[str]]:
    """Return the check of a cassette by a contract, or why it cannot be read.

    The second value has the kinds of answer in it, such as `zhipuai.chat event`.
    """
    one = try_read(path)
    if isinstance(one, Problem):
        return one, set()
    read = analyze(one, endpoints.recognise)
    judged = Judged(tuple(judge.check(read)))
    kinds = {section.kind for each in read.readings for section, _ in sections(each)}
    if any(each.endpoint is None for each in read.readings):
        kinds.add("unknown endpoints")
    return checked(Examined(read, judged), keeps), kinds
