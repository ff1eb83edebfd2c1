"""Sections of a contract: which part of an answer belongs to which, and what is documented of it.

A section is an endpoint, a form, and a position in a stream or a task's state. Its name says no
more than what is known without the part's own fields, except for a task's state and an event
without choices; what has an unknown state is held to the section that it fits best.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from email.utils import parsedate_to_datetime

from harness.analysis.endpoint import Endpoint, Part, Role, Schema
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.evidence import Witness
from harness.contracts.words import is_word
from harness.providers import endpoints
from harness.rules.rule import answers, refusals, turn_request
from harness.types import Json
from harness.wire import resolve, walk


@dataclass(frozen=True, slots=True, order=True)
class Section:
    """One form of one endpoint's answers.

    `form` is `answer`, `event` or `refusal`; `case` is an event's position or a task's state,
    empty for what has neither.
    """

    endpoint: str
    form: str
    case: str = ""

    def __str__(self) -> str:
        return f"{self.endpoint}, {self.name}"

    @property
    def name(self) -> str:
        """Form and case: `event first`, `answer SUCCEEDED`."""
        return f"{self.form} {self.case}".rstrip()


REFUSAL = "refusal"
FORMS = ("answer", "event", REFUSAL)


def sections(exchange: AnalyzedExchange) -> Iterator[tuple[Section, Part]]:
    """Yield every part of an answer that contracts cover, with its section."""
    if exchange.endpoint is None:
        return
    parts = answers(exchange)
    for number, part in enumerate(parts, start=1):
        form, case = _case(exchange, part, number, len(parts))
        yield Section(exchange.endpoint.name, form, case), part
    for part in refusals(exchange):
        yield Section(exchange.endpoint.name, REFUSAL), part


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

FACTOR = 6
"""How many times as many exchanges it takes to speak against what is documented.

A field that the documentation calls optional may have been in every recording by chance: no
request asked for anything that makes it go away.
"""


@dataclass(frozen=True, slots=True)
class Documented:
    """All schemas that hold for one place; empty where the documentation does not mention it.

    `optional` says that the field itself may be missing.
    """

    schemas: tuple[Schema, ...] = ()
    optional: bool = False

    def allows(self, state: str) -> bool:
        """Return whether a state, a JSON type or `absent`, is documented here."""
        if state == "absent":
            return self.optional
        types = [_types(schema["type"]) for schema in self.schemas if "type" in schema]
        return bool(types) and all(state in names for names in types)

    def field(self, key: str) -> Documented:
        """Return what is documented of an object's field."""
        having = [schema for schema in self.schemas if key in schema.get("properties", {})]
        parts = tuple(part for schema in having for part in _parts(schema["properties"][key]))
        required = any(key in schema.get("required", ()) for schema in self.schemas)
        return Documented(parts, optional=bool(having) and not required)

    def items(self) -> Documented:
        """Return what is documented of an array's items."""
        schemas = (schema["items"] for schema in self.schemas if "items" in schema)
        return Documented(tuple(part for schema in schemas for part in _parts(schema)))


def documented(section: Section) -> Documented:
    """Return what is documented of a section's answers."""
    endpoint = next((e for e in endpoints.ENDPOINTS if e.name == section.endpoint), None)
    if endpoint is None:
        return Documented()
    forms = {REFUSAL: endpoint.refusal, "event": endpoint.event or {}, "answer": endpoint.answer}
    return Documented(tuple(_parts(forms.get(section.form, {}))))


def _parts(schema: object) -> Iterator[Schema]:
    """Yield a schema and all that must hold together with it, or but for one case (`else`)."""
    if isinstance(schema, Mapping):
        yield schema
        for part in (*schema.get("allOf", ()), schema.get("else")):
            yield from _parts(part)


def _types(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


# ---------------------------------------------------------------- who answered, and when


def witness(
    transcript: AnalyzedTranscript, turn: AnalyzedTurn, exchange: AnalyzedExchange
) -> Witness:
    """Return what is known of an exchange before its answer is looked at."""
    is_poll = exchange.endpoint is not None and exchange.endpoint.role is Role.POLL
    sender = turn_request(turn) if is_poll else exchange
    request = sender.request_json.value if sender else None
    texts, free = _free_paths(exchange.endpoint) if exchange.endpoint else ((), ())
    return Witness(
        family=family(resolve(request, "/model")),
        day=_day(transcript, exchange),
        texts=frozenset(texts),
        free=frozenset(free),
        echoes=_echoes(request),
    )


_SNAPSHOT = re.compile(r"-(latest|preview|\d{4}-\d\d-\d\d|\d{3,8})$", re.ASCII)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)


def family(model: object) -> str:
    """Return a model's name without the date or number of its snapshot; empty where unknown.

    >>> family("glm-4-0520"), family("qwen-plus-2025-07-28"), family("glm-4.5-air")
    ('glm-4', 'qwen-plus', 'glm-4.5-air')
    """
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        return ""
    shorter = _SNAPSHOT.sub("", model.lower())
    return family(shorter) if shorter != model.lower() else shorter


def _day(transcript: AnalyzedTranscript, exchange: AnalyzedExchange) -> str:
    """Return the day of the answer as `2025-10-14`; empty where it is unknown."""
    recorded = transcript.transcript.provenance.recorded_at[:10]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", recorded, re.ASCII):
        return recorded
    try:
        date = parsedate_to_datetime(exchange.exchange.response.header("date") or "")
    except (ValueError, IndexError, OverflowError):
        return ""
    return date.date().isoformat()


_TEXTS = ("content", "reasoning", "message")
_FREE = (*_TEXTS, "id", "request_id", "model", "images", "task_id", "times")
_PROTOCOL_KEYS = ("role", "type")
"""Keys whose values are the protocol's words, also where a request has them."""


def _free_paths(endpoint: Endpoint) -> tuple[set[str], set[str]]:
    """Return the paths of free text, and of all values that are no vocabulary."""
    pointers = {f.name: getattr(endpoint.fields, f.name) for f in fields(endpoint.fields)}
    calls = [_path(pointer) + "/[]/function" for pointer in pointers["tool_calls"]]
    texts = {_path(pointer) for name in _TEXTS for pointer in pointers[name]}
    texts |= {f"{path}/[]/text" for path in texts} | {f"{call}/arguments" for call in calls}
    free = {_path(pointer) for name in _FREE for pointer in pointers[name]} | endpoint.volatile
    return texts, {*free, *texts, *(f"{call}/name" for call in calls)}


def _path(pointer: str) -> str:
    return re.sub(r"/\d+(?=/|$)", "/[]", pointer)


def _echoes(request: Json) -> frozenset[str]:
    """Return the strings of a request: what an answer repeats of them is the user's."""
    values = ((pointer.rpartition("/")[2], value) for pointer, value in walk(request))
    return frozenset(v for key, v in values if isinstance(v, str) and key not in _PROTOCOL_KEYS)
