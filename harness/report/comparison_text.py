"""Comparisons and rankings on a console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from harness.comparison.matrix import Matrix, TargetPair, TurnFigures
from harness.comparison.types import Comparison, Difference, Divergence, Layer
from harness.locale import localized, localized_count, localized_error, mark
from harness.report import tables
from harness.report.console import draw, print_message, print_text
from harness.report.format import money, number, script, seconds, value
from harness.report.ranking import Ranking
from harness.report.tables import Table
from harness.wire.text import count, line

_LAYERS = {
    Layer.SHAPE: mark("Format: paths and their types"),
    Layer.ANSWER: mark("Answer, independent of the provider"),
    Layer.CONTENT: mark("Values at shared paths"),
    Layer.VOLATILE: mark("Values that always differ"),
}


def matrix(console: Console, matrix: Matrix) -> None:
    """Print tokens, times and costs of all targets of a scenario, then how their answers differ."""
    pairs(console, matrix)
    _answers(console, matrix)
    numbered = [f"[{position}]" for position in range(1, len(matrix.targets) + 1)]
    for table in matrix.tables:
        if not table.differing:
            continue
        title = localized("{}: paths where the formats differ").format(localized(table.part))
        _title(console, title)
        rows = []
        for row in table.differing:
            sides = zip(row.types, table.present, strict=True)
            cells = [types or ("–" if present else "") for types, present in sides]
            rows.append((row.path or localized("(all of it)"), *cells))
        draw(console, Table(("path", *numbered), rows))


def pairs(console: Console, matrix: Matrix) -> None:
    """Print tokens, times and costs of all targets, and the number of differences of each pair."""
    targets = localized_count(len(matrix.targets), "{} target", "{} targets")
    about = f"{matrix.scenario}{localized(': ')}" if matrix.scenario else ""
    _title(console, f"{about}{targets}")
    _facts(console, matrix)
    if matrix.pairs:
        console.print()
        columns = ("pair", mark("format"), "answer", "text similarity", "diverges at")
        draw(console, Table(columns, [_pair(pair) for pair in matrix.pairs]))


def figures(console: Console, matrix: Matrix) -> None:
    """Print a table of the tokens, times and costs of each turn of each target in *matrix*."""
    _title(console, localized("Turns"))
    _facts(console, matrix)


def rankings(console: Console, rankings: Sequence[Ranking]) -> None:
    """Print for each ranking its fastest and cheapest target, then the tokens, times and costs."""
    if not rankings:
        return
    _title(console, localized("Models: speed and cost"))
    if any(ranking.sandbox for ranking in rankings):
        print_text(console, localized("Times, tokens and costs are those of the sandbox."), "dim")
    for ranking in rankings:
        each = localized("{} each").format(localized_error(count(ranking.turns, "turn")))
        scenarios = localized(", ").join([*ranking.scenarios, each])
        verdict = localized_error(ranking.verdict())
        print_text(console, f"\n{scenarios}{localized(': ')}{verdict}")
        draw(console, tables.ranking(ranking).only("target", *tables.RANKED))


def sources(console: Console, matrices: Sequence[Matrix]) -> None:
    """Print the date and the source of each price by which costs in *matrices* were computed."""
    named: dict[tuple[str, str], dict[str, None]] = {}
    for figures in (figures for matrix in matrices for figures in matrix.figures):
        if figures.cost:
            targets = named.setdefault((figures.cost.dated, figures.cost.source), {})
            targets[figures.target.partition(" (")[0]] = None
    if named:
        _title(console, localized("Prices behind the costs, without guarantee"))
    for (dated, source), targets in named.items():
        print_text(console, f"{', '.join(targets)}: {localized_error(dated)}, {source}", "dim")


def _title(console: Console, text: str) -> None:
    print_text(console, f"\n{text}", "bold")


def _pair(pair: TargetPair) -> tuple[str, ...]:
    shares = (f"{share:.0%}" for share in pair.comparison.similarity_range)
    similarity = "–".join(dict.fromkeys(shares)) or "–"
    divergence = pair.comparison.divergence
    diverges = "–"
    if divergence:
        text = localized("turn {}: {}")
        diverges = text.format(divergence.turn, localized(divergence.reason))
    counts = (_differences(pair.shape), _differences(pair.answer))
    sides = localized("{} and {}").format(f"[{pair.left + 1}]", f"[{pair.right + 1}]")
    return sides, *counts, similarity, diverges


def _differences(number: int) -> str:
    return localized_count(number, "{} difference", "{} differences")


_KEYS = ("target", "turn")
_WORDS = ("outcome", mark("finish"), "script")
_NUMBERS = (mark("chars"), "input", "output", "events", mark("1st token"), "total", "cost")


def _facts(console: Console, matrix: Matrix) -> None:
    """Print the targets with their numbers, then a table with a row per turn and target."""
    for position, target in enumerate(matrix.targets, start=1):
        print_text(console, f"[{position}] {target}")
    console.print()
    rows = [_row(matrix, one) for figures in matrix.figures for one in figures.by_choice]
    table = Table((*_KEYS, *_WORDS, *_NUMBERS), rows, numbers=("turn", *_NUMBERS))
    draw(console, table, narrow=((*_KEYS, *_WORDS), (*_KEYS, *_NUMBERS)))


def _row(matrix: Matrix, figures: TurnFigures) -> tuple[str, ...]:
    counts = (
        figures.content_length,
        figures.input_tokens,
        figures.output_tokens,
        figures.events or None,
    )
    return (
        _position(matrix, figures),
        str(figures.turn),
        localized_error(localized(value(figures.outcome, 40))),
        value(figures.finish_reason or "–", 40),
        _script(figures),
        *map(number, counts),
        *map(seconds, (figures.first_token, figures.total)),
        money(figures.cost),
    )


def _script(figures: TurnFigures) -> str:
    name, space, share = script(figures).partition(" ")
    return f"{localized(name)}{space}{share}"


def _position(matrix: Matrix, figures: TurnFigures) -> str:
    return f"[{matrix.targets.index(figures.target) + 1}]"


def _answers(console: Console, matrix: Matrix) -> None:
    """Print the answer of each target to each turn, sorted by turn."""
    _title(console, localized("Answers by turn and target"))
    length = max(24, console.width * 2 // 3)
    rows = [
        (str(one.turn), _position(matrix, one), _answer(one, length))
        for figures in sorted(matrix.figures, key=lambda figures: figures.turn)
        for one in figures.by_choice
    ]
    draw(console, Table(("turn", "target", "answer"), rows, numbers=("turn",)))


def _answer(figures: TurnFigures, length: int) -> str:
    """Return an answer on one line: tool calls, text and images; its outcome if it has none.

    A choice after the first is preceded by its name.
    """
    calls = [f"{call.name}({line(call.arguments)})" for call in figures.tool_calls]
    text = [value(figures.content, length)] if figures.content else []
    images = [localized_error(count(figures.images, "image"))] if figures.images else []
    said, outcome = "; ".join([*calls, *text, *images]), localized_error(localized(figures.outcome))
    return f"{outcome}{localized(': ')}{said}" if said and figures.is_further else said or outcome


def comparison(console: Console, comparison: Comparison) -> None:
    """Print the differences of two transcripts, grouped by layer: formats, answers, values."""
    names = localized("{} and {}").format(comparison.left, comparison.right)
    print_text(
        console,
        f"\n{comparison.scenario}{localized(': ')}{names}" if comparison.scenario else f"\n{names}",
        "bold",
    )
    if not comparison.all_differences:
        print_text(console, localized("no difference"))
    elif comparison.divergence is None:
        print_text(console, localized("the turns differ in wording and format only"))
    else:
        print_text(console, _first(comparison.divergence, max(24, console.width // 3)))
    for layer, title in _LAYERS.items():
        differences = comparison.of(layer)
        if differences:
            varied = sum(difference.varies for difference in differences)
            repeats = localized(", {} of them also between repeats of one side").format(varied)
            counted = _differences(len(differences)) + (repeats if varied else "")
            print_text(console, f"\n{localized(title)}{localized(': ')}{counted}", "bold")
            length = max(24, console.width * 2 // 3)
            rows = [_difference(difference, length) for difference in differences]
            columns = ("turn", mark("part"), "path", mark("left"), mark("right"))
            draw(console, Table(columns, rows, numbers=("turn",), words=("part",)))
    if comparison.by_position:
        print_message(
            console, f"\nlong lists compared by position: {', '.join(comparison.by_position)}"
        )


def _first(divergence: Divergence, length: int) -> str:
    """Return where and how the transcripts first diverge, as a clause."""
    difference = divergence.difference
    left, right = value(difference.before, length), value(difference.after, length)
    where = f" at {difference.where}" if difference.where.count("/") > 1 else ""
    reason = f"{localized(divergence.reason)}{where}"
    why = localized("diverges at turn {} by {}").format(divergence.turn, reason)
    return f"{why}{localized(': ')}{left} / {right}{_similarity(difference)}"


def _difference(difference: Difference, length: int) -> tuple[str, ...]:
    where = difference.where or localized("(all of it)" if difference.part else mark("(the turn)"))
    left, right = value(difference.before, length), value(difference.after, length)
    return str(difference.turn), difference.part, where, left, right + _similarity(difference)


def _similarity(difference: Difference) -> str:
    return (
        ""
        if difference.similarity is None
        else localized(" ({} similar)").format(f"{difference.similarity:.0%}")
    )
