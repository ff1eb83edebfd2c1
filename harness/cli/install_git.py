"""The command `install-git`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import CASSETTES, Cassettes


def install_git(
    cassettes: Cassettes = CASSETTES,
    undo: Annotated[bool, typer.Option("--undo", help="Remove it again.")] = False,
) -> None:
    """Have `git diff` show cassettes as conversations, in this clone.

    Writes one line to .gitattributes (to be committed) and one setting to this clone's
    .git/config (git runs no commands of a cloned repository: run this once in each clone).
    """
    from harness.cli import git

    message = git.uninstall(Path.cwd(), cassettes) if undo else git.install(Path.cwd(), cassettes)
    typer.echo(message)
