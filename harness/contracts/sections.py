"""Sections of a contract: kinds of answer, each with clauses and documentation of its own.

A section is an endpoint, a form (answer, event of a stream, refusal), and a case: the position of
an event in its stream or the state of a task. Apart from a task's state and an event without
choices, the section does not depend on the fields of the answer. An answer with a state that was
never seen is checked against the section that it violates least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache

from harness.analysis.endpoint import Fields, Part, Role, Schema
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.json_schema import types_of
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.evidence import ExchangeContext
from harness.contracts.words import is_word
from harness.errors import HarnessError
from harness.providers import endpoints
from harness.types import Json
from harness.wire import resolve, tokens, walk


@dataclass(frozen=True, slots=True, order=True)
class Section:
    """One kind of answer of one endpoint.

    Attributes:
        endpoint: The endpoint's name.
        form: `answer`, `event` (of a stream) or `refusal`.
        case: For an event, its position: `first`, `middle`, `last`, `only`, or `usage` for a last
            event without choices. For a task, its state. Else empty.
    """

    endpoint: str
    form: str
    case: str = ""

    def __str__(self) -> str:
        return f"{self.endpoint}, {self.name}"

    @property
    def kind(self) -> str:
        """The endpoint and the form: `zhipuai.chat answer`."""
        return f"{self.endpoint} {self.form}"

    @property
    def name(self) -> str:
        """The form and the case, if there is one, such as `event first` or `answer SUCCEEDED`."""
        return f"{self.form} {self.case}".rstrip()


REFUSAL = "refusal"
FORMS = ("answer", "event", REFUSAL)


def sections(exchange: AnalyzedExchange) -> Iterator[tuple[Section, Part]]:
    """Yield (section, part) for the body of an answer or refusal, or for each event of a stream.

    The section is the kind of answer that the part belongs to. For an unknown endpoint, nothing is
    yielded.
    """
    if exchange.endpoint is None:
        return
    parts = exchange.answers
    foreign = tuple(map(tokens, exchange.endpoint.foreign))
    for number, part in enumerate(parts, start=1):
        form, case = _case(exchange, part, number, len(parts))
        own = replace(part, value=_without(part.value, foreign)) if foreign else part
        yield Section(exchange.endpoint.name, form, case), own
    for part in exchange.refusals:
        yield Section(exchange.endpoint.name, REFUSAL), part


def _without(value: Json, paths: tuple[tuple[str, ...], ...]) -> Json:
    """Return *value* without the members at *paths*, whose token `[]` is for all items."""
    if not paths or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [_without(item, tuple(p[1:] for p in paths if p[0] == "[]")) for item in value]
    below = {key: tuple(path[1:] for path in paths if path[0] == key) for key in value}
    return {key: _without(item, below[key]) for key, item in value.items() if () not in below[key]}


def _case(exchange: AnalyzedExchange, part: Part, number: int, of: int) -> tuple[str, str]:
    if not exchange.is_stream:
        endpoint = exchange.endpoint
        state = first(part.value, endpoint.fields.state) if endpoint else None
        return "answer", state if isinstance(state, str) and is_word(state) else ""
    if of == 1:
        return "event", "only"
    if number == 1:
        return "event", "first"
    if number < of:
        return "event", "middle"
    return "event", "usage" if resolve(part.value, "/choices") == [] else "last"


# -------------------------------------------------------------- what is documented of it


@dataclass(frozen=True, slots=True)
class Documented:
    """The provider's documentation of one place.

    Attributes:
        schemas: All JSON Schemas that apply; empty if the place is not documented.
        optional: Whether the field may be missing.
        is_open: Whether any value is allowed, because the documentation lists alternative objects
            and mentions the field in none of them.
    """

    schemas: tuple[Schema, ...] = ()
    optional: bool = False
    is_open: bool = False

    def allows(self, state: str) -> bool:
        """Return whether the documentation allows *state*, a JSON type or `absent`, here."""
        if state == "absent" or self.is_open:
            return self.optional
        types = [types_of(schema) for schema in self.schemas if "type" in schema]
        return bool(types) and all(state in names for names in types)

    def field(self, key: str) -> Documented:
        """Return the documentation of the field *key* of an object."""
        having = [schema for schema in self.schemas if key in schema.get("properties", {})]
        parts = tuple(part for schema in having for part in _parts(schema["properties"][key]))
        required = any(key in schema.get("required", ()) for schema in self.schemas)
        is_one_of = any("then" in part for schema in self.schemas for part in _all_of(schema))
        is_open = self.is_open or (is_one_of and not having)
        return Documented(parts, (bool(having) or is_open) and not required, is_open)

    def items(self) -> Documented:
        """Return the documentation of an array's items."""
        schemas = (schema["items"] for schema in self.schemas if "items" in schema)
        parts = tuple(part for schema in schemas for part in _parts(schema))
        return Documented(parts, self.is_open, self.is_open)


def _all_of(schema: Schema) -> Sequence[Schema]:
    parts: Sequence[Schema] = schema.get("allOf", ())
    return parts


def documented(section: Section) -> Documented:
    """Return the documentation of whole answers of *section*; without schemas if there is none."""
    try:
        endpoint = endpoints.endpoint(section.endpoint)
    except HarnessError:
        return Documented()
    forms = {REFUSAL: endpoint.refusal, "event": endpoint.event or {}, "answer": endpoint.answer}
    return Documented(tuple(_parts(forms.get(section.form, {}))))


def _parts(schema: object) -> Iterator[Schema]:
    """Yield a schema and, recursively, the schemas in its `allOf`, `then` and `else`.

    What holds for some values only, by `then`, requires no field.
    """
    if isinstance(schema, Mapping):
        yield schema
        conditional = {**schema["then"], "required": ()} if "then" in schema else None
        for part in (*_all_of(schema), conditional, schema.get("else")):
            yield from _parts(part)


# ---------------------------------------------------------------- who answered, and when


def exchange_context(
    transcript: AnalyzedTranscript, turn: AnalyzedTurn, exchange: AnalyzedExchange
) -> ExchangeContext:
    """Return the properties of an exchange apart from its answer: model family, day and request."""
    is_poll = exchange.endpoint is not None and exchange.endpoint.role is Role.POLL
    sender = turn.request if is_poll else exchange
    request = sender.request_json.value if sender else None
    endpoint = exchange.endpoint
    texts, free = _free_paths(endpoint.fields, endpoint.volatile) if endpoint else _NO_PATHS
    return ExchangeContext(
        family=family(resolve(request, "/model")),
        day=_day(transcript, exchange),
        texts=texts,
        free=free,
        echoes=_echoes(request),
    )


_SNAPSHOT = re.compile(r"-(latest|preview|\d{4}-\d\d-\d\d|\d{3,8})$", re.ASCII)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)


def family(model: object) -> str:
    """Return a model's name without the date or number of its snapshot; empty for other values.

    >>> family("glm-4-0520"), family("qwen-plus-2025-07-28"), family("glm-4.5-air")
    ('glm-4', 'qwen-plus', 'glm-4.5-air')
    """
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        return ""
    shorter = _SNAPSHOT.sub("", model.lower())
    return family(shorter) if shorter != model.lower() else shorter


def _day(transcript: AnalyzedTranscript, exchange: AnalyzedExchange) -> str:
    """Return the day of the answer, such as `2025-10-14`; empty if it is unknown."""
    recorded = transcript.transcript.provenance.recorded_at[:10]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", recorded, re.ASCII):
        return recorded
    return _day_of(exchange.exchange.response.header("date") or "")


@lru_cache(64)
def _day_of(date: str) -> str:
    try:
        return parsedate_to_datetime(date).date().isoformat()
    except (ValueError, IndexError, OverflowError):
        return ""


_TEXTS = ("content", "reasoning", "message")
_FREE = (*_TEXTS, "id", "request_id", "model", "images", "task_id", "times")
_PROTOCOL_KEYS = ("role", "type")
"""Keys of a request whose values are words of the protocol, not texts of the user."""


_Paths = tuple[frozenset[str], frozenset[str]]
"""The paths of free texts, and those of all values that are not one of a few words."""

_NO_PATHS: _Paths = (frozenset(), frozenset())


@lru_cache(256)
def _free_paths(found: Fields, volatile: frozenset[str]) -> _Paths:
    """Return the paths of an endpoint, which has *found* fields and *volatile* values."""
    pointers = {f.name: getattr(found, f.name) for f in fields(found)}
    calls = [as_path(pointer) + "/[]/function" for pointer in pointers["tool_calls"]]
    texts = {as_path(pointer) for name in _TEXTS for pointer in pointers[name]}
    texts |= {f"{path}/[]/text" for path in texts} | {f"{call}/arguments" for call in calls}
    free = {as_path(pointer) for name in _FREE for pointer in pointers[name]} | volatile
    return frozenset(texts), frozenset({*free, *texts, *(f"{call}/name" for call in calls)})


def as_path(pointer: str) -> str:
    """Return a JSON pointer with `[]` in place of each array index: `/choices/[]/delta`."""
    return re.sub(r"/\d+(?=/|$)", "/[]", pointer)


def _echoes(request: Json) -> frozenset[str]:
    """Return the strings of a request; in an answer they may be private texts of the user."""
    values = ((pointer.rpartition("/")[2], value) for pointer, value in walk(request))
    return frozenset(v for key, v in values if isinstance(v, str) and key not in _PROTOCOL_KEYS)
