"""A cassette being recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import NoReturn, Protocol

from harness.errors import BadHook, NotRecordable
from harness.intercept.hooks import BeforeRecord, chosen, keep_all
from harness.intercept.recorded_prefix import RecordedPrefix
from harness.secrets.fingerprint import fingerprint
from harness.secrets.redactor import Redactor
from harness.types import Exchange, Request, Response, Timing
from harness.wire.codings import undo_coding, with_plain_body


class ExchangeSink(Protocol):
    """Where every answer is put as soon as it is whole, so that nothing can undo it."""

    def ready(self) -> None:
        """Be sure that an answer can be kept. Raises HarnessError where it cannot."""

    def append(self, number: int, exchange: Exchange) -> None:
        """Keep the answer to the number-th request. Raises HarnessError."""


class NullSink:
    """Keeps nothing: what is recorded is lost with the process."""

    def ready(self) -> None:
        """Nothing to be made ready."""

    def append(self, number: int, exchange: Exchange) -> None:
        """Not kept."""


@dataclass
class Recorder:
    """A cassette being recorded: every exchange is heard as it passes, its secrets taken out.

    Each is given to the `keeper` when it is over, before the next request goes out. What was
    `finished` before the recording was interrupted is not asked again. Secrets are taken out
    last: whatever `before_record` gives back is redacted and proved like any other.
    """

    redactor: Redactor
    keeper: ExchangeSink = field(default_factory=NullSink)
    finished: RecordedPrefix = field(default_factory=RecordedPrefix)
    before_record: BeforeRecord = keep_all
    clock: None = field(init=False, default=None)
    pace: float = field(init=False, default=0.0)
    _slots: list[ResponseCapture] = field(init=False, default_factory=list)
    _open: dict[int, ResponseCapture] = field(init=False, default_factory=dict)
    _numbers: Iterator[int] = field(init=False, default_factory=count)
    _turn: int | None = field(init=False, default=None)
    _trouble: Exception | BadHook | None = field(init=False, default=None)

    def find(self, request: Request) -> Exchange | None:
        """An answer that is there already; while recording, every other request goes out."""
        slot = self.take(request)
        return slot.exchange if slot else None

    def take(self, request: Request) -> ResponseCapture | None:
        """The same, as what has heard it."""
        if not self.finished.exchanges:
            return None
        found = self.finished.take(request, self.redactor.request(request))
        if found is None:
            return None
        next(self._numbers)
        slot = ResponseCapture(found.request, found.turn)
        slot.exchange, slot.chosen = found, (self.redactor.exchange(found),)
        self._slots.append(slot)
        return slot

    def listen(self, request: Request) -> ResponseCapture:
        """A listener that keeps its exchange's place in the order the requests began.

        Raises NotRecordable where the answer could not be kept, or one before it could not.
        """
        try:
            self.settle()
            self.keeper.ready()
        except Exception as error:  # noqa: BLE001 - raised again, as what no SDK swallows
            _refuse(error)
        number = next(self._numbers)
        listener = ResponseCapture(request, self._turn, partial(self._keep, number))
        self._open[number] = listener
        self._slots.append(listener)
        return listener

    def _keep(self, number: int) -> None:
        """An answer is over. It ends inside of some library, where nothing may be raised."""
        listener = self._open.pop(number, None)
        if listener is None or listener.exchange is None:
            return
        try:
            kept = self.kept(listener)
            if kept is not None:
                self.keeper.append(number, kept)
        except (Exception, BadHook) as error:  # noqa: BLE001 - `settle` raises it before anything else is asked
            self._trouble = self._trouble or error

    def settle(self) -> None:
        """Keep the answers that nobody heard to their end. Raises what kept any from being kept."""
        for number in list(self._open):
            if (slot := self._open.get(number)) and slot.exchange is not None:
                self._keep(number)
        if self._trouble is not None:
            raise self._trouble

    def finish(self) -> None:
        """No more is heard: an answer that nobody read to its end is kept as far as it came."""
        for listener in list(self._open.values()):
            listener.stopped()
        self.settle()

    @contextmanager
    def turn(self, number: int) -> Iterator[list[Exchange]]:
        """The exchanges that began inside the context, secrets removed."""
        exchanges: list[Exchange] = []
        began, self._turn = len(self._slots), number
        try:
            yield exchanges
            self.settle()
        except NotRecordable as error:  # here no SDK can take it for a broken connection
            raise error.__cause__ or error from None
        finally:
            self._turn = None
            exchanges += self._kept(self._slots[began:])

    def sleep(self, seconds: float) -> None:
        """Really wait, unless what comes next is there already."""
        if not self.finished.left:
            time.sleep(seconds)

    def exchanges(self) -> tuple[Exchange, ...]:
        """All that was answered, in the order it was asked."""
        return tuple(self._kept(self._slots))

    def _kept(self, slots: Sequence[ResponseCapture]) -> list[Exchange]:
        kept = (self.kept(slot) for slot in slots)
        return [exchange for exchange in kept if exchange is not None]

    def kept(self, slot: ResponseCapture) -> Exchange | None:
        """What is kept of an answer, secrets removed; None if it never came or is not wanted."""
        if slot.exchange is None:
            return None
        if not slot.chosen:  # it is asked for by the journal, the turn and the cassette
            told = chosen(self.before_record, slot.exchange)
            slot.chosen = (None if told is None else self.redactor.exchange(told),)
        return slot.chosen[0]


@dataclass
class ResponseCapture:
    """Hears one answer pass: its head, then its chunks, then its end, which it tells."""

    request: Request
    turn: int | None
    ended: Callable[[], None] = lambda: None
    exchange: Exchange | None = field(init=False, default=None)
    chosen: tuple[Exchange | None, ...] = field(init=False, default=())
    _chunks: list[bytes] = field(init=False, default_factory=list)
    _came: list[float] = field(init=False, default_factory=list)
    _head: Response | None = field(init=False, default=None)
    _started: float = field(init=False, default_factory=time.time)
    _clock: float = field(init=False, default_factory=time.perf_counter)

    def head(self, status: int, reason: str, headers: Sequence[tuple[str, str]]) -> None:
        """The status line and the headers have come."""
        self._head = Response(status, reason, tuple(headers))

    def chunk(self, data: bytes) -> None:
        """A piece of the body has come."""
        if data:
            self._chunks.append(data)
            self._came.append(time.perf_counter() - self._clock)

    def broke(self) -> None:
        """The network failed midway: what came is no answer, and is not kept."""
        self._head = self.exchange = None

    def end(self) -> None:
        """No more will come: all of it was heard. Said twice, the first time counts."""
        self.stopped()
        self.ended()

    def stopped(self) -> None:
        """The caller wants no more; it may be all, or what an interrupt left of it."""
        if self.exchange is not None or self._head is None:
            return
        total = time.perf_counter() - self._clock
        first = self._came[0] if self._came else total
        response, sizes = _decoded(self._head, self._chunks)
        arrived = tuple(self._came) if len(sizes) > 1 else ()
        timing = Timing(self._started, first, total, arrived)
        key = fingerprint(self.request)
        self.exchange = Exchange(self.request, response, timing, sizes, self.turn, key)


def _refuse(error: Exception) -> NoReturn:
    """Raise NotRecordable where no argument holds a key, see `context`."""
    raise NotRecordable(str(error)) from error


def _decoded(head: Response, chunks: Sequence[bytes]) -> tuple[Response, tuple[int, ...]]:
    """The answer with its content coding undone, so that a cassette can be read by people.

    Chunk sizes are those of the network, so there are none where the body was compressed. A body
    in a coding that nobody here can undo stays as it came, and its header says so.
    """
    raw = b"".join(chunks)
    body = undo_coding(raw, head.header("content-encoding") or "identity")
    if body is None:
        return replace(head, body=raw), tuple(len(chunk) for chunk in chunks)
    return with_plain_body(head, body), ()
