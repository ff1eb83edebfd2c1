"""Printing on a console: line breaks, lines of text, and tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from io import StringIO
from itertools import islice, zip_longest
from typing import Literal

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.text import Text

from harness.locale import localized, localized_error
from harness.report.tables import Table
from harness.wire.patterns import lazy_pattern
from harness.wire.text import BETWEEN_WIDE, CLOSING, OPENING, WIDE, line, plain

# ------------------------------------------------------------------------------------- line breaks

_BREAK = lazy_pattern(
    r"(?<=\s)(?=\S)"
    r"|(?<=\d)(?=T\d\d:)"
    r"|(?<=[^\s/_.:@=?&,-][/_.:@=?&,-])(?=[^\W\d_])"
    rf"|{BETWEEN_WIDE}"
)
"""Where a text may be broken: after white space, after a separator before a letter, between wide
characters, and between the date and the time of a timestamp."""

_WITHIN_WORDS = lazy_pattern(rf"[/_.:@=?&,-][^\W\d_]|\dT|[{WIDE}{OPENING}{CLOSING}]")
"""Is in each text that `_BREAK` breaks elsewhere than after white space."""

_WORD = re.compile(r"\S+\s*|\s+")

_TWO_CELLS = "\u3001-\u3029\u4e00-\u9fff\uff01-\uff60"
_WIDE_RUN = lazy_pattern(f"[{_TWO_CELLS}]+")
_USUAL = lazy_pattern(f"[ -~\u2013\u2018\u2019\u201c\u201d\u2026{_TWO_CELLS}]*")
"""Texts of ASCII and of signs that take a cell, and of characters that take two."""

_LONG = 24
"""The width, in cells, up to which a word is kept whole while other columns can be narrower."""


def cells(text: str) -> int:
    """Return the width of *text* in terminal cells; a Chinese character takes two.

    It is what rich says, which looks at each character.
    """
    if text.isascii() and text.isprintable():
        return len(text)
    if _USUAL.fullmatch(text):
        return 2 * len(text) - len(_WIDE_RUN.sub("", text))
    return cell_len(text)


def least(text: str) -> int:
    """Return the width, in terminal cells, of the longest word of *text*, but at most 24.

    A column of this width breaks no word of *text* that has up to 24 cells.
    """
    return _longest([text])


def _longest(texts: Iterable[str]) -> int:
    """Return the width of the longest word of all *texts*, as `least` does; 0 without texts."""
    longest = 0
    for text in texts:
        for part in text.split("\n"):
            for piece in _pieces(part) if cells(part) > longest else ():
                if 2 * len(piece) > longest:
                    longest = max(longest, _of_piece(piece))
        if longest >= _LONG:
            return _LONG
    return longest


@lru_cache(256)  # of a cell, they are needed for the width of its column, and for its lines
def _pieces(text: str) -> list[str]:
    """Return *text*, which is not empty, in pieces: what is between two places for a break."""
    return _BREAK.split(text) if _WITHIN_WORDS.search(text) else _WORD.findall(text)


@lru_cache(4096)
def _of_piece(piece: str) -> int:
    """Return the width of a piece without the white space at its end."""
    return cells(piece.rstrip())


def wrap(text: str, width: int) -> str:
    """Return *text* broken into lines of at most *width* cells; a Chinese character takes two."""
    return "\n".join(line for part in text.split("\n") for line in _lines(part, width))


def _lines(text: str, width: int) -> list[str]:
    if cells(whole_line := text.rstrip()) <= width:
        return [whole_line]
    lines, used = [""], 0
    for piece in _pieces(text):
        own = _of_piece(piece)
        if used + own <= width:
            lines[-1] += piece
            used += cells(piece) if piece[-1:].isspace() else own
            continue
        lines += [piece] if own <= width else chop_cells(piece, width)
        used = cells(lines[-1])
    return [line.rstrip() for line in (lines if lines[0] or len(lines) == 1 else lines[1:])]


def fit(natural: Sequence[int], minimum: Sequence[int], width: int) -> list[int]:
    """Return the width of each column of a table that is at most *width* cells wide.

    *natural* has the preferred width of each column, *minimum* its smallest one. The widest columns
    become narrower first. If the minima need more than *width*, the table is wider.
    """
    widths = list(natural)
    for _ in range(sum(widths) - width):
        wide = [n for n, least in enumerate(minimum) if widths[n] > least]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


# --------------------------------------------------------------------------------- lines and tables

_GAP = 2
"""The width, in cells, of what is between two columns: padding, and a separator that is a space."""


class StandardText(StringIO):
    """A text that is printed on standard output later, so that it may be made in any process."""

    def isatty(self) -> bool:
        """Return whether standard output is a terminal."""
        return sys.stdout.isatty()


def standard_output(color: str = "auto", file: StandardText | None = None) -> Console:
    """Return a console on standard output; 120 characters wide if that is not a terminal.

    *color* is `always`, `never`, or `auto`, for colors on a terminal only. What is printed is
    written to *file*, if given.
    """
    systems: dict[str, Literal["auto", "standard"] | None] = {"always": "standard", "never": None}
    return Console(
        file=file,
        highlight=False,
        markup=False,
        width=None if sys.stdout.isatty() else 120,
        color_system=systems.get(color, "auto"),
    )


def print_text(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print a text on lines of its own, with control characters replaced.

    *style* is a style of rich, such as `bold red`; *indent* is the number of spaces before each
    line.
    """
    if console.is_terminal:
        print_styled(console, Text(plain(text), style), indent)
        return
    margin = " " * indent
    if console.color_system is None:  # then nothing is left for the console to do
        for part in _parts(plain(text), _AT_ONCE):
            lines = margin + part.replace("\n", f"\n{margin}") + "\n"
            console.file.write(lines.expandtabs(console.tab_size) if "\t" in lines else lines)
    else:
        print_lines(console, ((style, margin + part) for part in _parts(plain(text))))


def print_message(console: Console, message: str, style: str = "", indent: int = 0) -> None:
    """Print an English *message*, translated into the language of the user.

    Control characters are replaced. *style* is a style of rich, such as `bold red`; *indent* is the
    number of spaces before each line.
    """
    print_text(console, localized_error(message), style, indent)


def print_lines(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    """Print lines, each a pair of a style of rich and a text, with control characters replaced.

    On a terminal each line is wrapped; elsewhere many lines are printed at once.
    """
    if console.is_terminal:
        for style, text in lines:
            print_styled(console, Text(plain(text), style))
        return
    _print_whole(console, ((style, plain(text)) for style, text in lines))


def _print_whole(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    """Print lines, each a pair of a style of rich and a plain text, without wrapping them."""
    printed = ((style, text.expandtabs(console.tab_size)) for style, text in lines)
    while some := list(islice(printed, _LINES_AT_ONCE)):
        if console.color_system is None:
            console.file.write("".join(f"{line}\n" for _, line in some))
            continue
        segments = (
            segment
            for style, line in some
            for segment in (Segment(line, console.get_style(style)), Segment.line())
        )
        console.print(Segments(segments), soft_wrap=True, end="")


_AT_ONCE, _LINES_AT_ONCE = 2**16, 1000
"""The number of characters and of lines that are printed at once."""


def _parts(whole: str, least: int = 0) -> Iterator[str]:
    """Yield the lines of a text, of which a list would take many times its memory.

    Together they are as many as have *least* characters.
    """
    start = 0
    while (end := whole.find("\n", start + least)) >= 0:
        yield whole[start:end]
        start = end + 1
    yield whole[start:]


def print_styled(console: Console, text: Text, indent: int = 0) -> None:
    """Print *text*: wrapped to the width of a terminal; elsewhere, as in a log, not wrapped.

    *indent* is the number of spaces before each line.
    """
    if console.is_terminal:
        console.print(Padding.indent(text, indent) if indent else text)
        return
    for part in text.split(allow_blank=True):
        console.print(Text(" " * indent).append_text(part), soft_wrap=True)


def draw(console: Console, table: Table, narrow: Sequence[Sequence[str]] = ()) -> None:
    """Print a table, split by columns into several tables if it is too wide.

    Each item of *narrow* lists the columns of one of these tables; if it is empty, the table is not
    split. Words and numbers stay whole where that is possible. A table that is too wide for its
    numbers is printed wider than the console, not cut off.
    """
    whole = _Columns(table)
    width = console.width + _GAP - 1
    fits = sum(whole.natural) <= width or sum(whole.least) <= width
    parts = (
        [_Columns(table.only(*columns)) for columns in narrow] if narrow and not fits else [whole]
    )
    for position, part in enumerate(parts):
        if position:
            console.print()
        _print_whole(console, part.lines(width))


class _Columns:
    """A table as columns of text, and how wide they are, in cells and with the gap to the next.

    Attributes:
        natural: the width of each column on a console that is wide enough.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        texts = [
            [
                plain(localized_error(localized(row[n])) if name in table.words else row[n])
                for row in table.rows
            ]
            for n, name in enumerate(table.columns)
        ]
        self._cells = list(zip(*texts, strict=True))
        self._is_number = [column in table.numbers for column in table.columns]
        self._texts = texts
        self._names = [line(localized(column)) for column in table.columns]
        self._given = [table.widths.get(column) for column in table.columns]
        self._own = [
            max((cells(part) for cell in column for part in cell.split("\n")), default=0)
            for column in texts
        ]
        self.natural = [
            (given or max(own, cells(name))) + _GAP
            for name, given, own in zip(self._names, self._given, self._own, strict=True)
        ]

    @cached_property
    def least(self) -> list[int]:
        """The width that each column needs for its words and numbers to stay whole."""
        widths = []
        columns = zip(
            self._names, self._given, self._own, self._is_number, self._texts, strict=True
        )
        for name, given, own, is_number, texts in columns:
            words = max((cells(word) for word in name.split()), default=0)
            needed = own if is_number else _longest(texts)
            widths.append((given or max(needed, words)) + _GAP)
        return widths

    def lines(self, width: int) -> Iterator[tuple[str, str]]:
        """Yield the style and the text of each line, at most *width* cells if the numbers allow.

        Headers of numbers are broken first, then texts between words, then words.
        """
        widths = self._widths(width)
        rows = [
            [wrap(cell, own - _GAP).split("\n") for cell, own in zip(row, widths, strict=True)]
            for row in (self._names, *self._cells)
        ]
        spans = [max(cells(text) for row in rows for text in row[n]) for n in range(len(widths))]
        spans = [max(pair) for pair in zip(spans, (own - _GAP for own in widths), strict=True)]
        height = max(map(len, rows[0]))
        header = [[""] * (height - len(cell)) + cell for cell in rows[0]]
        yield from (("bold", text) for text in self._aligned(header, spans))
        yield "", "─".join("─" * (span + 1) for span in spans)
        for position, row in enumerate(rows[1:]):
            style = self._table.styles.get(position, "")
            yield from ((style, text) for text in self._aligned(row, spans))
            if position in self._table.breaks and position + 2 < len(rows):
                yield "", " ".join(" " * (span + 1) for span in spans)

    def _widths(self, width: int) -> list[int]:
        if sum(self.natural) <= width:
            return self.natural
        sizes = list(zip(self.natural, self.least, self._is_number, strict=True))
        widths = fit(self.natural, [few if number else all for all, few, number in sizes], width)
        widths = fit(widths, self.least, width)
        return fit(widths, [few if number else _GAP + 1 for _, few, number in sizes], width)

    def _aligned(self, row: Sequence[Sequence[str]], spans: Sequence[int]) -> Iterator[str]:
        """Yield the lines of a row whose cells are lists of lines."""
        for parts in zip_longest(*row, fillvalue=""):
            padded = []
            for part, span, is_number in zip(parts, spans, self._is_number, strict=True):
                space = " " * (span - cells(part))
                padded.append(f"{space}{part} " if is_number else f"{part}{space} ")
            yield " ".join(padded)
