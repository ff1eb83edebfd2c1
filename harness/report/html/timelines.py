"""The exchanges of a turn on a time line, which is always 100 units long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from math import floor, log10

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTurn
from harness.types import Failure, Reply, Timing

LENGTH = 100

MAX_BARS = 200
"""How many exchanges of one turn are drawn."""

MAX_TICKS = 1000
"""How many chunks of one stream are drawn."""

MAX_MARKS = 6
"""About how many round times stand above a line."""

_SHORTEST = 1e-6
"""Seconds; the resolution of the times in cassettes."""

Timed = tuple[AnalyzedExchange, Timing]


@dataclass(frozen=True, slots=True)
class Mark:
    """A round time on the line, and its text."""

    x: float
    name: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The mark of one chunk on a timeline.

    Attributes:
        x: The position on the line.
        height: The height by the chunk's size, at most 100.
        at: The arrival of the chunk, in seconds.
        size: The size of the chunk, in bytes.
    """

    x: float
    height: float
    at: float
    size: int


@dataclass(frozen=True, slots=True)
class Bar:
    """An exchange: name and state; its start, its first byte and its width on the line."""

    name: str
    state: str
    x: float
    first: float
    width: float
    began: float
    timing: Timing
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A task's state, from when it was reported until another was; times in seconds.

    `phase` is `queued`, `running`, `done` or `failed`, whatever the provider calls it.
    """

    state: str
    phase: str
    x: float
    width: float
    began: float
    lasted: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A turn's exchanges on one line, and the states of its task, if it had one.

    `seconds` is the duration, `began` the start as `2026-11-22 16:04:58`, in UTC.
    """

    turn: int
    began: str
    seconds: float
    marks: tuple[Mark, ...]
    task: tuple[Span, ...]
    bars: tuple[Bar, ...]


def timeline(turn: AnalyzedTurn) -> Timeline | None:
    """Return the timeline of a turn; None if no times were recorded."""
    timed = [(r, r.exchange.timing) for r in turn.readings if r.exchange.timing is not None]
    known = [(reading, timing) for reading, timing in timed if timing is not None]
    if not known:
        return None
    began = min(timing.start for _, timing in known)
    whole = max(timing.start + timing.total for _, timing in known) - began
    scale = LENGTH / (whole or 1.0)
    return Timeline(
        turn=turn.turn.number,
        began=_clock(began),
        seconds=whole,
        marks=tuple(_marks(whole)),
        task=tuple(_task(known, began, scale)),
        bars=tuple(_bar(reading, timing, began, scale) for reading, timing in known[:MAX_BARS]),
    )


def _clock(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # before the year 1, or after 9999
        return ""


def _marks(whole: float) -> Iterator[Mark]:
    """Yield round times from 0 on, in steps of 1, 2 or 5 of some unit."""
    if whole < _SHORTEST:
        return
    least = whole / MAX_MARKS
    unit = 10.0 ** floor(log10(least))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= least * 0.999)
    factor, name = (1000, "ms") if whole < 1 else (1, "s")
    for number in range(floor(whole / step) + 1):
        at = number * step
        yield Mark(round(at / whole * LENGTH, 2), f"{at * factor:g} {name}")


def _bar(reading: AnalyzedExchange, timing: Timing, began: float, scale: float) -> Bar:
    start = (timing.start - began) * scale
    return Bar(
        name=reading.endpoint.name if reading.endpoint else reading.exchange.request.method,
        state=_state(reading),
        x=round(start, 2),
        first=round(timing.first_byte * scale, 2),
        width=round(max(timing.total * scale, 0.3), 2),
        began=timing.start - began,
        timing=timing,
        ticks=tuple(_ticks(reading, timing, start, scale)),
    )


def _state(reading: AnalyzedExchange) -> str:
    outcome = reading.outcome
    if isinstance(outcome, Failure):
        return f"{outcome.status} {outcome.code}".strip()
    if isinstance(outcome, Reply) and outcome.states:
        return outcome.states[-1]
    return "" if reading.accepted else str(reading.exchange.response.status)


def _ticks(reading: AnalyzedExchange, timing: Timing, start: float, scale: float) -> Iterator[Tick]:
    sizes = reading.exchange.chunks
    if len(sizes) == len(timing.arrived):
        tallest = max(sizes, default=0) or 1
        for at, size in list(zip(timing.arrived, sizes, strict=True))[:MAX_TICKS]:
            height = round(20 + 80 * size / tallest, 1)
            yield Tick(round(start + at * scale, 2), height, at, size)


def _task(known: Sequence[Timed], began: float, scale: float) -> Iterator[Span]:
    """Yield each state of a task; the final one is last, with no duration."""
    states = [
        (timing.start + timing.total - began, _state(reading), _phase(reading))
        for reading, timing in known
        if reading.endpoint and reading.endpoint.role in (Role.SUBMIT, Role.POLL)
    ]
    firsts = [next(same) for _, same in groupby(states, key=lambda one: one[1:])]
    for (at, state, phase), (until, *_) in pairwise([*firsts, *states[-1:]]):
        lasted = max(until - at, 0)
        yield Span(state, phase, round(at * scale, 2), round(lasted * scale, 2), at, lasted)


def _phase(reading: AnalyzedExchange) -> str:
    """Return the phase of a task's state, by the order in which the provider has them."""
    outcome = reading.outcome
    if not isinstance(outcome, Reply) or reading.endpoint is None:
        return "failed"
    states, state = reading.endpoint.states, outcome.states[-1] if outcome.states else ""
    if state in states.succeeded:
        return "done"
    if state in states.failed:
        return "failed"
    return "queued" if states.running[1:] and state == states.running[0] else "running"
