"""Where each provider keeps what, on a console: a block for each field, a line for each place."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.compare.fields import Evidence, FieldMatrix, FieldRow, Presence, Site, presence
from harness.report.console import add, columns, draw, say

NOWHERE = "–"
"""Stands for the place of what is nowhere."""


@dataclass(slots=True)
class _Line:
    """One place of a field: all forms that have it there alike, their answers together."""

    where: str
    types: str
    evidence: Evidence
    present: int = 0
    of: int = 0
    events: int = 0
    of_events: int = 0
    forms: list[int] = field(default_factory=list)

    def add(self, form: int, present: int, of: int) -> None:
        """One form more that has the field here."""
        self.forms.append(form)
        self.present += present
        self.of += of


def fields(console: Console, found: FieldMatrix) -> None:
    """Every form of answers with its number, then every field with the places where it stands."""
    if not found.forms:
        say(console, "no answer here that could be read")
        return
    say(console, "Forms of answers", "bold")
    draw(console, _forms(found))
    say(console, "\nFields, and where they stand", "bold")
    notes: dict[str, str] = {}
    draw(console, _places(found, notes, max(20, min(console.width // 2, console.width - 60))))
    folder = _folder(notes)
    say(console, f"\nThe first exchange of each that was seen, in {folder or '.'}", "bold")
    for source, letter in notes.items():
        say(console, f"{letter}  {os.path.relpath(source, folder) if folder else source}")


def _folder(sources: Iterable[str]) -> str:
    """The folder that all these files are in; nothing where there is no such one."""
    try:
        return os.path.commonpath([os.path.dirname(source) for source in sources])
    except ValueError:  # none at all, or relative and absolute ones
        return ""


def _forms(found: FieldMatrix) -> Table:
    table = columns("", "target", "endpoint", "asked by", "answered", "answers", numbers=_RIGHT)
    for number, (form, answers) in enumerate(zip(found.forms, found.answers, strict=True), 1):
        words = (form.target, form.endpoint, form.request or NOWHERE, form.response)
        add(table, (str(number), *words, str(answers)))
    return table


_RIGHT = ("", "answers", "events")


def _places(found: FieldMatrix, notes: dict[str, str], widest: int) -> Table:
    """The table; `notes` takes up the cassettes that it names, by the letters it has for them."""
    table = columns("field", "type", "present", "events", "forms", "seen in", numbers=_RIGHT)
    places = (site.pointer for row in found.rows for cell in row.cells for site in cell.sites)
    table.columns[0].min_width = min(
        widest, max((len(path(place)) for place in places), default=0) + 2
    )
    for row in found.rows:
        lines = list(_lines(row))
        if any(line.present for line in lines):
            table.add_row(Text.assemble((row.field.name, "bold"), ("  " + row.field.otel, "dim")))
            for line in lines:
                add(table, _cells(line, notes), "" if line.present else "dim")
            table.add_section()
    return table


def _cells(line: _Line, notes: dict[str, str]) -> tuple[str, ...]:
    told = f"{presence(line.present, line.of)} {line.present}/{line.of}"
    events = f"{line.events}/{line.of_events}" if line.of_events else ""
    seen = _note(line.evidence, notes) if line.present else ""
    return f"  {line.where}", line.types, told, events, numbers(line.forms), seen


def _note(evidence: Evidence, notes: dict[str, str]) -> str:
    """A letter for the cassette, and the number of the exchange: `a 3`."""
    letter = notes.setdefault(evidence.source, _letters(len(notes)))
    return f"{letter} {evidence.exchange}"


def _letters(number: int) -> str:
    """a, b ... z, aa, ab ..."""
    rest, last = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("a") + last)


def _lines(row: FieldRow) -> Iterator[_Line]:
    """The places of a field in the order of the forms; where it is nowhere, last."""
    lines: dict[object, _Line] = {}
    nowhere = None
    for number, cell in enumerate(row.cells, start=1):
        if not cell.sites and cell.expected:
            nowhere = nowhere or _Line(NOWHERE, "", cell.evidence)
            nowhere.add(number, 0, cell.of)
        for site in cell.sites:
            key = site.pointer, site.types, site.presence, _events(site)
            line = lines.setdefault(
                key, _Line(path(site.pointer), "|".join(site.types), site.evidence)
            )
            line.add(number, site.present, site.of)
            line.events, line.of_events = line.events + site.events, line.of_events + site.of_events
    yield from lines.values()
    if nowhere:
        yield nowhere


def _events(site: Site) -> Presence | None:
    """How many events of streams have it, in a word; None where no stream does."""
    return presence(site.events, site.of_events) if site.of_events else None


def path(pointer: str) -> str:
    """A place in the words of code: `/choices/0/delta/content` is `choices[0].delta.content`."""
    told = ""
    for step in pointer.removeprefix("/").split("/"):
        if step.isdigit() or step == "[]":
            told += f"[{step.strip('[]')}]"
        else:
            told += f".{step}" if told else step
    return told


def numbers(forms: Sequence[int]) -> str:
    """Numbers in few words: `1–3 7`."""
    runs: list[list[int]] = []
    for number in forms:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)
