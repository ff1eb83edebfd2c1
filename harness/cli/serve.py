"""The command `serve`: replay cassettes over HTTP, for clients in any language."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli import app
from harness.config.extras import extra
from harness.errors import BadCassette, HarnessError
from harness.locale import localized, localized_count, localized_error, mark

if TYPE_CHECKING:
    from harness.serve.server import ServeResult


def serve(
    context: typer.Context,
    paths: list[Path] | None = None,
    port: int | None = None,
    pace: float = 0.0,
    allow_unused: bool = False,
    recording: Path | None = None,
    upstream: list[str] | None = None,
    rewrite_links: bool = False,
    fault: list[str] | None = None,
    reports: list[Path] | None = None,
    as_json: bool = False,
) -> None:
    """Answer HTTP requests on this machine from cassettes: same bytes, same chunks, no key.

    Prints the environment variables that lead clients here. With a command after `--`, it is run
    with them set; otherwise the server runs until Ctrl-C. /__harness/ tells what was answered.
    `/~NAME/` before a path, or the header x-harness-session, keeps clients apart; the name of a
    cassette before a path, or the header x-harness-cassette, chooses one. Exit code: that of the
    command, or 1 for requests without a recorded answer, for unused recorded requests, and for a
    command that sends none, or 2 if a file in a folder is no cassette; it is named and left out.
    """
    from harness.intercept.clock import checked_pace

    with extra("serve"):
        from harness.serve.cassettes import load
        from harness.serve.links import Links
        from harness.serve.server import replay
    from harness.faults.injected import parse

    faults = [parse(text) for text in fault or []]

    command = app.child_command(context)
    if recording is not None:
        if paths or faults:
            raise HarnessError("--record FILE replays nothing: leave out the paths and --fault")
        record_through_proxy(recording, command, upstream, port, reports=reports, as_json=as_json)
    if upstream:
        raise HarnessError("--upstream is for recording: add --record FILE")
    left_out: list[BadCassette] = []
    cassettes = load(paths or [app.CASSETTES], left_out.append)
    for error in left_out:
        app.print_error(f"left out: {error}")
    links = Links.of(cassettes.exchanges) if rewrite_links else None
    if links:
        app.echo(f"# links to {len(links.recorded)} recorded files are rewritten", err=True)
    shown = partial(announce, bool(command), as_json)
    result = replay(cassettes, shown, command, port, checked_pace(pace), links, faults)
    unused = () if allow_unused else result.unused
    problems = [f"miss: {miss}" for miss in _misses(result)] + [f"unused: {u}" for u in unused]
    if command and not (result.answered or result.misses or allow_unused):
        problems.append(_UNASKED)
        typer.echo(localized(_UNASKED), err=True)
    _report(result, allow_unused, as_json)
    if reports:
        from harness.report.build import served_report

        app.write_reports(served_report(result.served, problems), reports)
    raise typer.Exit(result.exit_code or (1 if problems else 2 if left_out else 0))


_UNASKED = mark("no request arrived: the command sent none, or to other addresses than these")


def announce(to_stderr: bool, as_json: bool, address: str, variables: Mapping[str, str]) -> None:
    """Print the server's address, and the environment variables that lead clients to it.

    Args:
        to_stderr: Whether to print to standard error, as text.
        as_json: Whether to print JSON on one line, unless *to_stderr* is true.
        address: The server's address.
        variables: The value of each environment variable by name.
    """
    if as_json and not to_stderr:
        typer.echo(json.dumps({"address": address, "variables": dict(variables)}))
        return
    lines = [f"export {name}={value}" for name, value in variables.items()]
    typer.echo(
        "\n".join([localized_error(f"# harness listens at {address}"), *lines]), err=to_stderr
    )


def record_through_proxy(
    path: Path,
    command: list[str],
    upstream: list[str] | None,
    port: int | None,
    *,
    resume: bool = False,
    afresh: bool = False,
    reports: list[Path] | None = None,
    as_json: bool = False,
) -> None:
    """Record the requests of a command or of another program through a proxy, then exit.

    Args:
        path: The cassette.
        command: The command to run; empty to run the proxy until Ctrl-C.
        upstream: The values of `--upstream`: addresses of services.
        port: The port of the proxy; None for a default.
        resume: Whether to keep what the cassette has, and record only what is missing.
        afresh: Whether to discard the answers of an interrupted recording.
        reports: The files of reports about the cassette.
        as_json: Whether to print the result as JSON.
    """
    with extra("serve"):
        from harness.serve.proxy import upstreams
        from harness.serve.server import record

    services = upstreams(upstream or [], os.environ)
    result = record(
        path,
        services,
        partial(announce, bool(command), as_json),
        command,
        port,
        "missing" if resume else "all",
        afresh,
    )
    if as_json:
        app.print_json({"cassette": str(path), "recorded": result.answered})
    else:
        count = localized_count(result.answered, "{} exchange", "{} exchanges")
        written = localized("recorded {} to {}").format(count, path)
        nothing = localized(_UNASKED) if command else localized("nothing was recorded")
        typer.echo(written if result.answered else nothing, err=bool(command))
    if reports and result.answered:
        from harness.report.build import check_report

        app.write_reports(check_report([path], lambda text: None), reports)
    is_empty = bool(command) and not (result.answered or resume)
    raise typer.Exit(result.exit_code or int(is_empty))


def _report(result: ServeResult, allow_unused: bool, as_json: bool) -> None:
    if as_json:
        app.print_json({**result.status, "exit_code": result.exit_code})
        return
    to_stderr = result.exit_code is not None
    for miss in _misses(result):
        app.echo(f"miss: {miss}", err=to_stderr)
    for text in () if allow_unused else result.unused:
        app.echo(f"unused: {text}", err=to_stderr)
    text = localized("answered {}, missed {}, unused {}")
    counts = (result.answered, result.missed, len(result.unused))
    typer.echo(text.format(*counts), err=to_stderr)


def _misses(result: ServeResult) -> list[str]:
    """Return the texts about the misses of a replay, and the number of those without a text."""
    more = result.missed - len(result.misses)
    return [*result.misses, *([localized("and {} more").format(more)] if more else [])]
