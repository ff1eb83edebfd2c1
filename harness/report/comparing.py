"""Comparisons on a console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from harness.compare import Comparison, Difference, Divergence, Facts, Layer, Matrix, Pair
from harness.report.console import add, columns, draw, say
from harness.report.format import letters, money, number, seconds, value
from harness.wire.text import count, line

_LAYERS = {
    Layer.SHAPE: "Format: which paths exist, with which types",
    Layer.ANSWER: "Answer, in terms of no provider",
    Layer.CONTENT: "Values at paths that both have",
    Layer.VOLATILE: "Values that differ between any two answers",
}


def matrix(console: Console, found: Matrix) -> None:
    """All targets of one scenario side by side: facts, pairs, answers, and where formats part."""
    pairs(console, found)
    _answers(console, found)
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
        draw(console, shown)


def pairs(console: Console, found: Matrix) -> None:
    """All targets of one scenario: the facts of each, and how far each pair is apart."""
    several = count(len(found.targets), "target")
    say(console, f"\n{found.scenario}: {several}" if found.scenario else f"\n{several}", "bold")
    _turns(console, found)
    if found.pairs:
        console.print()
        table = columns("pair", "format differs at", "answer differs at", "texts alike", "part in")
        for pair in found.pairs:
            names = f"[{pair.left + 1}] and [{pair.right + 1}]"
            parted = (count(pair.shape, "spot"), count(pair.answer, "spot"))
            add(table, (names, *parted, _alike(pair), _parted(pair.comparison.divergence)))
        draw(console, table)


def figures(console: Console, found: Matrix) -> None:
    """What each turn came to with each target, where the comparison has been told already."""
    say(console, "\nTurn by turn", "bold")
    _turns(console, found)


def _turns(console: Console, found: Matrix) -> None:
    for position, target in enumerate(found.targets, start=1):
        say(console, f"[{position}] {target}")
    console.print()
    whole = _facts(found, *_WORDS, *_NUMBERS)
    draw(console, whole, narrow=(_facts(found, *_WORDS), _facts(found, *_NUMBERS)))


def sources(console: Console, found: Sequence[Matrix]) -> None:
    """The prices behind the costs that are shown: of which day, and from where."""
    named: dict[tuple[str, str], dict[str, None]] = {}
    for told in (told for matrix in found for told in matrix.facts):
        if told.cost:
            whose = named.setdefault((told.cost.dated, told.cost.source), {})
            whose[told.target.partition(" (")[0]] = None
    if named:
        say(console, "\nPrices behind the costs, without guarantee", "bold")
    for (dated, source), targets in named.items():
        say(console, f"{', '.join(targets)}: {dated}, {source}", "dim")


def _alike(pair: Pair) -> str:
    """How alike the texts are: the least and the most of all turns."""
    shares = [f"{share:.0%}" for share in sorted(pair.similarities)]
    return "–".join(dict.fromkeys(shares[:1] + shares[-1:])) or "–"


def _parted(found: Divergence | None) -> str:
    return f"turn {found.turn}: {found.reason}" if found else "–"


_KEYS = ("target", "turn")
_WORDS = ("outcome", "finish", "letters")
_NUMBERS = ("chars", "in", "out", "events", "1st token", "total", "cost")


def _facts(found: Matrix, *shown: str) -> Table:
    """Return a row per turn and target with the *shown* columns."""
    names = (*_KEYS, *shown)
    table = columns(*names, numbers=("turn", *_NUMBERS))
    for told in found.facts:
        counted = (told.content_length, told.input_tokens, told.output_tokens, told.events or None)
        times = (told.first_token, told.total)
        ended = value(told.finish_reason or "–", 40)
        keys = (_position(found, told), str(told.turn))
        said = (value(told.outcome, 40), ended, letters(told))
        figures = (*map(number, counted), *map(seconds, times), money(told.cost))
        cells = dict(zip((*_KEYS, *_WORDS, *_NUMBERS), (*keys, *said, *figures), strict=True))
        add(table, (cells[name] for name in names))
    return table


def _position(found: Matrix, told: Facts) -> str:
    return f"[{found.targets.index(told.target) + 1}]"


def _answers(console: Console, found: Matrix) -> None:
    """What each target answered, the same turn of all together."""
    say(console, "\nWhat was answered, by turn and target", "bold")
    table = columns("turn", "target", "answer", numbers=("turn",))
    length = max(24, console.width * 2 // 3)
    for told in sorted(found.facts, key=lambda told: told.turn):
        add(table, (str(told.turn), _position(found, told), _answer(told, length)))
    draw(console, table)


def _answer(told: Facts, length: int) -> str:
    """An answer in a line: its tool calls, its text, its images, or how it was refused."""
    calls = [f"{call.name}({line(call.arguments)})" for call in told.tool_calls]
    said = [value(told.content, length)] if told.content else []
    images = [count(told.images, "image")] if told.images else []
    return "; ".join([*calls, *said, *images]) or told.outcome


def comparison(console: Console, found: Comparison) -> None:
    """Two transcripts, and where they part, layer by layer."""
    names = f"{found.left} and {found.right}"
    say(console, f"\n{found.scenario}: {names}" if found.scenario else f"\n{names}", "bold")
    if not found.all_differences:
        say(console, "no difference")
    elif found.divergence is None:
        say(console, "no turn parts by more than wording and format")
    else:
        say(console, _first(found.divergence, max(24, console.width // 3)))
    for layer, words in _LAYERS.items():
        parted = found.of(layer)
        if parted:
            varied = sum(told.varies for told in parted)
            noise = f", {varied} of them between repeats of one side, too" if varied else ""
            say(console, f"\n{words}: {count(len(parted), 'difference')}{noise}", "bold")
            draw(console, _differences(parted, length=max(24, console.width * 2 // 3)))


def _first(found: Divergence, length: int) -> str:
    """The first turn that parts, in a sentence."""
    told = found.difference
    left, right = value(told.before, length), value(told.after, length)
    alike = f" ({told.similarity:.0%} alike)" if told.similarity is not None else ""
    where = f" at {told.where}" if told.where.count("/") > 1 else ""
    return f"they part in turn {found.turn}, by {found.reason}{where}: {left} / {right}{alike}"


def _differences(parted: Sequence[Difference], length: int) -> Table:
    table = columns("turn", "part", "path", "left", "right", numbers=("turn",))
    for told in parted:
        where = told.where or ("(all of it)" if told.part else "(the turn)")
        left, right = value(told.before, length), value(told.after, length)
        if told.similarity is not None:
            right += f" ({told.similarity:.0%} alike)"
        add(table, (str(told.turn), told.part, where, left, right))
    return table
