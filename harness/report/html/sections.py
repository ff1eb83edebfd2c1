"""The sections of a page, one for each scenario or drift, with the anchors of what they show."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.fields import Evidence
from harness.comparison.matrix import Matrix, Outline, TargetPair, TurnFigures, outline
from harness.comparison.types import Comparison, Difference, Layer
from harness.report import format
from harness.report.conversation import ConversationTurn, conversation, downloads
from harness.report.forks import Recording
from harness.report.html import bodies, charts, word_diff
from harness.report.model import Report
from harness.types import Finding, Origin, Problem, Severity

if TYPE_CHECKING:
    from harness.analysis.difference import Verdict
    from harness.drift.types import Drift, DriftChange

MAX_DIFFERENCES = 200
"""The largest number of differences listed for one layer; the JSON report has all."""

MAX_PATHS = 500
"""The largest number of paths listed for one format; the JSON report has all."""

MAX_VALUE = 400
"""The largest number of characters shown of a differing value."""

MAX_EXCHANGES = 200
"""The largest number of exchanges of one transcript that are shown as raw HTTP."""

MAX_CHANGES = 200
"""The largest number of changes that are listed for one verdict; the JSON report has all."""


@dataclass(frozen=True, slots=True)
class NumberedFinding:
    """A finding with its number on the page.

    Attributes:
        number: the number, from 1.
        finding: the finding.
        section: the anchor of the finding's scenario.
        exchange: the anchor of the exchange with the finding; empty if the page does not show it.
    """

    number: int
    finding: Finding
    section: str
    exchange: str = ""


@dataclass(frozen=True, slots=True)
class RawExchange:
    """An exchange as raw HTTP, and the findings that point at it.

    The bodies are split into pieces only when a page shows them, which saves memory.
    """

    anchor: str
    reading: AnalyzedExchange
    findings: tuple[NumberedFinding, ...]

    @property
    def request(self) -> tuple[bodies.Piece, ...]:
        """The request's body as pieces, with the bytes that findings point at marked."""
        body = self.reading.exchange.request.body
        marks = _marks(self.findings, body, True)
        return bodies.pieces(body, marks, lambda: self.reading.request_json)

    @property
    def response(self) -> tuple[bodies.Piece, ...]:
        """The response's body as pieces, with marks; without text if it is a binary file."""
        body = b"" if self.reading.is_binary else self.reading.exchange.response.body
        marks = _marks(self.findings, body, False)
        return bodies.pieces(body, marks, lambda: self.reading.response_json)


@dataclass(frozen=True)
class Column:
    """A transcript in all its views: conversation, timelines, raw HTTP.

    The views are made when they are asked for, and kept with the column; see `fresh`.

    Attributes:
        anchor: the id of the HTML element.
        head: the outline of the transcript, and where to read the rest.
        findings: the findings of the transcript.
    """

    anchor: str
    head: Head
    findings: tuple[NumberedFinding, ...]

    @property
    def outline(self) -> Outline:
        """The figures and the provenance of the transcript."""
        return self.head.outline

    @cached_property
    def _read(self) -> AnalyzedTranscript:
        return self.head.read

    @cached_property
    def turns(self) -> tuple[ConversationTurn, ...]:
        """The turns of the conversation."""
        return tuple(conversation(self._read))

    @cached_property
    def timelines(self) -> tuple[charts.Timeline, ...]:
        """The timelines of the turns with recorded times."""
        lines = (charts.timeline(turn) for turn in self._read.turns)
        return tuple(line for line in lines if line is not None)

    @cached_property
    def wire(self) -> tuple[RawExchange, ...]:
        """The first `MAX_EXCHANGES` exchanges as raw HTTP."""
        shown = self._read.readings[:MAX_EXCHANGES]
        return tuple(_raw(reading, self.findings, self.anchor) for reading in shown)

    @property
    def more(self) -> int:
        """The number of the other exchanges."""
        return max(0, self.outline.exchanges - MAX_EXCHANGES)

    @property
    def files(self) -> tuple[bytes, ...]:
        """The bytes of each file that was downloaded, such as an image."""
        turns = self.head.read.turns if self.outline.files else ()
        return tuple(data for turn in turns for data in downloads(turn))

    @property
    def target(self) -> str:
        """The name of the target or, if it has none, the cassette's path."""
        return self.outline.target or self.outline.source


class Head(NamedTuple):
    """The outline of a transcript, which is read from the report when it is asked for.

    Attributes:
        outline: the figures and the provenance of the transcript.
        reads: the transcripts of the report.
        at: the position of the transcript among these.
    """

    outline: Outline
    reads: Sequence[AnalyzedTranscript]
    at: int

    @property
    def read(self) -> AnalyzedTranscript:
        """The whole transcript."""
        return self.reads[self.at]


@dataclass(frozen=True)
class ShownDifference:
    """A difference whose left and right value are split into equal and differing pieces."""

    difference: Difference

    @property
    def left(self) -> tuple[word_diff.DiffPiece, ...]:
        """The pieces of the left value."""
        return self._sides[0]

    @property
    def right(self) -> tuple[word_diff.DiffPiece, ...]:
        """The pieces of the right value."""
        return self._sides[1]

    @cached_property
    def _sides(self) -> tuple[tuple[word_diff.DiffPiece, ...], tuple[word_diff.DiffPiece, ...]]:
        left = format.value(self.difference.before, MAX_VALUE)
        right = format.value(self.difference.after, MAX_VALUE)
        if self.difference.layer is Layer.SHAPE:
            return (word_diff.DiffPiece(left),), (word_diff.DiffPiece(right),)
        return word_diff.side_by_side(left, right)


@dataclass(frozen=True, slots=True)
class ShownComparison:
    """A comparison as the page shows it, with its differences by layer.

    Attributes:
        layers: the first `MAX_DIFFERENCES` differences of each layer.
        more: the number of the other differences.
        divergence: the difference at the first divergence; None if the transcripts do not diverge.
        noise: the first differences that also occur between repeats of one side.
    """

    comparison: Comparison
    layers: tuple[tuple[Layer, tuple[ShownDifference, ...]], ...]
    more: int
    divergence: ShownDifference | None
    noise: tuple[ShownDifference, ...]

    @property
    def noisy(self) -> int:
        """The number of differences that also occur between repeats of one side."""
        return sum(difference.varies for difference in self.comparison.all_differences)

    @property
    def volatile(self) -> int:
        """The number of differences in values that are expected to differ, such as ids and times.

        Differences that also occur between repeats of one side are not counted.
        """
        return len(self.comparison.of(Layer.VOLATILE)) - self.noisy


@dataclass(frozen=True, slots=True)
class ShownMatrix:
    """A matrix as the page shows it.

    Attributes:
        found: the matrix.
        pairs: each pair of targets with its comparison.
    """

    found: Matrix
    pairs: tuple[tuple[TargetPair, ShownComparison], ...]

    @property
    def slowest(self) -> float:
        """The longest time of a turn, in seconds; 0 if no time is known."""
        return max((figures.total or 0.0 for figures in self.found.figures), default=0.0)

    @property
    def turns(self) -> tuple[tuple[int, tuple[TurnFigures, ...]], ...]:
        """Each turn's number, with the figures of every target and choice in it."""
        order = sorted(self.found.figures, key=lambda figures: figures.turn)
        every = (one for figures in order for one in figures.by_choice)
        return tuple((n, tuple(group)) for n, group in groupby(every, key=lambda f: f.turn))


@dataclass(frozen=True)
class ScenarioSection:
    """A scenario as the page shows it, with all its transcripts and findings.

    Attributes:
        anchor: the id of the HTML element.
        name: the scenario's name.
        columns: a column for each transcript.
        findings: the findings, the most severe first.
        ignored: findings of rules that the scenario or the project ignores.
        problems: errors of targets that could not be recorded, read or replayed.
        compared: the matrices of the report.
        at: the positions among these of the scenario's own.
    """

    anchor: str
    name: str
    columns: tuple[Column, ...]
    findings: tuple[NumberedFinding, ...]
    ignored: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    compared: Sequence[Matrix]
    at: Sequence[int]

    @cached_property
    def matrices(self) -> tuple[ShownMatrix, ...]:
        """The matrices of the scenario, made when they are asked for; see `fresh`."""
        return tuple(_matrix(self.compared[at]) for at in self.at)

    @property
    def fresh(self) -> ScenarioSection:
        """The section without views and matrices that were made, to be dropped once it is shown."""
        return replace(self, columns=tuple(replace(column) for column in self.columns))

    @property
    def sandbox(self) -> bool:
        """Whether a transcript of the scenario was recorded from the sandbox."""
        provenances = (column.outline.provenance for column in self.columns)
        return any(made.recorded_from is Origin.SANDBOX for made in provenances)

    @property
    def failed(self) -> bool:
        """Whether the scenario has errors or problems."""
        errors = (one.finding.severity is Severity.ERROR for one in self.findings)
        return bool(self.problems) or any(errors)


def sections(report: Report) -> tuple[ScenarioSection, ...]:
    """Return a section for each scenario; findings are numbered across all sections, from 1."""
    by_scenario, heads = _by_scenario(report), defaultdict[str, list[Head]](list)
    compared = defaultdict[str, list[int]](list)
    for at, scenario in enumerate(report.compared):
        compared[scenario].append(at)
    positions = count()
    for one in report.outlines if report.reads or report.drawn.packs else ():
        is_drawn = one.scenario in report.drawn.numbers
        head = Head(one, (), 0) if is_drawn else Head(one, report.reads, next(positions))
        heads[one.scenario].append(head)
    done: list[ScenarioSection] = []
    numbered = 0
    for scenario, number in zip(report.scenarios, _numbers(report), strict=True):
        own = replace(by_scenario[scenario], matrices=report.matrices)
        of = heads[scenario], compared[scenario]
        done.append(_section(own, scenario, *of, f"s{number}", numbered))
        numbered += len(done[-1].findings)
    return tuple(done)


def _numbers(report: Report) -> Iterator[int]:
    """Yield the number of each scenario's section; one that was drawn has its number already."""
    drawn = report.drawn.numbers
    taken = {*drawn.values()}
    others = (number for number in count(1) if number not in taken)
    return (drawn.get(scenario) or next(others) for scenario in report.scenarios)


def section_of(
    scenario: str, number: int, reads: Sequence[AnalyzedTranscript], compared: Matrix
) -> ScenarioSection:
    """Return the section of a scenario without findings, of its recordings and their comparison.

    *number* is that of the section on the page.
    """
    heads = [Head(outline(read), reads, at) for at, read in enumerate(reads)]
    own = Report("", matrices=(compared,))
    return _section(own, scenario, heads, [0], f"s{number}", 0)


def _by_scenario(report: Report) -> Mapping[str, Report]:
    """Return the findings and problems of each scenario of a report."""
    parts: dict[str, dict[str, Any]] = {name: defaultdict(list) for name in report.scenarios}
    for name in ("findings", "ignored", "problems"):
        for one in getattr(report, name):
            if one.scenario in parts:
                parts[one.scenario][name].append(one)
    return {name: Report(report.title, **part) for name, part in parts.items()}


def _section(
    report: Report,
    scenario: str,
    heads: Sequence[Head],
    compared: Sequence[int],
    anchor: str,
    numbered: int,
) -> ScenarioSection:
    found = _sorted(report.findings)
    findings = tuple(
        NumberedFinding(number, finding, anchor, _exchange(finding, heads, anchor))
        for number, finding in enumerate(found, start=numbered + 1)
    )
    return ScenarioSection(
        anchor=anchor,
        name=scenario or "(no scenario)",
        columns=tuple(_column(h, findings, f"{anchor}-t{n}") for n, h in enumerate(heads, start=1)),
        findings=findings,
        ignored=tuple(_sorted(report.ignored)),
        problems=tuple(report.problems),
        compared=report.matrices,
        at=compared,
    )


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    order = list(Severity)
    return sorted(findings, key=lambda f: (order.index(f.severity), f.target))


def _belongs(finding: Finding, mine: Outline) -> bool:
    """Return whether *finding* is one of the transcript *mine*.

    Cassettes of other tools may have the same scenario and target, so their files are compared too.
    """
    same = (finding.scenario, finding.target) == (mine.scenario, mine.target)
    return same and (not finding.source or not mine.source or finding.source == mine.source)


def _exchange(finding: Finding, heads: Sequence[Head], anchor: str) -> str:
    number = finding.place.exchange
    if number is None:
        return ""
    for nth, head in enumerate(heads, start=1):
        shown = min(head.outline.exchanges, MAX_EXCHANGES)
        if number <= shown and _belongs(finding, head.outline):
            return f"{anchor}-t{nth}-x{number}"
    return ""


def _column(head: Head, findings: Sequence[NumberedFinding], anchor: str) -> Column:
    mine = tuple(one for one in findings if _belongs(one.finding, head.outline))
    return Column(anchor, head, mine)


def _raw(
    reading: AnalyzedExchange, findings: Sequence[NumberedFinding], anchor: str
) -> RawExchange:
    mine = [one for one in findings if one.finding.place.exchange == reading.number]
    return RawExchange(f"{anchor}-x{reading.number}", reading, tuple(mine))


def _marks(findings: Sequence[NumberedFinding], body: bytes, request: bool) -> list[bodies.Mark]:
    places = [(one.number, one.finding.place) for one in findings]
    marks = (bodies.mark(n, place, body) for n, place in places if place.request is request)
    return [mark for mark in marks if mark is not None]


def _matrix(found: Matrix) -> ShownMatrix:
    return ShownMatrix(found, tuple((pair, _comparison(pair.comparison)) for pair in found.pairs))


def _comparison(found: Comparison) -> ShownComparison:
    layers = [layer for layer in Layer if layer is not Layer.VOLATILE]
    noise = [difference for difference in found.all_differences if difference.varies]
    return ShownComparison(
        comparison=found,
        layers=tuple(
            (layer, tuple(ShownDifference(d) for d in found.of(layer)[:MAX_DIFFERENCES]))
            for layer in layers
        ),
        more=sum(max(0, len(found.of(layer)) - MAX_DIFFERENCES) for layer in layers),
        divergence=ShownDifference(found.divergence.difference) if found.divergence else None,
        noise=tuple(ShownDifference(difference) for difference in noise[:MAX_DIFFERENCES]),
    )


def recordings(sections: Sequence[ScenarioSection]) -> Iterator[Recording]:
    """Yield every recording of the page, linked to its place on the page."""
    for section in sections:
        for column in section.columns:
            yield Recording.of(column.outline.provenance, f"#{column.anchor}")


def pictures(sections: Sequence[ScenarioSection]) -> Iterator[bytes]:
    """Yield the bytes of every downloaded file, in the order of the page."""
    for section in sections:
        for column in section.columns:
            yield from column.files


def gallery(
    sections: Sequence[ScenarioSection], album: Mapping[bytes, str]
) -> Iterator[tuple[ScenarioSection, Column, str]]:
    """Yield (section, column, data URL) for every image that the page shows.

    *album* has the data URL of each such image by its bytes.
    """
    for section in sections if album else ():
        for column in section.columns:
            for data in column.files:
                if data in album:
                    yield section, column, album[data]


def evidence_anchors(sections: Sequence[ScenarioSection]) -> Callable[[Evidence], str]:
    """Return a function that returns the anchor of an exchange on the page.

    The anchor is empty if the page does not show the exchange, or if several recordings have the
    name of its file.
    """
    columns = [column for section in sections for column in section.columns]
    often = Counter(column.outline.source for column in columns)
    anchors = {c.outline.source: c.anchor for c in columns if often[c.outline.source] == 1}

    def anchor(seen: Evidence) -> str:
        column = anchors.get(seen.source, "")
        return f"{column}-x{seen.exchange}" if column and seen.exchange <= MAX_EXCHANGES else ""

    return anchor


# ------------------------------------------------------------------------------------------ drift


@dataclass(frozen=True, slots=True)
class ShownDrift:
    """A drift as the page shows it.

    Attributes:
        anchor: the id of the drift's HTML element.
        href: the id of the element with the new recording's conversation; empty if there is none.
        drift: the drift.
    """

    anchor: str
    href: str
    drift: Drift

    @property
    def groups(self) -> list[tuple[Verdict, tuple[DriftChange, ...]]]:
        """The verdicts of the changes, the most severe first, each with its changes."""
        verdicts = sorted({change.verdict for change in self.drift.changes}, key=lambda v: -v.rank)
        return [(verdict, self.drift.of(verdict)) for verdict in verdicts]

    def count(self, verdict: str) -> int:
        """Return the number of changes with *verdict*."""
        return sum(change.verdict == verdict for change in self.drift.changes)


def shown_drifts(report: Report, sections: Sequence[ScenarioSection]) -> tuple[ShownDrift, ...]:
    """Return every drift of a report, the most severe first."""
    order = sorted(report.drifts, key=lambda drift: -drift.verdict.rank)
    columns = (column for section in sections for column in section.columns)
    anchors = {(c.outline.scenario, c.target): c.anchor for c in columns}
    return tuple(
        ShownDrift(f"d-{number}", anchors.get((d.scenario, d.target), ""), d)
        for number, d in enumerate(order, start=1)
    )
