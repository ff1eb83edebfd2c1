"""What every text for a console is made of: lines, and tables that line up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.reports.words import line, plain

_LEAST = {"path": 24, "finish": 10}
"""Columns whose words are not broken where it can be helped: so many cells at least."""


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
    """A table without rows; `numbers` are the columns that stand to the right."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in names:
        side: Literal["left", "right"] = "right" if column in numbers else "left"
        least = _LEAST.get(column)
        table.add_column(Text(line(column)), justify=side, overflow="fold", min_width=least)
    return table


def add(table: Table, cells: Iterable[str], style: str = "") -> None:
    """One row more."""
    table.add_row(*(Text(plain(cell), style) for cell in cells))
