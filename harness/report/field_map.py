"""Where each provider keeps what a reader of answers looks for, from `compare.field_matrix`.

Columns are ways of asking. Each place has its evidence: the first exchange in which it was seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare import Cell, FieldMatrix, Form, Site, field_matrix
from harness.compare.fields import Evidence, FieldRow, Presence, presence
from harness.report.api_forms import Way, way
from harness.report.fields import path

GLANCE = (
    "content",
    "reasoning",
    "finish reason",
    "tool call name",
    "input tokens",
    "output tokens",
    "image url",
    "error code",
)
"""The fields that the overview tells of."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A place where a field stood: with which types, in `present` of `of` answers of these
    kinds. `evidence` is the first exchange that shows it."""

    path: str
    types: tuple[str, ...]
    kinds: tuple[str, ...]
    present: int
    of: int
    evidence: Evidence

    @property
    def presence(self) -> Presence:
        """Whether all, some or none of these answers have the field here."""
        return presence(self.present, self.of)


@dataclass(frozen=True, slots=True)
class Line:
    """A field with one target, asked and answered in one way; without a place it is nowhere."""

    form: Form
    stand: Stand
    events: int = 0
    of_events: int = 0


@dataclass(frozen=True, slots=True)
class Meaning:
    """A field of `compare.FIELDS`: way by way where it stood, and target by target."""

    name: str
    otel: str
    cells: tuple[tuple[Stand, ...], ...]
    lines: tuple[Line, ...]

    @property
    def differs(self) -> bool:
        """Whether it stands at several places, or not with every way."""
        told = [frozenset(stand.path for stand in cell) for cell in self.cells]
        return len(set(told)) > 1


@dataclass(frozen=True, slots=True)
class Apart:
    """Two ways of asking for the same kind of thing: the fields that stand elsewhere, of all that
    both have."""

    left: Way
    right: Way
    names: tuple[str, ...]
    of: int


@dataclass(frozen=True, slots=True)
class Topic:
    """Text or images: the ways of asking for them, the fields these have, and how they part."""

    name: str
    ways: tuple[Way, ...]
    meanings: tuple[Meaning, ...]
    apart: tuple[Apart, ...]

    @property
    def glance(self) -> tuple[Meaning, ...]:
        """The fields that the overview tells of."""
        return tuple(meaning for meaning in self.meanings if meaning.name in GLANCE)


def topics(reads: Sequence[AnalyzedTranscript]) -> tuple[Topic, ...]:
    """Text first; a topic that nobody asked for is not there."""
    found, images = field_matrix(reads), _images(reads)
    ways = {form: _way(form, form.endpoint in images) for form in found.forms}
    names = dict.fromkeys(one.topic for one in sorted(ways.values()))
    told = (_topic(name, found, ways) for name in names)
    return tuple(topic for topic in told if topic.meanings)


def _images(reads: Iterable[AnalyzedTranscript]) -> set[str]:
    """The endpoints that were asked for images."""
    turns = ((read, turn) for read in reads for turn in read.turns)
    return {
        reading.endpoint.name
        for read, turn in turns
        if way(read, turn).image
        for reading in turn.readings
        if reading.endpoint
    }


def _way(form: Form, image: bool) -> Way:
    asked = "image" if image else form.request or "other"
    return Way(image, form.endpoint.partition(".")[0], asked)


def _topic(name: str, found: FieldMatrix, ways: Mapping[Form, Way]) -> Topic:
    mine = tuple(sorted({one for one in ways.values() if one.topic == name}))
    rows = [_meaning(row, found.forms, ways, mine) for row in found.rows]
    there = tuple(row for row in rows if any(row.cells))
    pairs = combinations(range(len(mine)), 2)
    return Topic(name, mine, there, tuple(_apart(mine, there, i, j) for i, j in pairs))


def _meaning(
    row: FieldRow,
    forms: Sequence[Form],
    ways: Mapping[Form, Way],
    mine: Sequence[Way],
) -> Meaning:
    told = [(f, c) for f, c in zip(forms, row.cells, strict=True) if ways[f] in mine]
    cells = ([(f, c) for f, c in told if ways[f] == one] for one in mine)
    return Meaning(
        row.field.name,
        row.field.otel,
        tuple(tuple(_stands(cell)) for cell in cells),
        tuple(line for form, cell in told for line in _lines(form, cell)),
    )


def _stands(told: Iterable[tuple[Form, Cell]]) -> Iterator[Stand]:
    """The places of one way, those of all its targets together.

    A place counts among all answers of the kinds that have it, those of targets too that never do.
    """
    found: dict[str, list[tuple[str, Site]]] = defaultdict(list)
    answers: Counter[str] = Counter()
    for form, cell in told:
        answers[form.response] += cell.of
        for site in cell.sites:
            found[site.pointer].append((form.response, site))
    for pointer, sites in found.items():
        first = sites[0][1]
        kinds = sorted({answered for answered, _ in sites})
        yield Stand(
            path=path(pointer),
            types=tuple(sorted({kind for _, site in sites for kind in site.types})),
            kinds=tuple(kinds),
            present=sum(site.present for _, site in sites),
            of=sum(answers[answered] for answered in kinds),
            evidence=first.evidence,
        )


def _lines(form: Form, cell: Cell) -> Iterator[Line]:
    """The places of one form; where it could be expected and is nowhere, that."""
    for site in cell.sites:
        where, kinds = path(site.pointer), (form.response,)
        stand = Stand(where, site.types, kinds, site.present, site.of, site.evidence)
        yield Line(form, stand, site.events, site.of_events)
    if not cell.sites and cell.expected:
        yield Line(form, Stand("", (), (form.response,), 0, cell.of, cell.evidence))


def _apart(ways: Sequence[Way], found: Sequence[Meaning], i: int, j: int) -> Apart:
    both = [m for m in found if m.cells[i] and m.cells[j]]
    names = tuple(m.name for m in both if _elsewhere(m.cells[i], m.cells[j]))
    return Apart(ways[i], ways[j], names, len(both))


def _elsewhere(left: Sequence[Stand], right: Sequence[Stand]) -> bool:
    """Whether two ways have a field at other places, in the kinds of answer that both have."""
    kinds = {k for s in left for k in s.kinds} & {k for s in right for k in s.kinds}
    ours, theirs = (
        {stand.path for stand in side if not kinds or kinds & set(stand.kinds)}
        for side in (left, right)
    )
    return ours != theirs
