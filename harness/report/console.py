"""What every text for a console is made of: lines, and tables that line up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.wire.text import line, plain

_LEAST = {"path": 24, "finish": 10, "target": 6}
"""Columns whose words are not broken where it can be helped: so many cells at least."""

_UNBOUNDED = 100_000
"""Cells; the width of a console on which a table is measured, not shown."""


def say(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """A text, made safe to show, on lines of its own."""
    put(console, Text(plain(text), style), indent)


def put(console: Console, text: Text, indent: int) -> None:
    """Wrapped for a reader at a terminal; in a log, a line stays a line, so that it is found."""
    if console.is_terminal:
        console.print(Padding.indent(text, indent) if indent else text)
        return
    for part in text.split(allow_blank=True):
        console.print(Text(" " * indent).append_text(part), soft_wrap=True)


def columns(*names: str, numbers: Sequence[str] = ()) -> Table:
    """Return a table without rows; `numbers` are right-aligned columns that are never shortened.

    Where the console is too narrow, the text columns are folded instead.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in names:
        is_number = column in numbers
        side: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(
            Text(line(column)),
            justify=side,
            overflow="fold",
            min_width=_LEAST.get(column),
            no_wrap=is_number,
        )
    return table


def add(table: Table, cells: Iterable[str], style: str = "") -> None:
    """Add a row; a column of numbers stays at least as wide as its widest cell."""
    row = [Text(plain(cell), style) for cell in cells]
    for column, cell in zip(table.columns, row, strict=True):
        if column.no_wrap:
            column.min_width = max(column.min_width or 0, cell.cell_len)
    table.add_row(*row)


def draw(console: Console, table: Table, narrow: Sequence[Table] = ()) -> None:
    """Print a table, or the *narrow* ones where the console is too narrow for its words.

    A table that does not fit even so is printed wider than the console, not cut off.
    """
    unbounded = console.options.update_width(_UNBOUNDED)
    fits = console.measure(table, options=unbounded).minimum <= console.width
    for number, part in enumerate([table] if fits or not narrow else narrow):
        if number:
            console.print()
        if console.measure(part, options=unbounded).maximum > console.width:
            _break_headers(part)
        console.print(part, crop=False)


def _break_headers(table: Table) -> None:
    """Put each word of a number's header on a line of its own."""
    for column in table.columns:
        if column.no_wrap:
            column.header = Text("\n".join(str(column.header).split()))
