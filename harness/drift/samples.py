"""Samples: the JSON values in all answers of one kind that a turn received, for comparison.

All events of a stream are one sample, and so are all polls that find a task in the same state.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.analysis.difference import leaves
from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.sections import REFUSAL, Section, as_path, exchange_context, sections
from harness.types import Failure, Json, Reply
from harness.wire.images import inspect_image

FILE_SAMPLES = "file"
UNREAD = "not read"
_EVENT = "event"


@dataclass(frozen=True, slots=True, order=True)
class SampleKey:
    """The kind of answers that a `Sample` collects; a turn has one sample for each kind.

    Attributes:
        endpoint: The endpoint's name, or the HTTP method if it is unknown.
        form: `answer`, `event`, `refusal`, `file` or `not read`.
        state: The state of the task that the answer reports; empty if there is none.
    """

    endpoint: str
    form: str
    state: str = ""

    def __str__(self) -> str:
        return " ".join(word for word in (self.endpoint, self.form, self.state) if word)


@dataclass(slots=True)
class Sample:
    """The types and values in all answers of one kind in one turn.

    Attributes:
        section: The section of a contract that the first value belongs to.
        family: The family of the model; empty if unknown.
        passing: Whether the answers say that a task is still running.
        moving: The paths of tool calls, content and reasoning, whose presence depends on what the
            model chose to do.
        documented_words: Strings of the protocol that the documentation lists.
        types: The JSON types by position in a stream (`first`, `middle` ...; empty if it is not a
            stream) and by path.
        words: The strings at each path that may be words of the protocol, such as `stop`.
        values: How often each value occurs at each path, as JSON texts.
        count: Number of bodies or events.
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
        """Return the JSON types of the values at *path*, in all events; empty if there are none."""
        return frozenset(t for by_path in self.types.values() for t in by_path.get(path, ()))

    @property
    def paths(self) -> list[str]:
        """Every path with a value, sorted, so that `/usage` is before `/usage/tokens`."""
        return sorted({path for by_path in self.types.values() for path in by_path})

    def add(
        self, section: Section, value: Json, free: frozenset[str], echoes: frozenset[str]
    ) -> None:
        """Add the value of a body or of an event.

        Args:
            section: The section of a contract that the value belongs to.
            value: The decoded JSON of the body or the event.
            free: The paths of data such as ids and texts, which are not words of the protocol.
            echoes: The strings in the request; in an answer they are not words of the protocol.
        """
        self.count += 1
        types = self.types.setdefault(section.case if section.form == _EVENT else "", {})
        for path, names in shape(value).items():
            types.setdefault(path, set()).update(names)
        for _, path, leaf in leaves(value):
            token = json.dumps(leaf, ensure_ascii=True, default=repr)
            self.values.setdefault(path, Counter())[token] += 1
            if not isinstance(leaf, str) or leaf in echoes:
                continue
            is_id = path.rpartition("/")[2].endswith(("id", "fingerprint"))
            if not is_id and not is_within(path, free):
                self.words.setdefault(path, set()).add(leaf)


def samples(transcript: AnalyzedTranscript, turn: AnalyzedTurn) -> dict[SampleKey, Sample]:
    """Return the samples of a turn of *transcript*, each by the kind of answers in it."""
    by_key: dict[SampleKey, Sample] = {}
    for exchange in turn.readings:
        free, echoes = frozenset[str](), frozenset[str]()
        if exchange.endpoint is not None:
            seen = exchange_context(transcript, turn, exchange)
            free, echoes = seen.free, seen.echoes
        for section, value in _values(exchange):
            key = _key(section)
            if key not in by_key:
                by_key[key] = _empty(transcript, turn, exchange, section)
            by_key[key].add(section, value, free, echoes)
    return by_key


def _key(section: Section) -> SampleKey:
    """Return the key to group a section's answers by.

    Each state of a task has a key of its own; all events of a stream have the same key.
    """
    state = "" if section.form == _EVENT else section.case
    return SampleKey(section.endpoint, section.form, state)


def _values(exchange: AnalyzedExchange) -> Iterator[tuple[Section, Json]]:
    endpoint = exchange.endpoint
    name = endpoint.name if endpoint else exchange.exchange.request.method
    known = [(section, part.value) for section, part in sections(exchange)]
    if exchange.is_binary:
        yield Section(name, FILE_SAMPLES), _file(exchange)
    elif known:
        yield from known
    elif exchange.parts and (endpoint is None or endpoint.role is Role.OTHER):
        accepted = _EVENT if exchange.is_stream else "answer"
        form = accepted if exchange.accepted else REFUSAL
        yield from ((Section(name, form), part.value) for part in exchange.parts)
    else:
        yield Section(name, UNREAD), exchange.exchange.response.body.decode("utf-8", "replace")


def _file(exchange: AnalyzedExchange) -> Json:
    """Return what is compared of a downloaded file: its media type and a digest of its bytes."""
    body = exchange.exchange.response.body
    image = inspect_image(body)
    media_type = image.media_type if image else exchange.media_type
    return {"media type": media_type, "bytes": hashlib.sha256(body).hexdigest()}


def _empty(
    transcript: AnalyzedTranscript,
    turn: AnalyzedTurn,
    exchange: AnalyzedExchange,
    section: Section,
) -> Sample:
    endpoint = exchange.endpoint
    if endpoint is None:
        return Sample(section)
    fields, states = endpoint.fields, endpoint.states
    moving = (*fields.tool_calls, *fields.content, *fields.reasoning)
    vocabulary = endpoint.finish_reasons | endpoint.objects | set(endpoint.statuses)
    return Sample(
        section,
        family=exchange_context(transcript, turn, exchange).family,
        passing=section.form == "answer" and section.case in states.running,
        moving=frozenset(map(as_path, moving)),
        documented_words=frozenset((*vocabulary, *states.succeeded, *states.running)),
    )


def is_within(path: str, holders: Iterable[str]) -> bool:
    """Return whether *path* is one of *holders* or below one: `/a/b` is within `/a`."""
    return any(path == holder or path.startswith(f"{holder}/") for holder in holders)


def merged(parts: Sequence[Sample]) -> Sample:
    """Return one sample with the types, words and values of all *parts*.

    *parts* are samples of the same kind of answers.
    """
    if len(parts) == 1:
        return parts[0]
    union = replace(parts[0], types={}, words={}, values={})
    for sample in parts:
        for case, types in sample.types.items():
            for path, names in types.items():
                union.types.setdefault(case, {}).setdefault(path, set()).update(names)
        for path, words in sample.words.items():
            union.words.setdefault(path, set()).update(words)
        for path, values in sample.values.items():
            union.values.setdefault(path, Counter()).update(values)
    return union


# ------------------------------------------------------------------ a turn and its repeats


@dataclass(frozen=True)
class RecordedTurn:
    """One turn in one or more recordings of the same scenario and target.

    Values that vary between the recordings may vary in a new recording, too, without drift.

    Attributes:
        turns: Pairs of a recording and its turn, the main recording first.
    """

    turns: Sequence[tuple[AnalyzedTranscript, AnalyzedTurn]]

    @cached_property
    def samples(self) -> tuple[dict[SampleKey, Sample], ...]:
        """The samples of each recording, by the kind of answers in them."""
        return tuple(samples(transcript, turn) for transcript, turn in self.turns)

    @cached_property
    def forms(self) -> tuple[frozenset[SampleKey], ...]:
        """The kinds of answers in each recording, without polls that find a task still running."""
        return tuple(
            frozenset(key for key, sample in by_key.items() if not sample.passing)
            for by_key in self.samples
        )

    @property
    def forms_of_any(self) -> frozenset[SampleKey]:
        """The kinds of answers that occur in at least one recording: the union of `forms`."""
        return frozenset().union(*self.forms)

    @property
    def forms_of_all(self) -> frozenset[SampleKey]:
        """The kinds of answers that occur in every recording: the intersection of `forms`."""
        return self.forms[0].intersection(*self.forms[1:])

    def of(self, key: SampleKey) -> tuple[Sample, ...]:
        """Return the sample with *key* of each recording that has one."""
        return tuple(by_key[key] for by_key in self.samples if key in by_key)

    @property
    def statuses(self) -> tuple[int, ...]:
        """The last HTTP status of the turn in each recording; 0 for a turn without exchanges."""
        return tuple(final_status(turn) for _, turn in self.turns)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """The finish reason of the turn in each recording that has one."""
        outcomes = [turn.outcome for _, turn in self.turns]
        return tuple(o.finish_reason for o in outcomes if isinstance(o, Reply) and o.finish_reason)

    @property
    def codes(self) -> tuple[str, ...]:
        """The error code of the turn in each recording in which it failed."""
        outcomes = (turn.outcome for _, turn in self.turns)
        return tuple(outcome.code for outcome in outcomes if isinstance(outcome, Failure))


def recorded_turn(number: int, transcripts: Sequence[AnalyzedTranscript]) -> RecordedTurn | None:
    """Return the turn with *number*, from 1, of all *transcripts* that have such a turn.

    Return None if none has it.
    """
    turns = [(t, turn) for t in transcripts for turn in t.turns if turn.turn.number == number]
    return RecordedTurn(turns) if turns else None


def final_status(turn: AnalyzedTurn) -> int:
    """Return the last HTTP status of a turn; 0 if it has no exchange.

    Downloads of files are ignored, unless the turn has no other exchanges.
    """
    answers = [e for e in turn.readings if e.endpoint is None or e.endpoint.role is not Role.FILE]
    if not turn.readings:
        return 0
    return (answers or list(turn.readings))[-1].exchange.response.status
