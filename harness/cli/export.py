"""The command `export`: cassettes into the files of other tools."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cassette.store import read_all, write_text
from harness.cli import app
from harness.errors import HarnessError

FORMS = "har, otel, jsonl or vcrpy"


def export(
    paths: list[Path],
    form: str,
    to: Path | None = None,
) -> None:
    """Write cassettes in a form that other tools read; what it has no room for is named."""
    from harness.convert.export import EXPORTS
    from harness.convert.export import export as exported
    from harness.providers.recordings import read_cassette

    if form not in EXPORTS:
        raise HarnessError(f"--form {form}: expected {FORMS}")
    with app.skipping() as skip:
        read = [one for _, one in read_all(paths, read_cassette, skip)]
        text, losses = exported(read, form)
        text = text.encode("utf-8", "replace").decode()  # the name of a file may be any bytes
        for loss in losses:
            app.print_error(f"{form} has no room for {loss}")
        if to is None or to.name == "-":
            typer.echo(text, nl=False)
        elif read:
            write_text(to, text)
            app.echo(f"wrote {to}", err=True)
