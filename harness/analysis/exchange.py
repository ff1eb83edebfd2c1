"""`AnalyzedExchange`: a recorded exchange with its endpoint and its parsed bodies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from harness.analysis.endpoint import (
    NO_FIELDS,
    Endpoint,
    Fields,
    Part,
    Pointers,
    Role,
    may_have,
)
from harness.analysis.reply import (
    is_refusal,
    only_choice,
    pointer_to,
    read_answer,
    read_refusal,
    seen,
)
from harness.analysis.shape import Shape, shape
from harness.types import (
    NO_STATUS,
    NOWHERE,
    Exchange,
    Failure,
    Finding,
    GeneratedFile,
    Json,
    Medium,
    Outcome,
    Place,
    Reply,
)
from harness.wire import Document, Stream, as_text, read_events, read_json, read_lines, resolve
from harness.wire.http import read_form
from harness.wire.pointer import ITEMS
from harness.wire.spans import Offsets

DONE = "[DONE]"
"""The data of the last event of a stream in OpenAI's format; it is not JSON."""

EVENTS = "text/event-stream"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
"""The media types of streams: server-sent events, and JSON objects one by line."""

_SUMMARIES = ("outcome", "model", "has_history", "is_stream")
"""What is kept of the bodies of an exchange in a long transcript: few, for a table of eight."""
_NO_STREAM = Stream(())


def violation(
    expected: object, actual: object, place: Place = NOWHERE, within: str = ""
) -> Finding:
    """Return a finding whose message has the expected and the actual value.

    Args:
        expected: What the rule requires, as text or value.
        actual: What was there.
        place: Where it was.
        within: A text to begin the message with, such as `in the request`; "" for none.
    """
    prefix = f"{within}: " if within else ""
    message = f"{prefix}expected {expected}, actual {actual}"
    return Finding(message, place, expected=str(expected), actual=str(actual))


def _parts_of(stream: Stream) -> Iterator[Part]:
    """Yield the data of each event that is valid JSON; equal ones share what is found in them."""
    known: dict[int, Part] = {}
    for event in stream.events:
        document = event.json if event.data != DONE else None
        if document is not None and not document.problem:
            value = document.value
            part = Part(value, event.number, event.data_offset, event.event, event.comments)
            part.share(known.setdefault(id(value), part))
            yield part


class _Parsed:
    """An object with a table of attributes, for cached properties, beside the slots of a subclass.

    A table that has only these is smaller, which counts in a long transcript.
    """


@dataclass(frozen=True, slots=True)
class AnalyzedExchange(_Parsed):
    """An exchange with its endpoint and its bodies, which are parsed on first use, without an SDK.

    Attributes:
        exchange: The recorded exchange.
        endpoint: The endpoint that the request went to; None if it is unknown.
        number: The position of the exchange in the cassette or transcript, from 1.
        turn: The number of the turn that it belongs to, from 1; None if it belongs to none.
    """

    exchange: Exchange
    endpoint: Endpoint | None
    number: int = 1
    turn: int | None = None

    def forget(self) -> None:
        """Free the memory of parsed values, which are parsed again when they are used.

        The outcome is kept, whether it is a stream, and of the request what is asked of each in a
        transcript: the model, and whether it has several messages.
        """
        kept = {name: getattr(self, name) for name in _SUMMARIES}
        self.__dict__.clear()  # which frees its table too, as deletions do not
        self.__dict__.update(kept)

    @cached_property
    def request_json(self) -> Document:
        """The body of the request, parsed as JSON; a multipart body is an object of its fields."""
        document = read_json(self.exchange.request.body)
        form = read_form(self.exchange.request.body) if document.problem else None
        return document if form is None else Document(form)

    @cached_property
    def model(self) -> str | None:
        """The model that the request names; None if it names none."""
        return as_text(resolve(self.request_json.value, "/model"))

    @cached_property
    def has_history(self) -> bool:
        """Whether the request has several messages, and so may continue an earlier one.

        It has not where the service itself has the earlier messages.
        """
        endpoint, request = self.endpoint, self.request_json.value
        if endpoint is None or endpoint.remembers(request):
            return False
        if endpoint.conversation is not None:
            return len(endpoint.conversation(request)) > 1
        sent = next((value for _, value in seen(request, endpoint.fields.messages)), None)
        return isinstance(sent, list) and len(sent) > 1

    @cached_property
    def is_stream(self) -> bool:
        """Whether the response is a stream, of server-sent events or of JSON lines.

        This is decided by the Content-Type or, if that is unknown, by the first bytes.
        """
        response = self.exchange.response
        if self.hides_type:
            return response.body.startswith((b"data:", b"id:", b"event:", b":"))
        return self.is_lines or self.media_type == EVENTS

    @property
    def hides_type(self) -> bool:
        """Whether the Content-Type is unknown: the recorder left out all headers or replaced it."""
        is_stand_in = bool(self.content_type) and "/" not in self.content_type
        return is_stand_in or not self.exchange.response.headers

    @property
    def is_lines(self) -> bool:
        """Whether the response is a stream of JSON lines, by its Content-Type."""
        return self.media_type in LINES

    @cached_property
    def content_type(self) -> str:
        """The header Content-Type of the response in lower case; empty if it has none."""
        return (self.exchange.response.header("content-type") or "").lower()

    @cached_property
    def media_type(self) -> str:
        """The media type in `content_type`, without parameters."""
        return self.content_type.partition(";")[0].strip()

    @cached_property
    def is_binary(self) -> bool:
        """Whether the response is a binary file, such as an image."""
        if self.is_sound:
            return True
        if self.endpoint is not None and self.endpoint.role is not Role.LOOKUP:
            return self.endpoint.role is Role.FILE and not self.endpoint.answer
        media_types = ("image/", "audio/", "video/", "application/octet-stream")
        return self.content_type.startswith(media_types)

    @property
    def is_sound(self) -> bool:
        """Whether the response is the sound that its endpoint generates, not JSON."""
        endpoint = self.endpoint
        speaks = endpoint is not None and endpoint.speaks
        return speaks and self.content_type.startswith("audio/")

    @cached_property
    def stream(self) -> Stream:
        """The body of the response, parsed as events; empty if it is not a stream."""
        read = read_lines if self.is_lines else read_events
        return read(self.exchange.response.body) if self.is_stream else _NO_STREAM

    @cached_property
    def response_json(self) -> Document:
        """The body of the response, parsed as JSON; `Document.problem` says why it is not JSON."""
        return read_json(self.exchange.response.body)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The JSON values of the response, in order: the whole body, or the data of each event.

        Data that is not valid JSON is skipped.
        """
        if self.is_binary:
            return ()
        if not self.is_stream:
            return () if self.response_json.problem else (Part(self.response_json.value),)
        return tuple(_parts_of(self.stream))

    @cached_property
    def shape(self) -> Shape:
        """The names of the JSON types at each path of the response, in all its parts together."""
        return shape(*(part.value for part in self.parts))

    @cached_property
    def checked_endpoint(self) -> Endpoint | None:
        """The endpoint; None if rules do not check its answers, or if it is unknown.

        Rules do not check downloads of files, nor endpoints of the role OTHER.
        """
        endpoint = self.endpoint
        if endpoint is None or endpoint.role is Role.OTHER:
            return None
        return None if endpoint.role is Role.FILE and not endpoint.answer else endpoint

    @cached_property
    def fields(self) -> Fields:
        """The locations of fields in answers of `checked_endpoint`; all empty if it is None."""
        return self.checked_endpoint.fields if self.checked_endpoint else NO_FIELDS

    @cached_property
    def answers(self) -> tuple[Part, ...]:
        """The parts of a 2xx response that are not API errors, by the endpoint's error fields.

        Empty if the response is a refusal, or if its endpoint is not checked.
        """
        if self.checked_endpoint is None or not self.accepted:
            return ()
        refused = self.refusals
        return tuple(p for p in self.parts if p not in refused) if refused else self.parts

    @cached_property
    def refusals(self) -> tuple[Part, ...]:
        """The parts of the response that are API errors, whatever the HTTP status.

        Empty if there are none, or if the endpoint is not checked.
        """
        if self.checked_endpoint is None:
            return ()
        if not self.accepted:
            return self.parts[:1]
        return tuple(part for part in self.parts if is_refusal(part, self.fields))

    def values(self, pointers: Pointers) -> Iterator[tuple[Part, str, Json]]:
        """Yield (part, pointer, value) for each value at *pointers* in `answers`, except nulls.

        In *pointers*, such as `fields.images`, `[]` stands for all items of an array.
        """
        known = self.fields.patterns.all
        if known.issuperset(pointers):
            present = tuple(filter(self._answers_with.__contains__, pointers))
            for part in self._having(present):
                found = part.found(self.fields)
                for pattern in present:
                    if ITEMS in pattern:
                        for pointer, value in seen(part.value, (pattern,)):
                            yield part, pointer, value
                    elif pattern in found:
                        yield part, pattern, found[pattern]
            return
        for part in self.answers:
            if may_have(part.value, pointers):
                for pointer, value in seen(part.value, pointers):
                    yield part, pointer, value

    def has(self, pointer: str) -> bool:
        """Return whether any of `answers` has a value at *pointer*, one of `fields.patterns`."""
        return pointer in self._answers_with

    def _having(self, pointers: Pointers) -> Sequence[Part]:
        """Return the items of `answers` with one of *pointers*, the keys of `_answers_with`."""
        if len(pointers) > 1:
            return self.answers
        return self._answers_with[pointers[0]] if pointers else ()

    @cached_property
    def _answers_with(self) -> Mapping[str, Sequence[Part]]:
        """The items of `answers` with a value at each of the pointers in `fields`, by pointer."""
        by_pointer: defaultdict[str, list[Part]] = defaultdict(list)
        for part in self.answers:
            for pointer in part.found(self.fields):
                by_pointer[pointer].append(part)
        return by_pointer

    @cached_property
    def accepted(self) -> bool:
        """Whether the HTTP status is 2xx."""
        return 200 <= self.exchange.response.status < 300

    @cached_property
    def outcome(self) -> Outcome | None:
        """The reply or failure in the response; None if it cannot be read or has neither.

        A network failure is a failure whose code is its kind.
        """
        if (broken_off := self.exchange.broken_off) is not None:
            return Failure(NO_STATUS, broken_off.kind.value, broken_off.message)
        if self.endpoint is None or self.endpoint.role in (Role.FILE, Role.OTHER):
            return None
        if not self.accepted:
            body = self.parts[0].value if self.parts else None
            return read_refusal(self.endpoint, self.exchange.response.status, body)
        if self.is_sound:
            sound = GeneratedFile("", self.exchange.response.body, Medium.AUDIO)
            return Reply(files=(sound,))
        if not self.parts:
            return None
        return read_answer(self.endpoint, self.parts, self.request_json.value)

    @cached_property
    def outcomes_by_part(self) -> tuple[tuple[Part, Outcome | None], ...]:
        """A pair (part, outcome) for each part of a 2xx response, each read as a whole answer.

        The outcome is the reply or failure in that part; None if it has neither.
        """
        endpoint = self.endpoint
        if endpoint is None or not self.accepted:
            return ()
        if len(self.parts) == 1:
            return ((self.parts[0], self.outcome),)
        request = self.request_json.value
        known: dict[tuple[object, ...], Outcome | None] = {}
        pairs: list[tuple[Part, Outcome | None]] = []
        for part in self.parts:
            key = id(part.value), part.kind, part.comments  # equal events have the same value
            if key not in known:
                known[key] = read_answer(endpoint, (part,), request)
            pairs.append((part, known[key]))
        return tuple(pairs)

    @cached_property
    def replies(self) -> list[tuple[Part, Reply]]:
        """A pair (part, reply) for each part of the response that is an answer, read by itself.

        Empty if there are none, or if the endpoint is not checked.
        """
        if self.checked_endpoint is None:
            return []
        pairs = cast("tuple[tuple[Part, Reply], ...]", self.outcomes_by_part)
        return [pair for pair in pairs if isinstance(pair[1], Reply)]

    @property
    def event_replies(self) -> list[tuple[Part, Reply]]:
        """A pair (part, reply) for each event of a stream that was not refused; else empty.

        Streams of endpoints without a schema for events are not read.
        """
        has_events = (
            self.is_stream and self.endpoint is not None and self.endpoint.event is not None
        )
        return self.replies if has_events and not isinstance(self.outcome, Failure) else []

    @cached_property
    def other_choices(self) -> tuple[AnalyzedChoice, ...]:
        """Each choice after the first as an answer of its own; empty if there is one choice."""
        if not isinstance(self.outcome, Reply) or not self.outcome.other_choices:
            return ()
        about, located = (self.exchange, self.endpoint, self.number, self.turn), self._by_choice
        return tuple(
            AnalyzedChoice(*about, tuple(located.get(one.index, located[None])))
            for one in self.outcome.other_choices
        )

    @cached_property
    def _by_choice(self) -> dict[int | None, list[tuple[Part, int]]]:
        """(part, position of the choice in it) by the choice; those without any are in all lists.

        The key None has the parts without any choice.
        """
        fields = self.endpoint.fields if self.endpoint else NO_FIELDS
        located: dict[int | None, list[tuple[Part, int]]] = {None: []}
        for part in self.parts:
            choices = resolve(part.value, fields.choices)
            items = list(enumerate(choices)) if isinstance(choices, list) else []
            for position, item in items:
                if isinstance(item, dict):
                    index = item.get("index")
                    key = index if type(index) is int else position
                    own = only_choice(part, fields, {**item, "index": 0})
                    located.setdefault(key, [*located[None]]).append((own, position))
            if not items:
                for listed in located.values():
                    listed.append((part, 0))
        return located

    def place(
        self, pointer: str = "", part: Part | None = None, offset: int | None = None
    ) -> Place:
        """Return a place in the response, for a finding.

        Args:
            pointer: A JSON pointer into the value of *part*.
            part: The whole body, or the event, that the place is in; None for the response itself.
            offset: The byte offset in the body; None to compute it from *part* and *pointer*.
        """
        event = part.event if part else None
        if offset is None and part is not None:
            offset = self._byte(pointer, part)
        return Place(self.turn, self.number, event, offset, pointer)

    def violation(
        self, expected: object, actual: object, part: Part | None, at: str | Pointers = ""
    ) -> Finding:
        """Return a finding about a value in the response.

        Args:
            expected: What the rule requires, as text or value.
            actual: What was there.
            part: The whole body, or the event, that has the value; None for the response itself.
            at: The JSON pointer of the value in *part*; of several, the first that has a value.
        """
        pointer = at if isinstance(at, str) else pointer_to(part, at) if part else ""
        return violation(expected, actual, self.place(pointer, part))

    def request_place(self, pointer: str = "", offset: int | None = None) -> Place:
        """Return a place in the request, for a finding.

        Args:
            pointer: A JSON pointer into the body.
            offset: The byte offset in the body; None to compute it from *pointer*.
        """
        is_json = self.exchange.request.body.lstrip()[:1] in (b"{", b"[")
        if offset is None and pointer and is_json:  # a value of a form has no place of its own
            offset = self._request_offsets.nearest(pointer)
        return Place(self.turn, self.number, None, offset, pointer, request=True)

    @cached_property
    def _request_offsets(self) -> Offsets:
        return Offsets(self.exchange.request.body)

    @cached_property
    def _offsets(self) -> Offsets:
        return Offsets(self.exchange.response.body)

    @cached_property
    def _offsets_by_event(self) -> dict[int, Offsets]:
        return {}

    def _byte(self, pointer: str, part: Part) -> int | None:
        if part.event is None:
            return self._offsets.nearest(pointer) if pointer else None
        if not pointer:
            return part.offset
        event, known = self.stream.events[part.event - 1], self._offsets_by_event
        if part.event not in known:
            known.clear()  # the findings of an event follow each other
            known[part.event] = Offsets(event.data.encode())
        start = known[part.event].nearest(pointer)
        return part.offset if start is None else event.byte(start)


@dataclass(frozen=True)
class AnalyzedChoice(AnalyzedExchange):
    """An exchange as if one choice of its answer were the only one.

    Attributes:
        located: Pairs (part, position) for the parts that have this choice, with the others
            removed, and for the parts without any choice. The position is that of the choice in
            the original array, from 0.
    """

    located: tuple[tuple[Part, int], ...] = ()

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The JSON values of the response, with this choice as their only one.

        Values that have only other choices are left out; those without any choice are kept.
        """
        return tuple(part for part, _ in self.located)

    def place(
        self, pointer: str = "", part: Part | None = None, offset: int | None = None
    ) -> Place:
        """Return a place in the response, for a finding.

        Args:
            pointer: A JSON pointer into the value of *part*, where this choice has the index 0. The
                place has the choice's original index.
            part: The item of `parts` that the place is in; None for the response itself.
            offset: The byte offset in the body; None to compute it from *part* and *pointer*.
        """
        first = f"{self.endpoint.fields.choices}/0" if self.endpoint else ""
        position = next((at for one, at in self.located if one is part), 0)
        if first and pointer.startswith(first):
            pointer = f"{first[:-1]}{position}{pointer.removeprefix(first)}"
        return super().place(pointer, part, offset)
