"""The check of many cassettes by the rules, in several processes or from earlier results."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.cassette import store
from harness.cassette.age import ALWAYS, Period
from harness.cassette.workers import Workers, in_order
from harness.checks.cache import ResultCache
from harness.comparison.call_forms import PathTypes, path_types
from harness.comparison.fields import FieldMatrix, field_matrix
from harness.comparison.matrix import Outline, TurnFigures, outline
from harness.config.settings import RuleSelection
from harness.providers import endpoints
from harness.providers.recordings import try_read
from harness.providers.rules import Examined, examine, project_rules
from harness.rules import Judged
from harness.types import Finding, Problem, Progress, Provenance, Transcript

T = TypeVar("T")


class CheckedFile(NamedTuple):
    """The result of the check of a file.

    Attributes:
        outline: Counts and other figures about the cassette, without its texts.
        judged: The findings, and the findings that are ignored.
        fields: The JSON pointers at which its responses have each field, such as the finish reason;
            None if no report needs them.
    """

    outline: Outline
    judged: Judged
    fields: FieldMatrix | None = None


NO_CACHE = ResultCache(None, CheckedFile)


class Checked(NamedTuple):
    """A cassette that was checked.

    Attributes:
        file: The result of the check.
        transcript: The transcript; None unless `CheckOptions.keeps` is `Kept.TRANSCRIPTS`.
        paths: The JSON types at each path in its exchanges; None like the transcript.
    """

    file: CheckedFile
    transcript: Transcript | None = None
    paths: PathTypes | None = None


class Kept(IntEnum):
    """Parts of a checked cassette that a report needs; each includes those before it.

    Attributes:
        COUNTS: The outline without the figures of turns, and the findings.
        FIGURES: Also the figures of turns.
        FIELDS: Also the JSON pointers at which its responses have each field.
        TRANSCRIPTS: Also the transcript.
    """

    COUNTS = 0
    FIGURES = 1
    FIELDS = 2
    TRANSCRIPTS = 3


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options of a check.

    Attributes:
        period: The dates of recording to check; cassettes recorded at other times are left out.
        workers: The largest number of processes, or the address of a Dask scheduler.
        cache: The results of earlier checks. If `keeps` is `TRANSCRIPTS`, each cassette is read
            nevertheless.
        keeps: The parts of each cassette that its result contains.
    """

    period: Period = ALWAYS
    workers: Workers = 1
    cache: ResultCache[CheckedFile] = NO_CACHE
    keeps: Kept = Kept.TRANSCRIPTS


CHECK_ALL = CheckOptions()


class Shared:
    """The parts of results that a report needs, in which equal parts are one object.

    Results that other processes or earlier runs made repeat the names of targets, rules and so on.
    """

    def __init__(self, keeps: Kept) -> None:
        self._keeps = keeps
        self._known: dict[Hashable, Any] = {}

    def file(self, file: CheckedFile) -> CheckedFile:
        """Return *file* with the parts that are kept."""
        one = file.outline
        keeps_figures = self._keeps >= Kept.FIGURES
        origin = self._provenance(one.provenance)
        outline = replace(
            one,
            scenario=self._one(one.scenario),
            target=self._one(one.target),
            provenance=origin,
            models=self._one(one.models),
            figures=tuple(map(self._turn, one.figures)) if keeps_figures else (),
        )
        findings, ignored = (
            tuple(self._finding(finding, outline) for finding in some)
            for some in (file.judged.findings, file.judged.ignored)
        )
        fields = file.fields if self._keeps >= Kept.FIELDS else None
        return CheckedFile(outline, Judged(findings, ignored), fields)

    def _one(self, value: T) -> T:
        """Return *value*, or an equal one that was seen before."""
        return cast("T", self._known.setdefault(value, value))

    def _provenance(self, origin: Provenance) -> Provenance:
        """Return a provenance whose parts are shared, but for those of each recording alone."""
        return replace(
            origin,
            scenario=self._one(origin.scenario),
            target=self._one(origin.target),
            address=self._one(origin.address),
            sdk=self._one(origin.sdk),
            script=self._one(origin.script),
            volatile=self._one(origin.volatile),
        )

    def _turn(self, figures: TurnFigures) -> TurnFigures:
        return replace(
            figures,
            target=self._one(figures.target),
            outcome=self._one(figures.outcome),
            delivery=self._one(figures.delivery),
            finish_reason=self._one(figures.finish_reason),
        )

    def _finding(self, finding: Finding, outline: Outline) -> Finding:
        return replace(
            finding,
            rule=self._one(finding.rule),
            scenario=self._one(finding.scenario),
            target=self._one(finding.target),
            source=outline.source if finding.source == outline.source else finding.source,
        )


def check_cassettes(
    paths: Sequence[Path], progress: Progress, options: CheckOptions
) -> Iterator[Checked | Problem]:
    """Check cassettes by the project's response-format rules, and yield the results in order.

    *paths* are cassettes or folders of them. A cassette that cannot be read yields a problem.
    *progress* is called with a line of text for each cassette.

    Raises:
        BadSettings: The project's settings are invalid.
        HarnessError: A path does not exist or holds no cassettes.
    """
    check = partial(_check, project_rules(Path.cwd()), options)
    files = store.find(list(paths), is_read_here=isinstance(options.workers, int))
    shared = Shared(options.keeps)
    with options.cache.opened(files, reduced=shared.file) as known:
        items = [(path, known.of.get(path)) for path in files]
        new = in_order(
            check, [one for one in items if not _suffices(one[1], options)], options.workers
        )
        for number, (path, earlier) in enumerate(items, start=1):
            progress(f"[{number}/{len(files)}] {path}")
            result: Checked | Problem | None
            if earlier and _suffices(earlier, options):
                result = Checked(earlier)
            else:
                result = next(new)
                if isinstance(result, Checked) and result.file is not earlier:
                    known.write(path, result.file)
                    result = result._replace(file=shared.file(result.file))
            if result is not None and not _is_left_out(result, options.period):
                yield result


def _suffices(earlier: CheckedFile | None, options: CheckOptions) -> bool:
    """Return whether the earlier result of a file, if there is one, has all that is kept."""
    if earlier is None or options.keeps is Kept.TRANSCRIPTS:
        return False
    return options.keeps <= Kept.FIGURES or earlier.fields is not None


def _is_left_out(result: Checked | Problem, period: Period) -> bool:
    return isinstance(result, Checked) and result.file.outline.provenance not in period


def _check(
    rules: RuleSelection, options: CheckOptions, item: tuple[Path, CheckedFile | None]
) -> Checked | Problem | None:
    """Return the result for one file; None if it was recorded at another time.

    *item* is the file, and its earlier result, which is taken for a transcript.
    """
    path, earlier = item
    transcript = try_read(path)
    if isinstance(transcript, Problem):
        return transcript
    if transcript.provenance not in options.period:
        return None
    if earlier is not None and options.keeps is Kept.TRANSCRIPTS:
        read = analyze(rules.apply_to(transcript), endpoints.recognise)
        if earlier.fields is None:
            earlier = earlier._replace(fields=field_matrix([read]))
        return Checked(earlier, read.transcript, path_types([read]))
    return checked(examine(transcript, rules), options.keeps)


def checked(examined: Examined, keeps: Kept, counted: AnalyzedTranscript | None = None) -> Checked:
    """Return the result of a check, with the parts of *examined* that *keeps* names.

    *counted* is the same transcript with the target that fields are counted by, if it is another.
    """
    read, judged = examined
    fields = field_matrix([counted or read]) if keeps >= Kept.FIELDS else None
    file = CheckedFile(outline(read), judged, fields)
    if keeps is not Kept.TRANSCRIPTS:
        return Checked(file)
    return Checked(file, read.transcript, path_types([read]))
