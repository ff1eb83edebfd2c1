"""What a turn was answered, taken together by form: one shape for all events of a stream."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.analysis.difference import leaves
from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.sections import REFUSAL, Section, sections, witness
from harness.types import LooseJson
from harness.wire.images import inspect_image

FILE = "file"
UNREAD = "not read"
_EVENT = "event"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What samples are told apart by: the endpoint, the form of answer, and a task's state."""

    endpoint: str
    form: str
    state: str = ""

    def __str__(self) -> str:
        return " ".join(word for word in (self.endpoint, self.form, self.state) if word)


@dataclass(slots=True)
class Sample:
    """All values of one form in one turn.

    `types` are those found at each path, by position in a stream (`first`, `middle` ...; empty
    where there is none). `words` are the strings that may belong to a vocabulary; `values` count
    what stands at each path. `moving` are the paths that depend on what the model chose to do;
    `passing` says that the answer is one of a task that still runs.
    """

    section: Section
    family: str = ""
    passing: bool = False
    moving: frozenset[str] = frozenset()
    documented_words: frozenset[str] = frozenset()
    types: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    count: int = 0

    def at(self, path: str) -> frozenset[str]:
        """The types at a path, wherever in a stream; empty where there is no such path."""
        return frozenset(kind for told in self.types.values() for kind in told.get(path, ()))

    @property
    def paths(self) -> list[str]:
        """Every path, sorted: what holds another comes first."""
        return sorted({path for told in self.types.values() for path in told})


def samples(read: AnalyzedTranscript, turn: AnalyzedTurn) -> dict[Key, Sample]:
    """What a turn was answered, by form."""
    found: dict[Key, Sample] = {}
    for reading in turn.readings:
        free, echoes = _free(read, turn, reading)
        for section, value in _told(reading):
            key = _key(section)
            if key not in found:
                found[key] = _empty(read, turn, reading, section)
            _add(found[key], section, value, free, echoes)
    return found


def _key(section: Section) -> Key:
    """An event's position is no form of its own; a task's state is."""
    return Key(section.endpoint, section.form, "" if section.form == _EVENT else section.case)


def _told(reading: AnalyzedExchange) -> Iterator[tuple[Section, LooseJson]]:
    name = reading.endpoint.name if reading.endpoint else reading.exchange.request.method
    told = [(section, part.value) for section, part in sections(reading)]
    if reading.is_binary:
        yield Section(name, FILE), _file(reading)
    elif told:
        yield from told
    elif reading.parts and (reading.endpoint is None or reading.endpoint.role is Role.OTHER):
        form = REFUSAL if not reading.accepted else _EVENT if reading.is_stream else "answer"
        yield from ((Section(name, form), part.value) for part in reading.parts)
    else:
        yield Section(name, UNREAD), reading.exchange.response.body.decode("utf-8", "replace")


def _file(reading: AnalyzedExchange) -> LooseJson:
    """A file as it is compared: its kind is a word, its bytes are a text."""
    response = reading.exchange.response
    shown = inspect_image(response.body)
    declared = (response.header("content-type") or "").partition(";")[0].strip().lower()
    return {
        "media type": shown.media_type if shown else declared,
        "bytes": hashlib.sha256(response.body).hexdigest(),
    }


def _empty(
    read: AnalyzedTranscript, turn: AnalyzedTurn, reading: AnalyzedExchange, section: Section
) -> Sample:
    endpoint = reading.endpoint
    if endpoint is None:
        return Sample(section)
    known = endpoint.fields
    moving = (*known.tool_calls, *known.content, *known.reasoning)
    states = endpoint.states
    vocabulary = endpoint.finish_reasons | endpoint.objects | set(endpoint.statuses)
    return Sample(
        section,
        family=witness(read, turn, reading).family,
        passing=section.form == "answer" and section.case in states.running,
        moving=frozenset(map(general, moving)),
        documented_words=frozenset((*vocabulary, *states.succeeded, *states.running)),
    )


def _free(
    read: AnalyzedTranscript, turn: AnalyzedTurn, reading: AnalyzedExchange
) -> tuple[frozenset[str], frozenset[str]]:
    """The paths that hold no vocabulary, and strings that the request said first."""
    if reading.endpoint is None:
        return frozenset(), frozenset()
    seen = witness(read, turn, reading)
    return seen.free, seen.echoes


def general(pointer: str) -> str:
    """A JSON pointer in the notation of `analysis.shape`."""
    return re.sub(r"/\d+(?=/|$)", "/[]", pointer)


def below(path: str, holders: Iterable[str]) -> bool:
    """Whether a path is one of these, or in one of them."""
    return any(path == holder or path.startswith(f"{holder}/") for holder in holders)


def _add(
    sample: Sample,
    section: Section,
    value: LooseJson,
    free: frozenset[str],
    echoes: frozenset[str],
) -> None:
    sample.count += 1
    case = section.case if section.form == _EVENT else ""
    types = sample.types.setdefault(case, {})
    for path, kinds in shape(value).items():
        types.setdefault(path, set()).update(kinds)
    for _, path, leaf in leaves(value):
        sample.values.setdefault(path, Counter())[_token(leaf)] += 1
        if not isinstance(leaf, str) or leaf in echoes:
            continue
        if not _is_id(path) and not below(path, free):
            sample.words.setdefault(path, set()).add(leaf)


def _is_id(path: str) -> bool:
    return path.rpartition("/")[2].endswith(("id", "fingerprint"))


def _token(leaf: LooseJson) -> str:
    return json.dumps(leaf, ensure_ascii=True, default=repr)
