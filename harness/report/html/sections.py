"""What a page has to show of each scenario, and where its findings point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.compare import Comparison, Difference, Facts, Layer, Matrix, Pair, Table
from harness.report import format
from harness.report.conversation import Talk, conversation
from harness.report.html import bodies, timelines, word_diff
from harness.report.report import Report
from harness.types import Finding, Origin, Problem, Provenance, Severity

MAX_DIFFERENCES = 200
"""So many differences of one layer are listed; the JSON report has all."""

MAX_PATHS = 500
"""So many paths of one format are listed; the JSON report has all."""

MAX_VALUE = 400
"""So many characters of a value that differs are shown."""

MAX_EXCHANGES = 200
"""So many exchanges of one transcript are shown as they travelled."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A finding with its number on the page, and the anchor of the exchange it points at."""

    number: int
    finding: Finding
    section: str
    exchange: str = ""


@dataclass(frozen=True, slots=True)
class Wired:
    """An exchange as it travelled."""

    anchor: str
    reading: AnalyzedExchange
    request: tuple[bodies.Piece, ...]
    response: tuple[bodies.Piece, ...]
    findings: tuple[Progress, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A transcript, in all its views."""

    anchor: str
    target: str
    provenance: Provenance
    skipped: tuple[str, ...]
    talks: tuple[Talk, ...]
    timelines: tuple[timelines.Timeline, ...]
    wire: tuple[Wired, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Parted:
    """A difference with both of its values in pieces."""

    difference: Difference
    left: tuple[word_diff.Piece, ...]
    right: tuple[word_diff.Piece, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison as it is listed: its differences, layer by layer, but for those too many.

    `parting` is what the first turn that parts, parts by. `noise` are the values that differ
    between repeats of one side, too, and so are no difference; of those, too, not too many.
    """

    comparison: Comparison
    layers: tuple[tuple[Layer, tuple[Parted, ...]], ...]
    more: int
    parting: Parted | None
    noise: tuple[Parted, ...]

    @property
    def noisy(self) -> int:
        """How many values differ between repeats of one side, too."""
        return sum(difference.varies for difference in self.comparison.all_differences)

    @property
    def volatile(self) -> int:
        """How many values differ between any two answers; what is noise apart."""
        return len(self.comparison.of(Layer.VOLATILE)) - self.noisy

    @property
    def alike(self) -> tuple[float, ...]:
        """How much the texts of the turns have in common, from 0 to 1: the least and the most."""
        turns = self.comparison.turns
        told = sorted(turn.similarity for turn in turns if turn.similarity is not None)
        return tuple(dict.fromkeys((*told[:1], *told[-1:])))


@dataclass(frozen=True, slots=True)
class Beside:
    """A matrix as it is shown: its facts, its formats, and each pair of its targets."""

    targets: tuple[str, ...]
    facts: tuple[Facts, ...]
    pairs: tuple[tuple[Pair, Compared], ...]
    tables: tuple[Table, ...]

    @property
    def slowest(self) -> float:
        """The longest time of a turn, in seconds."""
        return max((told.total or 0.0 for told in self.facts), default=0.0)

    @property
    def turns(self) -> tuple[tuple[int, tuple[Facts, ...]], ...]:
        """The same turn of all targets together."""
        order = sorted(self.facts, key=lambda told: told.turn)
        return tuple((n, tuple(group)) for n, group in groupby(order, key=lambda told: told.turn))


@dataclass(frozen=True, slots=True)
class Section:
    """A scenario, in all its views."""

    anchor: str
    name: str
    columns: tuple[Column, ...]
    findings: tuple[Progress, ...]
    ignored: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    matrices: tuple[Beside, ...]
    comparisons: tuple[Compared, ...]

    @property
    def sandbox(self) -> bool:
        """Whether a sandbox answered any of it."""
        return any(c.provenance.recorded_from is Origin.SANDBOX for c in self.columns)

    @property
    def failed(self) -> bool:
        """Whether anything of it fails a run."""
        errors = (told.finding.severity is Severity.ERROR for told in self.findings)
        return bool(self.problems) or any(errors)


def sections(report: Report) -> tuple[Section, ...]:
    """Every scenario of a report, its findings numbered through all of them."""
    made: list[Section] = []
    numbered = 0
    for number, scenario in enumerate(report.scenarios, start=1):
        made.append(_section(report, scenario, f"s{number}", numbered))
        numbered += len(made[-1].findings)
    return tuple(made)


def _section(report: Report, scenario: str, anchor: str, numbered: int) -> Section:
    reads = [read for read in report.reads if read.transcript.scenario == scenario]
    found = _sorted([f for f in report.findings if f.scenario == scenario])
    told = tuple(
        Progress(number, finding, anchor, _exchange(finding, reads, anchor))
        for number, finding in enumerate(found, start=numbered + 1)
    )
    return Section(
        anchor=anchor,
        name=scenario or "(no scenario)",
        columns=tuple(_column(r, told, f"{anchor}-t{n}") for n, r in enumerate(reads, start=1)),
        findings=told,
        ignored=tuple(_sorted([f for f in report.ignored if f.scenario == scenario])),
        problems=tuple(p for p in report.problems if p.scenario == scenario),
        matrices=tuple(_beside(m) for m in report.matrices if m.scenario == scenario),
        comparisons=tuple(compared(c) for c in report.comparisons if c.scenario == scenario),
    )


def _sorted(findings: list[Finding]) -> list[Finding]:
    order = list(Severity)
    return sorted(findings, key=lambda f: (order.index(f.severity), f.target))


def _belongs(finding: Finding, read: AnalyzedTranscript) -> bool:
    """Cassettes of other tools may have the same names; then the file tells them apart."""
    told = read.transcript
    same = (finding.scenario, finding.target) == (told.scenario, told.target)
    return same and (not finding.source or not told.source or finding.source == told.source)


def _exchange(finding: Finding, reads: Sequence[AnalyzedTranscript], anchor: str) -> str:
    number = finding.place.exchange
    for count, read in enumerate(reads, start=1):
        if _belongs(finding, read) and number and number <= min(len(read.readings), MAX_EXCHANGES):
            return f"{anchor}-t{count}-x{number}"
    return ""


def _column(read: AnalyzedTranscript, told: Sequence[Progress], anchor: str) -> Column:
    mine = [one for one in told if _belongs(one.finding, read)]
    lines = (timelines.timeline(turn) for turn in read.turns)
    transcript = read.transcript
    return Column(
        anchor=anchor,
        target=transcript.target or transcript.source,
        provenance=transcript.provenance,
        skipped=transcript.skipped,
        talks=conversation(read),
        timelines=tuple(line for line in lines if line is not None),
        wire=tuple(_wired(r, mine, anchor) for r in read.readings[:MAX_EXCHANGES]),
        more=max(0, len(read.readings) - MAX_EXCHANGES),
    )


def _wired(reading: AnalyzedExchange, told: Sequence[Progress], anchor: str) -> Wired:
    mine = [one for one in told if one.finding.place.exchange == reading.number]
    exchange = reading.exchange
    response = b"" if reading.is_binary else exchange.response.body
    return Wired(
        anchor=f"{anchor}-x{reading.number}",
        reading=reading,
        request=bodies.pieces(exchange.request.body, _marks(mine, exchange.request.body, True)),
        response=bodies.pieces(response, _marks(mine, response, False)),
        findings=tuple(mine),
    )


def _marks(told: Sequence[Progress], body: bytes, request: bool) -> list[bodies.Mark]:
    places = [(one.number, one.finding.place) for one in told]
    marks = (bodies.mark(n, place, body) for n, place in places if place.request is request)
    return [mark for mark in marks if mark is not None]


def _beside(found: Matrix) -> Beside:
    return Beside(
        targets=found.targets,
        facts=found.facts,
        pairs=tuple((pair, compared(pair.comparison)) for pair in found.pairs),
        tables=found.tables,
    )


def compared(found: Comparison) -> Compared:
    """A comparison as it is listed."""
    layers = [layer for layer in Layer if layer is not Layer.VOLATILE]
    return Compared(
        comparison=found,
        layers=tuple(
            (layer, tuple(_parted(d) for d in found.of(layer)[:MAX_DIFFERENCES]))
            for layer in layers
        ),
        more=sum(max(0, len(found.of(layer)) - MAX_DIFFERENCES) for layer in layers),
        parting=_parted(found.divergence.difference) if found.divergence else None,
        noise=tuple(
            _parted(d) for d in [d for d in found.all_differences if d.varies][:MAX_DIFFERENCES]
        ),
    )


def _parted(difference: Difference) -> Parted:
    left = format.value(difference.before, MAX_VALUE)
    right = format.value(difference.after, MAX_VALUE)
    if difference.layer is Layer.SHAPE:
        return Parted(difference, (word_diff.Piece(left),), (word_diff.Piece(right),))
    return Parted(difference, *word_diff.side_by_side(left, right))


def pictures(made: Sequence[Section]) -> Iterator[bytes]:
    """Every file that was answered, in the order of the page."""
    for section in made:
        for column in section.columns:
            for talk in column.talks:
                yield from talk.files


def gallery(
    made: Sequence[Section], album: Mapping[bytes, str]
) -> Iterator[tuple[Section, Column, Talk, str]]:
    """Every picture that is shown: of whom, in which turn, and its data URL."""
    for section in made:
        for column in section.columns:
            for talk in column.talks:
                for data in talk.files:
                    if data in album:
                        yield section, column, talk, album[data]
