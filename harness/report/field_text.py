"""The field mapping on a console: a block for each field, with a line for each of its paths."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from harness.comparison.fields import Evidence, FieldMatrix, FieldRow, presence
from harness.locale import localized, mark
from harness.report.console import draw, print_message, print_text
from harness.report.field_map import path
from harness.report.tables import Table

ABSENT = "–"
"""The text that is printed as the path of an absent field."""


@dataclass(slots=True)
class _Line:
    """A path of a field, and the forms with the same types and the same presence of it there.

    Attributes:
        where: the path.
        present: the number of answers that have the field there, over these forms.
        of: the number of all answers of these forms.
        events: the number of stream events that have the field there.
        of_events: the number of all stream events.
        forms: the numbers of the forms, from 1.
    """

    where: str
    types: str
    evidence: Evidence
    present: int = 0
    of: int = 0
    events: int = 0
    of_events: int = 0
    forms: list[int] = field(default_factory=list)

    def add(self, form: int, present: int, of: int) -> None:
        """Add a form by its number, with *present* of its *of* answers that have the field here."""
        self.forms.append(form)
        self.present += present
        self.of += of


def fields(console: Console, matrix: FieldMatrix) -> None:
    """Print a numbered list of the forms of answers, then the paths of each field in these forms.

    A form of answers is an endpoint, request format, kind of response and target.
    """
    if not matrix.forms:
        print_message(console, "no readable answer")
        return
    print_message(console, "Forms of answers", "bold")
    columns = ("", "target", mark("endpoint"), mark("API form"), mark("answered"), mark("answers"))
    answered = ((column.form, column.answers) for column in matrix.columns)
    rows = [
        (str(n), form.target, form.endpoint, form.request or ABSENT, form.response, str(answers))
        for n, (form, answers) in enumerate(answered, start=1)
    ]
    draw(console, Table(columns, rows, numbers=("", "answers"), words=("API form", "answered")))
    print_message(console, "\nField mapping", "bold")
    notes: dict[str, str] = {}
    draw(console, _places(matrix, notes, max(20, min(console.width // 2, console.width - 60))))
    folder = _folder(notes)
    print_message(console, f"\nThe first exchange of each place, in {folder or '.'}", "bold")
    for source, letter in notes.items():
        print_text(console, f"{letter}  {os.path.relpath(source, folder) if folder else source}")


def _folder(sources: Iterable[str]) -> str:
    """Return the deepest folder that all these files are in; empty if there is none."""
    try:
        return os.path.commonpath([os.path.dirname(source) for source in sources])
    except ValueError:  # no files, or relative and absolute ones
        return ""


def _places(matrix: FieldMatrix, notes: dict[str, str], widest: int) -> Table:
    """Return the table of fields and paths; add the letter of each cassette in it to *notes*.

    *widest* is the largest width of the first column, in cells.
    """
    rows: list[tuple[str, ...]] = []
    styles: dict[int, str] = {}
    breaks: set[int] = set()
    for row in matrix.rows:
        lines = list(_lines(row))
        if any(line.present for line in lines):
            styles[len(rows)] = "bold"
            rows.append((f"{localized(row.field.name)}  {row.field.otel}", "", "", "", "", ""))
            for line in lines:
                styles[len(rows)] = "" if line.present else "dim"
                rows.append(_cells(line, notes))
            breaks.add(len(rows) - 1)
    places = (site.pointer for row in matrix.rows for cell in row.cells for site in cell.sites)
    width = min(widest, max((len(path(place)) for place in places), default=0) + 2)
    return Table(
        ("field", "type", "present", "events", mark("forms"), mark("seen in")),
        rows,
        numbers=("events",),
        styles=styles,
        breaks=frozenset(breaks),
        widths={"field": width},
    )


def _cells(line: _Line, notes: dict[str, str]) -> tuple[str, ...]:
    present = f"{localized(presence(line.present, line.of).value)} {line.present}/{line.of}"
    events = f"{line.events}/{line.of_events}" if line.of_events else ""
    seen = _note(line.evidence, notes) if line.present else ""
    return f"  {line.where}", line.types, present, events, numbers(line.forms), seen


def _note(evidence: Evidence, notes: dict[str, str]) -> str:
    """Return an exchange as the letter of its cassette and its number: `a 3`.

    A cassette without a letter gets the next one, added to *notes*.
    """
    letter = notes.setdefault(evidence.source, _letters(len(notes)))
    return f"{letter} {evidence.exchange}"


def _letters(number: int) -> str:
    """Return a, b ... z, aa, ab ... for 0, 1 ..."""
    rest, last = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("a") + last)


def _lines(row: FieldRow) -> Iterator[_Line]:
    """Yield a line for each path of a field, then one for the forms where it is absent, if any."""
    lines: dict[object, _Line] = {}
    absent = None
    for number, cell in enumerate(row.cells, start=1):
        if not cell.sites and cell.expected:
            absent = absent or _Line(ABSENT, "", cell.evidence)
            absent.add(number, 0, cell.of)
        for site in cell.sites:
            events = presence(site.events, site.of_events) if site.of_events else None
            key = site.pointer, site.types, site.presence, events
            line = lines.setdefault(
                key, _Line(path(site.pointer), "|".join(site.types), site.evidence)
            )
            line.add(number, site.present, site.of)
            line.events, line.of_events = line.events + site.events, line.of_events + site.of_events
    yield from lines.values()
    if absent:
        yield absent


def numbers(forms: Sequence[int]) -> str:
    """Return ascending numbers as text, consecutive ones as a range: `1–3 7` for (1, 2, 3, 7)."""
    runs: list[list[int]] = []
    for number in forms:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)
