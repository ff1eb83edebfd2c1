"""The figures of a ranking as bars: times, tokens and costs of each target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.locale import mark
from harness.report.format import money, seconds
from harness.report.ranking import Ranking


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A bar; its part *first* is darker."""

    target: str
    first: float
    whole: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one quantity."""

    title: str
    bars: tuple[ChartBar, ...]

    @property
    def longest(self) -> float:
        """The length of the longest bar."""
        return max(bar.whole for bar in self.bars)


def charts(ranking: Ranking) -> list[Chart]:
    """Return the charts of a ranking; one whose figures are not known is left out."""
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
