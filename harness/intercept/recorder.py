"""`Recorder`, which lets HTTP requests go to the network and records the exchanges."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import ClassVar, Protocol

from harness.errors import BadHook, CannotWrite, NotRecordable
from harness.intercept.context import raise_error
from harness.intercept.failures import message_of
from harness.intercept.hooks import BeforeRecord, filtered, keep_all
from harness.intercept.resume import RecordedPrefix
from harness.secrets.fingerprint import fingerprint
from harness.secrets.redactor import Redactor
from harness.types import (
    NO_STATUS,
    SANDBOX_MARK,
    BrokenOff,
    Exchange,
    NetworkError,
    Origin,
    Request,
    Response,
    Timing,
)
from harness.wire.codings import with_coding_undone


class ExchangeSink(Protocol):
    """The interface of a store that receives each exchange as soon as it is complete."""

    def ready(self) -> None:
        """Check that an exchange can be stored. Raises HarnessError otherwise."""

    def append(self, number: int, exchange: Exchange) -> None:
        """Store *exchange*; *number* is the position of its request in the recording, from 0.

        Raises HarnessError if it cannot be stored.
        """


class NullSink:
    """A sink that stores nothing: exchanges are kept in memory only."""

    def ready(self) -> None:
        """Do nothing."""

    def append(self, number: int, exchange: Exchange) -> None:
        """Do nothing."""


def _do_nothing(*_: object) -> None:
    """Do nothing."""


@dataclass
class Recorder:
    """A `Tape` that records: it lets requests go to the network and captures the responses.

    Attributes:
        redactor: Removes secrets from each exchange, after `before_record`.
        sink: Stores each exchange when it is complete, before the next request is sent.
        prefix: The exchanges of an interrupted recording. They answer their requests, which are not
            sent again.
        before_record: The hook that returns the exchange to store instead; None to store nothing.
        before_request: Called before each request is sent; an exception ends the recording.
        on_chunk: Called with each request and each chunk of its response, as it arrives.
        clock: Always None: a recording takes real time.
        pace: Always 0: exchanges of the prefix are replayed at once.
        has_failures: Always True: any request may fail.
        is_holding: Whether the exchanges are kept in memory, for `exchanges` and `turn`.
    """

    redactor: Redactor
    sink: ExchangeSink = field(default_factory=NullSink)
    prefix: RecordedPrefix = field(default_factory=RecordedPrefix)
    before_record: BeforeRecord = keep_all
    before_request: Callable[[], None] = _do_nothing
    on_chunk: Callable[[Request, bytes], None] = _do_nothing
    is_holding: ClassVar[bool] = True
    clock: None = field(init=False, default=None)
    pace: float = field(init=False, default=0.0)
    has_failures: bool = field(init=False, default=True)
    _captures: list[ResponseCapture] = field(init=False, default_factory=list)
    _pending: dict[int, ResponseCapture] = field(init=False, default_factory=dict)
    _numbers: Iterator[int] = field(init=False, default_factory=count)
    _turn: int | None = field(init=False, default=None)
    _error: Exception | BadHook | None = field(init=False, default=None)

    def find(self, request: Request) -> Exchange | None:
        """Return the answer to *request* from the interrupted recording; None to send the request.

        Raises:
            CassetteMiss: the request must not be sent: other exchanges of the interrupted recording
                (`prefix`) are still unused, or the request follows a link whose signature was
                redacted.
        """
        capture = self.take(request)
        return capture.exchange if capture else None

    def take(self, request: Request) -> ResponseCapture | None:
        """Return the answer to *request* from the interrupted recording, as a complete capture.

        Return None if that recording has no answer, and the request is to be sent.

        Raises:
            CassetteMiss: the request must not be sent: other exchanges of the interrupted recording
                (`prefix`) are still unused, or the request follows a link whose signature was
                redacted.
        """
        if not self.prefix.exchanges:
            return None
        exchange = self.prefix.take(request, self.redactor.request(request))
        if exchange is None:
            return None
        next(self._numbers)
        capture = ResponseCapture(exchange.request, exchange.turn)
        capture.exchange, capture.kept = exchange, (self.redactor.exchange(exchange),)
        self._captures.append(capture)
        return capture

    def capture(self, request: Request) -> ResponseCapture:
        """Return a new capture for the network's response to *request*.

        The order of the recorded exchanges is that in which this method is called.

        Raises:
            NotRecordable: the request must not be sent, because its response or an earlier one
                cannot be stored, or because `before_request` raised an exception.
        """
        try:
            self.settle()
            self.sink.ready()
            self.before_request()
        except Exception as error:  # noqa: BLE001 - raised again, as what no SDK swallows
            says_all = isinstance(error, CannotWrite)
            raise_error(NotRecordable(str(error)), None if says_all else error)
        number = next(self._numbers)
        ends, arrives = partial(self._store, number), partial(self.on_chunk, request)
        capture = self.new_capture(request, ends, arrives)
        self._pending[number] = capture
        if self.is_holding:
            self._captures.append(capture)
        return capture

    def new_capture(
        self, request: Request, on_end: Callable[[], None], on_chunk: Callable[[bytes], None]
    ) -> ResponseCapture:
        """Return a new capture for the response to *request*."""
        return ResponseCapture(request, self._turn, on_end, on_chunk)

    def _store(self, number: int) -> None:
        """Store the exchange of the request *number*, unless that was done."""
        if (capture := self._pending.pop(number, None)) is not None:
            self.store(number, capture)

    def store(self, number: int, capture: ResponseCapture) -> None:
        """Store the exchange in *capture*, if it is complete; *number* is its position, from 0.

        An error is saved, and raised by `settle`, since this method runs inside of an HTTP library.
        """
        try:
            exchange = self.kept(capture)
            if exchange is not None:
                self.sink.append(number, exchange)
        except (Exception, BadHook) as error:  # noqa: BLE001 - `settle` raises it before the next request
            self._error = self._error or error

    def settle(self) -> None:
        """Store complete exchanges that are not stored yet.

        Raises the first error that occurred when an exchange was stored.
        """
        for number in list(self._pending):
            if (capture := self._pending.get(number)) and capture.exchange is not None:
                self._store(number)
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """End the recording, and store what has arrived of responses that are still being read.

        Raises the first error that occurred when an exchange was stored.
        """
        for capture in list(self._pending.values()):
            capture.stop()
        self.settle()

    @contextmanager
    def turn(self, number: int) -> Iterator[list[Exchange]]:
        """Assign the exchanges whose requests are made in the `with` block to the turn *number*.

        Yields:
            A list, empty at first, to which the exchanges are added without secrets when the
            context ends.

        At its end, the context raises the first error that occurred when an exchange was stored.
        """
        exchanges: list[Exchange] = []
        start, self._turn = len(self._captures), number
        try:
            yield exchanges
            self.settle()
        except NotRecordable as error:  # here no SDK can take it for a broken connection
            raise error.__cause__ or error from None
        finally:
            self._turn = None
            exchanges += self._kept(self._captures[start:])

    def sleep(self, seconds: float) -> None:
        """Wait for *seconds* in real time; do not wait while `prefix` is being replayed."""
        if not self.prefix.remaining:
            time.sleep(seconds)

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return all exchanges in the order of their requests, without secrets."""
        return tuple(self._kept(self._captures))

    def _kept(self, captures: Iterable[ResponseCapture]) -> list[Exchange]:
        kept = (self.kept(capture) for capture in captures)
        return [exchange for exchange in kept if exchange is not None]

    def kept(self, capture: ResponseCapture) -> Exchange | None:
        """Return the exchange to store for *capture*: after `before_record`, without secrets.

        Return None if the capture is not complete or `before_record` dropped the exchange.
        """
        if capture.exchange is None:
            return None
        if not capture.kept:  # the journal, the turn and the cassette ask for it
            exchange = filtered(self.before_record, capture.exchange)
            capture.kept = (None if exchange is None else self.redactor.exchange(exchange),)
        return capture.kept[0]


def origin_of(exchanges: Iterable[Exchange], default: Origin) -> Origin:
    """Return SANDBOX if a response in *exchanges* has the header of a sandbox, else *default*."""
    is_sandbox = any(e.response.header(SANDBOX_MARK) for e in exchanges)
    return Origin.SANDBOX if is_sandbox else default


@dataclass
class ResponseCapture:
    """The capture of one response while the HTTP library receives it.

    Attributes:
        request: The request that is answered.
        turn: The number of the turn that the request belongs to; None outside of a turn.
        on_end: Called when the whole body has arrived, or a network failure has ended it.
        on_chunk: Called with each chunk of the body.
        exchange: The exchange once it is complete; None before.
        kept: A tuple with the exchange to store, or with None if nothing is to be stored; empty as
            long as that is not known.
    """

    request: Request
    turn: int | None
    on_end: Callable[[], None] = _do_nothing
    on_chunk: Callable[[bytes], None] = _do_nothing
    exchange: Exchange | None = field(init=False, default=None)
    kept: tuple[Exchange | None, ...] = field(init=False, default=())
    _chunks: list[bytes] = field(init=False, default_factory=list)
    _sizes: array[int] = field(init=False, default_factory=lambda: array("Q"))
    _arrived: array[float] = field(init=False, default_factory=lambda: array("d"))
    _total: float | None = field(init=False, default=None)
    _head: Response | None = field(init=False, default=None)
    _broken_off: BrokenOff | None = field(init=False, default=None)
    _started_at: float = field(init=False, default_factory=time.time)
    _start: float = field(init=False, default_factory=time.perf_counter)

    def start(self, status: int, reason: str, headers: Iterable[tuple[str, str]]) -> None:
        """Store the status, reason and headers of the response."""
        self._head = Response(status, reason, tuple((str(n), str(v)) for n, v in headers))

    def add_chunk(self, data: bytes) -> None:
        """Add a chunk of the body, with the time of its arrival; ignore an empty chunk."""
        if data:
            self.hold(data)
            self.on_chunk(data)
            self._sizes.append(len(data))
            self._arrived.append(time.perf_counter() - self._start)

    def hold(self, data: bytes) -> None:
        """Hold a chunk of the body until the exchange is complete."""
        self._chunks.append(data)

    def body(self) -> bytes:
        """Return the body that was held, and hold it no longer: the exchange has its bytes."""
        body = b"".join(self._chunks)
        self._chunks.clear()
        return body

    def fail(self, kind: NetworkError, error: BaseException) -> None:
        """Complete the exchange as one that a network failure ended, and call `on_end`.

        *kind* is the kind of the failure; its message is from *error*, which the library raised. Do
        nothing if the exchange is complete, or if *error* is a BaseException that is not an
        Exception, such as the cancellation of a task.
        """
        if self._total is None and isinstance(error, Exception):
            self._broken_off = BrokenOff(kind, message_of(error))
            self._head = self._head or Response(NO_STATUS)
            self.end()

    def end(self) -> None:
        """Complete the exchange, whose whole body has arrived, and call `on_end`."""
        self.stop()
        self.on_end()

    def stop(self) -> None:
        """Complete the exchange with the chunks so far, because the caller stopped reading.

        Do nothing if it is complete or was not started.
        """
        if self._total is None and self._head is not None:
            self._total = time.perf_counter() - self._start
            self.react_to_end()

    def react_to_end(self) -> None:
        """Make the exchange, since the response has ended."""
        self.complete()

    def complete(self) -> None:
        """Make the exchange of what was captured; do nothing before the end of the response."""
        if self._total is None or self._head is None:
            return
        first = self._arrived[0] if self._arrived else self._total
        arrived = tuple(self._arrived) if len(self._sizes) > 1 else ()
        exchange = Exchange(
            self.request,
            replace(self._head, body=self.body()),
            Timing(self._started_at, first, self._total, arrived),
            tuple(self._sizes),
            self.turn,
            fingerprint(self.request),
            broken_off=self._broken_off,
        )
        self.exchange = with_coding_undone(exchange)
