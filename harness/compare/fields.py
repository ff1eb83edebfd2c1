"""Where answers have each field (content, tool calls, tokens, errors ...), with the evidence.

A field is named as in the OpenTelemetry GenAI conventions. Where an endpoint may have it is data
of the endpoint (`analysis.endpoint.Fields`); this module says where the recorded answers really
have it, how often, and with which types.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.endpoint import Fields, Pointers, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare.summary import model_of, part_of
from harness.types import Failure, Json
from harness.wire import MISSING, query, resolve, type_name

_COMPLETE = frozenset({"answer", "stream", "task ended"})
_TASK = frozenset({"task accepted", "task running", "task ended"})
_REFUSED = frozenset({"refusal"})
_OPTIONAL: frozenset[str] = frozenset()

RESPONSES: Mapping[str, str] = {
    "event": "stream",
    "submit": "task accepted",
    "poll": "task running",
    "result": "task ended",
}
"""The names of kinds of part in a `Form`; the other kinds keep their name."""


class Presence(StrEnum):
    """How many of some answers have a field."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Field:
    """Something that answers state.

    `otel` is its name in the OpenTelemetry GenAI conventions, empty where they have none;
    `pointers` selects its places in an endpoint's data; `expected` are the kinds of response in
    which its absence is reported.
    """

    name: str
    otel: str
    pointers: Callable[[Fields], Pointers]
    expected: frozenset[str] = _COMPLETE


def _within(pointers: Pointers, path: str) -> Pointers:
    return tuple(f"{pointer}/[]/{path}" for pointer in pointers)


FIELDS = (
    Field("response id", "gen_ai.response.id", lambda f: f.id),
    Field("model", "gen_ai.response.model", lambda f: f.model),
    Field(
        "content",
        "gen_ai.output.messages, text",
        lambda f: f.content + _within(f.content, "text"),
    ),
    Field("reasoning", "gen_ai.output.messages, reasoning", lambda f: f.reasoning),
    Field("tool call id", "gen_ai.tool.call.id", lambda f: _within(f.tool_calls, "id")),
    Field("tool call name", "gen_ai.tool.name", lambda f: _within(f.tool_calls, "function/name")),
    Field(
        "tool call arguments",
        "gen_ai.tool.call.arguments",
        lambda f: _within(f.tool_calls, "function/arguments"),
    ),
    Field("finish reason", "gen_ai.response.finish_reasons", lambda f: f.finish_reason),
    Field("input tokens", "gen_ai.usage.input_tokens", lambda f: f.input_tokens),
    Field("output tokens", "gen_ai.usage.output_tokens", lambda f: f.output_tokens),
    Field("total tokens", "", lambda f: f.total_tokens),
    Field("image url", "gen_ai.output.messages, uri", lambda f: f.images, _OPTIONAL),
    Field("vector", "", lambda f: f.vectors, _OPTIONAL),
    Field("task id", "", lambda f: f.task_id, _TASK),
    Field("task state", "", lambda f: f.state, _TASK),
    Field("error code", "error.type", lambda f: f.code, _REFUSED),
    Field("error message", "", lambda f: f.message, _REFUSED),
)
"""Every field, in the order of reports. All endpoints have tool calls in the same form."""


@dataclass(frozen=True, slots=True, order=True)
class Form:
    """One form of request and response of one target.

    `endpoint` is the name of an endpoint; `response` is `answer`, `stream`, `task accepted`,
    `task running`, `task ended` or `refusal`; `request` is `messages`, `prompt` or empty.
    """

    endpoint: str
    response: str
    request: str
    target: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """An exchange of a cassette by its number, from 1; of a stream also the event's number."""

    source: str
    exchange: int
    event: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A place that has a field in `present` of `of` answers; `pointer` as in `Fields`.

    `types` are the JSON types there, null included. `events` of `of_events` are the events of
    streams that have it; one is enough for an answer to have the field.
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
        """Whether all, some or none of the answers have the field here."""
        return presence(self.present, self.of)


@dataclass(frozen=True, slots=True)
class Cell:
    """One field in one form: its places, and how many of the answers have it at any of them.

    `pointers` are the places that were searched; empty where the endpoint has none.
    """

    sites: tuple[Site, ...]
    present: int
    of: int
    pointers: Pointers
    expected: bool
    evidence: Evidence

    @property
    def presence(self) -> Presence:
        """Whether all, some or none of the answers have the field at any place."""
        return presence(self.present, self.of)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field, and its cell in each form."""

    field: Field
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class FieldMatrix:
    """Every field in every form; `answers` are the numbers of answers of each form."""

    forms: tuple[Form, ...]
    answers: tuple[int, ...]
    rows: tuple[FieldRow, ...]

    @property
    def has_differences(self) -> bool:
        """Whether any field has several places."""
        places = ({s.pointer for cell in row.cells for s in cell.sites} for row in self.rows)
        return any(len(pointers) > 1 for pointers in places)


def presence(present: int, of: int) -> Presence:
    """Return whether all, some or none of *of* answers have a field that *present* have."""
    if not present:
        return Presence.NEVER
    return Presence.ALWAYS if present == of else Presence.SOMETIMES


@dataclass(frozen=True, slots=True)
class _Answer:
    """One recorded answer, and the cassette it is in."""

    exchange: AnalyzedExchange
    source: str

    def evidence(self, event: int | None = None) -> Evidence:
        return Evidence(self.source, self.exchange.number, event)

    def types_at(self, pointer: str) -> dict[int, set[str]]:
        """Return the types at a place by the number of the event; 0 is a body without events."""
        types = {
            part.event or 0: {type_name(value) for _, value in query(part.value, pointer)}
            for part in self.exchange.parts
        }
        return {event: names for event, names in types.items() if names}


def field_matrix(transcripts: Iterable[AnalyzedTranscript]) -> FieldMatrix:
    """Return where every answer of these transcripts has every field."""
    answers: dict[Form, list[_Answer]] = defaultdict(list)
    for transcript in transcripts:
        for turn in transcript.turns:
            for form, exchange in _forms(transcript, turn):
                answers[form].append(_Answer(exchange, transcript.transcript.source))
    forms = tuple(sorted(answers))
    rows = (
        FieldRow(field, tuple(_cell(field, form, answers[form]) for form in forms))
        for field in FIELDS
    )
    return FieldMatrix(forms, tuple(len(answers[form]) for form in forms), tuple(rows))


def _forms(
    transcript: AnalyzedTranscript, turn: AnalyzedTurn
) -> Iterator[tuple[Form, AnalyzedExchange]]:
    """Yield every answer of a turn with its form; polls have the request of their task."""
    for exchange in turn.readings:
        endpoint = exchange.endpoint
        if endpoint is None or endpoint.role in (Role.FILE, Role.OTHER):
            continue
        sender = exchange if exchange.request_json.value else turn.readings[0]
        target = transcript.transcript.target
        named = target or "/".join(filter(None, model_of(transcript, sender)))
        yield Form(endpoint.name, _response(exchange), _request(sender), named), exchange


def _response(exchange: AnalyzedExchange) -> str:
    """Return the kind of response; a refusal may come with HTTP 200, a failed task is none."""
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


def _cell(field: Field, form: Form, answers: Sequence[_Answer]) -> Cell:
    endpoint = answers[0].exchange.endpoint
    pointers = field.pointers(endpoint.fields if endpoint else Fields())
    sites = tuple(site for pointer in pointers if (site := _site(pointer, answers)) is not None)
    present = sum(any(answer.types_at(pointer) for pointer in pointers) for answer in answers)
    expected = form.response in field.expected
    return Cell(sites, present, len(answers), pointers, expected, answers[0].evidence())


def _site(pointer: str, answers: Sequence[_Answer]) -> Site | None:
    """Return what some answers have at one place; None where none has anything there."""
    types = [(answer, answer.types_at(pointer)) for answer in answers]
    present = [(answer, by_event) for answer, by_event in types if by_event]
    if not present:
        return None
    first, events = present[0]
    streams = [(a.exchange, by_event) for a, by_event in types if a.exchange.is_stream]
    return Site(
        pointer=pointer,
        types=tuple(sorted({t for _, by_event in present for ts in by_event.values() for t in ts})),
        present=len(present),
        of=len(answers),
        evidence=first.evidence(next(iter(events)) or None),
        events=sum(len(by_event) for _, by_event in streams),
        of_events=sum(len(exchange.parts) for exchange, _ in streams),
    )
