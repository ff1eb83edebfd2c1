"""Blocks (`with` blocks whose requests are intercepted), and tapes, which decide on each request.

An intercepted request gets a `Playback` of a recorded response, or it is sent to the network with a
`ResponseCapture` that records the response.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from harness.cassette.remote import around_access
from harness.config.hosts import NO_HOSTS, AllowedHosts
from harness.errors import InterceptError, NoActiveCassette, NotAnswered
from harness.types import NO_STATUS, BrokenOff, Exchange, Request, Response
from harness.wire.codings import with_coding

if TYPE_CHECKING:
    from harness.intercept.clock import Clock
    from harness.intercept.recorder import ResponseCapture

Patch = tuple[Any, str, Callable[[Any], Any]]
"""A patch of one attribute: its owner, its name, and a function that wraps the original value."""


class Tape(Protocol):
    """The interface of an object that replays or records every HTTP request of a `with` block."""

    @property
    def clock(self) -> Clock | None:
        """The simulated clock of this tape's context; None if time is real."""

    @property
    def pace(self) -> float:
        """The factor by which recorded latencies are multiplied; 0 is instant."""

    @property
    def has_failures(self) -> bool:
        """Whether any of the recorded exchanges was ended by a network failure."""

    def find(self, request: Request) -> Exchange | Playback | None:
        """Return what answers *request*: an exchange or a playback; None if it is to be sent.

        An exchange is replayed with the tape's `pace`, a playback with its own pace and delays.

        Raises:
            CassetteMiss: the request has no recorded answer and must not be sent.
        """

    def capture(self, request: Request) -> ResponseCapture:
        """Return a capture that records the network's response to *request*."""


@dataclass(eq=False)
class Block:
    """A `with` block whose requests are intercepted.

    Attributes:
        tape: The tape that gets its requests.
        hosts: The hosts whose requests and connections bypass the tape.
        hint: The advice at the end of the message of each refused request or connection.
        errors: All InterceptErrors of the block, even if its code caught them.
        children: The number of child processes that were started in the block.
        programs: The names of their programs, as far as they are known.
        is_ending: Whether the code of the block has ended, and only teardown follows; `is_own` is
            false then.
        owners: A pair (thread id, asyncio task or None) for each time that the block was entered
            and not left yet; empty if the block is closed.
        process: The id of the process that created the block.
    """

    tape: Tape
    hosts: AllowedHosts = NO_HOSTS
    hint: str = ""
    errors: list[InterceptError] = field(init=False, default_factory=list)
    children: int = field(init=False, default=0)
    programs: set[str] = field(init=False, default_factory=set)
    is_ending: bool = field(init=False, default=False)
    owners: list[tuple[int, Any]] = field(init=False, default_factory=list)
    process: int = field(init=False, default_factory=os.getpid)

    @property
    def is_own(self) -> bool:
        """Whether the current code runs in the block's own thread and, if any, its asyncio task.

        If the block was entered outside of an event loop, its task is the one that
        `run_until_complete` or `asyncio.run` waits for. Callbacks of an event loop never run in a
        task of the block.
        """
        thread, (loop, task) = threading.get_ident(), _running()
        tasks = [owner for owning, owner in self.owners if owning == thread]
        if not tasks or self.is_ending or self.process != os.getpid():
            return False
        return loop is None or (
            task is not None and (task in tasks or (None in tasks and _is_main(task)))
        )


class Backstop(Block):
    """A block that stays open around others, such as for a whole run of pytest.

    A context that has entered no block uses it only if no other block is open.
    """


class NoTape:
    """A tape that refuses every request with NoActiveCassette."""

    clock = None
    pace = 0.0
    has_failures = False

    def find(self, request: Request) -> Exchange | None:
        """Raise NoActiveCassette."""
        description = f"{request.method} {request.uri.partition('?')[0]}"
        hint = "".join(block.hint for block in blocks_here())
        raise_error(NoActiveCassette(f"{description} is on no cassette{hint}"))

    def capture(self, request: Request) -> ResponseCapture:
        """Raise NoActiveCassette."""
        self.find(request)
        raise NotImplementedError


def owner_here() -> tuple[int, Any]:
    """Return the id of the current thread and the current asyncio task, None if there is none."""
    return threading.get_ident(), _running()[1]


def _running() -> tuple[Any, Any]:
    """Return the event loop that runs in this thread and its current task, each None if missing."""
    loop = asyncio._get_running_loop()
    return loop, None if loop is None else asyncio.current_task(loop)


def _is_main(task: Any) -> bool:
    """Return whether `run_until_complete` waits for *task*."""
    callbacks = getattr(task, "_callbacks", None) or ()
    return any("run_until_complete" in getattr(c[0], "__qualname__", "") for c in callbacks)


open_blocks: list[Block] = []
"""The blocks that are open in this process."""
current_block: ContextVar[Block | None] = ContextVar("harness_block", default=None)
_passthrough: ContextVar[Block | None] = ContextVar("harness_passthrough", default=None)
_deferred: ContextVar[Deferred | None] = ContextVar("harness_deferred", default=None)


def own_block() -> Block | None:
    """Return the open block that the current context has entered; None if there is none."""
    block = current_block.get()
    return block if block is not None and block.owners else None


def block_here() -> Block | None:
    """Return the block that the requests of the current context belong to; None if unclear.

    This is the open block that the context has entered. If there is none, since the context began
    outside of any block or its block was closed, it is the only open block. Return None if several
    blocks are open then, or none; a `Backstop` counts only if no other block is open.
    """
    block = own_block()
    if block is not None:
        return block
    blocks = {block for block in open_blocks if not isinstance(block, Backstop)}
    only = blocks or set(open_blocks)
    return only.pop() if len(only) == 1 else None


def blocks_here() -> Sequence[Block]:
    """Return the result of `block_here` as the only item; all open blocks if that is None."""
    block = block_here()
    return tuple(open_blocks) if block is None else (block,)


@dataclass(frozen=True)
class Playback:
    """The replay of a recorded exchange as the answer to a request.

    Attributes:
        recorded: The recorded exchange.
        pace: The factor by which recorded latencies are multiplied; 0 is instant.
        extra_delay: The seconds to wait before the first chunk, in addition to the recorded delay.
        is_silent: Whether the connection stays open and silent after the last byte, as if the
            server hung.
    """

    recorded: Exchange
    pace: float
    extra_delay: float = 0.0
    is_silent: bool = False

    @cached_property
    def exchange(self) -> Exchange:
        """The recorded exchange with the response body as sent: still compressed, for example."""
        return with_coding(self.recorded)

    @property
    def response(self) -> Response:
        """The recorded response with its body as sent: still compressed, for example."""
        return self.exchange.response

    @property
    def broken_off(self) -> BrokenOff | None:
        """The network failure that ended the exchange; None if there was none."""
        return self.recorded.broken_off

    @property
    def has_response(self) -> bool:
        """Whether a response arrived, and not only a network failure."""
        return self.broken_off is None or self.response.status != NO_STATUS

    def chunks(self) -> Iterator[bytes]:
        """Yield the response body in its recorded chunks; as one chunk without recorded sizes."""
        body, start = self.response.body, 0
        for size in self.exchange.chunks:
            yield body[start : start + size]
            start += size
        if start < len(body):
            yield body[start:]

    def paced_chunks(self) -> Iterator[tuple[float, bytes]]:
        """Return an iterator over pairs: the seconds to wait before a chunk, and the chunk."""
        delays = self.delays() if self.pace or self.extra_delay else repeat(0.0)
        return zip(delays, self.chunks(), strict=False)

    def delays(self) -> Iterator[float]:
        """Yield the seconds to wait before each chunk, then 0 without end.

        All are 0, apart from `extra_delay`, if the pace is 0 or the exchange was recorded without
        times.
        """
        timing, extra = self.exchange.timing, self.extra_delay
        if timing is not None and self.pace:
            previous = 0.0
            for arrival in timing.arrived or (timing.first_byte,):
                yield self._delay(arrival - previous) + extra
                previous, extra = max(previous, arrival), 0.0
        yield extra
        yield from repeat(0.0)

    @property
    def delay_of_failure(self) -> float:
        """The seconds to wait between the last chunk and the network failure."""
        timing = self.exchange.timing
        if timing is None:
            return 0.0
        arrived = timing.arrived or ((timing.first_byte,) if self.response.body else (0.0,))
        return self._delay(timing.total - max(arrived))

    def _delay(self, seconds: float) -> float:
        return self.pace * seconds if 0 < seconds < math.inf else 0.0


def intercept(request: Request) -> Playback | ResponseCapture:
    """Return the answer of the current block's tape to *request*.

    Returns:
        A playback of the recorded response. If the request has to be sent instead, a capture that
        the caller has to feed with the network's response.

    Raises:
        NoActiveCassette: the context has no block, and not exactly one is open.
        CassetteMiss: the request has no recorded response, and nothing may be recorded.
        NotAnswered: one of these errors occurred in another thread or task than the block's own.
    """
    block = block_here()
    if block is None or block.process != os.getpid():  # without the query, which may hold a key
        description = f"{request.method} {request.uri.partition('?')[0]}"
        reason = _AMBIGUOUS if block is None else _FORKED
        refuse(NoActiveCassette(f"{description} {reason}"))
    try:
        answer = block.tape.find(request)
        if isinstance(answer, Exchange):
            return Playback(answer, block.tape.pace)
        return block.tape.capture(request) if answer is None else answer
    except InterceptError as error:
        _note(error, (block,))
        raise


_AMBIGUOUS = (
    "was sent where no cassette is in use, while several are elsewhere: a thread or task uses the "
    "cassette that was in use when it began, or the only one that is open"
)
_FORKED = (
    "was sent by a forked child process, which cannot use its parent's cassette: use threads, or "
    "open a cassette in the child itself"
)


def refuse(error: InterceptError) -> NoReturn:
    """Raise *error*, and add it to the errors of the current block, which raises it at its end.

    Raises:
        NotAnswered: instead of *error*, in another thread or task than the block's own.
    """
    _note(error, blocks_here())
    raise_error(error)


def _note(error: InterceptError, blocks: Sequence[Block]) -> None:
    """Note *error* in *blocks*; raise NotAnswered in a thread that does not belong to them.

    A BaseException would silently end a worker of a pool or a callback of an event loop, and
    whatever waits for its result would wait forever.
    """
    for block in blocks:
        block.errors.append(error)
    if not any(block.is_own for block in blocks):
        if place := _place_of_caller():
            error.add_note(f"sent from {place}")
        raise_error(NotAnswered(str(error)))


def _place_of_caller() -> str:
    """Return the innermost line of the stack that is not of an installed package; else empty."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_installed(file):
            return f"{file}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def is_installed(file: str) -> bool:
    """Return whether *file* is code of the harness, of the standard library or of a package.

    *file* is the path of a source file, or a name such as `<string>`, which counts as installed.
    """
    return file.startswith((*_INSTALLED, "<")) or not _PACKAGES.isdisjoint(Path(file).parts)


_INSTALLED = (str(Path(__file__).parents[1]) + os.sep, os.path.dirname(os.__file__) + os.sep)
_PACKAGES = frozenset(("site-packages", "dist-packages"))


def raise_error(error: BaseException, cause: BaseException | None = None) -> NoReturn:
    """Raise *error*, with *cause* as its `__cause__`, from a frame whose arguments hold no secrets.

    Test runners print the arguments of the function that raises. Those of the function that calls
    this one may include an API key.
    """
    raise error from cause


def bypasses_tape(uri: str) -> bool:
    """Return whether a request to *uri* is sent to the network without being passed to a tape.

    It is if its host is allowed, or if no block is open: a library may still call a patched
    function after the last block.
    """
    if not open_blocks:
        return True
    block = block_here()
    if block is not None:
        return block.hosts.admits_request(uri)
    return any(one.hosts.admits_request(uri) for one in open_blocks)


@contextmanager
def passthrough() -> Iterator[None]:
    """Disable interception and simulated time in the `with` block, which may use the network."""
    token = _passthrough.set(block_here())
    try:
        yield
    finally:
        _passthrough.reset(token)


around_access.append(passthrough)


def in_passthrough() -> bool:
    """Return whether `passthrough` has disabled interception in the current context."""
    block = _passthrough.get()
    return block is not None and bool(block.owners)


class Deferred:
    """A request that is intercepted only when it is about to use the network.

    Until then, a library that mocks HTTP may answer it.

    Attributes:
        answer: The result of `intercept` for the request; None as long as nothing has called it.
    """

    def __init__(self, request: Request) -> None:
        self.answer: Playback | ResponseCapture | None = None
        self._request = request

    def intercept(self) -> None:
        """Intercept the request, which is about to be sent. Raises `Played` if it is replayed."""
        self.answer = self.answer or intercept(self._request)
        if isinstance(self.answer, Playback):
            raise Played


class Played(BaseException):
    """The exception that ends the sending of a request because it is replayed instead."""


@contextmanager
def defer(request: Request) -> Iterator[Deferred]:
    """Intercept *request* when the code of the `with` block is about to use the network for it.

    The block ends early, without an error, if the request is replayed.

    Yields:
        The deferred request. Its `answer` is None at the end if the network was not used.
    """
    deferred = Deferred(request)
    token = _deferred.set(deferred)
    try:
        yield deferred
    except (Played, BaseExceptionGroup):  # anyio connects in a group of tasks
        if not isinstance(deferred.answer, Playback):
            raise
    finally:
        _deferred.reset(token)


def deferred_request() -> Deferred | None:
    """Return the deferred request of the current context; None outside of `defer`."""
    return _deferred.get()


async def wait(seconds: float) -> None:
    """Wait for *seconds* in real time; return at once if they are 0.

    If anyio is imported, its `sleep` is used, which also works in event loops other than asyncio's.
    """
    if seconds:
        with passthrough():
            await sys.modules.get("anyio", asyncio).sleep(seconds)
