"""The places where recorded answers have each field (content, tool calls, tokens, errors ...).

`analysis.endpoint.Fields` lists the JSON pointers at which an endpoint may have a field. This
module counts at which of them the recorded answers have it, how often, and with which types. Each
field is shown with its name in the OpenTelemetry GenAI conventions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path

from harness.analysis.endpoint import NO_FIELDS, Fields, Pointers, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.comparison.summary import model_of, part_of
from harness.config.files import read_toml
from harness.rules.schemas import ById
from harness.types import Failure, Json
from harness.wire import MISSING, resolve, type_name
from harness.wire.pointer import Patterns

_EXPECTED = {
    "complete": frozenset({"answer", "stream", "task ended"}),
    "task": frozenset({"task accepted", "task running", "task ended"}),
    "refused": frozenset({"refusal"}),
    "optional": frozenset[str](),
}

RESPONSES: Mapping[str, str] = {
    "event": "stream",
    "submit": "task accepted",
    "poll": "task running",
    "result": "task ended",
}
"""The value of `Form.response` for a kind in `summary.PARTS`; other kinds keep their name."""


class Presence(StrEnum):
    """Whether all, some or none of a group of answers have a field."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Field:
    """One piece of information that answers contain, such as `finish reason`.

    Attributes:
        name: The name in reports.
        otel: The name in the OpenTelemetry GenAI conventions; empty if they have none.
        at: Where endpoints may have it: names of attributes of `analysis.endpoint.Fields`, such as
            `finish_reason`, some with a path below it, such as `tool_calls/[]/id`.
        expected: The kinds of response, as in `AnswerForm.response`, that should have the field;
            its absence from them is reported.
    """

    name: str
    otel: str
    at: tuple[str, ...]
    expected: frozenset[str]

    def pointers(self, fields: Fields) -> Pointers:
        """Return the JSON pointers of this field in answers of the endpoint that has *fields*."""
        places = (place.partition("/") for place in self.at)
        pointers = (
            f"{pointer}{slash}{path}"
            for name, slash, path in places
            for pointer in getattr(fields, name)
        )
        return tuple(dict.fromkeys(pointers))


FIELDS = tuple(
    Field(row["name"], row["otel"], tuple(row["at"]), _EXPECTED[row["expected"]])
    for row in read_toml(Path(__file__).with_suffix(".toml"))["field"]
)
"""Every field, in the order of reports."""


@dataclass(frozen=True, slots=True, order=True)
class AnswerForm:
    """One combination of endpoint, request format, kind of response and target.

    Answers with the same combination are counted together, in one column of a `FieldMatrix`.

    Attributes:
        endpoint: The endpoint's name.
        response: `answer`, `stream`, `task accepted`, `task running`, `task ended` or `refusal`.
        request: The field of the request that holds the conversation: `messages` or `prompt`; empty
            if the request has neither.
        target: The target's name, such as `zhipuai/glm-4.5`.
    """

    endpoint: str
    response: str
    request: str
    target: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reference to one HTTP exchange of a cassette, as an example of an answer.

    Attributes:
        source: The cassette's file.
        exchange: The number of the exchange, from 1.
        event: The number of the event in a stream, from 1; None if it is not a stream.
    """

    source: str
    exchange: int
    event: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One JSON pointer at which answers of one form have a field.

    Attributes:
        pointer: The pointer; the step `[]` stands for every item of an array.
        types: The JSON types of the values there; null is one of them.
        present: Number of answers that have a value there; a stream has one if an event does.
        of: Number of all answers of the form.
        evidence: The first answer that has a value there.
        events: Number of events of streams that have a value there.
        of_events: Number of all events of streams.
    """

    pointer: str
    types: tuple[str, ...]
    present: int
    of: int
    evidence: Evidence
    events: int = 0
    of_events: int = 0

    @property
    def presence(self) -> Presence:
        """Whether all, some or none of the answers have the field at this pointer."""
        return presence(self.present, self.of)


@dataclass(frozen=True, slots=True)
class FieldCell:
    """One field in the answers of one form.

    Attributes:
        sites: The pointers at which answers have the field.
        present: Number of answers that have the field at one of the pointers or more.
        of: Number of all answers of the form.
        pointers: All pointers that were searched; empty if the endpoint defines none.
        expected: Whether answers of the form should have the field, so that its absence is
            reported.
        evidence: The first answer of the form.
    """

    sites: tuple[Site, ...]
    present: int
    of: int
    pointers: Pointers
    expected: bool
    evidence: Evidence

    @property
    def presence(self) -> Presence:
        """Whether all, some or none of the answers have the field at any pointer."""
        return presence(self.present, self.of)


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """The fields of the answers of one form.

    Attributes:
        form: The form.
        answers: Number of all answers of the form.
        events: Number of all events of streams of the form.
        cells: A cell for each field, in the order of `FIELDS`.
    """

    form: AnswerForm
    answers: int
    events: int
    cells: tuple[FieldCell, ...]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One row of a `FieldMatrix`: a field, with a cell for each form of answers."""

    field: Field
    cells: tuple[FieldCell, ...]


@dataclass(frozen=True)
class FieldMatrix:
    """A table of the places of fields, with a row for each field and a column for each form.

    Attributes:
        columns: The columns, sorted by form.
    """

    columns: tuple[FieldColumn, ...]

    @property
    def forms(self) -> tuple[AnswerForm, ...]:
        """The form of answers of each column, in order."""
        return tuple(column.form for column in self.columns)

    @cached_property
    def rows(self) -> tuple[FieldRow, ...]:
        """The rows, in the order of `FIELDS`."""
        return tuple(
            FieldRow(field, tuple(column.cells[number] for column in self.columns))
            for number, field in enumerate(FIELDS)
        )

    @property
    def has_differences(self) -> bool:
        """Whether answers have any field at different JSON pointers."""
        places = ({s.pointer for cell in row.cells for s in cell.sites} for row in self.rows)
        return any(len(pointers) > 1 for pointers in places)


def presence(present: int, of: int) -> Presence:
    """Return `ALWAYS`, `SOMETIMES` or `NEVER` for a field that *present* of *of* answers have."""
    if not present:
        return Presence.NEVER
    return Presence.ALWAYS if present == of else Presence.SOMETIMES


@dataclass(frozen=True, slots=True)
class _Answer:
    """One recorded exchange, and the file of its cassette."""

    exchange: AnalyzedExchange
    source: str

    def evidence(self, event: int | None = None) -> Evidence:
        return Evidence(self.source, self.exchange.number, event)

    def types_in(self, patterns: Patterns) -> dict[str, dict[int, set[str]]]:
        """Return the JSON types by pointer, one of *patterns*, and by event number.

        The number is 0 without a stream. What no event has a value at is left out.
        """
        types: dict[str, dict[int, set[str]]] = {}
        for part in self.exchange.parts:
            for pointer, values in patterns.all_in(part.value).items():
                types.setdefault(pointer, {})[part.event or 0] = {*map(type_name, values)}
        return types


def field_matrix(transcripts: Iterable[AnalyzedTranscript]) -> FieldMatrix:
    """Return the table of all fields, with a column for each form of answers in *transcripts*."""
    return merged(map(_matrix_of, transcripts))


def _matrix_of(transcript: AnalyzedTranscript) -> FieldMatrix:
    answers: dict[AnswerForm, list[_Answer]] = defaultdict(list)
    for turn in transcript.turns:
        for form, exchange in _forms(transcript, turn):
            answers[form].append(_Answer(exchange, transcript.transcript.source))
    return FieldMatrix(tuple(_column(form, found) for form, found in answers.items()))


def _column(form: AnswerForm, answers: Sequence[_Answer]) -> FieldColumn:
    pointers, patterns = _located(ById(answers[0].exchange.endpoint))
    types = [answer.types_in(patterns) for answer in answers]
    cells = (
        _cell(field, form, answers, of_field, types)
        for field, of_field in zip(FIELDS, pointers, strict=True)
    )
    return FieldColumn(form, len(answers), _events(answers), tuple(cells))


@lru_cache(maxsize=256)
def _located(endpoint: ById) -> tuple[tuple[Pointers, ...], Patterns]:
    """Return the pointers of each field in answers of an endpoint, and all of them together."""
    fields = endpoint.subject.fields if endpoint.subject else NO_FIELDS
    pointers = tuple(field.pointers(fields) for field in FIELDS)
    return pointers, Patterns(pointer for several in pointers for pointer in several)


def _events(answers: Sequence[_Answer]) -> int:
    return sum(len(one.exchange.parts) for one in answers if one.exchange.is_stream)


def merged(matrices: Iterable[FieldMatrix]) -> FieldMatrix:
    """Return one table that counts the answers of all *matrices*.

    An example of an answer is taken from the first matrix that has one.
    """
    columns: dict[AnswerForm, list[FieldColumn]] = defaultdict(list)
    for matrix in matrices:
        for column in matrix.columns:
            columns[column.form].append(column)
    return FieldMatrix(tuple(_merged_column(columns[form]) for form in sorted(columns)))


def _merged_column(columns: Sequence[FieldColumn]) -> FieldColumn:
    """Return one column for all *columns*, which are of one form."""
    if len(columns) == 1:
        return columns[0]
    answers, events = sum(one.answers for one in columns), sum(one.events for one in columns)
    cells = zip(*(one.cells for one in columns), strict=True)
    merged_cells = tuple(_merged_cell(same, events) for same in cells)
    return FieldColumn(columns[0].form, answers, events, merged_cells)


def _merged_cell(cells: Sequence[FieldCell], of_events: int) -> FieldCell:
    """Return one cell for all *cells* of a form, whose streams have *of_events* events."""
    of = sum(cell.of for cell in cells)
    pointers = tuple(dict.fromkeys(pointer for cell in cells for pointer in cell.pointers))
    sites: dict[str, list[Site]] = {pointer: [] for pointer in pointers}
    for cell in cells:
        for site in cell.sites:
            sites[site.pointer].append(site)
    return replace(
        cells[0],
        sites=tuple(_merged_site(found, of, of_events) for found in sites.values() if found),
        present=sum(cell.present for cell in cells),
        of=of,
        pointers=pointers,
    )


def _merged_site(sites: Sequence[Site], of: int, of_events: int) -> Site:
    """Return one site for all *sites* at one pointer, of the *of* answers of a form."""
    return replace(
        sites[0],
        types=tuple(sorted({name for site in sites for name in site.types})),
        present=sum(site.present for site in sites),
        of=of,
        events=sum(site.events for site in sites),
        of_events=of_events,
    )


def _forms(
    transcript: AnalyzedTranscript, turn: AnalyzedTurn
) -> Iterator[tuple[AnswerForm, AnalyzedExchange]]:
    """Yield (form, exchange) for every exchange of a turn; downloaded files are left out.

    A poll has no request body: its form has the request format of the request that began the task.
    """
    for exchange in turn.readings:
        endpoint = exchange.endpoint
        if endpoint is None or endpoint.role in (Role.FILE, Role.OTHER):
            continue
        sender = exchange if exchange.request_json.value else turn.readings[0]
        target = transcript.transcript.target
        named = target or "/".join(filter(None, model_of(transcript, sender)))
        yield AnswerForm(endpoint.name, _response(exchange), _request(sender), named), exchange


def _response(exchange: AnalyzedExchange) -> str:
    """Return the value of `Form.response`: `refusal` also for an error sent with HTTP 200.

    A task that failed is `task ended`, not a refusal.
    """
    part = part_of(exchange)
    if isinstance(exchange.outcome, Failure) and part != "result":
        return "refusal"
    return RESPONSES.get(part, part)


def _request(exchange: AnalyzedExchange) -> str:
    fields = exchange.endpoint.fields if exchange.endpoint else Fields()
    body = exchange.request_json.value
    for form, pointers in (("messages", fields.messages), ("prompt", fields.prompt)):
        if any(_has_value(body, pointer) for pointer in pointers):
            return form
    return ""


def _has_value(body: Json, pointer: str) -> bool:
    value = resolve(body, pointer)
    return value is not MISSING and value is not None


def _cell(
    field: Field,
    form: AnswerForm,
    answers: Sequence[_Answer],
    pointers: Pointers,
    by_pointer: Sequence[Mapping[str, dict[int, set[str]]]],
) -> FieldCell:
    """Return a field of *answers*, which have it at *pointers*, with the types *by_pointer*."""
    types = [[found.get(pointer, {}) for found in by_pointer] for pointer in pointers]
    found = (_site(pointer, answers, at) for pointer, at in zip(pointers, types, strict=True))
    sites = tuple(site for site in found if site is not None)
    present = sum(map(any, zip(*types, strict=True)))
    expected = form.response in field.expected
    return FieldCell(sites, present, len(answers), pointers, expected, answers[0].evidence())


def _site(
    pointer: str, answers: Sequence[_Answer], types: Sequence[dict[int, set[str]]]
) -> Site | None:
    """Return what *answers* have at *pointer*, each with *types*; None if none has a value."""
    both = list(zip(answers, types, strict=True))
    present = [(answer, by_event) for answer, by_event in both if by_event]
    if not present:
        return None
    first, events = present[0]
    return Site(
        pointer=pointer,
        types=tuple(sorted({t for _, by_event in present for ts in by_event.values() for t in ts})),
        present=len(present),
        of=len(answers),
        evidence=first.evidence(next(iter(events)) or None),
        events=sum(len(by_event) for answer, by_event in both if answer.exchange.is_stream),
        of_events=_events(answers),
    )
