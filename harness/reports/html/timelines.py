"""When things happened in a turn, on a line that is 1000 long whatever the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from harness.reading import Reading, ReadTurn
from harness.types import Failure, Reply, Timing

LENGTH = 1000

MAX_BARS = 200
"""So many exchanges of one turn are drawn."""

MAX_TICKS = 1000
"""So many chunks of one stream are drawn."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A chunk: where on the line; how tall, of 100, by its size; when it came; its bytes."""

    x: float
    height: float
    at: float
    size: int


@dataclass(frozen=True, slots=True)
class Bar:
    """An exchange: its name and what it told; where it began, when the first byte came, its end.

    `until` is where the next exchange asked again, for a task that was in this state until then.
    """

    name: str
    state: str
    x: float
    first: float
    width: float
    began: float
    timing: Timing
    ticks: tuple[Tick, ...]
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Timeline:
    """A turn's exchanges on one line; `seconds` is how long all of it took."""

    turn: int
    seconds: float
    bars: tuple[Bar, ...]


def timeline(turn: ReadTurn) -> Timeline | None:
    """When a turn's exchanges happened; None where nobody noted it."""
    timed = [(r, r.exchange.timing) for r in turn.readings if r.exchange.timing is not None]
    known = [(reading, timing) for reading, timing in timed if timing is not None]
    if not known:
        return None
    began = min(timing.start for _, timing in known)
    whole = max(timing.start + timing.total for _, timing in known) - began
    bars = [_bar(reading, timing, began, whole or 1.0) for reading, timing in known[:MAX_BARS]]
    return Timeline(turn.turn.number, whole, tuple(_lasting(bars)))


def _lasting(bars: Sequence[Bar]) -> Iterator[Bar]:
    """A state that was told lasted, as far as anybody knows, until it was asked for again."""
    for bar, after in zip_longest(bars, bars[1:]):
        is_task = bar.state and after is not None and after.state
        yield replace(bar, until=after.x) if is_task else bar


def _bar(reading: Reading, timing: Timing, began: float, whole: float) -> Bar:
    scale = LENGTH / whole
    start = (timing.start - began) * scale
    return Bar(
        name=reading.endpoint.name if reading.endpoint else reading.exchange.request.method,
        state=_state(reading),
        x=round(start, 1),
        first=round(timing.first_byte * scale, 1),
        width=round(max(timing.total * scale, 3), 1),
        began=timing.start - began,
        timing=timing,
        ticks=tuple(_ticks(reading, timing, start, scale)),
    )


def _state(reading: Reading) -> str:
    outcome = reading.outcome
    if isinstance(outcome, Failure):
        return f"{outcome.status} {outcome.code}".strip()
    if isinstance(outcome, Reply) and outcome.states:
        return outcome.states[-1]
    return "" if reading.accepted else str(reading.exchange.response.status)


def _ticks(reading: Reading, timing: Timing, start: float, scale: float) -> Iterator[Tick]:
    sizes = reading.exchange.chunks
    if len(sizes) == len(timing.arrived):
        tallest = max(sizes, default=0) or 1
        for at, size in list(zip(timing.arrived, sizes, strict=True))[:MAX_TICKS]:
            height = round(20 + 80 * size / tallest, 1)
            yield Tick(round(start + at * scale, 1), height, at, size)
