"""Who was faster and who was cheaper, on a console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from harness.report.console import add, columns, draw, say
from harness.report.format import money, number, seconds
from harness.report.ranking import Entry, Ranking, Sum, verdict
from harness.wire.text import count


def contests(console: Console, found: Sequence[Ranking]) -> None:
    """Targets that answered the same turns: a verdict, and what it follows from."""
    if not found:
        return
    say(console, "\nModels: who was faster, who was cheaper", "bold")
    if any(contest.sandbox for contest in found):
        say(console, "Times and tokens, and so costs, are those of the sandbox.", "dim")
    for contest in found:
        each = f"{count(contest.turns, 'turn')} each"
        say(console, f"\n{', '.join([*contest.scenarios, each])}: {verdict(contest)}")
        figures = ("in", "out", "1st token", "time of a turn", "cost")
        table = columns("target", *figures, numbers=figures)
        for entry in contest.entries:
            add(table, _cells(entry))
        draw(console, table)


def _cells(entry: Entry) -> tuple[str, ...]:
    tokens = map(_sum, (entry.input_tokens, entry.output_tokens))
    times = map(seconds, (entry.first_token, entry.total))
    return (entry.target, *tokens, *times, money(entry.cost))


def _sum(found: Sum) -> str:
    """A sum, if it is known of all turns."""
    return number(found.amount if found.known == found.of else None)
