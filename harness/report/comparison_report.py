"""Recordings that are compared, as a report: what `compare` prints, and all else a page shows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis.transcript import AnalyzedTranscript
from harness.batch import examine
from harness.cassette import store
from harness.compare import Matrix, matrix
from harness.config.settings import RuleSelection, load_prices
from harness.errors import HarnessError
from harness.providers.rules import project_rules
from harness.recordings import group_sides, read_cassette, read_repeats
from harness.report import Report
from harness.report.ranking import Ranking, contests
from harness.rules import Judged
from harness.types import Problem

_LISTED = 3
"""So many scenarios are named in the name of a group."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Recordings side by side, named as they are in their matrix, and what rules find in them."""

    matrix: Matrix
    reads: tuple[AnalyzedTranscript, ...]
    judged: tuple[Judged, ...]


def report(sides: Sequence[Sequence[AnalyzedTranscript]]) -> Report:
    """Every group side by side, each recording checked by the rules of the wire.

    Several of one target have their scenario, their day or their place in their names; several
    scenarios in one group stand together, under the names of all. Raises BadCassette for a repeat
    that cannot be read, and BadSettings.
    """
    began, choice = time.perf_counter(), project_rules(Path.cwd())
    told = [_group(list(group), choice) for group in sides if group]
    return Report(
        title="Compare",
        reads=tuple(one for group in told for one in group.reads),
        findings=tuple(f for group in told for judged in group.judged for f in judged.findings),
        ignored=tuple(f for group in told for judged in group.judged for f in judged.ignored),
        matrices=tuple(group.matrix for group in told),
        duration=time.perf_counter() - began,
    )


def cassettes(paths: Sequence[Path]) -> Report:
    """The cassettes of a test run, those of one scenario side by side; what cannot be read is a
    problem. Raises BadSettings."""
    reads: list[AnalyzedTranscript] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            reads += [] if store.is_repeat(path) else [read_cassette(path)]
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
    return replace(report(group_sides([reads])), title="Tests", problems=tuple(problems))


def models(
    sides: Sequence[Sequence[AnalyzedTranscript]], matrices: Sequence[Matrix]
) -> tuple[Ranking, ...]:
    """Who was faster and who was cheaper, in groups and the matrices of them."""
    reads: list[AnalyzedTranscript] = []
    told: list[Matrix] = []
    for group, found in zip(sides, matrices, strict=True):
        scenario = _together(group)
        told.append(replace(found, scenario=scenario))
        named = (replace(one.transcript, scenario=scenario) for one in group)
        reads += [replace(one, transcript=to) for one, to in zip(group, named, strict=True)]
    return contests(Report("Compare", tuple(reads), matrices=tuple(told)))


def _group(reads: list[AnalyzedTranscript], choice: RuleSelection) -> _Group:
    scenario = _together(reads)
    found = matrix(reads, load_prices(Path.cwd()), read_repeats(reads))
    named = zip(reads, found.targets, strict=True)
    examined = [
        examine(replace(one.transcript, scenario=scenario, target=target), choice)
        for one, target in named
    ]
    return _Group(
        matrix=replace(found, scenario=scenario),
        reads=tuple(done for done, _ in examined),
        judged=tuple(judged for _, judged in examined),
    )


def _together(reads: Sequence[AnalyzedTranscript]) -> str:
    """The name of what several recordings have in common: their scenario, or all of theirs."""
    found = list(dict.fromkeys(one.transcript.scenario for one in reads))
    more = [f"{len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return " ↔ ".join([*found[:_LISTED], *more])
