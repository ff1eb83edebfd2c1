"""The command `textconv`, which git runs for `git diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import app

EXAMPLE = "harness textconv cassettes/slogan/dashscope-qwen-flash.yaml"
"""An example for the help text."""


def textconv(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A cassette, as git hands it over.")],
) -> None:
    """Print a cassette as text for `git diff`: the conversation, then the raw HTTP, without times.

    A file that is not a cassette is printed unchanged: a diff has to be shown in any case.
    """
    from harness.config.files import read_file
    from harness.errors import BadCassette
    from harness.report import text, wire
    from harness.runner import recordings

    try:
        read = recordings.read_for_diff(path)
    except BadCassette:
        try:
            content = read_file(path)
        except OSError:
            content = None
        if content is None:
            raise
        typer.echo(content, nl=False)
        return
    screen = app.console()
    text.conversation(screen, read)
    wire.wire(screen, read)
