"""The command `import`: recordings of other tools into cassettes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cassette.store import write_cassette
from harness.cli import app
from harness.errors import HarnessError
from harness.wire.text import count

if TYPE_CHECKING:
    from harness.convert.converted import Converted

FORMS = "har, otel, aimock, curl, toml or cassette"


def import_(
    files: list[Path],
    to: Path | None = None,
    cassettes: Path = app.CASSETTES,
    form: str = "",
    keep_all: bool = False,
    force: bool = False,
    as_json: bool = False,
) -> None:
    """Turn recordings of other tools into cassettes, without secrets, and name what is lost.

    A cassette is written as <--cassettes>/<name of the file>.yaml, or to --to.
    """
    from harness.convert.importing import IMPORTS, load
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

    app.echo(f"{target}: {count(len(converted.exchanges), 'exchange')}")
    for what, number in converted.losses.items():
        app.echo(f"  lost in {number}: {what}")
    for text in converted.skipped[:10]:
        app.echo(f"  left out: {text}")
    if len(converted.skipped) > 10:
        app.echo(f"  left out: {len(converted.skipped) - 10} more")
