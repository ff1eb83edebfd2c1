"""The tables of a report as data, for the console and for Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.locale import mark
from harness.report.format import money, number, seconds
from harness.report.model import Cell, State
from harness.report.ranking import Entry, Ranking, Sum
from harness.wire.text import count, line

if TYPE_CHECKING:
    from harness.drift.types import Drift


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts with named columns, which a console or Markdown can show.

    Attributes:
        columns: the names of the columns.
        rows: the cells of each row, in the order of the columns.
        numbers: the names of columns that are aligned to the right and never shortened.
        words: the names of columns whose texts are translated; other columns hold recorded text.
        styles: styles of rows on a console, by the position of the row.
        breaks: the positions of rows that are followed by a horizontal line.
        widths: fixed widths of columns on a console, in cells.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    numbers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    styles: Mapping[int, str] = field(default_factory=dict)
    breaks: frozenset[int] = frozenset()
    widths: Mapping[str, int] = field(default_factory=dict)

    def only(self, *columns: str) -> Table:
        """Return the table with these columns only, in this order."""
        positions = [self.columns.index(column) for column in columns]
        rows = [[row[position] for position in positions] for row in self.rows]
        return replace(self, columns=columns, rows=rows)


_STYLES = {State.FAILED: "red", State.PROBLEM: "red", State.WARNED: "yellow"}


def overview(cells: Sequence[Cell]) -> Table:
    """Return a table with a row for each scenario with each target."""
    counts = (mark("errors"), mark("warnings"), "skipped", mark("turns"), mark("exchanges"))
    return Table(
        ("scenario", "target", mark("state"), "from", "recorded", *counts, "time per turn"),
        [
            (
                cell.scenario,
                cell.target,
                cell.state,
                cell.recorded_from,
                cell.recorded_at[:10],
                *map(str, (cell.errors, cell.warnings, len(cell.skipped))),
                *map(str, (cell.turns, cell.exchanges)),
                seconds(cell.total),
            )
            for cell in cells
        ],
        numbers=(*counts, "time per turn"),
        words=("state", "from"),
        styles={n: _STYLES[c.state] for n, c in enumerate(cells) if c.state in _STYLES},
    )


VERDICTS = ("breaking", "new field", "wording only")
VERDICT_STYLES = {"new field": "yellow", "breaking": "red"}


def drifts(drifts: Sequence[Drift]) -> Table:
    """Return a table with a row for each drift: its verdict, and its changes counted by verdict."""
    rows = []
    for drift in drifts:
        counts = Counter(change.verdict.value for change in drift.changes)
        numbers = [str(counts[verdict] or "–") for verdict in VERDICTS]
        rows.append((line(drift.scenario), line(drift.target), drift.verdict.value, *numbers))
    styles = {n: VERDICT_STYLES.get(d.verdict.value, "") for n, d in enumerate(drifts)}
    columns = ("scenario", "target", "verdict", *VERDICTS)
    return Table(columns, rows, numbers=VERDICTS, words=("verdict",), styles=styles)


RANKED = ("input tokens", "output tokens", "first token", "time per turn", "cost")
"""The columns of a ranking that hold numbers."""


def ranking(ranking: Ranking) -> Table:
    """Return a table with a row for each target of a ranking, the fastest first."""
    return Table(
        ("target", *RANKED, "price"),
        [
            (
                entry.target,
                *map(_sum, (entry.input_tokens, entry.output_tokens)),
                *map(seconds, (entry.first_token, entry.total)),
                _cost(entry),
                "; ".join(f"{p.dated}, {line(p.source)}" for p in entry.prices) or "unknown",
            )
            for entry in ranking.entries
        ],
        numbers=RANKED,
    )


def _sum(total: Sum) -> str:
    partly = f" (known for {total.known} of {total.of})" if 0 < total.known < total.of else ""
    return f"{number(total.amount)}{partly}"


def _cost(entry: Entry) -> str:
    if not entry.costs:
        return "unknown"
    costs = ", ".join(money(cost) for cost in entry.costs)
    unknown = entry.turns - entry.priced
    return f"{costs}, unknown for {count(unknown, 'turn')}" if unknown else costs
