"""Functions that make a `Report`: of a check, a replay, a recording, a comparison ..."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.cassette import age, store
from harness.cassette.age import Period
from harness.cassette.remote import located
from harness.cassette.store import Store
from harness.cassette.workers import Workers, in_order
from harness.checks.cache import ResultCache
from harness.checks.check import (
    CHECK_ALL,
    NO_CACHE,
    Checked,
    CheckedFile,
    CheckOptions,
    Kept,
    check_cassettes,
    checked,
)
from harness.comparison.call_forms import PathTypes, merged_types
from harness.comparison.fields import FieldMatrix, merged
from harness.comparison.matrix import Matrix, matrix, without_texts
from harness.config.prices import Prices
from harness.config.settings import RuleSelection, load_prices
from harness.providers import endpoints
from harness.providers.masking import masked
from harness.providers.recordings import (
    analyzed,
    group_sides,
    read_repeats,
    try_read,
    try_read_head,
)
from harness.providers.rules import Examined, examine, examine_analyzed, project_rules
from harness.report.model import DrawnSections, Pack, Report
from harness.report.ranking import scenarios_of
from harness.report.spool import Pickled, Spool, SpooledReads
from harness.types import Cassette, Problem, Progress, Provenance

if TYPE_CHECKING:
    from harness.runner.batch import Job


def replay_report(
    work: Sequence[Job],
    store: Store,
    progress: Progress,
    title: str = "Replay",
    at_once: Workers = 1,
    pace: float = 0.0,
    keeps: Kept = Kept.TRANSCRIPTS,
    cache: ResultCache[CheckedFile] = NO_CACHE,
) -> Report:
    """Return the report of a replay: each job checked, and the targets of each scenario compared.

    Args:
        work: The jobs to replay.
        store: The folder of the cassettes.
        progress: Called with a line of text for each job.
        title: The heading of the report.
        at_once: The largest number of processes, or the address of a Dask scheduler.
        pace: The factor by which recorded latencies and waits are multiplied; 0 is instant.
        keeps: The parts of each job that the report contains. Targets are compared if it is more
            than `Kept.FIGURES`.
        cache: The results of earlier replays, see `harness.checks.replays`.

    Raises:
        BadSettings: the project's settings are not valid.
    """
    from harness.checks.replays import replay_jobs  # only here, as all of a run is behind it

    start = time.perf_counter()
    prices = load_prices(Path.cwd())
    taken = Kept.TRANSCRIPTS if keeps > Kept.FIGURES else keeps
    outcomes = replay_jobs(work, store, progress, at_once, pace, taken, cache)
    matrices: list[Matrix] = []

    def results() -> Iterator[Checked | Problem]:
        both = zip(work, outcomes, strict=True)
        for _, group in groupby(both, key=lambda one: one[0].scenario.name):
            firsts, repeats = list[AnalyzedTranscript](), list[AnalyzedTranscript]()
            for job, outcome in group:
                if isinstance(outcome, Problem) or outcome.transcript is None:
                    yield outcome
                    continue
                read = analyze(outcome.transcript, endpoints.recognise)
                (firsts if job.repeat == 1 else repeats).append(read)
                yield outcome if keeps is Kept.TRANSCRIPTS else Checked(outcome.file)
            if firsts:
                matrices.append(matrix(firsts, prices, repeats))

    report = checked_report(title, results(), start, at_once)
    return replace(report, matrices=tuple(matrices))


def _processes(workers: Workers) -> int:
    return workers if isinstance(workers, int) else 1


def record_report(
    work: Sequence[Job],
    problems: Sequence[Problem],
    store: Store,
    progress: Progress,
    at_once: int = 1,
) -> Report:
    """Return the report of a recording: a replay of the jobs that were recorded, and *problems*.

    Args:
        work: All jobs that were to be recorded.
        problems: The reasons why some of these jobs could not be recorded.
        store: The folder of the new cassettes.
        progress: Called with a line of text for each job that is replayed.
        at_once: The largest number of processes.

    Raises:
        BadSettings: the project's settings are not valid.
    """
    failed = {(problem.scenario, problem.target) for problem in problems}
    done = [job for job in work if (job.scenario.name, str(job.target)) not in failed]
    report = replay_report(done, store, progress, "Record", at_once)
    return replace(report, problems=(*problems, *report.problems))


def check_report(
    paths: Sequence[Path], progress: Progress, options: CheckOptions = CHECK_ALL
) -> Report:
    """Return the report of a check of cassettes by the rules for response formats.

    Args:
        paths: Cassettes, or folders of them.
        progress: Called with a line of text for each cassette.
        options: The period, the number of processes, the cache, and the parts that are kept.

    Raises:
        BadSettings: the project's settings are not valid.
        HarnessError: there is no cassette at a path.
    """
    start = time.perf_counter()
    results = check_cassettes(paths, progress, options)
    return replace(checked_report("Check", results, start, options.workers), is_masked=True)


def checked_report(
    title: str, results: Iterable[Checked | Problem], start: float, workers: Workers
) -> Report:
    """Return the report of *results*; it has a problem if there was nothing to check.

    The run began at *start*, by `time.perf_counter()`, and had *workers*.
    """
    report = replace(_report(title, results, start), processes=_processes(workers))
    if report.checked and not report.problems and not report.exchanges:
        return replace(report, problems=(Problem("", "", _NOTHING),))
    return report


def _report(title: str, results: Iterable[Checked | _Kept | Problem], start: float) -> Report:
    """Return the report of *results*; its run began at *start*, by `time.perf_counter()`."""
    files, reads, problems = list[CheckedFile](), SpooledReads(), list[Problem]()
    fields, paths = list[FieldMatrix](), list[PathTypes]()
    for result in results:
        if isinstance(result, Problem):
            problems.append(result)
            continue
        files.append(result.file._replace(fields=None))
        fields += [result.file.fields] if result.file.fields is not None else []
        paths += [result.paths] if result.paths is not None else []
        if len(fields) == _MERGED_AT_ONCE:
            fields, paths = [merged(fields)], [merged_types(paths)]
        if result.transcript is not None:
            reads.append(result.transcript)
    return Report(
        title=title,
        reads=reads or (),
        checked=tuple(one.outline for one in files),
        fields=merged(fields) if fields else None,
        paths=merged_types(paths) if paths else None,
        findings=tuple(finding for one in files for finding in one.judged.findings),
        ignored=tuple(finding for one in files for finding in one.judged.ignored),
        problems=tuple(problems),
        duration=time.perf_counter() - start,
    )


_MERGED_AT_ONCE = 64
"""The number of tables of fields that are merged to one, so that few are in memory."""

_NOTHING = "nothing was checked: the cassettes have no exchange"


def served_report(served: Mapping[str, Cassette], problems: Sequence[str]) -> Report:
    """Return the report of a check of the exchanges that a server answered.

    Args:
        served: The answered exchanges, by the name of their cassette.
        problems: Texts of other errors, such as unused recorded requests.

    Raises:
        BadSettings: the project's settings are not valid.
    """
    start, rules = time.perf_counter(), project_rules(Path.cwd())
    examined = (
        examine(analyzed(masked(cassette), name).transcript, rules)
        for name, cassette in served.items()
    )
    results = [checked(one, Kept.TRANSCRIPTS) for one in examined]
    return _report("Serve", [*results, *(Problem("", "", text) for text in problems)], start)


def compare_report(groups: Iterable[Sequence[AnalyzedTranscript]], skip: store.Skip) -> Report:
    """Return the report of a comparison: each recording is checked, and compared with its group.

    Args:
        groups: The recordings to compare with each other. Several recordings of one target in a
            group are named after the target and their scenario, day or file; a group with several
            scenarios is named after all of them.
        skip: Called with the error of each repeat that cannot be read.

    Raises:
        BadSettings: the project's settings are not valid.
    """
    start = time.perf_counter()
    compare = _Comparing(project_rules(Path.cwd()), load_prices(Path.cwd()))
    matrices: list[Matrix] = []

    def results() -> Iterator[Checked]:
        for group in filter(None, groups):
            found, examined = compare(group, skip)
            matrices.append(found)
            yield from (checked(one, Kept.TRANSCRIPTS) for one in examined)

    return replace(_report("Compare", results(), start), matrices=tuple(matrices))


class _Comparing(NamedTuple):
    """The comparison and check of groups of recordings, by a project's settings."""

    rules: RuleSelection
    prices: Prices

    def __call__(
        self, group: Sequence[AnalyzedTranscript], skip: store.Skip
    ) -> tuple[Matrix, Iterator[Examined]]:
        """Return the matrix of *group*, and the check of each recording in it.

        *skip* is called with the error of each repeat that cannot be read.
        """
        found = matrix(group, self.prices, read_repeats(group, skip))
        scenario = scenarios_of(group)
        results = (
            examine_analyzed(_named(one, scenario, target), self.rules)
            for one, target in zip(group, found.targets, strict=True)
        )
        return replace(found, scenario=scenario), results


def _named(read: AnalyzedTranscript, scenario: str, target: str) -> AnalyzedTranscript:
    return replace(read, transcript=replace(read.transcript, scenario=scenario, target=target))


Draw: TypeAlias = Callable[[int, Sequence[Examined], Matrix], Pack | None]
"""A function that draws the section of a scenario for a page; it returns None to draw it later.

Its arguments are the number of the section, the recordings of the scenario, and their comparison.
"""

Drawer: TypeAlias = Callable[[Sequence[Provenance]], Draw | None]
"""A function that returns the `Draw` for a page about the recordings with these provenances."""


def draw_nothing(recordings: Sequence[Provenance]) -> None:
    """Return None: all sections are drawn when the whole report is there, if ever."""


def tests_report(
    paths: Sequence[Path],
    period: Period,
    workers: Workers,
    progress: Progress,
    keeps: Kept,
    drawer: Drawer,
) -> Report:
    """Return the report of a test run's cassettes: each checked, and compared by scenario.

    Repeats, and cassettes that were not recorded in *period*, are left out. A cassette that cannot
    be read is a problem of the report. Where answers have each field is counted by target or, for
    cassettes that name none, by provider and model.

    Args:
        paths: The cassettes.
        period: The dates of recording.
        workers: The largest number of processes, or the address of a Dask scheduler.
        progress: Called with a line of text for each group of cassettes that are compared.
        keeps: The parts of each cassette that the report contains, if it is not drawn.
        drawer: Returns the function that draws the section of a scenario, if the report is for a
            page alone. It is not used with Dask, whose workers may have other secrets to mask.

    Raises:
        BadSettings: the project's settings are not valid.
    """
    start = time.perf_counter()
    compare = _Comparing(project_rules(Path.cwd()), load_prices(Path.cwd()))
    firsts = [path for path in paths if not store.is_repeat(path)]
    here = 1 if isinstance(workers, int) else workers  # a head is read faster than it is handed on
    matrices, problems = Spool[Matrix](), list[Problem]()
    packs, numbers = Spool[Pack](), dict[str, int]()
    heads = list[AnalyzedTranscript]()
    for head in in_order(try_read_head, firsts, here):
        if isinstance(head, Problem):
            problems.append(head)
        elif head.provenance in period:
            heads.append(AnalyzedTranscript(head))
    sources = [[one.transcript.source for one in group] for group in group_sides([heads])]
    draw = (
        drawer([head.transcript.provenance for head in heads]) if isinstance(workers, int) else None
    )
    compared_by = partial(_read_and_compare, compare, keeps, draw)

    def results() -> Iterator[_Kept]:
        done = 0
        all_compared = in_order(compared_by, [*enumerate(sources, start=1)], workers)
        for number, (group, compared) in enumerate(zip(sources, all_compared, strict=True), 1):
            done += len(group)
            progress(f"[{done}/{len(heads)}] {group[-1]}")
            problems.extend(compared.problems)
            if compared.matrix is not None:
                matrices.append(compared.matrix)
            if compared.drawn is not None:
                numbers[compared.results[0].file.outline.scenario] = number
                packs.append(compared.drawn)
            yield from compared.results

    report = _report("Tests", results(), start)
    return replace(
        report,
        matrices=matrices,
        problems=tuple(problems),
        processes=_processes(workers),
        is_masked=True,
        drawn=DrawnSections(numbers, packs),
    )


class _Kept(NamedTuple):
    """A `Checked` cassette of which the transcript is pickled, as another process returns it."""

    file: CheckedFile
    transcript: Pickled | None
    paths: PathTypes | None


class _Compared(NamedTuple):
    """A group of cassettes that was read and compared in another process.

    Attributes:
        results: The check of each cassette that could be read.
        matrix: The pickled matrix of the group; None if no cassette could be read.
        drawn: The pickled section of the page; None if it was not drawn.
        problems: The reasons why other cassettes and repeats could not be read.
    """

    results: list[_Kept]
    matrix: Pickled | None
    drawn: Pickled | None
    problems: list[Problem]


def _read_and_compare(
    compare: _Comparing, keeps: Kept, draw: Draw | None, item: tuple[int, Sequence[str]]
) -> _Compared:
    """Return the comparison of a group of cassettes: *item* is its number and their addresses."""
    number, sources = item
    read = [try_read(located(source)) for source in sources]
    problems = [one for one in read if isinstance(one, Problem)]
    group = [analyze(one, endpoints.recognise) for one in read if not isinstance(one, Problem)]
    if not group:
        return _Compared([], None, None, problems)
    found, results = compare(group, lambda error: problems.append(Problem("", "", str(error))))
    examined = [*results]
    drawn = draw(number, examined, found) if draw is not None else None
    # The fields are counted by the transcripts' own targets: `_named` has one for each file.
    kept = [
        _kept(checked(one, keeps, own), drawn is not None)
        for one, own in zip(examined, group, strict=True)
    ]
    if drawn is None:
        return _Compared(kept, Pickled.of(found), None, problems)
    return _Compared(kept, Pickled.of(without_texts(found)), Pickled.of(drawn), problems)


def _kept(result: Checked, is_drawn: bool) -> _Kept:
    file, transcript, paths = result
    is_kept = transcript is not None and not is_drawn
    return _Kept(file, Pickled.of(transcript) if is_kept else None, paths)


def add_age_findings(report: Report, limit: age.Limit | None) -> Report:
    """Return *report* with a finding for each recording that is older than *limit*.

    If *limit* is None, *report* is returned unchanged.
    """
    if limit is None:
        return report
    now = age.utc_now()
    findings = tuple(
        replace(finding, scenario=one.scenario, target=one.target, source=one.source)
        for one in report.outlines
        for finding in age.findings(one.provenance, limit, now)
    )
    return replace(report, findings=(*report.findings, *findings))
