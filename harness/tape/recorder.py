"""A cassette being recorded."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import urllib3

from harness.errors import BadHook
from harness.fingerprint import fingerprint
from harness.redact import Redactor
from harness.types import Exchange, Request, Response, Timing

BeforeRecord = Callable[[Exchange], Exchange | None]
"""An exchange as it is to be kept: its request and response may be others; None keeps nothing."""


def all_of_it(exchange: Exchange) -> Exchange:
    """The exchange: everything is kept."""
    return exchange


@dataclass
class Recorder:
    """A cassette being recorded: every exchange is heard as it passes, its secrets taken out.

    That is done last: whatever `before_record` gives back is redacted and proved like any other.
    """

    redactor: Redactor
    before_record: BeforeRecord = all_of_it
    _slots: list[Listener] = field(init=False, default_factory=list)
    _turn: int | None = field(init=False, default=None)

    def find(self, request: Request) -> None:
        """Nothing: while recording, every request goes out."""

    def listen(self, request: Request) -> Listener:
        """A listener that keeps its exchange's place in the order the requests began."""
        listener = Listener(request, self._turn)
        self._slots.append(listener)
        return listener

    @contextmanager
    def turn(self, number: int) -> Iterator[list[Exchange]]:
        """The exchanges that began inside the context, secrets removed."""
        exchanges: list[Exchange] = []
        began, self._turn = len(self._slots), number
        try:
            yield exchanges
        finally:
            self._turn = None
            exchanges += self._kept(self._slots[began:])

    def sleep(self, seconds: float) -> None:
        """Really wait: there is somebody to wait for."""
        time.sleep(seconds)

    def exchanges(self) -> tuple[Exchange, ...]:
        """All that was answered, in the order it was asked."""
        return tuple(self._kept(self._slots))

    def _kept(self, slots: Sequence[Listener]) -> list[Exchange]:
        kept = (self.kept(slot) for slot in slots)
        return [exchange for exchange in kept if exchange is not None]

    def kept(self, slot: Listener) -> Exchange | None:
        """What is kept of an answer, secrets removed; None if it never came or is not wanted."""
        if slot.exchange is None:
            return None
        if not slot.chosen:
            slot.chosen = (self._chosen(slot.exchange),)
        (chosen,) = slot.chosen
        return None if chosen is None else self.redactor.exchange(chosen)

    def _chosen(self, heard: Exchange) -> Exchange | None:
        """What `before_record` makes of an exchange, in what it may change."""
        told = self.before_record(heard)
        if told is None or told is heard:
            return told
        if not isinstance(told, Exchange):
            kind = type(told).__name__
            raise BadHook(f"before_record has to give back an Exchange or None, not {kind}")
        same = told.response.body == heard.response.body
        request = replace(told.request, method=heard.request.method)
        chunks = heard.chunks if same else ()
        return replace(heard, request=request, response=told.response, chunks=chunks)


@dataclass
class Listener:
    """Hears one answer pass: its head, then its chunks, then its end."""

    request: Request
    turn: int | None
    exchange: Exchange | None = field(init=False, default=None)
    chosen: tuple[Exchange | None, ...] = field(init=False, default=())
    _chunks: list[bytes] = field(init=False, default_factory=list)
    _head: Response | None = field(init=False, default=None)
    _first: float | None = field(init=False, default=None)
    _started: float = field(init=False, default_factory=time.time)
    _clock: float = field(init=False, default_factory=time.perf_counter)

    def head(self, status: int, reason: str, headers: Sequence[tuple[str, str]]) -> None:
        """The status line and the headers have come."""
        self._head = Response(status, reason, tuple(headers))

    def chunk(self, data: bytes) -> None:
        """A piece of the body has come."""
        if data:
            self._first = time.perf_counter() if self._first is None else self._first
            self._chunks.append(data)

    def broke(self) -> None:
        """The network failed midway: what came is no answer, and is not kept."""
        self._head = self.exchange = None

    def end(self) -> None:
        """No more will come; said twice, the first time counts."""
        if self.exchange is not None or self._head is None:
            return
        now = time.perf_counter()
        first = now if self._first is None else self._first
        response, sizes = _decoded(self._head, self._chunks)
        timing = Timing(self._started, first - self._clock, now - self._clock)
        key = fingerprint(self.request)
        self.exchange = Exchange(self.request, response, timing, sizes, self.turn, key)


def _decoded(head: Response, chunks: Sequence[bytes]) -> tuple[Response, tuple[int, ...]]:
    """The answer with its content coding undone, so that a cassette can be read by people.

    Chunk sizes are those of the network, so there are none where the body was compressed. A body
    in a coding that nobody here can undo stays as it came, and its header says so.
    """
    raw = b"".join(chunks)
    body = _plain(raw, head.header("content-encoding") or "identity")
    if body is None:
        return replace(head, body=raw), tuple(len(chunk) for chunk in chunks)
    told = ("content-encoding", "content-length")
    headers = tuple((name, value) for name, value in head.headers if name.lower() not in told)
    return replace(head, headers=headers, body=body), ()


def _plain(raw: bytes, coding: str) -> bytes | None:
    """A body with its content coding undone; None where there is none, or it cannot be."""
    known = urllib3.HTTPResponse.CONTENT_DECODERS
    if any(name.strip().lower() not in known for name in coding.split(",")):
        return None
    response = urllib3.HTTPResponse(
        io.BytesIO(raw), headers={"content-encoding": coding}, preload_content=False
    )
    try:
        return response.read(decode_content=True)
    except urllib3.exceptions.DecodeError:
        return None
