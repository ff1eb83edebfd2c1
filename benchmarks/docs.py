"""Write figures into the page on speed, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.figures import STANDING, Row, cell, standing

PAGES = (Path("docs/performance.md"), Path("docs/performance.zh-CN.md"))
_FIGURES = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def write_docs(rows: Sequence[Row]) -> None:
    """Replace the tables between the comments of each page."""
    tables = "\n".join("\n".join(_table(group)) + "\n" for group in groups(rows))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(_FIGURES.sub(lambda _: f"\n{tables}\n", text), encoding="utf-8")


def groups(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows, those that follow one another with the same columns as a table each."""
    return [list(group) for _, group in groupby(rows, _names)]


def _names(row: Row) -> tuple[str, ...]:
    """Return the names of the columns that a row has figures for; rows with the same share them."""
    return tuple(sorted({*row.samples} - {"vcrpy", "cassetter", "floor"}))


def _table(rows: Sequence[Row]) -> Iterable[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.samples))
    yield f"| | {' | '.join([*names, STANDING])} |"
    yield "|---" * (len(names) + 2) + "|"
    for row in rows:
        cells = [*(cell(row, name) for name in names), standing(row)]
        yield f"| {row.label} | {' | '.join(cells)} |"
