"""One recorded exchange with its endpoint and its body read: no SDK takes part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness.analysis.endpoint import Endpoint, Part, Role
from harness.types import Exchange, Outcome, Place
from harness.wire import Document, Stream, read_events, read_json
from harness.wire.spans import nearest

DONE = "[DONE]"


@dataclass(frozen=True)
class AnalyzedExchange:
    """One exchange, read. `number` is its position in the cassette or transcript, from 1."""

    exchange: Exchange
    endpoint: Endpoint | None
    number: int = 1
    turn: int | None = None

    @cached_property
    def request_json(self) -> Document:
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
    def response_json(self) -> Document:
        """The body as one JSON document; a problem where it is a stream or a file."""
        return read_json(self.exchange.response.body)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Every JSON value of the answer that could be read, in order."""
        if self.is_binary:
            return ()
        if not self.is_stream:
            return () if self.response_json.problem else (Part(self.response_json.value),)
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
        return self.endpoint.read(self.parts, self.request_json.value) if self.parts else None

    @cached_property
    def outcomes_by_part(self) -> tuple[tuple[Part, Outcome | None], ...]:
        """Every part of a success with what it says when read on its own."""
        if self.endpoint is None or not self.accepted:
            return ()
        if len(self.parts) == 1:  # all there is was read already
            return ((self.parts[0], self.outcome),)
        asked = self.request_json.value
        return tuple((part, self.endpoint.read((part,), asked)) for part in self.parts)

    def place(
        self, pointer: str = "", part: Part | None = None, offset: int | None = None
    ) -> Place:
        """A place in this exchange's answer; the byte is found from the pointer, if it can be."""
        event = part.event if part else None
        if offset is None and part is not None:
            offset = self._byte(pointer, part)
        return Place(self.turn, self.number, event, offset, pointer)

    def request_place(self, pointer: str = "", offset: int | None = None) -> Place:
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
