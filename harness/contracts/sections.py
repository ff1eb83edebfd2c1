"""Which clauses a part of an answer falls under: by endpoint, form, position in a stream, state.

A section's name says no more than what can be told without the part's own fields, except for a
task's state and an event without choices; what has an unheard-of state is held to the section
that it fits best.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from email.utils import parsedate_to_datetime

from harness.analysis.endpoint import Endpoint, Part, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.evidence import Seen
from harness.contracts.words import is_word
from harness.rules.rule import answers, refusals, turn_request
from harness.types import LooseJson
from harness.wire import resolve, walk


@dataclass(frozen=True, slots=True, order=True)
class Section:
    """One form of one endpoint's answers: `answer`, `event` or `refusal`; `case` is an event's
    position or a task's state, empty for what has neither."""

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


def sections(reading: AnalyzedExchange) -> Iterator[tuple[Section, Part]]:
    """Every part of an answer that a contract has something to say of, with its section."""
    if reading.endpoint is None:
        return
    told = answers(reading)
    for number, part in enumerate(told, start=1):
        form, case = _case(reading, part, number, len(told))
        yield Section(reading.endpoint.name, form, case), part
    for part in refusals(reading):
        yield Section(reading.endpoint.name, REFUSAL), part


def _case(reading: AnalyzedExchange, part: Part, number: int, of: int) -> tuple[str, str]:
    known = reading.endpoint.fields if reading.endpoint else None
    if not reading.is_stream:
        state = first(part.value, known.state) if known else None
        return "answer", state if isinstance(state, str) and is_word(state) else ""
    if of == 1:
        return "event", "only"
    if number == 1:
        return "event", "first"
    if number < of:
        return "event", "middle"
    return "event", "usage" if resolve(part.value, "/choices") == [] else "last"


# ----------------------------------------------------------------------- who answered, and when


def witness(read: AnalyzedTranscript, turn: AnalyzedTurn, reading: AnalyzedExchange) -> Seen:
    """What is known of an exchange before its answer is looked at."""
    asked = (
        turn_request(turn) if reading.endpoint and reading.endpoint.role is Role.POLL else reading
    )
    request = asked.request_json.value if asked else None
    texts, free = _untold(reading.endpoint) if reading.endpoint else (frozenset(), frozenset())
    return Seen(
        family=family(resolve(request, "/model")),
        day=_day(read, reading),
        texts=texts,
        free=free,
        echoes=_echoes(request),
    )


_SNAPSHOT = re.compile(r"-(latest|preview|\d{4}-\d\d-\d\d|\d{3,8})$", re.ASCII)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)


def family(model: LooseJson) -> str:
    """A model's name without the date or the number of its snapshot; empty where it has none.

    >>> family("glm-4-0520"), family("qwen-plus-2025-07-28"), family("glm-4.5-air")
    ('glm-4', 'qwen-plus', 'glm-4.5-air')
    """
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        return ""
    shorter = _SNAPSHOT.sub("", model.lower())
    return family(shorter) if shorter != model.lower() else shorter


def _day(read: AnalyzedTranscript, reading: AnalyzedExchange) -> str:
    """When it was answered, as `2025-10-14`; empty where nobody says."""
    told = read.transcript.provenance.recorded_at[:10]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", told, re.ASCII):
        return told
    try:
        sent = parsedate_to_datetime(reading.exchange.response.header("date") or "")
    except (ValueError, IndexError, OverflowError):
        return ""
    return sent.date().isoformat()


_TEXTS = ("content", "reasoning", "message")
_FREE = (*_TEXTS, "id", "request_id", "model", "images", "task_id", "times")
_OWN_WORDS = ("role", "type")
"""Keys whose values are the protocol's words, also where a request says them first."""


def _untold(endpoint: Endpoint) -> tuple[frozenset[str], frozenset[str]]:
    """The paths of free text, and of all values that are no vocabulary, by the dialect's table."""
    known = {f.name: getattr(endpoint.fields, f.name) for f in fields(endpoint.fields)}
    calls = [_path(p) + "/[]/function" for p in known["tool_calls"]]
    texts = {_path(p) for name in _TEXTS for p in known[name]}
    texts |= {f"{path}/[]/text" for path in texts} | {f"{call}/arguments" for call in calls}
    free = {_path(p) for name in _FREE for p in known[name]} | endpoint.volatile
    return frozenset(texts), frozenset({*free, *texts, *(f"{call}/name" for call in calls)})


def _path(pointer: str) -> str:
    return re.sub(r"/\d+(?=/|$)", "/[]", pointer)


def _echoes(request: LooseJson) -> frozenset[str]:
    """The strings of a request: what an answer repeats of them is the user's, not the service's."""
    told = ((p.rpartition("/")[2], value) for p, value in walk(request))
    return frozenset(v for key, v in told if isinstance(v, str) and key not in _OWN_WORDS)
