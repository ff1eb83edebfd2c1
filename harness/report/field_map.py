"""Where answers have each field, such as the finish reason, by provider and API form.

An API form is a provider with a way to call it, such as with messages, with a prompt or for an
image. `topics` returns the paths of the fields that clients read, `field_tables` every path.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from harness.comparison.call_forms import CallForm, PathTypes
from harness.comparison.fields import (
    AnswerForm,
    Evidence,
    FieldCell,
    FieldMatrix,
    FieldRow,
    Presence,
    Site,
    presence,
)
from harness.comparison.matrix import PathRow, path_rows
from harness.comparison.summary import PARTS

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
"""The names of the fields that the overview of the HTML page shows."""

MAX_FIELDS = 500
"""The largest number of paths in one table."""

MAX_TARGETS = 200
"""The largest number of places of one field by target."""


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A path of a field, and how many answers have the field there.

    Attributes:
        path: the path as code, such as `choices[0].message`; empty if the field is absent.
        types: the JSON types of the values at the path.
        kinds: the kinds of responses with the field, such as `answer`, `stream` or `refusal`.
        present: the number of responses of these kinds that have the field at the path.
        of: the number of all responses of these kinds.
        evidence: the first exchange with the field; the first answer if the field is absent.
        events: the number of stream events that have the field at the path.
        of_events: the number of all events of the streams; 0 without streams. Events are not
            counted (both numbers are 0) for the answers of several targets together.
    """

    path: str
    types: tuple[str, ...]
    kinds: tuple[str, ...]
    present: int
    of: int
    evidence: Evidence
    events: int = 0
    of_events: int = 0

    @property
    def presence(self) -> Presence:
        """Whether all, some or none of the `of` responses have the field at the path."""
        return presence(self.present, self.of)


@dataclass(frozen=True, slots=True)
class MappedField:
    """A field of answers, such as `finish reason`, with its places by API form and by target.

    Attributes:
        name: the name in reports.
        otel: the name in the OpenTelemetry GenAI conventions; empty if they have none.
        cells: the places in each API form, in the order of `Topic.forms`.
        targets: the first `MAX_TARGETS` places in each form of answers, which names the target; an
            absent field that was expected has a place without a path.
        more: the number of the other places.
    """

    name: str
    otel: str
    cells: tuple[tuple[FieldPlace, ...], ...]
    targets: tuple[tuple[AnswerForm, FieldPlace], ...]
    more: int

    @property
    def differs(self) -> bool:
        """Whether the field is at different paths in different API forms."""
        return len({frozenset(place.path for place in cell) for cell in self.cells}) > 1


@dataclass(frozen=True, slots=True)
class Contrast:
    """The difference between two API forms in where answers have their fields.

    Attributes:
        left: one API form.
        right: the other API form.
        names: the names of the fields that are at different paths in the two forms.
        of: the number of fields that both forms have.
    """

    left: CallForm
    right: CallForm
    names: tuple[str, ...]
    of: int


@dataclass(frozen=True, slots=True)
class Topic:
    """The paths of each field in answers by API form, for text or for images.

    Attributes:
        name: `text` or `image`.
        forms: the API forms, sorted.
        fields: the fields that answers of at least one form have.
        contrasts: a comparison of each pair of API forms.
    """

    name: str
    forms: tuple[CallForm, ...]
    fields: tuple[MappedField, ...]
    contrasts: tuple[Contrast, ...]

    @property
    def glance(self) -> tuple[MappedField, ...]:
        """The most important fields, which the overview of the HTML page shows."""
        return tuple(field for field in self.fields if field.name in GLANCE)


def topics(paths: PathTypes, matrix: FieldMatrix) -> tuple[Topic, ...]:
    """Return the field maps of text and of images, in this order, except those without fields.

    Args:
        paths: The paths in the exchanges, which name the endpoints that return images.
        matrix: The places of the fields in their answers.
    """
    images = paths.image_endpoints
    forms = {
        form: CallForm(
            form.endpoint in images,
            form.endpoint.partition(".")[0],
            "image" if form.endpoint in images else form.request or "other",
        )
        for form in matrix.forms
    }
    names = dict.fromkeys(form.topic for form in sorted(forms.values()))
    found = (_topic(name, matrix, forms) for name in names)
    return tuple(topic for topic in found if topic.fields)


def _topic(name: str, matrix: FieldMatrix, forms: Mapping[AnswerForm, CallForm]) -> Topic:
    mine = tuple(sorted({form for form in forms.values() if form.topic == name}))
    numbers = {form: number for number, form in enumerate(mine)}
    columns = [(form, numbers.get(forms[form])) for form in matrix.forms]
    rows = [_mapped(row, columns, len(mine)) for row in matrix.rows]
    present = tuple(row for row in rows if any(row.cells))
    pairs = combinations(range(len(mine)), 2)
    return Topic(name, mine, present, tuple(_contrast(mine, present, i, j) for i, j in pairs))


def _mapped(
    row: FieldRow, columns: Sequence[tuple[AnswerForm, int | None]], number: int
) -> MappedField:
    """Return the places of a field in *number* API forms.

    *columns* has, for each cell of *row*, its form of answers and the position of its API form;
    None if it is of another topic.
    """
    cells: list[list[tuple[AnswerForm, FieldCell]]] = [[] for _ in range(number)]
    known: list[tuple[AnswerForm, FieldCell]] = []
    for (form, at), cell in zip(columns, row.cells, strict=True):
        if at is not None:
            cells[at].append((form, cell))
            known.append((form, cell))
    every = ((form, place) for form, cell in known for place in _places_of(form, cell))
    targets = tuple(islice(every, MAX_TARGETS))
    return MappedField(
        row.field.name,
        row.field.otel,
        tuple(tuple(_places(cell)) for cell in cells),
        targets,
        sum(len(cell.sites) or cell.expected for _, cell in known) - len(targets),
    )


def _places(cells: Iterable[tuple[AnswerForm, FieldCell]]) -> Iterator[FieldPlace]:
    """Yield each place that a field has in one API form, over all targets.

    Its `of` counts all answers of the response kinds that have it, including those of targets that
    never do.
    """
    found: dict[str, list[tuple[str, Site]]] = defaultdict(list)
    answers: Counter[str] = Counter()
    for form, cell in cells:
        answers[form.response] += cell.of
        for site in cell.sites:
            found[site.pointer].append((form.response, site))
    for pointer, sites in found.items():
        kinds = sorted({answered for answered, _ in sites})
        yield FieldPlace(
            path=path(pointer),
            types=tuple(sorted({kind for _, site in sites for kind in site.types})),
            kinds=tuple(kinds),
            present=sum(site.present for _, site in sites),
            of=sum(answers[answered] for answered in kinds),
            evidence=sites[0][1].evidence,
        )


def _places_of(form: AnswerForm, cell: FieldCell) -> Iterator[FieldPlace]:
    """Yield a field's places in one form; one without a path if it is expected there but absent."""
    kinds = (form.response,)
    for site in cell.sites:
        counts = site.present, site.of, site.evidence, site.events, site.of_events
        yield FieldPlace(path(site.pointer), site.types, kinds, *counts)
    if not cell.sites and cell.expected:
        yield FieldPlace("", (), kinds, 0, cell.of, cell.evidence)


def _contrast(forms: Sequence[CallForm], fields: Sequence[MappedField], i: int, j: int) -> Contrast:
    both = [field for field in fields if field.cells[i] and field.cells[j]]
    names = tuple(field.name for field in both if _is_elsewhere(field.cells[i], field.cells[j]))
    return Contrast(forms[i], forms[j], names, len(both))


def _is_elsewhere(left: Sequence[FieldPlace], right: Sequence[FieldPlace]) -> bool:
    """Return whether the paths differ, in those kinds of responses that both sides have."""
    kinds = {k for p in left for k in p.kinds} & {k for p in right for k in p.kinds}
    ours, theirs = (
        {place.path for place in side if not kinds or kinds & set(place.kinds)}
        for side in (left, right)
    )
    return ours != theirs


def path(pointer: str) -> str:
    """Return a JSON pointer as code, such as `choices[0].delta` for `/choices/0/delta`."""
    code = ""
    for step in pointer.removeprefix("/").split("/"):
        if step.isdigit() or step == "[]":
            code += f"[{step.strip('[]')}]"
        else:
            code += f".{step}" if code else step
    return code


# ------------------------------------------------------------------------------- every field


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The paths in one kind of exchange, each with its types by API form.

    Attributes:
        topic: `text` or `image`.
        part: `request`, or a kind of exchange such as `answer`, `event` or `refusal`.
        forms: the API forms, which are the columns.
        fields: the paths, which are the rows; at most `MAX_FIELDS`.
    """

    topic: str
    part: str
    forms: tuple[CallForm, ...]
    fields: tuple[PathRow, ...]

    @property
    def differing(self) -> int:
        """The number of paths whose types differ between API forms."""
        return sum(field.differs for field in self.fields)


def field_tables(paths: PathTypes) -> tuple[FieldTable, ...]:
    """Return tables of all *paths*, with their types by API form.

    There is one table for each topic, `text` or `image`, and each kind of exchange. A table with
    only one API form is left out.
    """
    found: dict[tuple[str, str], dict[CallForm, Mapping[str, set[str]]]] = {}
    for (form, part), types in paths.types.items():
        found.setdefault((form.topic, part), {})[form] = types
    order = [(topic, part) for topic in ("text", "image") for part in (*PARTS, "request")]
    return tuple(_table(*key, found[key]) for key in order if len(found.get(key, ())) > 1)


def _table(topic: str, part: str, shapes: Mapping[CallForm, Mapping[str, set[str]]]) -> FieldTable:
    forms = tuple(sorted(shapes))
    rows = path_rows([shapes[form] for form in forms])
    return FieldTable(topic, part, forms, rows[:MAX_FIELDS])
