"""Printing on a console: lines of text, and tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Drawn
from rich.text import Text

from harness.report.tables import Table
from harness.wire.text import line, plain

_WIDTHS = {"path": 24, "finish": 10, "target": 6}
"""The least width, in cells, of columns whose words should not be broken."""

_UNBOUNDED = 100_000
"""The width, in cells, of the imaginary console on which a table's own width is measured."""


def standard_output() -> Console:
    """Return a console on standard output; 120 cells wide, without colours if not a terminal."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)


def say(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print a text on lines of its own, with control characters replaced."""
    put(console, Text(plain(text), style), indent)


def put(console: Console, text: Text, indent: int = 0) -> None:
    """Print *text*: wrapped to the width of a terminal; elsewhere, as in a log, not wrapped."""
    if console.is_terminal:
        console.print(Padding.indent(text, indent) if indent else text)
        return
    for part in text.split(allow_blank=True):
        console.print(Text(" " * indent).append_text(part), soft_wrap=True)


def draw(console: Console, table: Table, narrow: Sequence[Sequence[str]] = ()) -> None:
    """Print a table; if it is too wide, a table for each group of columns in *narrow* instead.

    A table that is still too wide is printed wider than the console, not cut off.
    """
    whole = _drawn(table)
    unbounded = console.options.update_width(_UNBOUNDED)
    fits = console.measure(whole, options=unbounded).minimum <= console.width
    parts = [_drawn(table.only(*columns)) for columns in narrow] if narrow and not fits else [whole]
    for position, part in enumerate(parts):
        if position:
            console.print()
        if console.measure(part, options=unbounded).maximum > console.width:
            _break_headers(part)
        console.print(part, crop=False)


def _drawn(table: Table) -> Drawn:
    """Return *table* as a table of the library rich; columns of numbers are never shortened."""
    drawn = Drawn(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for position, column in enumerate(table.columns):
        is_number = column in table.numbers
        side: Literal["left", "right"] = "right" if is_number else "left"
        cells = (Text(plain(row[position])).cell_len for row in table.rows) if is_number else ()
        drawn.add_column(
            Text(line(column)),
            justify=side,
            overflow="fold",
            width=table.widths.get(column),
            min_width=max(cells, default=_WIDTHS.get(column, 0)) or None,
            no_wrap=is_number,
        )
    for position, row in enumerate(table.rows):
        style = table.styles.get(position, "")
        drawn.add_row(*(Text(plain(cell), style) for cell in row))
        if position in table.breaks:
            drawn.add_section()
    return drawn


def _break_headers(table: Drawn) -> None:
    """Break the headers of columns of numbers after each word."""
    for column in table.columns:
        if column.no_wrap:
            column.header = Text("\n".join(str(column.header).split()))
