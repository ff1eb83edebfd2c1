"""Charts: the figures of a ranking as bars, and the exchanges of a turn on a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from math import floor, log10

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTurn
from harness.locale import mark
from harness.report.format import money, seconds
from harness.report.ranking import Ranking
from harness.types import Failure, Reply, Timing


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A bar of a chart, for one target.

    Attributes:
        target: The target's name.
        first: The length of the darker part at its start.
        whole: The length of the whole bar.
        text: The figures as text.
    """

    target: str
    first: float
    whole: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with one bar per target, which all show the same quantity."""

    title: str
    bars: tuple[ChartBar, ...]

    @property
    def longest(self) -> float:
        """The length of the longest bar."""
        return max(bar.whole for bar in self.bars)


def charts(ranking: Ranking) -> list[Chart]:
    """Return the charts of a ranking: times, tokens and costs.

    A chart without known figures is left out.
    """
    titles = {
        mark("Time per turn; darker: to the first token"): _times(ranking),
        mark("Tokens; darker: input"): _tokens(ranking),
        mark("Cost"): _costs(ranking),
    }
    found = [Chart(title, tuple(bars)) for title, bars in titles.items()]
    return [chart for chart in found if chart.bars and chart.longest]


def _times(ranking: Ranking) -> Iterator[ChartBar]:
    for entry in ranking.entries:
        if entry.total is not None:
            first = entry.first_token or 0.0
            text = f"{seconds(entry.first_token)} / {seconds(entry.total)}"
            yield ChartBar(entry.target, first, entry.total, text)


def _tokens(ranking: Ranking) -> Iterator[ChartBar]:
    for entry in ranking.entries:
        asked, answered = entry.input_tokens.amount, entry.output_tokens.amount
        if asked is not None and answered is not None:
            yield ChartBar(entry.target, asked, asked + answered, f"{asked} + {answered}")


def _costs(ranking: Ranking) -> Iterator[ChartBar]:
    currencies = {cost.currency for entry in ranking.entries for cost in entry.costs}
    for entry in ranking.entries:
        if entry.cost and len(currencies) == 1:
            yield ChartBar(entry.target, 0.0, entry.cost.amount, money(entry.cost))


# ---------------------------------------------------------------------------------------- timelines


LENGTH = 100
"""The length of a timeline; positions and widths on it are in its units."""

MAX_BARS = 200
"""The largest number of exchanges that are drawn for one turn."""

MAX_TICKS = 1000
"""The largest number of chunks that are drawn for one stream."""

MAX_MARKS = 6
"""About the number of round times that are shown above a timeline."""

_SHORTEST = 1e-6
"""The resolution of the times in cassettes, in seconds; a shorter turn has no round times."""

Timed = tuple[AnalyzedExchange, Timing]


@dataclass(frozen=True, slots=True)
class TimeMark:
    """A round time: its position on the timeline, and its text such as `200 ms`."""

    x: float
    name: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A chunk of a response on a timeline.

    Attributes:
        x: its position on the timeline.
        height: from 20 to 100, by its size relative to the largest chunk.
        at: its arrival in seconds since the exchange began.
        size: its size in bytes.
    """

    x: float
    height: float
    at: float
    size: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar on a timeline, for one exchange.

    Attributes:
        name: the endpoint, or else the HTTP method.
        state: the state of the exchange's task, or the status and code of its failure; else empty.
        x: the start on the timeline.
        first: the length until the first byte of the response.
        width: the whole length.
        began: seconds from the turn's start to the exchange's start.
        timing: the recorded times.
        ticks: the chunks of the response.
    """

    name: str
    state: str
    x: float
    first: float
    width: float
    began: float
    timing: Timing
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class StateSpan:
    """The time during which a task was reported to be in one state.

    Attributes:
        state: the state as the provider calls it.
        phase: `queued`, `running`, `done` or `failed`.
        x: its start on the timeline.
        width: its length on the timeline.
        began: seconds from the turn's start until the state was first reported.
        lasted: seconds until another state was reported; 0 for the last one.
    """

    state: str
    phase: str
    x: float
    width: float
    began: float
    lasted: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A turn's exchanges on one line, and the states of its task.

    Attributes:
        turn: the number of the turn.
        began: its start in UTC, such as `2026-11-22 16:04:58`; empty if it is not a valid time.
        seconds: its duration.
        marks: round times above the line.
        task: the states of the turn's task in order; empty if the turn has no task.
        bars: the first `MAX_BARS` exchanges.
    """

    turn: int
    began: str
    seconds: float
    marks: tuple[TimeMark, ...]
    task: tuple[StateSpan, ...]
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


def _marks(whole: float) -> Iterator[TimeMark]:
    """Yield round times from 0 to *whole* seconds, such as 0, 200 and 400 ms.

    The step is 1, 2 or 5 times a power of ten; nothing is yielded for a very short time.
    """
    if whole < _SHORTEST:
        return
    least = whole / MAX_MARKS
    unit = 10.0 ** floor(log10(least))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= least * 0.999)
    factor, name = (1000, "ms") if whole < 1 else (1, "s")
    for number in range(floor(whole / step) + 1):
        at = number * step
        yield TimeMark(round(at / whole * LENGTH, 2), f"{at * factor:g} {name}")


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
        return f"{outcome.status or ''} {outcome.code}".strip()
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


def _task(known: Sequence[Timed], began: float, scale: float) -> Iterator[StateSpan]:
    """Yield the states of a task in order; the last has no duration."""
    states = [
        (timing.start + timing.total - began, _state(reading), _phase(reading))
        for reading, timing in known
        if reading.endpoint and reading.endpoint.role in (Role.SUBMIT, Role.POLL)
    ]
    firsts = [next(same) for _, same in groupby(states, key=lambda one: one[1:])]
    for (at, state, phase), (until, *_) in pairwise([*firsts, *states[-1:]]):
        lasted = max(until - at, 0)
        yield StateSpan(state, phase, round(at * scale, 2), round(lasted * scale, 2), at, lasted)


def _phase(reading: AnalyzedExchange) -> str:
    """Return `queued`, `running`, `done` or `failed`, from the task's last state."""
    outcome = reading.outcome
    if not isinstance(outcome, Reply) or reading.endpoint is None:
        return "failed"
    states, state = reading.endpoint.states, outcome.states[-1] if outcome.states else ""
    if state in states.succeeded:
        return "done"
    if state in states.failed:
        return "failed"
    return "queued" if states.running[1:] and state == states.running[0] else "running"
