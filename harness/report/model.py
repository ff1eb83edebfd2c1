"""The report of a run: its findings and problems, and all figures that the formats show."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePath
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.call_forms import PathTypes, path_types
from harness.comparison.fields import FieldMatrix, field_matrix
from harness.comparison.matrix import Matrix, Outline, outline
from harness.config.git import git_output
from harness.config.prices import Price
from harness.locale import LANGUAGE, Language, in_language, localized, localized_count, mark
from harness.report.drift_groups import ChangeGroup, change_groups
from harness.report.field_map import FieldTable, Topic, field_tables, topics
from harness.report.format import seconds
from harness.report.ranking import Ranking, price_sources, rankings, scenario_rankings
from harness.types import Finding, Origin, Problem, Provenance, Severity

if TYPE_CHECKING:
    from harness.analysis.difference import Verdict
    from harness.drift.types import Drift
    from harness.report.trends import Run

_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA")
_GITHUB = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"
_GITLAB = "{CI_JOB_URL}"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The origin of a report: program, time, commit and CI run.

    Attributes:
        version: The version of the harness; empty if it is not installed.
        date: The time in UTC, such as `2026-11-29 02:10:00 UTC`.
        commit: The commit of the project; empty if unknown.
        ci_run: The https address of the CI run; empty if unknown.
    """

    version: str
    date: str
    commit: str = ""
    ci_run: str = ""


def run_info(environment: Mapping[str, str], folder: Path) -> RunInfo:
    """Return the origin of a report that is made now.

    Args:
        environment: The environment variables, from which the variables that GitHub Actions and
            GitLab set are read.
        folder: The project, whose git commit is read if no variable has it.
    """
    from harness import __version__

    commit = next((environment[name] for name in _COMMITS if environment.get(name)), "")
    return RunInfo(
        version=__version__,
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        commit=commit or git_output(folder, "rev-parse", "HEAD"),
        ci_run=_address(environment, _GITHUB) or _address(environment, _GITLAB),
    )


def _address(environment: Mapping[str, str], form: str) -> str:
    try:
        address = form.format_map(environment)
    except KeyError:
        return ""
    return address if address.startswith("https://") else ""


ORIGINS: Mapping[Origin, str] = MappingProxyType(
    {
        Origin.LIVE: mark("Recorded from the live providers."),
        Origin.SANDBOX: mark("Recorded from the sandbox, not from the live providers."),
        Origin.UNKNOWN: mark("Recorded by another tool; its origin is unknown."),
    }
)
"""A sentence for each origin of recordings."""


T = TypeVar("T", Finding, Problem, Outline)
Pair = tuple[str, str]
"""A scenario and a target."""


class State(StrEnum):
    """The result of a scenario with a target; members are ordered from the worst to the best."""

    PROBLEM = "problem"
    FAILED = "failed"
    WARNED = "warned"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Cell:
    """The result of one scenario with one target: findings, problems, and counts.

    Attributes:
        ignored: findings of rules that the scenario or the project ignores.
        problems: errors because of which it could not be recorded, read or replayed.
        turns: number of turns in its recordings.
        exchanges: number of HTTP exchanges in its recordings.
        skipped: a sentence for each skipped step.
        recorded_at: the time of the recording, in ISO 8601; empty if unknown.
        recorded_from: the origin: `live`, `sandbox` or `unknown`; empty without a recording.
        total: mean time of the answered turns in seconds; None if no time was recorded.
        test: the test that the cassette belongs to, `<file>::<name>`; empty if none.
        models: the models that requests name.
    """

    scenario: str
    target: str
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    turns: int = 0
    exchanges: int = 0
    skipped: tuple[str, ...] = ()
    recorded_at: str = ""
    recorded_from: str = ""
    total: float | None = None
    test: str = ""
    models: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in lists: the name of the test, or of the scenario if there is no test.

        If there is no test and the target is a cassette's path, the name is the end of that path:
        `folder/file` for `a/folder/file.yaml`.
        """
        path = PurePath(self.target)
        is_file = path.suffix in (".yaml", ".yml")
        return self.test or (
            "/".join(path.with_suffix("").parts[-2:]) if is_file else self.scenario
        )

    @property
    def errors(self) -> int:
        """The number of findings that are errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        """The number of findings that are warnings."""
        return sum(finding.severity is Severity.WARNING for finding in self.findings)

    @property
    def state(self) -> State:
        """The result: `problem` if there is any problem, else by the most severe finding."""
        if self.problems:
            return State.PROBLEM
        if self.errors:
            return State.FAILED
        return State.WARNED if self.warnings else State.PASSED


class Pack(NamedTuple):
    """A section of a page, compressed by gzip, in Base64.

    Attributes:
        html: The section.
        text: Its plain text, for the search.
    """

    html: str
    text: str


@dataclass(frozen=True, slots=True)
class DrawnSections:
    """The sections of a page that were drawn when their recordings were checked.

    Attributes:
        numbers: the number of each of these sections on the page, from 1, by scenario.
        packs: the sections, in the same order.
    """

    numbers: Mapping[str, int]
    packs: Sequence[Pack]


@dataclass(frozen=True)
class Report:
    """The result of a run: transcripts with findings, comparisons and problems.

    Everything that a report shows is computed here; the formats (HTML, JSON ...) only present it.

    Attributes:
        title: the heading.
        reads: the transcripts, of many of them read from a file whenever they are asked for; empty
            if a check kept only their outlines. Those of `drawn` sections are left out.
        findings: the findings in the transcripts.
        checked: a summary in figures of each transcript of a check; if empty, `outlines` makes them
            from *reads*.
        fields: the places of fields in answers; None to find them in the transcripts.
        paths: the JSON types at each path in the exchanges; None to find them in the transcripts.
        matrices: the comparison of all targets of each scenario, of many of them read from a file
            whenever they are asked for.
        problems: errors of scenarios and targets that could not be recorded, read or replayed.
        ignored: findings of rules that a scenario or the project ignores; the report does not fail
            by them.
        drifts: the changes since older recordings, one drift per scenario and target.
        spent: the cost of the new recordings of drifts, as text; empty if none was made.
        pages: other pages that belong to this one, each as (title, relative address).
        duration: the time of the run in seconds.
        history: the figures of earlier runs and of this one; empty without `--history`.
        processes: the largest number of processes that may render a large report.
        is_masked: whether the secrets in the exchanges of the transcripts are masked, since each
            cassette was read so.
        left_out: the number of cassettes that a replay of all scenarios did not replay, because
            they belong to no scenario.
        drawn: the sections of the page that are drawn already; of their scenarios, `matrices` has
            only what rankings need.
    """

    title: str
    reads: Sequence[AnalyzedTranscript] = ()
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()
    matrices: Sequence[Matrix] = ()
    problems: tuple[Problem, ...] = ()
    duration: float = 0.0
    drifts: tuple[Drift, ...] = ()
    spent: str = ""
    pages: tuple[tuple[str, str], ...] = ()
    checked: tuple[Outline, ...] = ()
    fields: FieldMatrix | None = None
    paths: PathTypes | None = None
    history: tuple[Run, ...] = ()
    processes: int = field(default=1, compare=False)
    is_masked: bool = field(default=False, compare=False)
    left_out: int = 0
    drawn: DrawnSections = DrawnSections(MappingProxyType({}), ())

    @cached_property
    def outlines(self) -> tuple[Outline, ...]:
        """A summary in figures (`Outline`) of each transcript."""
        return self.checked or tuple(map(outline, self.reads))

    @property
    def ok(self) -> bool:
        """Whether no finding is an error and there was no problem."""
        return not self.problems and not self.of(Severity.ERROR)

    @property
    def exit_code(self) -> int:
        """The exit code: 0 without errors, 1 with error findings, 2 with any problem."""
        if self.problems:
            return 2
        return 0 if self.ok else 1

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings with *severity*."""
        return tuple(f for f in self.findings if f.severity is severity)

    @property
    def turns(self) -> int:
        """The number of turns in all transcripts."""
        return sum(one.turns for one in self.outlines)

    @property
    def exchanges(self) -> int:
        """The number of exchanges in all transcripts."""
        return sum(one.exchanges for one in self.outlines)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The origins of the transcripts, each once."""
        found = {one.provenance.recorded_from for one in self.outlines}
        return tuple(origin for origin in Origin if origin in found)

    @property
    def sums(self) -> str:
        """The totals as English text: transcripts, turns, exchanges, findings and so on."""
        with in_language(Language.EN):
            return self.local_sums

    @property
    def local_sums(self) -> str:
        """The totals as text in the language of the user."""
        errors, warnings, notes = (len(self.of(severity)) for severity in Severity)
        counts = [
            localized_count(len(self.outlines), "{} transcript", "{} transcripts"),
            localized_count(self.turns, "{} turn", "{} turns"),
            localized_count(self.exchanges, "{} exchange", "{} exchanges"),
            *([localized_count(errors, "{} error", "{} errors")] if errors else []),
            *([localized_count(warnings, "{} warning", "{} warnings")] if warnings else []),
            *([localized_count(notes, "{} note", "{} notes")] if notes else []),
            *([localized("{} ignored").format(len(self.ignored))] if self.ignored else []),
            localized_count(len(self.problems), "{} problem", "{} problems"),
            seconds(self.duration),
        ]
        return localized(", ").join(counts)

    @cached_property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """The names of all targets of each scenario, in order of appearance."""
        found: dict[str, dict[str, None]] = {}
        every: list[Outline | Problem | Finding] = [*self.outlines, *self.problems, *self.findings]
        for one in every:
            found.setdefault(one.scenario, {})[one.target] = None
        for scenario in self.compared:
            found.setdefault(scenario, {})
        return {scenario: tuple(targets) for scenario, targets in found.items()}

    @cached_property
    def compared(self) -> tuple[str, ...]:
        """The name of the scenario of each of `matrices`."""
        return tuple(one.scenario for one in self.matrices)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of all scenarios, in order of appearance."""
        return tuple(self.targets)

    @property
    def is_list(self) -> bool:
        """Whether each target has one scenario only, as in a run of tests.

        Pages then show a list instead of a matrix of scenarios and targets.
        """
        targets = {cell.target for cell in self.overview}
        alone = len(targets) == len(self.overview) and len(self.scenarios) > 1
        return alone or self.title == "Tests"

    @property
    def local_origin(self) -> str:
        """The sentence of `origin` in the language of the user."""
        if LANGUAGE.get() is Language.EN:
            return self.origin
        partly = localized("Partly:") if len(self.origins) > 1 else ""
        return "".join(f"{partly}{localized(ORIGINS[origin])}" for origin in self.origins)

    @property
    def origin(self) -> str:
        """An English sentence that says where the recordings come from: live services, the sandbox.

        It is empty without recordings.
        """
        partly = "partly " if len(self.origins) > 1 else ""
        clauses = [partly + ORIGINS[origin].lower().rstrip(".") for origin in self.origins]
        return f"{', '.join(clauses).capitalize()}." if clauses else ""

    @cached_property
    def made(self) -> RunInfo:
        """The program, commit and CI run that made the report."""
        return run_info(os.environ, Path.cwd())

    @cached_property
    def overview(self) -> tuple[Cell, ...]:
        """The results of the run: one cell for each scenario with each of its targets."""
        return _cells(self)

    @cached_property
    def rankings(self) -> tuple[Ranking, ...]:
        """Rankings by speed and cost, each of targets that answered the same scenarios.

        The ranking with the most turns is first.
        """
        return rankings(self.matrices, self.outlines)

    @cached_property
    def scenario_rankings(self) -> tuple[Ranking, ...]:
        """Rankings by speed and cost, one for each scenario that several targets answered."""
        return scenario_rankings(self.matrices, self.outlines)

    @cached_property
    def price_sources(self) -> Mapping[Price, tuple[str, ...]]:
        """The prices from which the costs in `rankings` are computed, each with its targets."""
        return price_sources(self.rankings)

    @cached_property
    def field_matrix(self) -> FieldMatrix:
        """The JSON pointers at which answers have each field, by form of answer and target."""
        return self.fields or field_matrix(self.reads)

    @cached_property
    def topics(self) -> tuple[Topic, ...]:
        """The paths of each field by API form: one `Topic` for text and one for images."""
        return topics(self._path_types, self.field_matrix)

    @cached_property
    def field_tables(self) -> tuple[FieldTable, ...]:
        """Every path in requests and answers with its types, by API form."""
        return field_tables(self._path_types)

    @cached_property
    def _path_types(self) -> PathTypes:
        return self.paths or path_types(self.reads)

    @cached_property
    def drift_groups(self) -> tuple[ChangeGroup, ...]:
        """The changes of all drifts, the most severe first; equal changes are one group."""
        return change_groups(self.drifts)

    @cached_property
    def verdicts(self) -> Mapping[Verdict, int]:
        """The number of drifts with each verdict, the most severe first."""
        counts = Counter(drift.verdict for drift in self.drifts)
        return dict(sorted(counts.items(), key=lambda item: -item[0].rank))


# ---------------------------------------------------------------------------- cells of a report


def _cells(report: Report) -> tuple[Cell, ...]:
    """Return a cell for each scenario with each of its targets."""
    outlines, findings = _grouped(report.outlines), _grouped(report.findings)
    ignored, problems = _grouped(report.ignored), _grouped(report.problems)
    pairs = ((scenario, t) for scenario, targets in report.targets.items() for t in targets)
    return tuple(
        replace(
            _recorded_cell(pair, outlines[pair]),
            findings=tuple(findings[pair]),
            ignored=tuple(ignored[pair]),
            problems=tuple(problems[pair]),
        )
        for pair in pairs
    )


def _grouped(items: Iterable[T]) -> Mapping[Pair, list[T]]:
    """Return *items* by scenario and target; a pair that none of them has, has an empty list."""
    groups: dict[Pair, list[T]] = defaultdict(list)
    for one in items:
        groups[one.scenario, one.target].append(one)
    return groups


def _recorded_cell(pair: Pair, outlines: Sequence[Outline]) -> Cell:
    """Return the cell of a scenario and target with the figures of its recordings only."""
    provenance = outlines[0].provenance if outlines else Provenance()
    return Cell(
        *pair,
        turns=sum(one.turns for one in outlines),
        exchanges=sum(one.exchanges for one in outlines),
        skipped=tuple(reason for one in outlines for reason in one.skipped),
        recorded_at=provenance.recorded_at,
        recorded_from=provenance.recorded_from.value if outlines else "",
        total=_time(outlines),
        test=provenance.test.rpartition("/")[2],
        models=tuple(dict.fromkeys(model for one in outlines for model in one.models)),
    )


def _time(outlines: Sequence[Outline]) -> float | None:
    turns = [turn for one in outlines for turn in one.figures if turn.outcome == "reply"]
    times = [turn.total for turn in turns if turn.total is not None]
    return fmean(times) if times else None
