"""Where each provider keeps what: every field of an answer, form by form, with the evidence.

A field is a thing that answers tell, in the terms of the OpenTelemetry GenAI conventions. Where it
may stand is data of the dialects (`reading.Fields`); here is where it really stood in the recorded
bytes, how often, with which types.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.endpoint import Fields, Pointers, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare.names import model_of
from harness.compare.summary import part_of
from harness.types import Failure, LooseJson
from harness.wire import MISSING, query, resolve, type_name

_TOLD = frozenset({"answer", "stream", "task ended"})
_TASK = frozenset({"task accepted", "task running", "task ended"})
_REFUSED = frozenset({"refusal"})
_ANYWHERE: frozenset[str] = frozenset()

_ANSWERED: Mapping[str, str] = {
    "event": "stream",
    "submit": "task accepted",
    "poll": "task running",
    "result": "task ended",
}
"""What a kind of part is called here; the others keep their name."""


class Presence(StrEnum):
    """How many of some answers have a field."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Field:
    """Something that answers tell.

    `otel` is what the OpenTelemetry GenAI conventions call it, empty where they have no name for
    it; `expected` are the kinds of answer in which its absence is worth a word.
    """

    name: str
    otel: str
    pointers: Callable[[Fields], Pointers]
    expected: frozenset[str] = _TOLD


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
    Field("image url", "gen_ai.output.messages, uri", lambda f: f.images, _ANYWHERE),
    Field("vector", "", lambda f: f.vectors, _ANYWHERE),
    Field("task id", "", lambda f: f.task_id, _TASK),
    Field("task state", "", lambda f: f.state, _TASK),
    Field("error code", "error.type", lambda f: f.code, _REFUSED),
    Field("error message", "", lambda f: f.message, _REFUSED),
)
"""Every field, in the order they are told. The form of a tool call is the one all dialects have."""


@dataclass(frozen=True, slots=True, order=True)
class Form:
    """One way in which one target was asked and answered.

    `endpoint` is a name of `dialects`; `asked` is `messages`, `prompt` or nothing; `answered` is
    `answer`, `stream`, `task accepted`, `task running`, `task ended` or `refusal`.
    """

    endpoint: str
    answered: str
    asked: str
    target: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One exchange, from 1, in a cassette; of a stream the number of the event, too."""

    source: str
    exchange: int
    event: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A place where a field stood in `present` of `of` answers; `pointer` as in `reading.Fields`.

    `types` are those found there, null included. `events` of `of_events` tells it of the events
    of streams, of which one is enough for an answer to have the field.
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
    """One field in one form: where it stood, and in how many of how many answers at all.

    `known` are the pointers that were looked at; none where no place is known.
    """

    sites: tuple[Site, ...]
    present: int
    of: int
    known: Pointers
    expected: bool
    evidence: Evidence

    @property
    def presence(self) -> Presence:
        """Whether all, some or none of the answers have the field, at whatever place."""
        return presence(self.present, self.of)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field, and its cell in each form."""

    field: Field
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class FieldMatrix:
    """Every field in every form; `answers` counts those of each form."""

    forms: tuple[Form, ...]
    answers: tuple[int, ...]
    rows: tuple[FieldRow, ...]

    @property
    def differ(self) -> bool:
        """Whether any field stands at several places."""
        places = ({s.pointer for cell in row.cells for s in cell.sites} for row in self.rows)
        return any(len(pointers) > 1 for pointers in places)


def presence(present: int, of: int) -> Presence:
    """So many of so many, in a word."""
    if not present:
        return Presence.NEVER
    return Presence.ALWAYS if present == of else Presence.SOMETIMES


@dataclass(frozen=True, slots=True)
class _Seen:
    """One recorded answer: the reading, the values in it, and the cassette it is in."""

    reading: AnalyzedExchange
    source: str

    @property
    def fields(self) -> Fields:
        endpoint = self.reading.endpoint
        return endpoint.fields if endpoint else Fields()

    def evidence(self, event: int | None = None) -> Evidence:
        return Evidence(self.source, self.reading.number, event)


def field_matrix(reads: Iterable[AnalyzedTranscript]) -> FieldMatrix:
    """Where every field stands in every answer of these transcripts."""
    groups: dict[Form, list[_Seen]] = defaultdict(list)
    for read in reads:
        for turn in read.turns:
            for form, reading in _forms(read, turn):
                groups[form].append(_Seen(reading, read.transcript.source))
    forms = tuple(sorted(groups))
    rows = (
        FieldRow(field, tuple(_cell(field, form, groups[form]) for form in forms))
        for field in FIELDS
    )
    return FieldMatrix(forms, tuple(len(groups[form]) for form in forms), tuple(rows))


def _forms(read: AnalyzedTranscript, turn: AnalyzedTurn) -> Iterator[tuple[Form, AnalyzedExchange]]:
    """Every answer of a turn that tells something, with its form; a task's are all asked alike."""
    first = turn.readings[0] if turn.readings else None
    for reading in turn.readings:
        endpoint = reading.endpoint
        if first is None or endpoint is None or endpoint.role in (Role.FILE, Role.OTHER):
            continue
        asked = reading if reading.request_json.value else first
        yield (
            Form(
                endpoint.name,
                _answered(reading),
                _asked(asked),
                read.transcript.target or "/".join(filter(None, model_of(read, asked))),
            ),
            reading,
        )


def _answered(reading: AnalyzedExchange) -> str:
    """What came back, in a word; a refusal may come with HTTP 200, a failed task is none."""
    part = part_of(reading)
    if isinstance(reading.outcome, Failure) and part != "result":
        return "refusal"
    return _ANSWERED.get(part, part)


def _asked(reading: AnalyzedExchange) -> str:
    fields = reading.endpoint.fields if reading.endpoint else Fields()
    ways = {"messages": fields.messages, "prompt": fields.prompt}
    asked = reading.request_json.value
    told = [way for way, pointers in ways.items() if any(_there(asked, p) for p in pointers)]
    return told[0] if told else ""


def _there(value: LooseJson, pointer: str) -> bool:
    found = resolve(value, pointer)
    return found is not MISSING and found is not None


def _cell(field: Field, form: Form, answers: Sequence[_Seen]) -> Cell:
    known = field.pointers(answers[0].fields)
    sites = tuple(site for pointer in known if (site := _site(pointer, answers)) is not None)
    have = sum(1 for seen in answers if any(_hits(seen, pointer) for pointer in known))
    expected = form.answered in field.expected
    return Cell(sites, have, len(answers), known, expected, answers[0].evidence())


def _site(pointer: str, answers: Sequence[_Seen]) -> Site | None:
    """What stood at one place in some answers; None where that was nothing in any of them."""
    looked = [(seen, _hits(seen, pointer)) for seen in answers]
    there = [(seen, found) for seen, found in looked if found]
    if not there:
        return None
    seen, found = there[0]
    streams = [(s, f) for s, f in looked if s.reading.is_stream]
    return Site(
        pointer=pointer,
        types=tuple(sorted({kind for _, found in there for kind in _types(found)})),
        present=len(there),
        of=len(answers),
        evidence=seen.evidence(next(iter(found)) or None),
        events=sum(len(found) for _, found in streams),
        of_events=sum(len(seen.reading.parts) for seen, _ in streams),
    )


def _types(found: Mapping[int, set[str]]) -> set[str]:
    return {kind for kinds in found.values() for kind in kinds}


def _hits(seen: _Seen, pointer: str) -> dict[int, set[str]]:
    """The types found at a place, by the number of the event; 0 is a body that is no stream."""
    hits = {
        part.event or 0: {type_name(value) for _, value in query(part.value, pointer)}
        for part in seen.reading.parts
    }
    return {event: types for event, types in hits.items() if types}
