"""The simulated time of a replay: sleeps return at once, and clocks then show the later time.

In the context of a block that only replays, `time.sleep` and `asyncio.sleep` return
at once, and `time.time`, `monotonic` and `perf_counter` are ahead of real time by the seconds
slept. The tasks of an event loop wake up in the same order as in real time, and a timeout that
began in the context ends a longer sleep. Everywhere else, and for the modules of
`_REAL_TIME_MODULES`, time is real.

Names that were imported early (`from time import sleep`) are replaced in the modules that hold
them, as freezegun does it. Not simulated are `datetime`, `loop.time`, `threading.Event.wait`, event
loops other than asyncio's, and references to these functions that are not names of a module, such
as attributes of an object.
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
from itertools import count
from operator import is_
from types import ModuleType
from typing import Any, ClassVar, cast
from weakref import ref

from harness.errors import HarnessError
from harness.intercept.context import Patch, in_passthrough, own_block

_REAL_TIME_MODULES = frozenset(
    {"asyncio", "multiprocessing", "queue", "selectors", "socketserver", "subprocess", "threading"}
    | {"_pytest", "pytest", "pytest_asyncio", "pytest_timeout", "xdist", "execnet", "hypothesis"}
    | {"freezegun", "time_machine", "coverage", "harness"}
)
"""Packages that always get real time, since they wait for real events or measure durations."""

_sleep, _async_sleep, _monotonic = time.sleep, asyncio.sleep, time.monotonic


def checked_pace(pace: float) -> float:
    """Return *pace* as a float. Raises HarnessError unless it is 0 or positive and finite."""
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 <= pace < math.inf:
        raise HarnessError(
            f"pace={pace!r} is not a valid pace; expected 0 (instant), 1 (as recorded) "
            "or any positive factor"
        )
    return float(pace)


@dataclass(eq=False)
class Clock:
    """The simulated time of one replay.

    Attributes:
        pace: The real duration of a sleep, as a multiple of its nominal duration; 0 is instant.
        offset: The seconds by which this clock is ahead of real time.
        was_advanced: Whether any clock of this process was ever ahead of real time.
    """

    was_advanced: ClassVar[bool] = False
    pace: float = 0.0
    offset: float = field(init=False, default=0.0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _schedules: dict[BaseEventLoop, _LoopSchedule] = field(init=False, default_factory=dict)

    def now(self) -> float:
        """Return the simulated monotonic time in seconds."""
        return _monotonic() + self.offset

    def advance_to(self, moment: float) -> None:
        """Set the time to *moment* (monotonic, in seconds); do nothing if it is already later."""
        with self._lock:
            self.offset = max(self.offset, moment - _monotonic())
            Clock.was_advanced |= self.offset > 0

    def sleep(self, seconds: float) -> None:
        """Advance the simulated time by *seconds*; the real wait is `pace` times as long.

        Raises ValueError if *seconds* is negative.
        """
        due = self.now() + seconds
        if self.pace or seconds < 0:
            _sleep(self.pace * seconds or seconds)
        self.advance_to(due)

    async def async_sleep(self, seconds: float) -> None:
        """Sleep for *seconds* of simulated time, in which other tasks run as in a real sleep.

        The real wait is `pace` times as long.
        """
        due = self.now() + seconds
        loop = asyncio.get_running_loop()
        if self.pace or not isinstance(loop, BaseEventLoop):
            await _async_sleep(self.pace * seconds)
            self.advance_to(due)
        else:
            await self._schedule(loop).sleep_until(due)

    def register_timer(self, timer: asyncio.TimerHandle, loop: BaseEventLoop) -> None:
        """Add *timer* to the schedule of *loop*, so that it fires before any sleep that ends later.

        With a pace other than 0, do nothing: timers then fire in real time.
        """
        if not self.pace:
            self._schedule(loop).add(self.now() + timer.when() - loop.time(), timer)

    def _schedule(self, loop: BaseEventLoop) -> _LoopSchedule:
        return self._schedules.setdefault(loop, _LoopSchedule(self, loop))


class _LoopSchedule:
    """The pending sleeps and timers of one event loop.

    When no task can run, the clock advances to the earliest of them.
    """

    def __init__(self, clock: Clock, loop: BaseEventLoop) -> None:
        self._clock = clock
        self._loop: Any = loop
        self._due: list[tuple[float, int, asyncio.Future[None] | asyncio.TimerHandle]] = []
        self._numbers = count()
        self._sleeping = 0
        self._is_polling = False

    async def sleep_until(self, due: float) -> None:
        """Wait until the clock reaches *due*."""
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
        """Schedule *event*, a sleep's future or a timer, for the simulated time *due*.

        Cancelled events at the front of the schedule are removed.
        """
        while self._due and self._due[0][2].cancelled():
            heappop(self._due)
        heappush(self._due, (due, next(self._numbers), event))

    def _poll(self, idle_rounds: int, rounds: int) -> None:
        """Advance the clock if the loop is idle; call this method again in the loop's next round.

        Args:
            idle_rounds: The number of consecutive rounds in which no task could run.
            rounds: The number of rounds since the clock last advanced.
        """
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
        """Run a timer's callback now, and cancel its run in real time."""
        scope = getattr(timer._callback, "__self__", None)  # type: ignore[attr-defined]
        anyio = sys.modules.get("anyio")
        if anyio is not None and isinstance(scope, anyio.CancelScope):
            # It compares with the loop's time itself.
            scope.deadline = self._loop.time()
        else:
            timer._run()
            timer.cancel()


_IDLE_ROUNDS = 2
"""The number of idle rounds of the event loop that are exceeded before the clock advances.

Results of threads and pipes need one round to arrive.
"""
_MAX_ROUNDS = 1000
"""The number of rounds of the event loop after which the clock advances even if tasks are busy.

A busy task may be polling the clock, and wait for it to advance.
"""


# ---------------------------------------------------------------------------------- patches


def _current_clock() -> Clock | None:
    """Return the simulated clock of the current context; None where time is real."""
    block = own_block()
    return None if block is None or in_passthrough() else block.tape.clock


def _has_simulated_time(module: str) -> bool:
    return module.partition(".")[0] not in _REAL_TIME_MODULES


@functools.wraps(time.sleep)
def _simulated_sleep(seconds: float, /) -> None:
    """Sleep in the context's simulated time, or in real time where there is none."""
    clock = _current_clock()
    module = sys._getframe(1).f_globals.get("__name__", "")
    if clock is None or not seconds < math.inf or not _has_simulated_time(module):
        _sleep(seconds)
    else:
        clock.sleep(seconds)


@functools.wraps(asyncio.sleep)
async def _simulated_async_sleep(delay: float, result: Any = None) -> Any:
    """Sleep in the context's simulated time, or in real time where there is none.

    Return *result*. An infinite sleep never ends.
    """
    clock = _current_clock()
    if clock is None or not 0 < delay < math.inf:
        return await _async_sleep(delay, result)
    await clock.async_sleep(delay)
    return result


def _simulated(original: Callable[[], Any], unit: Callable[[float], Any]) -> Callable[[], Any]:
    """Return a function that returns the simulated time.

    Args:
        original: The function of the module `time` that it replaces.
        unit: A function that converts seconds to the unit of *original*.
    """

    @functools.wraps(original)
    def now() -> Any:
        clock = _current_clock() if Clock.was_advanced else None
        if clock is None or not clock.offset:
            return original()
        module = sys._getframe(1).f_globals.get("__name__", "")
        return original() + (unit(clock.offset) if _has_simulated_time(module) else 0)

    return now


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _wrap_call_at(
    original: Callable[..., asyncio.TimerHandle],
) -> Callable[..., asyncio.TimerHandle]:
    """Wrap `BaseEventLoop.call_at`, which every timeout calls, to register the timer."""

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
_id: Callable[[object], int] = object.__hash__
"""An object's identity as a number, like `id`, each call of which is an audit event of its own."""
_IDS = {_id(function) for function in _REPLACEMENTS}
_TYPES = {type(function) for function in _REPLACEMENTS}
"""The types of replaced functions, whose hashes and equality are safe to use."""
_replacement = _REPLACEMENTS.__getitem__


def patches() -> Iterator[Patch]:
    """Yield the patches of asyncio, and of each name in any module that refers to a clock function.

    Such names are `time.sleep`, and `sleep` after `from time import sleep`. Packages that always
    get real time, such as pytest, are left out.
    """
    yield BaseEventLoop, "call_at", _wrap_call_at
    for owner in (asyncio, asyncio.tasks):
        if owner.sleep is _async_sleep:
            yield owner, "sleep", _replacement
    yield from _names.patches()


class _ModuleNames:
    """A cache of the module names that are bound to a replaced function, such as `time.sleep`.

    A module is scanned once, and again if the number of its names has changed: the scan may have
    happened during its import, it may have been reloaded, or it may be a notebook.
    """

    def __init__(self) -> None:
        self._values: list[object] = []
        """The values of `sys.modules` at the last scan."""
        self._modules: list[ModuleType] = []
        """Those of them that are modules."""
        self._namespaces: list[dict[str, Any]] = []
        """The `__dict__` of each of these modules."""
        self._sizes: list[int] = []
        """The number of names in each of these modules at the last scan."""
        self._scanned: dict[int, tuple[ref[ModuleType], int]] = {}
        """Maps a module's id to the module and its number of names when it was scanned."""
        self._names: dict[int, tuple[ref[ModuleType], list[str]]] = {}
        """Maps a module's id to the module and its names that are bound to a replaced function."""

    def patches(self) -> Iterator[Patch]:
        """Yield a patch for each module name that is bound to a replaced function."""
        self._scan()
        for reference, names in list(self._names.values()):
            module = reference()
            if module is not None:
                namespace = _namespace(module)
                for name in names:
                    if _id(namespace.get(name)) in _IDS:
                        yield module, name, _replacement

    def _scan(self) -> None:
        values: list[object] = list(sys.modules.values())
        # not by `==`: what only claims to be a module may import one to compare itself
        if len(values) != len(self._values) or not all(map(is_, values, self._values)):
            self._values = values
            modules = (value for value in values if issubclass(type(value), ModuleType))
            self._modules = cast("list[ModuleType]", list(modules))
            self._namespaces = list(map(_namespace, self._modules))
            self._sizes = []
        sizes = list(map(len, self._namespaces))
        if sizes != self._sizes:
            self._sizes = sizes
            for module, size in zip(self._modules, sizes, strict=True):
                if self._scanned.get(_id(module), _NOT_SCANNED)[1] != size:
                    self._scan_module(module, size)

    def _scan_module(self, module: ModuleType, size: int) -> None:
        namespace, number = _namespace(module), _id(module)
        reference = ref(module, lambda _: self._forget(number))
        self._scanned[number] = reference, size
        if number not in self._names and _IDS.isdisjoint(map(_id, list(namespace.values()))):
            return
        if str(namespace.get("__name__")).partition(".")[0] not in _REAL_TIME_MODULES:
            names = [
                name
                for name, value in list(namespace.items())
                if type(value) in _TYPES and value in _REPLACEMENTS
            ]
            if names or number in self._names:
                self._names[number] = reference, names

    def _forget(self, number: int) -> None:
        """Remove the deleted module with the id *number*, since Python may use the id again."""
        self._scanned.pop(number, None)
        self._names.pop(number, None)


_NOT_SCANNED = None, -1
_names = _ModuleNames()


def _namespace(module: ModuleType) -> dict[str, Any]:
    """Return the `__dict__` of *module* without starting the import of a lazy module."""
    return cast("dict[str, Any]", object.__getattribute__(module, "__dict__"))
