"""Recordings side by side as a result: checked, and compared within groups."""

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
from harness.report.model import Report
from harness.report.ranking import Ranking
from harness.rules import Judged
from harness.types import Problem

_LISTED = 3
"""How many scenarios the name of a group names."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Recordings side by side, named as in their matrix, and what rules find in them."""

    matrix: Matrix
    reads: tuple[AnalyzedTranscript, ...]
    judged: tuple[Judged, ...]


def compared(groups: Sequence[Sequence[AnalyzedTranscript]]) -> Report:
    """Compare the recordings of each group, each checked by the response-format rules.

    Several recordings of one target have their scenario, day or folder in their names; several
    scenarios in one group have the names of all.

    Raises:
        BadCassette: a repeat cannot be read.
        BadSettings: the project's settings are not valid.
    """
    began, choice = time.perf_counter(), project_rules(Path.cwd())
    done = [_group(list(group), choice) for group in groups if group]
    return Report(
        title="Compare",
        reads=tuple(one for group in done for one in group.reads),
        findings=tuple(f for group in done for judged in group.judged for f in judged.findings),
        ignored=tuple(f for group in done for judged in group.judged for f in judged.ignored),
        matrices=tuple(group.matrix for group in done),
        duration=time.perf_counter() - began,
    )


def cassettes(paths: Sequence[Path]) -> Report:
    """Compare the cassettes of a test run by scenario; one that cannot be read is a problem.

    Raises:
        BadSettings: the project's settings are not valid.
    """
    reads: list[AnalyzedTranscript] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            reads += [] if store.is_repeat(path) else [read_cassette(path)]
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
    return replace(compared(group_sides([reads])), title="Tests", problems=tuple(problems))


def ranked(
    sides: Sequence[Sequence[AnalyzedTranscript]], matrices: Sequence[Matrix]
) -> tuple[Ranking, ...]:
    """Return the rankings of groups and their matrices."""
    reads: list[AnalyzedTranscript] = []
    named: list[Matrix] = []
    for group, found in zip(sides, matrices, strict=True):
        scenario = _together(group)
        named.append(replace(found, scenario=scenario))
        transcripts = (replace(one.transcript, scenario=scenario) for one in group)
        reads += [replace(r, transcript=t) for r, t in zip(group, transcripts, strict=True)]
    return Report("Compare", tuple(reads), matrices=tuple(named)).rankings


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
    """Return the names of the scenarios of several recordings, or of the first of them."""
    found = list(dict.fromkeys(one.transcript.scenario for one in reads))
    more = [f"{len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return " ↔ ".join([*found[:_LISTED], *more])
