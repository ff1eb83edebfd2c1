"""The command `import`: recordings of other tools into cassettes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import app
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.convert.converted import Converted

FORMS = "har, otel, aimock, curl, toml or cassette"


EXAMPLE = "harness import session.har --to cassettes/session.yaml"
"""An example for the help text."""


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="HAR, spans of OpenTelemetry (OTLP JSON), fixtures of aimock, transcripts of "
            "curl (--trace, --trace-ascii or -v), cassettes of vcrpy, pytest-recording, cassetter "
            "or go-vcr.",
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="The cassette to write; for one file only."),
    ] = None,
    cassettes: app.Cassettes = app.CASSETTES,
    form: Annotated[
        str, typer.Option("--form", metavar="FORM", help=f"{FORMS}; by default it is recognised.")
    ] = "",
    keep_all: Annotated[
        bool, typer.Option("--all", help="Keep requests to unknown services too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace cassettes that exist.")] = False,
    as_json: app.AsJson = False,
) -> None:
    """Turn recordings of other tools into cassettes, without secrets, and name what is lost.

    A cassette is written as <--cassettes>/<name of the file>.yaml, or to --to.
    """
    from harness.cassette.store import write_cassette
    from harness.convert.loading import IMPORTS, load
    from harness.providers.masking import project_secrets, text_masker

    if form and form not in IMPORTS:
        raise HarnessError(f"--form {form}: expected {FORMS}")
    if to is not None and len(files) > 1:
        raise HarnessError("--to is for one file; leave it out, or import the files one by one")
    secrets, mask = project_secrets(), text_masker()
    report: list[dict[str, object]] = []
    failed = False
    for file in files:
        target = to or cassettes / f"{mask(file.stem)}.yaml"
        try:
            if target.exists() and not force:
                raise HarnessError(
                    f"{target} exists; replace it with --force, or name another: --to"
                )
            written, converted = load(file, form, secrets, keep_all)
            write_cassette(target, written)
        except HarnessError as error:
            failed = True
            app.print_error(str(error))
            continue
        report.append(_entry(file, target, converted))
        if not as_json:
            _print(target, converted)
    if as_json:
        app.print_json({"imported": report})
    raise typer.Exit(2 if failed else 0)


def _entry(file: Path, target: Path, converted: Converted) -> dict[str, object]:
    return {
        "source": str(file),
        "cassette": str(target),
        "exchanges": len(converted.exchanges),
        "lost": dict(converted.losses),
        "skipped": converted.skipped,
    }


def _print(target: Path, converted: Converted) -> None:
    from harness.wire.text import count

    app.echo(f"{target}: {count(len(converted.exchanges), 'exchange')}")
    for what, number in converted.losses.items():
        app.echo(f"  lost in {number}: {what}")
    for text in converted.skipped[:10]:
        app.echo(f"  left out: {text}")
    if len(converted.skipped) > 10:
        app.echo(f"  left out: {len(converted.skipped) - 10} more")
