"""An exchange, recognised and read: the harness's own reading of the wire, apart from any SDK.

What a provider's wire looks like is written down as data in `dialects`; here is only what every
dialect has in common. Rules and comparisons work on a `Reading`, so they know no provider.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from urllib.parse import urlsplit

from harness.types import (
    NOTHING,
    Cassette,
    Exchange,
    Failure,
    LooseJson,
    Outcome,
    Place,
    Reply,
    Transcript,
    Turn,
)
from harness.wire import Document, Stream, read_events, read_json
from harness.wire.spans import nearest

Schema = Mapping[str, LooseJson]


class Role(StrEnum):
    """What an endpoint is for in a conversation."""

    ANSWER = "answer"
    SUBMIT = "submit"
    POLL = "poll"
    FILE = "file"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class States:
    """A task's states on the wire, by what they mean; `running` in the order they come.

    `explained` are those of the failed states that come with a code and a message, `forgotten`
    those that are told of a task which the service no longer knows, however it ended.
    """

    running: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    def __contains__(self, state: object) -> bool:
        return state in self.running + self.succeeded + self.failed

    def ended(self, state: str) -> bool:
        """Whether a task in this state never changes again."""
        return state in self.succeeded + self.failed

    def rank(self, state: str) -> int:
        """How far a task has come; `running` is in the order a task goes through it."""
        return len(self.running) if self.ended(state) else self.running.index(state)


@dataclass(frozen=True, slots=True)
class Part:
    """One JSON value of an answer: the whole body, or one event of a stream.

    `offset` is the byte offset of the value's text in the body; `kind` and `comments` are the
    event's.
    """

    value: LooseJson
    event: int | None = None
    offset: int = 0
    kind: str = ""
    comments: tuple[str, ...] = ()


Pointers = tuple[str, ...]
"""JSON pointers, most telling first; the token `[]` stands for every item of an array."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Where things stand on an endpoint's wire, so that rules need not know whose wire it is.

    The first group is in one part of an answer, the second in a request. `refused` leads to
    something only in a refusal; `results` are all results of a task, failed ones included;
    `constant` is what every event of a stream repeats unchanged. `input_parts` and `output_parts`
    are counts of tokens that are within `input_tokens` and `output_tokens`; `apart` is what a
    refusal has not got. `parameters` leads to the object that holds a request's parameters.
    """

    id: Pointers = ()
    request_id: Pointers = ()
    model: Pointers = ()
    content: Pointers = ()
    reasoning: Pointers = ()
    tool_calls: Pointers = ()
    finish_reason: Pointers = ()
    index: Pointers = ()
    input_tokens: Pointers = ()
    output_tokens: Pointers = ()
    total_tokens: Pointers = ()
    images: Pointers = ()
    results: Pointers = ()
    task_id: Pointers = ()
    state: Pointers = ()
    times: Pointers = ()
    refused: Pointers = ()
    code: Pointers = ()
    message: Pointers = ()
    constant: Pointers = ()
    role: Pointers = ()
    object: Pointers = ()
    created: Pointers = ()
    input_parts: Pointers = ()
    output_parts: Pointers = ()
    apart: Pointers = ()
    metrics: Pointers = ()
    vectors: Pointers = ()
    positions: Pointers = ()
    scores: Pointers = ()

    messages: Pointers = ()
    tools: Pointers = ()
    size: Pointers = ()
    count: Pointers = ()
    prompt: Pointers = ()
    parameters: str = ""
    texts: Pointers = ()
    dimension: Pointers = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of one provider's HTTP API, and what its documentation promises of it.

    `path` is matched against the whole URL path, whatever the host. `answer`, `event` and
    `refusal` are JSON Schemas of a 2xx body, of one stream event and of a refusal. `volatile` are
    paths (in the notation of `wire.shape`) whose values differ between any two answers. `read`
    turns the parts of a 2xx answer into a `Reply` (or a `Failure` that came with status 200);
    `refuse` turns a refusal's body into a `Failure`. `repeats_finish` says that a stream is known
    to tell its finish reason more than once. `objects` are what the field `object` may say;
    `statuses` maps an error code to the HTTP statuses it comes with, and `unpaid` are codes that
    say something of the account's money and nothing of the request; `tells_usage` says whether a
    stream that was asked for so ends with a count of its tokens. `cumulative` is None where the
    request leaves it to the model.
    """

    name: str
    method: str
    path: re.Pattern[str]
    role: Role
    answer: Schema
    refusal: Schema
    read: Callable[[Sequence[Part], LooseJson], Outcome | None]
    refuse: Callable[[int, LooseJson], Failure]
    event: Schema | None = None
    ends_with_done: bool = False
    volatile: frozenset[str] = frozenset()
    finish_reasons: frozenset[str] = frozenset()
    states: States = States()
    cumulative: Callable[[LooseJson], bool | None] = lambda asked: False
    fields: Fields = Fields()
    repeats_finish: bool = False
    objects: frozenset[str] = frozenset()
    statuses: Mapping[str, frozenset[int]] = field(default_factory=lambda: NOTHING)
    unpaid: frozenset[str] = frozenset()
    tells_usage: Callable[[LooseJson], bool] = lambda asked: False

    @property
    def dialect(self) -> str:
        """Whose wire it is: the endpoint's name up to its first dot."""
        return self.name.partition(".")[0]

    def fits(self, method: str, uri: str) -> bool:
        """Whether a request goes to this endpoint."""
        try:
            path = urlsplit(uri).path
        except ValueError:
            return False
        return method.upper() == self.method and self.path.fullmatch(path) is not None


DONE = "[DONE]"


@dataclass(frozen=True)
class AnalyzedExchange:
    """One exchange, read. `number` is its position in the cassette or transcript, from 1."""

    exchange: Exchange
    endpoint: Endpoint | None
    number: int = 1
    turn: int | None = None

    @cached_property
    def asked(self) -> Document:
        """The request's body as JSON."""
        return read_json(self.exchange.request.body)

    @cached_property
    def is_stream(self) -> bool:
        """Whether the answer came as server-sent events, by its bytes if there are no headers."""
        response = self.exchange.response
        if not response.headers:
            return response.body.startswith((b"data:", b"id:", b"event:", b":"))
        kind = response.header("content-type") or ""
        return kind.partition(";")[0].strip().lower() == "text/event-stream"

    @cached_property
    def is_binary(self) -> bool:
        """Whether the answer is a file, such as an image, and not text."""
        if self.endpoint is not None:
            return self.endpoint.role is Role.FILE
        kind = (self.exchange.response.header("content-type") or "").lower()
        return kind.startswith(("image/", "audio/", "video/", "application/octet-stream"))

    @cached_property
    def stream(self) -> Stream:
        """The body as server-sent events; empty where it is none."""
        return read_events(self.exchange.response.body) if self.is_stream else Stream(())

    @cached_property
    def document(self) -> Document:
        """The body as one JSON document; a problem where it is a stream or a file."""
        return read_json(self.exchange.response.body)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Every JSON value of the answer that could be read, in order."""
        if self.is_binary:
            return ()
        if not self.is_stream:
            return () if self.document.problem else (Part(self.document.value),)
        read = ((event, event.json) for event in self.stream.events if event.data != DONE)
        return tuple(
            Part(document.value, event.number, event.data_offset, event.event, event.comments)
            for event, document in read
            if not document.problem
        )

    @property
    def accepted(self) -> bool:
        """Whether the HTTP status is a success."""
        return 200 <= self.exchange.response.status < 300

    @cached_property
    def outcome(self) -> Outcome | None:
        """What was answered, by the harness's own reading; None where that cannot be told."""
        if self.endpoint is None or self.endpoint.role in (Role.FILE, Role.OTHER):
            return None
        if not self.accepted:
            body = self.parts[0].value if self.parts else None
            return self.endpoint.refuse(self.exchange.response.status, body)
        return self.endpoint.read(self.parts, self.asked.value) if self.parts else None

    @cached_property
    def singly(self) -> tuple[tuple[Part, Outcome | None], ...]:
        """Every part of a success with what it says when read on its own."""
        if self.endpoint is None or not self.accepted:
            return ()
        if len(self.parts) == 1:  # all there is was read already
            return ((self.parts[0], self.outcome),)
        asked = self.asked.value
        return tuple((part, self.endpoint.read((part,), asked)) for part in self.parts)

    def place(
        self, pointer: str = "", part: Part | None = None, offset: int | None = None
    ) -> Place:
        """A place in this exchange's answer; the byte is found from the pointer, if it can be."""
        event = part.event if part else None
        if offset is None and part is not None:
            offset = self._byte(pointer, part)
        return Place(self.turn, self.number, event, offset, pointer)

    def asked_place(self, pointer: str = "", offset: int | None = None) -> Place:
        """A place in this exchange's request."""
        if offset is None and pointer:
            found = nearest(self.exchange.request.body, pointer)
            offset = found.start if found else None
        return Place(self.turn, self.number, None, offset, pointer, request=True)

    def _byte(self, pointer: str, part: Part) -> int | None:
        if part.event is None:
            found = nearest(self.exchange.response.body, pointer) if pointer else None
            return found.start if found else None
        event = self.stream.events[part.event - 1] if pointer else None
        found = nearest(event.data.encode(), pointer) if event else None
        return event.byte(found.start) if event and found else part.offset


Recognise = Callable[[Exchange], Endpoint | None]


def recogniser(endpoints: Iterable[Endpoint]) -> Recognise:
    """A function that finds an exchange's endpoint by method and path."""
    table = tuple(endpoints)

    def recognise(exchange: Exchange) -> Endpoint | None:
        request = exchange.request
        return next((e for e in table if e.fits(request.method, request.uri)), None)

    return recognise


@dataclass(frozen=True)
class AnalyzedTurn:
    """A turn with its exchanges read."""

    turn: Turn
    readings: tuple[AnalyzedExchange, ...]

    @cached_property
    def answered(self) -> AnalyzedExchange | None:
        """The reading that holds the answer: the last one that is not a file or a submission
        that went on to be polled."""
        told = [r for r in self.readings if r.endpoint and r.endpoint.role is not Role.FILE]
        return told[-1] if told else None

    @cached_property
    def polls(self) -> tuple[AnalyzedExchange, ...]:
        """The readings that tell the state of a task, the submission first."""
        roles = (Role.SUBMIT, Role.POLL)
        return tuple(r for r in self.readings if r.endpoint and r.endpoint.role in roles)

    @cached_property
    def outcome(self) -> Outcome | None:
        """What this turn came to on the wire, with all task states of its polls."""
        if self.answered is None:
            return None
        outcome = self.answered.outcome
        if isinstance(outcome, Reply) and self.polls:
            seen = [r.outcome.states for r in self.polls if isinstance(r.outcome, Reply)]
            outcome = replace(outcome, states=tuple(state for states in seen for state in states))
        return outcome


@dataclass(frozen=True)
class AnalyzedTranscript:
    """A transcript with every exchange read."""

    transcript: Transcript
    turns: tuple[AnalyzedTurn, ...] = field(default=())

    @cached_property
    def readings(self) -> tuple[AnalyzedExchange, ...]:
        """Every reading, in the order the exchanges travelled."""
        return tuple(reading for turn in self.turns for reading in turn.readings)


def read(transcript: Transcript, recognise: Recognise) -> AnalyzedTranscript:
    """Recognise and read every exchange of a transcript; lazily, each body at most once."""
    turns = []
    number = 0
    for turn in transcript.turns:
        readings = []
        for exchange in turn.exchanges:
            number += 1
            readings.append(AnalyzedExchange(exchange, recognise(exchange), number, turn.number))
        turns.append(AnalyzedTurn(turn, tuple(readings)))
    return AnalyzedTranscript(transcript, tuple(turns))


def transcript_of(
    cassette: Cassette,
    recognise: Recognise,
    *,
    source: str = "",
    ignored: Mapping[str, str] = NOTHING,
) -> Transcript:
    """A cassette's exchanges as turns, without running any SDK.

    Turns are those the harness recorded. In another tool's cassette, polls and downloaded files
    belong to the exchange before them, and everything else begins a turn.
    """
    turns: list[list[Exchange]] = []
    for exchange in map(_unpacked, cassette.exchanges):
        if turns and _belongs(exchange, turns[-1][-1], recognise(exchange)):
            turns[-1].append(exchange)
        else:
            turns.append([exchange])
    told = cassette.provenance
    return Transcript(
        scenario=told.scenario or source,
        target=told.target,
        turns=tuple(Turn(n, tuple(group)) for n, group in enumerate(turns, start=1)),
        provenance=told,
        ignored=ignored,
        source=source,
    )


_LARGEST = 2**26
"""Bytes: an answer that unpacks to more is left packed."""


def _unpacked(exchange: Exchange) -> Exchange:
    """The same with gzip undone, which vcrpy by itself leaves in an answer."""
    response = exchange.response
    if not response.body.startswith(b"\x1f\x8b"):
        return exchange
    undo = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = undo.decompress(response.body, _LARGEST)
    except zlib.error:
        return exchange
    if not undo.eof:
        return exchange
    told = ("content-encoding", "content-length")
    headers = tuple((n, value) for n, value in response.headers if n.lower() not in told)
    return replace(exchange, response=replace(response, headers=headers, body=body), chunks=())


def _belongs(exchange: Exchange, before: Exchange, endpoint: Endpoint | None) -> bool:
    """Whether an exchange is of the same turn as the one before it."""
    if exchange.turn is not None:
        return exchange.turn == before.turn
    if endpoint is not None:
        return endpoint.role in (Role.POLL, Role.FILE)
    return exchange.request.method == "GET" and AnalyzedExchange(exchange, endpoint).is_binary
