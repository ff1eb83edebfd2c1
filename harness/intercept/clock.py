"""The simulated time of a replay: sleeping costs nothing, and time has passed all the same.

In the context of a tape that only replays, `time.sleep` and `asyncio.sleep` return at once, and
`time.time`, `monotonic` and `perf_counter` are ahead by what was slept. The tasks of an event loop
wake up in the order in which they would have, and a timeout that began in the context ends a
longer sleep. Everywhere else, and for the modules of `_REAL_TIME_MODULES`, time is real.

Names that were imported early (`from time import sleep`) are replaced in the modules that hold
them, as freezegun does it. Not simulated are `datetime`, `loop.time` and `threading.Event.wait`,
event loops other than asyncio's, and functions that are held elsewhere than in a module.
"""

from __future__ import annotations

import asyncio
import functools
import math
import sys
import threading
import time
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import compress, count, repeat
from types import ModuleType
from typing import Any, cast
from weakref import ref

import anyio

from harness.errors import HarnessError
from harness.intercept.context import Patch, current_tape, in_passthrough

_REAL_TIME_MODULES = frozenset(
    {"asyncio", "multiprocessing", "queue", "selectors", "socketserver", "subprocess", "threading"}
    | {"_pytest", "pytest", "pytest_asyncio", "pytest_timeout", "xdist", "execnet", "hypothesis"}
    | {"freezegun", "time_machine", "coverage", "harness"}
)
"""Packages that wait for real events, or measure durations."""

_sleep, _async_sleep, _monotonic = time.sleep, asyncio.sleep, time.monotonic


def checked_pace(pace: float) -> float:
    """Return *pace* as a float. Raises HarnessError unless it is 0 or a positive number."""
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 <= pace < math.inf:
        raise HarnessError(
            f"pace={pace!r} is not a valid pace; expected 0 (instant), 1 (as recorded) "
            "or any positive factor"
        )
    return float(pace)


@dataclass(eq=False)
class Clock:
    """The simulated time of one replay; a sleep really takes `pace` times its duration."""

    pace: float = 0.0
    offset: float = field(init=False, default=0.0)
    """Seconds by which this clock is ahead of real time."""
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _schedules: dict[BaseEventLoop, _LoopSchedule] = field(init=False, default_factory=dict)

    def now(self) -> float:
        """Return the simulated monotonic time in seconds."""
        return _monotonic() + self.offset

    def advance_to(self, moment: float) -> None:
        """Set the time to *moment* (monotonic, in seconds), unless it is later already."""
        with self._lock:
            self.offset = max(self.offset, moment - _monotonic())

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass. Raises ValueError if they are negative."""
        due = self.now() + seconds
        if self.pace or seconds < 0:
            _sleep(self.pace * seconds or seconds)
        self.advance_to(due)

    async def async_sleep(self, seconds: float) -> None:
        """Let *seconds* pass, in which other tasks run as they would."""
        due = self.now() + seconds
        loop = asyncio.get_running_loop()
        if self.pace or not isinstance(loop, BaseEventLoop):
            await _async_sleep(self.pace * seconds)
            self.advance_to(due)
        else:
            await self._schedule(loop).sleep_until(due)

    def register_timer(self, timer: asyncio.TimerHandle, loop: BaseEventLoop) -> None:
        """Add an asyncio timer to the schedule: it fires before any sleep that ends later."""
        if not self.pace:
            self._schedule(loop).add(self.now() + timer.when() - loop.time(), timer)

    def _schedule(self, loop: BaseEventLoop) -> _LoopSchedule:
        return self._schedules.setdefault(loop, _LoopSchedule(self, loop))


class _LoopSchedule:
    """The sleeps and timers of one event loop; time advances when no task has anything to do."""

    def __init__(self, clock: Clock, loop: BaseEventLoop) -> None:
        self._clock = clock
        self._loop: Any = loop
        self._due: list[tuple[float, int, asyncio.Future[None] | asyncio.TimerHandle]] = []
        self._numbers = count()
        self._sleeping = 0
        self._is_polling = False

    async def sleep_until(self, due: float) -> None:
        """Return when the clock has reached *due*."""
        future = self._loop.create_future()
        self.add(due, future)
        self._sleeping += 1
        if not self._is_polling:
            self._is_polling = True
            self._loop.call_soon(self._poll, 0, 0)
        try:
            await future
        finally:
            self._sleeping -= 1

    def add(self, due: float, event: asyncio.Future[None] | asyncio.TimerHandle) -> None:
        """Add an event to happen at *due*; cancelled ones before it are removed."""
        while self._due and self._due[0][2].cancelled():
            heappop(self._due)
        heappush(self._due, (due, next(self._numbers), event))

    def _poll(self, idle_rounds: int, rounds: int) -> None:
        """Advance to the next event once the loop has been idle for some rounds."""
        if not self._sleeping:
            self._is_polling = False
            return
        idle_rounds = 0 if self._loop._ready else idle_rounds + 1
        if idle_rounds > _IDLE_ROUNDS or rounds > _MAX_ROUNDS:
            self._advance()
            idle_rounds = rounds = 0
        self._loop.call_soon(self._poll, idle_rounds, rounds + 1)

    def _advance(self) -> None:
        while self._due:
            due, _, event = heappop(self._due)
            if event.cancelled():
                continue
            self._clock.advance_to(due)
            if isinstance(event, asyncio.TimerHandle):
                self._fire(event)
            else:
                event.set_result(None)
            return

    def _fire(self, timer: asyncio.TimerHandle) -> None:
        """Run a timer's callback now, and not again in real time."""
        scope = getattr(timer._callback, "__self__", None)  # type: ignore[attr-defined]
        if isinstance(scope, anyio.CancelScope):  # it compares with the loop's time itself
            scope.deadline = self._loop.time()
        else:
            timer._run()
            timer.cancel()


_IDLE_ROUNDS = 2
"""Rounds of the loop without work before time advances; results of threads and pipes need one."""
_MAX_ROUNDS = 1000
"""Rounds after which time advances although tasks are busy: they may be polling for it."""


# ---------------------------------------------------------------------------------- patches


def _current_clock() -> Clock | None:
    """Return the clock of this context; None where time is real."""
    tape = current_tape.get()
    return None if tape is None or in_passthrough.get() else tape.clock


def _clock_for(module: str) -> Clock | None:
    return None if module.partition(".")[0] in _REAL_TIME_MODULES else _current_clock()


@functools.wraps(time.sleep)
def _simulated_sleep(seconds: float, /) -> None:
    """Sleep in the time of the context."""
    clock = _clock_for(sys._getframe(1).f_globals.get("__name__", ""))
    if clock is None or not seconds < math.inf:
        _sleep(seconds)
    else:
        clock.sleep(seconds)


@functools.wraps(asyncio.sleep)
async def _simulated_async_sleep(delay: float, result: Any = None) -> Any:
    """Sleep in the time of the context; an infinite sleep does not end."""
    clock = _current_clock()
    if clock is None or not 0 < delay < math.inf:
        return await _async_sleep(delay, result)
    await clock.async_sleep(delay)
    return result


def _simulated(original: Callable[[], Any], unit: Callable[[float], Any]) -> Callable[[], Any]:
    """Return a function of the module `time` that returns the time of the context."""

    @functools.wraps(original)
    def now() -> Any:
        clock = _clock_for(sys._getframe(1).f_globals.get("__name__", ""))
        return original() if clock is None else original() + unit(clock.offset)

    return now


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _wrap_call_at(
    original: Callable[..., asyncio.TimerHandle],
) -> Callable[..., asyncio.TimerHandle]:
    """Wrap `BaseEventLoop.call_at`, by which every timeout begins."""

    def call_at(self: BaseEventLoop, *args: Any, **options: Any) -> asyncio.TimerHandle:
        timer = original(self, *args, **options)
        clock = _current_clock()
        if clock is not None:
            clock.register_timer(timer, self)
        return timer

    return call_at


_REPLACEMENTS: Mapping[Any, Any] = {
    _sleep: _simulated_sleep,
    _async_sleep: _simulated_async_sleep,
    **{f: _simulated(f, float) for f in (time.time, time.monotonic, time.perf_counter)},
    **{
        f: _simulated(f, _nanoseconds)
        for f in (time.time_ns, time.monotonic_ns, time.perf_counter_ns)
    },
}
_IDS = {id(function) for function in _REPLACEMENTS}
_replacement = _REPLACEMENTS.__getitem__


def patches() -> Iterator[Patch]:
    """Yield the patches of asyncio, and of each module with a name for a replaced function."""
    yield BaseEventLoop, "call_at", _wrap_call_at
    for owner in (asyncio, asyncio.tasks):
        if owner.sleep is _async_sleep:
            yield owner, "sleep", _replacement
    yield from _names.patches()


class _ModuleNames:
    """The names that modules have for functions that are replaced.

    A module is scanned once, and again if the number of its names has changed: it may have been
    in the midst of its import, be reloaded, or be a notebook.
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._are_modules: list[bool] = []
        self._sizes: list[int] = []
        """The state of `sys.modules` at the last scan; between two tests it hardly changes."""
        self._scanned: dict[int, tuple[ref[ModuleType], int]] = {}
        """By its id: a module, and how many names it had when it was scanned."""
        self._names: dict[int, tuple[ref[ModuleType], list[str]]] = {}
        """By its id: a module, and its names for functions that are replaced."""

    def patches(self) -> Iterator[Patch]:
        """Yield a patch for each name that is still bound to such a function."""
        self._scan()
        for reference, names in list(self._names.values()):
            module = reference()
            if module is not None:
                namespace = _namespace(module)
                yield from (
                    (module, name, _replacement)
                    for name in names
                    if id(namespace.get(name)) in _IDS
                )

    def _scan(self) -> None:
        modules = list(sys.modules.values())
        ids = list(map(id, modules))
        if ids != self._ids:  # some objects there only claim to be modules
            self._are_modules = [issubclass(type(module), ModuleType) for module in modules]
        modules = list(compress(modules, self._are_modules))
        sizes = list(map(len, map(object.__getattribute__, modules, repeat("__dict__"))))
        if (ids, sizes) != (self._ids, self._sizes):
            self._ids, self._sizes = ids, sizes
            for module, size in zip(modules, sizes, strict=True):
                if self._scanned.get(id(module), _NOT_SCANNED)[1] != size:
                    self._scan_module(module, size)

    def _scan_module(self, module: ModuleType, size: int) -> None:
        namespace, number = _namespace(module), id(module)
        reference = ref(module, lambda _: self._forget(number))
        self._scanned[number] = reference, size
        if str(namespace.get("__name__")).partition(".")[0] not in _REAL_TIME_MODULES:
            names = [name for name, value in list(namespace.items()) if id(value) in _IDS]
            if names or number in self._names:
                self._names[number] = reference, names

    def _forget(self, number: int) -> None:
        """Remove a module that was deleted, as its id may be used again."""
        self._scanned.pop(number, None)
        self._names.pop(number, None)
        self._sizes = []


_NOT_SCANNED = None, -1
_names = _ModuleNames()


def _namespace(module: ModuleType) -> dict[str, Any]:
    """Return a module's names without loading a lazy module."""
    return cast("dict[str, Any]", object.__getattribute__(module, "__dict__"))
