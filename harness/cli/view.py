"""The command `view`: browse recordings on a local web page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from harness.cassette.store import require_path
from harness.cli import app
from harness.config.extras import extra
from harness.locale import LANGUAGE


def view(
    paths: list[Path] | None = None,
    port: int | None = None,
) -> None:
    """Browse recordings in a browser: search, filter, show, compare any of them.

    A server on this machine makes each page when it is opened, and writes nothing. A recording that
    is running is followed live. Ctrl-C ends it.
    """
    with extra("serve"), extra("report"):
        from harness.report.html.view import Viewer
        from harness.sandbox.server import run_in_thread
        from harness.serve.commands import wait_for_signal
    folders = paths or [app.CASSETTES]
    for path in folders:
        require_path(path)
    with run_in_thread(Viewer(folders, LANGUAGE.get()).application(), port) as address:
        wait_for_signal(partial(typer.echo, address))
