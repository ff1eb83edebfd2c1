"""The command `textconv`, which git runs for `git diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import app


def textconv(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A cassette, as git hands it over.")],
) -> None:
    """Print a cassette as text for `git diff`: the conversation, then the raw HTTP, without times.

    A file that is not a cassette is printed unchanged: a diff has to be shown in any case.
    """
    from harness import recordings
    from harness.errors import BadCassette
    from harness.report import text, wire

    try:
        read = recordings.read_for_diff(path)
    except BadCassette:
        if not path.is_file():
            raise
        typer.echo(path.read_bytes(), nl=False)
        return
    screen = app.console()
    text.conversation(screen, read)
    wire.wire(screen, read)
