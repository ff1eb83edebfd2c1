"""Write figures into the page on speed, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.figures import STANDING, Row, cell, standing

PAGES = (Path("docs/performance.md"), Path("docs/performance.zh-CN.md"))


def write_docs(rows: Mapping[str, Sequence[Row]]) -> None:
    """Replace the tables of each part of *rows*, which stand between two comments with its name."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for part, measured in rows.items():
            text = with_tables(text, part, measured)
        page.write_text(text, encoding="utf-8")


def with_tables(text: str, part: str, rows: Sequence[Row]) -> str:
    """Return the text of a page with other tables between the comments of a part."""
    tables = "\n".join("\n".join(_table(group)) + "\n" for group in groups(rows))
    between = re.compile(rf"(?<=<!-- {part} -->\n).*?(?=<!-- end of {part} -->)", re.DOTALL)
    return between.sub(lambda _: f"\n{tables}\n", text)


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
