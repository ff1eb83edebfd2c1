"""A replay's own time: what is slept costs nothing, and yet it has passed.

In the context of a tape that is replayed, `time.sleep` and `asyncio.sleep` end at once, and
`time.time`, `monotonic` and `perf_counter` are ahead by what was slept. The tasks of an event loop
wake up in the order in which they would have, and a timeout that began in the context ends a
sleep that would have been longer. Everywhere else, and for the modules of `_EXACT`, time is real.

Names bound early (`from time import sleep`) are found in the modules that hold them, as freezegun
does it. Real time stays what is asked of `datetime`, `loop.time` and `threading.Event.wait`, of
event loops that are not asyncio's own, and of functions kept where no module's name leads to them.
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
from harness.intercept.context import current, on_the_way

_EXACT = frozenset(
    {"asyncio", "multiprocessing", "queue", "selectors", "socketserver", "subprocess", "threading"}
    | {"_pytest", "pytest", "pytest_asyncio", "pytest_timeout", "xdist", "execnet", "hypothesis"}
    | {"freezegun", "time_machine", "coverage", "harness"}
)
"""Who waits for what really happens, or measures what it took."""

_sleep, _sleep_async, _monotonic = time.sleep, asyncio.sleep, time.monotonic


def checked_pace(pace: float) -> float:
    """A pace that can be kept. Raises HarnessError for any other."""
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 <= pace < math.inf:
        raise HarnessError(
            f"pace={pace!r} is no pace; allowed: 0 (at once), 1 (as recorded), "
            "or any positive number (so many times as long)"
        )
    return float(pace)


@dataclass(eq=False)
class Clock:
    """The time of one replay; a sleep takes `pace` times as long as it says, by default nothing."""

    pace: float = 0.0
    ahead: float = field(init=False, default=0.0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _loops: dict[BaseEventLoop, _Sleepers] = field(init=False, default_factory=dict)

    def now(self) -> float:
        """The monotonic time as this replay has it, in seconds."""
        return _monotonic() + self.ahead

    def reach(self, moment: float) -> None:
        """It is `moment` now, unless it is later already."""
        with self._lock:
            self.ahead = max(self.ahead, moment - _monotonic())

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass. Raises ValueError where they are less than none."""
        due = self.now() + seconds
        if self.pace or seconds < 0:
            _sleep(self.pace * seconds or seconds)
        self.reach(due)

    async def sleep_async(self, seconds: float) -> None:
        """Let that many seconds pass, and others do what they would do in them."""
        due = self.now() + seconds
        loop = asyncio.get_running_loop()
        if self.pace or not isinstance(loop, BaseEventLoop):
            await _sleep_async(self.pace * seconds)
            self.reach(due)
        else:
            await self._sleepers(loop).sleep(due)

    def mind(self, timer: asyncio.TimerHandle, loop: BaseEventLoop) -> None:
        """A timer began: it is due before any sleep that would have ended later."""
        if not self.pace:
            self._sleepers(loop).add(self.now() + timer.when() - loop.time(), timer)

    def _sleepers(self, loop: BaseEventLoop) -> _Sleepers:
        return self._loops.setdefault(loop, _Sleepers(self, loop))


class _Sleepers:
    """All that sleeps in one event loop, and its timers; time goes on when nothing else does."""

    def __init__(self, clock: Clock, loop: BaseEventLoop) -> None:
        self._clock = clock
        self._loop: Any = loop
        self._due: list[tuple[float, int, asyncio.Future[None] | asyncio.TimerHandle]] = []
        self._numbers = count()
        self._asleep = 0
        self._looking = False

    async def sleep(self, due: float) -> None:
        """Until it is `due`."""
        future = self._loop.create_future()
        self.add(due, future)
        self._asleep += 1
        if not self._looking:
            self._looking = True
            self._loop.call_soon(self._look, 0, 0)
        try:
            await future
        finally:
            self._asleep -= 1

    def add(self, due: float, one: asyncio.Future[None] | asyncio.TimerHandle) -> None:
        """Something is due; what was given up before it is forgotten."""
        while self._due and self._due[0][2].cancelled():
            heappop(self._due)
        heappush(self._due, (due, next(self._numbers), one))

    def _look(self, quiet: int, rounds: int) -> None:
        """Wake the next one, once nobody has had anything to do for some rounds of the loop."""
        if not self._asleep:
            self._looking = False
            return
        quiet = 0 if self._loop._ready else quiet + 1
        if quiet > _QUIET or rounds > _PATIENCE:
            self._wake()
            quiet = rounds = 0
        self._loop.call_soon(self._look, quiet, rounds + 1)

    def _wake(self) -> None:
        while self._due:
            due, _, one = heappop(self._due)
            if one.cancelled():
                continue
            self._clock.reach(due)
            if isinstance(one, asyncio.TimerHandle):
                self._ring(one)
            else:
                one.set_result(None)
            return

    def _ring(self, timer: asyncio.TimerHandle) -> None:
        """Do what was to be done at a time, and do not do it again when that time really comes."""
        scope = getattr(timer._callback, "__self__", None)  # type: ignore[attr-defined]
        if isinstance(scope, anyio.CancelScope):  # which looks at the loop's time itself
            scope.deadline = self._loop.time()
        else:
            timer._run()
            timer.cancel()


_QUIET = 2
"""Rounds; one is what news from a thread or a pipe needs."""
_PATIENCE = 1000
"""Rounds; time goes on too where somebody waits for it by asking again and again."""


# ------------------------------------------------------------------------- what is put in place


def _clock() -> Clock | None:
    """The clock of this context; None where time is real."""
    tape = current.get()
    return None if tape is None or on_the_way.get() else tape.clock


def _clock_of(caller: str) -> Clock | None:
    return None if caller.partition(".")[0] in _EXACT else _clock()


@functools.wraps(time.sleep)
def sleep(seconds: float, /) -> None:
    """`time.sleep`, in the time of the context."""
    clock = _clock_of(sys._getframe(1).f_globals.get("__name__", ""))
    if clock is None or not seconds < math.inf:
        _sleep(seconds)
    else:
        clock.sleep(seconds)


@functools.wraps(asyncio.sleep)
async def sleep_async(delay: float, result: Any = None) -> Any:
    """`asyncio.sleep`, in the time of the context; forever is forever."""
    clock = _clock()
    if clock is None or not 0 < delay < math.inf:
        return await _sleep_async(delay, result)
    await clock.sleep_async(delay)
    return result


def _told(original: Callable[[], Any], unit: Callable[[float], Any]) -> Callable[[], Any]:
    """A clock of the module `time`, as the context has it."""

    @functools.wraps(original)
    def now() -> Any:
        clock = _clock_of(sys._getframe(1).f_globals.get("__name__", ""))
        return original() if clock is None else original() + unit(clock.ahead)

    return now


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _minded(original: Callable[..., asyncio.TimerHandle]) -> Callable[..., asyncio.TimerHandle]:
    """`BaseEventLoop.call_at`, by which every timeout begins."""

    def call_at(self: BaseEventLoop, *args: Any, **options: Any) -> asyncio.TimerHandle:
        timer = original(self, *args, **options)
        clock = _clock()
        if clock is not None:
            clock.mind(timer, self)
        return timer

    return call_at


_OURS: Mapping[Any, Any] = {
    _sleep: sleep,
    _sleep_async: sleep_async,
    **{f: _told(f, float) for f in (time.time, time.monotonic, time.perf_counter)},
    **{f: _told(f, _nanoseconds) for f in (time.time_ns, time.monotonic_ns, time.perf_counter_ns)},
}
_IDS = {id(function) for function in _OURS}

Seam = tuple[Any, str, Callable[[Any], Any]]


def seams() -> Iterator[Seam]:
    """What to put in place: in `asyncio`, and wherever a module has a name for one of `_OURS`."""
    yield BaseEventLoop, "call_at", _minded
    for owner in (asyncio, asyncio.tasks):
        if owner.sleep is _sleep_async:
            yield owner, "sleep", _replaced
    yield from _names.seams()


class _Names:
    """The names that modules have for what is to be replaced.

    A module is looked at once, and again when it has more names than it had, or fewer: it may be
    in the midst of its import, be loaded anew, or be a notebook.
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._are_modules: list[bool] = []
        self._sizes: list[int] = []
        """What was there last; a suite asks for each of its tests, and little changes."""
        self._known: dict[int, tuple[ref[ModuleType], int]] = {}
        """By its id: a module, and how many names it had when it was looked at."""
        self._places: dict[int, tuple[ref[ModuleType], list[str]]] = {}
        """By its id: a module, and those of its names that matter."""

    def seams(self) -> Iterator[Seam]:
        """Those that are bound as they were when they were found."""
        self._look()
        for known, names in list(self._places.values()):
            found = known()
            if found is not None:
                own = _own(found)
                yield from ((found, n, _replaced) for n in names if id(own.get(n)) in _IDS)

    def _look(self) -> None:
        modules = list(sys.modules.values())
        ids = list(map(id, modules))
        if ids != self._ids:  # some of that table only say that they are modules
            self._are_modules = [issubclass(type(one), ModuleType) for one in modules]
        modules = list(compress(modules, self._are_modules))
        sizes = list(map(len, map(object.__getattribute__, modules, repeat("__dict__"))))
        if (ids, sizes) != (self._ids, self._sizes):
            self._ids, self._sizes = ids, sizes
            for module, size in zip(modules, sizes, strict=True):
                if self._known.get(id(module), _NEW)[1] != size:
                    self._look_at(module, size)

    def _look_at(self, module: ModuleType, size: int) -> None:
        own, number = _own(module), id(module)
        known = ref(module, lambda _: self._forget(number))
        self._known[number] = known, size
        if str(own.get("__name__")).partition(".")[0] not in _EXACT:
            names = [name for name, value in list(own.items()) if id(value) in _IDS]
            if names or number in self._places:
                self._places[number] = known, names

    def _forget(self, number: int) -> None:
        """A module went, and its id may be another's."""
        self._known.pop(number, None)
        self._places.pop(number, None)
        self._sizes = []


_NEW = None, -1
_replaced = _OURS.__getitem__
_names = _Names()


def _own(module: ModuleType) -> dict[str, Any]:
    """A module's names, of which asking wakes no lazy one."""
    return cast("dict[str, Any]", object.__getattribute__(module, "__dict__"))
