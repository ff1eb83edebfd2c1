"""Commands that show recordings: show, textconv, install-git."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import CASSETTES, SCENARIOS, AsJson, Cassettes, Scenarios, console

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from harness.analysis.transcript import AnalyzedTranscript

Wire = Annotated[bool, typer.Option("--wire", help="As it travelled: headers, bodies, events.")]


def show(
    name: Annotated[str, typer.Argument(metavar="SIDE", help="scenario, scenario/target or file.")],
    other: Annotated[
        str | None, typer.Argument(metavar="SIDE2", help="Show where this one differs.")
    ] = None,
    wire: Wire = False,
    scenarios: Scenarios = SCENARIOS,
    cassettes: Cassettes = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """Show a recording as the conversation it is, as it travelled, or where two of them differ."""
    from harness import recordings
    from harness.cassette.store import Store
    from harness.report import json_report, text

    sides = [
        recordings.read_side(side, scenarios, Store(cassettes))
        for side in (name, other)
        if side is not None
    ]
    view = text.wire if wire else text.conversation
    if as_json:
        typer.echo(
            json_report.dumps([json_report.conversation(read) for reads in sides for read in reads])
        )
    elif len(sides) == 1:
        _views(console(), sides[0], view)
    else:
        _parted(recordings.pair_sides(*sides), view)


def _views(
    screen: Console,
    reads: list[AnalyzedTranscript],
    view: Callable[[Console, AnalyzedTranscript], None],
) -> None:
    for number, read in enumerate(reads):
        screen.print() if number else None
        view(screen, read)


def _parted(
    pairs: list[tuple[AnalyzedTranscript, AnalyzedTranscript]],
    view: Callable[[Console, AnalyzedTranscript], None],
) -> None:
    from harness.report import text

    screen = console()
    for left, right in pairs:
        if not text.difference(screen, _lines(left, view), _lines(right, view)):
            screen.print("no difference")


def _lines(
    read: AnalyzedTranscript, view: Callable[[Console, AnalyzedTranscript], None]
) -> list[str]:
    """A view as plain lines, none of them wrapped."""
    import io

    from rich.console import Console

    written = io.StringIO()
    view(Console(file=written, highlight=False, markup=False, width=120), read)
    return written.getvalue().splitlines()


def textconv(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A cassette, as git hands it over.")],
) -> None:
    """Print a cassette as text for `git diff`: the conversation, then the wire, without times.

    A file that is no cassette is printed as it is: a diff has to be shown in any case.
    """
    from harness import recordings
    from harness.errors import BadCassette
    from harness.report import text

    try:
        read = recordings.read_for_diff(path)
    except BadCassette:
        if not path.is_file():
            raise
        typer.echo(path.read_bytes(), nl=False)
        return
    screen = console()
    text.conversation(screen, read)
    text.wire(screen, read)


def install_git(
    cassettes: Cassettes = CASSETTES,
    undo: Annotated[bool, typer.Option("--undo", help="Take it out again.")] = False,
) -> None:
    """Have `git diff` show cassettes as conversations, in this clone.

    Writes one line to .gitattributes (to be committed) and one setting to this clone's
    .git/config (git takes no commands from what was cloned: everybody runs this once).
    """
    from harness.cli import git

    told = git.uninstall(Path.cwd(), cassettes) if undo else git.install(Path.cwd(), cassettes)
    typer.echo(told)
