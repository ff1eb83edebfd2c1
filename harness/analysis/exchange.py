"""One recorded exchange with its endpoint, and its body read. No SDK takes part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness.analysis.endpoint import Endpoint, Part, Role
from harness.analysis.reply import read_answer, read_refusal
from harness.types import Exchange, Outcome, Place
from harness.wire import Document, Stream, read_events, read_json
from harness.wire.spans import nearest_span

DONE = "[DONE]"
"""The data of the event that closes a stream in OpenAI's form; it is not JSON."""


@dataclass(frozen=True)
class AnalyzedExchange:
    """An exchange whose bodies are read when they are first needed.

    Attributes:
        exchange: What travelled.
        endpoint: The endpoint it went to, None if it is unknown.
        number: Its position in the cassette or transcript, from 1.
        turn: The number of the turn it belongs to.
    """

    exchange: Exchange
    endpoint: Endpoint | None
    number: int = 1
    turn: int | None = None

    @cached_property
    def request_json(self) -> Document:
        """The body of the request as JSON."""
        return read_json(self.exchange.request.body)

    @cached_property
    def is_stream(self) -> bool:
        """Whether the answer came as server-sent events; without headers, by its bytes."""
        response = self.exchange.response
        if not response.headers:
            return response.body.startswith((b"data:", b"id:", b"event:", b":"))
        media_type = response.header("content-type") or ""
        return media_type.partition(";")[0].strip().lower() == "text/event-stream"

    @cached_property
    def is_binary(self) -> bool:
        """Whether the answer is a file, such as an image, and not text."""
        if self.endpoint is not None:
            return self.endpoint.role is Role.FILE
        media_type = (self.exchange.response.header("content-type") or "").lower()
        return media_type.startswith(("image/", "audio/", "video/", "application/octet-stream"))

    @cached_property
    def stream(self) -> Stream:
        """The body as server-sent events; without events if it is not a stream."""
        return read_events(self.exchange.response.body) if self.is_stream else Stream(())

    @cached_property
    def response_json(self) -> Document:
        """The body as one JSON document; a problem if it is a stream or a file."""
        return read_json(self.exchange.response.body)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Every JSON value of the answer that could be read, in order."""
        if self.is_binary:
            return ()
        if not self.is_stream:
            return () if self.response_json.problem else (Part(self.response_json.value),)
        documents = ((event, event.json) for event in self.stream.events if event.data != DONE)
        return tuple(
            Part(document.value, event.number, event.data_offset, event.event, event.comments)
            for event, document in documents
            if not document.problem
        )

    @property
    def accepted(self) -> bool:
        """Whether the HTTP status is a success."""
        return 200 <= self.exchange.response.status < 300

    @cached_property
    def outcome(self) -> Outcome | None:
        """What was answered, read from the wire; None where that cannot be read."""
        if self.endpoint is None or self.endpoint.role in (Role.FILE, Role.OTHER):
            return None
        if not self.accepted:
            body = self.parts[0].value if self.parts else None
            return read_refusal(self.endpoint, self.exchange.response.status, body)
        if not self.parts:
            return None
        return read_answer(self.endpoint, self.parts, self.request_json.value)

    @cached_property
    def outcomes_by_part(self) -> tuple[tuple[Part, Outcome | None], ...]:
        """Each part of a success, read as if it were the whole answer."""
        endpoint = self.endpoint
        if endpoint is None or not self.accepted:
            return ()
        if len(self.parts) == 1:
            return ((self.parts[0], self.outcome),)
        request = self.request_json.value
        return tuple((part, read_answer(endpoint, (part,), request)) for part in self.parts)

    def place(
        self, pointer: str = "", part: Part | None = None, offset: int | None = None
    ) -> Place:
        """Return a place in the answer.

        Args:
            pointer: A JSON pointer into the value of *part*.
            part: The part; its event and, by *pointer*, the byte are looked up.
            offset: The byte offset in the body, if it is known.
        """
        event = part.event if part else None
        if offset is None and part is not None:
            offset = self._byte(pointer, part)
        return Place(self.turn, self.number, event, offset, pointer)

    def request_place(self, pointer: str = "", offset: int | None = None) -> Place:
        """Return a place in the request; the byte is looked up by *pointer* if it is not given."""
        if offset is None and pointer:
            span = nearest_span(self.exchange.request.body, pointer)
            offset = span.start if span else None
        return Place(self.turn, self.number, None, offset, pointer, request=True)

    def _byte(self, pointer: str, part: Part) -> int | None:
        if part.event is None:
            span = nearest_span(self.exchange.response.body, pointer) if pointer else None
            return span.start if span else None
        event = self.stream.events[part.event - 1] if pointer else None
        span = nearest_span(event.data.encode(), pointer) if event else None
        return event.byte(span.start) if event and span else part.offset
