"""Reports of a replay, a recording and a check, put together from their outcomes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from harness.analysis.transcript import AnalyzedTranscript
from harness.batch import Examined, Job, replay_all
from harness.cassette import age
from harness.cassette.age import ALWAYS, Period
from harness.cassette.store import Store, find
from harness.compare import matrix
from harness.config.settings import load_prices
from harness.contracts import Judge, load
from harness.errors import HarnessError
from harness.recordings import check_cassettes, read_cassette
from harness.report.model import Report
from harness.runner import Progress
from harness.types import Problem


def replay_report(
    work: Sequence[Job],
    store: Store,
    progress: Progress,
    title: str = "Replay",
    at_once: int = 1,
    pace: float = 0.0,
) -> Report:
    """Replay every job, check it by every rule, and compare the targets of each scenario.

    Raises BadSettings. The arguments are those of `harness.batch.replay_all`.
    """
    start = time.perf_counter()
    prices = load_prices(Path.cwd())
    outcomes = replay_all(work, store, progress, at_once, pace)
    examined = [(j, o) for j, o in zip(work, outcomes, strict=True) if isinstance(o, Examined)]
    firsts = [outcome.transcript for job, outcome in examined if job.repeat == 1]
    repeats = [outcome.transcript for job, outcome in examined if job.repeat > 1]
    matrices = tuple(matrix(group, prices, repeats) for group in _by_scenario(firsts))
    return replace(_report(title, outcomes, start), matrices=matrices)


def _by_scenario(transcripts: Iterable[AnalyzedTranscript]) -> Iterator[list[AnalyzedTranscript]]:
    for _, group in groupby(transcripts, key=lambda one: one.transcript.scenario):
        yield list(group)


def record_report(
    work: Sequence[Job],
    problems: Sequence[Problem],
    store: Store,
    progress: Progress,
    at_once: int = 1,
) -> Report:
    """Replay the jobs that were recorded, and add the *problems* of the others."""
    failed = {(problem.scenario, problem.target) for problem in problems}
    done = [job for job in work if (job.scenario.name, str(job.target)) not in failed]
    report = replay_report(done, store, progress, "Record", at_once)
    return replace(report, problems=(*problems, *report.problems))


def check_report(paths: Sequence[Path], progress: Progress, period: Period = ALWAYS) -> Report:
    """Check the cassettes in *paths* that were recorded in *period* by the response-format rules.

    Raises BadSettings, and HarnessError for a path without cassettes.
    """
    start = time.perf_counter()
    return _report("Check", list(check_cassettes(paths, progress, period)), start)


def contract_report(paths: Sequence[Path], contract: Path, progress: Progress) -> Report:
    """Check every cassette in *paths* against the contract in a file.

    Raises BadContract, and HarnessError for a path without cassettes.
    """
    start = time.perf_counter()
    judge = Judge(load(contract))
    transcripts: list[AnalyzedTranscript] = []
    problems: list[Problem] = []
    for file in find(list(paths)):
        progress(str(file))
        try:
            transcripts.append(read_cassette(file))
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
    return Report(
        title="Contract",
        reads=tuple(transcripts),
        findings=tuple(finding for one in transcripts for finding in judge.check(one)),
        problems=tuple(problems),
        duration=time.perf_counter() - start,
    )


def _report(title: str, outcomes: Sequence[Examined | Problem], start: float) -> Report:
    examined = [outcome for outcome in outcomes if isinstance(outcome, Examined)]
    return Report(
        title=title,
        reads=tuple(one.transcript for one in examined),
        findings=tuple(finding for one in examined for finding in one.judged.findings),
        ignored=tuple(finding for one in examined for finding in one.judged.ignored),
        problems=tuple(outcome for outcome in outcomes if isinstance(outcome, Problem)),
        duration=time.perf_counter() - start,
    )


def add_age_findings(report: Report, limit: age.Limit | None) -> Report:
    """Return *report* with a finding for each recording that is older than *limit*."""
    if limit is None:
        return report
    now = age.now()
    findings = tuple(
        replace(finding, scenario=one.scenario, target=one.target, source=one.source)
        for one in (analyzed.transcript for analyzed in report.reads)
        for finding in age.findings(one.provenance, limit, now)
    )
    return replace(report, findings=(*report.findings, *findings))
