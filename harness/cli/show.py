"""The command `show`: show a recording, or where two recordings differ."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cassette.store import Skip, Store
from harness.cli import app
from harness.locale import localized

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from harness.analysis.transcript import AnalyzedTranscript

    View = Callable[[Console, AnalyzedTranscript], None]


def show(
    name: str,
    other: str | None = None,
    wire: bool = False,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    as_json: bool = False,
) -> None:
    """Show a recording as a conversation or as raw HTTP, or where two recordings differ."""
    from harness.providers import recordings
    from harness.report import json_report, text
    from harness.report import wire as raw

    view = raw.wire if wire else text.conversation
    with app.skipping() as skip:
        sides = [
            _side(side, scenarios, Store(cassettes), skip)
            for side in (name, other)
            if side is not None
        ]
        if as_json:
            app.print_json(json_report.conversation(read) for reads in sides for read in reads)
        elif len(sides) == 1:
            screen = app.console()
            for number, read in enumerate(sides[0]):
                screen.print() if number else None
                view(screen, read)
        else:
            _difference(recordings.pair_sides(*sides), view)


def _side(name: str, scenarios: Path, store: Store, skip: Skip) -> list[AnalyzedTranscript]:
    """Return one side of a comparison; to show a file, nothing of scenarios is imported."""
    from harness.providers.recordings import read_named

    if own := read_named(name):
        return [own]
    from harness.runner.job_recordings import read_side

    return read_side(name, scenarios, store, skip)


def _difference(pairs: list[tuple[AnalyzedTranscript, AnalyzedTranscript]], view: View) -> None:
    from harness.report import text

    screen = app.console()
    for left, right in pairs:
        if not text.difference(screen, _lines(left, view), _lines(right, view)):
            screen.print(localized("no difference"))


def _lines(read: AnalyzedTranscript, view: View) -> list[str]:
    """Return what *view* prints of a transcript as lines that are not wrapped."""
    from rich.console import Console

    output = io.StringIO()
    view(Console(file=output, highlight=False, markup=False, width=120), read)
    return output.getvalue().splitlines()
