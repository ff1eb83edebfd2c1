"""Breaking the text of a table's cells: between words, never within a word or number that fits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells

from harness.wire.text import BETWEEN_WIDE

_BREAK = re.compile(
    r"(?<=\s)(?=\S)"
    r"|(?<=\d)(?=T\d\d:)"
    r"|(?<=[^\s/_.:@=?&,-][/_.:@=?&,-])(?=[^\W\d_])"
    rf"|{BETWEEN_WIDE}"
)
"""Where a text may be broken: after white space, after a separator before a letter, between wide
characters, and between the date and the time of a timestamp."""

_LONG = 24
"""The width, in cells, up to which a word is kept whole while other columns can be narrower."""


def least(text: str) -> int:
    """Return the width, in cells, that *text* needs for its words to stay whole."""
    pieces = (piece for part in text.split("\n") for piece in _BREAK.split(part))
    return min(max(cell_len(piece.rstrip()) for piece in pieces), _LONG)


def wrap(text: str, width: int) -> str:
    """Return *text* with line feeds so that each line has at most *width* cells."""
    return "\n".join(line for part in text.split("\n") for line in _lines(part, width))


def _lines(text: str, width: int) -> list[str]:
    lines = [""]
    for piece in _BREAK.split(text):
        if cell_len(lines[-1] + piece.rstrip()) <= width:
            lines[-1] += piece
            continue
        whole = cell_len(piece.rstrip()) <= width
        lines += [piece] if whole else chop_cells(piece, width)
    return [line.rstrip() for line in (lines if lines[0] or len(lines) == 1 else lines[1:])]


def fit(natural: Sequence[int], minimum: Sequence[int], width: int) -> list[int]:
    """Return widths of columns whose sum is at most *width*, if the minima allow that.

    The widest columns become narrower first, each down to its minimum.
    """
    widths = list(natural)
    for _ in range(sum(widths) - width):
        wide = [n for n, least in enumerate(minimum) if widths[n] > least]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths
