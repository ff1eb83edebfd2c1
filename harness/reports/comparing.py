"""Comparisons on a console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from harness.compare import Comparison, Difference, Layer, Matrix
from harness.reports.printing import add, columns, say
from harness.reports.words import count, number, seconds, value

_LAYERS = {
    Layer.SHAPE: "Format: which paths exist, with which types",
    Layer.ANSWER: "Answer, in terms of no provider",
    Layer.CONTENT: "Values at paths that both have",
    Layer.VOLATILE: "Values that differ between any two answers",
}


def matrix(console: Console, found: Matrix) -> None:
    """All targets of one scenario side by side: facts, pairs, and where their formats part."""
    pairs(console, found)
    for table in found.tables:
        if not table.differing:
            continue
        say(console, f"\n{table.part}: paths where the formats part", "bold")
        numbered = [f"[{number}]" for number in range(1, len(found.targets) + 1)]
        shown = columns("path", *numbered)
        for row in table.differing:
            sides = zip(row.types, table.present, strict=True)
            cells = [types or ("–" if there else "") for types, there in sides]
            add(shown, (row.path or "(all of it)", *cells))
        console.print(shown)


def pairs(console: Console, found: Matrix) -> None:
    """All targets of one scenario: the facts of each, and how far each pair is apart."""
    say(console, f"\n{found.scenario}: {count(len(found.targets), 'target')}", "bold")
    for position, target in enumerate(found.targets, start=1):
        say(console, f"[{position}] {target}")
    console.print()
    console.print(_facts(found))
    if found.pairs:
        console.print()
        table = columns("pair", "format differs at", "answer differs at")
        for pair in found.pairs:
            names = f"[{pair.left + 1}] and [{pair.right + 1}]"
            add(table, (names, count(pair.shape, "spot"), count(pair.answer, "spot")))
        console.print(table)


def _facts(found: Matrix) -> Table:
    numbers = ("chars", "in", "out", "events", "1st byte", "total")
    table = columns("target", "turn", "outcome", "finish", *numbers, numbers=("turn", *numbers))
    positions = {target: f"[{at}]" for at, target in enumerate(found.targets, start=1)}
    for told in found.facts:
        counted = (told.content_length, told.input_tokens, told.output_tokens, told.events or None)
        times = (told.first_byte, told.total)
        words = (positions.get(told.target, told.target), str(told.turn), told.outcome)
        finish = told.finish_reason or "–"
        add(table, (*words, finish, *map(number, counted), *map(seconds, times)))
    return table


def comparison(console: Console, found: Comparison) -> None:
    """Two transcripts, and where they part, layer by layer."""
    names = f"{found.left} and {found.right}"
    say(console, f"\n{found.scenario}: {names}" if found.scenario else f"\n{names}", "bold")
    if not found.told:
        say(console, "no difference")
    for layer, words in _LAYERS.items():
        parted = found.of(layer)
        if parted:
            say(console, f"\n{words}: {count(len(parted), 'difference')}", "bold")
            console.print(_differences(parted, length=max(24, console.width * 2 // 3)))


def _differences(parted: Sequence[Difference], length: int) -> Table:
    table = columns("turn", "part", "path", "left", "right", numbers=("turn",))
    for told in parted:
        spot = told.spot
        where = spot.path or ("(all of it)" if spot.part else "(the turn)")
        left, right = value(told.left, length), value(told.right, length)
        if told.similarity is not None:
            right += f" ({told.similarity:.0%} alike)"
        add(table, (str(spot.turn), spot.part, where, left, right))
    return table
